// How often we ask the peer to acknowledge (draft-ietf-quic-ack-frequency): the sending side's policy, and the frame that says
// it.
#pragma once

#include <cstdint>
#include <optional>

#include <tandem/bytes/time.hpp>
#include <tandem/quic/frame.hpp>
#include <tandem/quic/frame_writer.hpp>
#include <tandem/quic/sent_frames.hpp>
#include <tandem/recovery/reordering.hpp>
#include <tandem/recovery/sender.hpp>

namespace tandem::quic {

// While the window is small every other packet is acknowledged, as always; the larger it is, the fewer ACKs are worth their cost.
// Nothing is said before the peer offered to listen, nor while its habits suit us.
class ack_frequency {
public:
    // ACKs asked for in a round trip: what HyStart++ wants of samples (RFC 9406 4.2), and steps small enough for pacing.
    static constexpr std::uint64_t acks_per_round_trip = 8;
    // Packets beyond this many in one ACK save next to nothing, and an ACK that is lost costs more.
    static constexpr std::uint64_t max_threshold = 32;
    static constexpr duration min_requested_delay = std::chrono::milliseconds(1);
    static constexpr duration max_requested_delay = std::chrono::milliseconds(100);

    // From the peer's transport parameters. Without min_ack_delay it does not listen, and nothing is ever sent.
    void set_peer(std::optional<duration> min_ack_delay, duration max_ack_delay);
    bool available() const { return min_ack_delay_.has_value(); }
    // Fewer ACKs than usual were asked for: what must be known soon asks for it (IMMEDIATE_ACK).
    bool in_force() const { return available() && sequence_ > 0; }

    // After an acknowledgment, or on another path: asks anew if what is wanted has changed by much. At most one request is under
    // way.
    void consider(const recovery::sender& path, const recovery::reordering_tolerance& tolerance);

    bool wants_to_send() const { return due_; }
    void write_frame(frame_writer& out, sent_frames& contents);
    void acknowledged(ack_frequency_token);
    void lost(ack_frequency_token);

    // What the peer may wait before it acknowledges: the greatest of what is in force and what is under way (7).
    duration max_ack_delay() const { return under_way_ ? std::max(in_force_delay_, delay_of(asked_)) : in_force_delay_; }

    const ack_frequency_frame& asked() const { return asked_; }  // the latest request

private:
    static duration delay_of(const ack_frequency_frame& f) {
        return std::chrono::microseconds(static_cast<std::int64_t>(f.max_ack_delay));
    }

    std::optional<duration> min_ack_delay_;
    duration in_force_delay_{std::chrono::milliseconds(25)};  // RFC 9000 18.2: the default
    ack_frequency_frame asked_;
    std::uint64_t sequence_ = 0;  // of the next request
    bool due_ = false;
    bool under_way_ = false;  // the latest request was sent and is neither acknowledged nor lost
};

}  // namespace tandem::quic
