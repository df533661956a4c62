// Whether the peer receives at an address: PATH_CHALLENGE until one is answered, or until it is given up (RFC 9000 8.2).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include <tandem/bytes/random.hpp>
#include <tandem/bytes/time.hpp>
#include <tandem/quic/frame.hpp>
#include <tandem/quic/frame_writer.hpp>

namespace tandem::quic {

// RFC 9000 8.2.4: three times the probe timeout of a path of which nothing is known, or of the present one if that is longer.
constexpr duration unknown_path_timeout = std::chrono::milliseconds(999);

class path_validation {
public:
    static constexpr std::size_t max_challenges = 8;  // sent for one validation, at growing intervals; an answer to any will do

    // Challenges from now on, every `interval` (doubled each time), until `deadline`.
    void begin(time_point now, duration interval, time_point deadline);
    bool under_way() const { return deadline_.has_value(); }
    void stop();

    bool challenge_due() const { return due_; }
    bool write_challenge(frame_writer& out, random_source& random);
    // How large the datagram with the latest challenge became.
    void on_challenge_sent(std::size_t datagram_size);
    // Whether this answers one of ours; then the validation is over.
    bool on_response(const path_response_frame& f);
    // The challenge that was answered came in a datagram of 1200 bytes: the path carries them. If not, that is still to be shown
    // (RFC 9000 8.2.1).
    bool answered_in_full() const { return answered_in_full_; }

    std::optional<time_point> timer() const;
    // Another challenge may be due. False: the time is over and nobody answered.
    bool on_timeout(time_point now);

private:
    std::size_t count_ = 0;
    bool answered_in_full_ = false;
    bool due_ = false;
    duration interval_{};
    std::optional<time_point> again_;
    std::optional<time_point> deadline_;
    std::array<std::array<std::uint8_t, 8>, max_challenges> sent_{};
    std::array<bool, max_challenges> full_{};
};

}  // namespace tandem::quic
