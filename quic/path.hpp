// One path between two addresses: what may be sent on it, and how.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>

#include <tandem/bytes/address.hpp>
#include <tandem/bytes/datagram.hpp>
#include <tandem/bytes/random.hpp>
#include <tandem/quic/config.hpp>
#include <tandem/quic/ecn.hpp>
#include <tandem/quic/frame.hpp>
#include <tandem/quic/frame_writer.hpp>
#include <tandem/quic/path_validation.hpp>
#include <tandem/recovery/mtu_discovery.hpp>
#include <tandem/recovery/sender.hpp>

namespace tandem::quic {

constexpr std::size_t min_initial_datagram_size = 1200;  // RFC 9000 14.1
constexpr std::size_t usual_datagram_size = 1452;        // what Ethernet's 1500 bytes leave to UDP over IPv6
// Less than this is not worth a datagram of its own while the client's address is unproven: wait for more allowance.
constexpr std::size_t min_unvalidated_datagram = 256;

class path {
public:
    // PATH_RESPONSEs owed at one time. A peer needs one or two; those of a flood beyond are dropped, oldest first.
    static constexpr std::size_t max_path_responses = 4;
    static constexpr std::uint64_t amplification_factor = 3;  // RFC 9000 8.1

    // seed: of the controller's chance.
    path(const ip_path& addresses, bool validated, const config& settings, std::uint64_t seed = 0)
        : addresses_(addresses),
          validated_(validated),
          max_datagram_size_(std::clamp<std::size_t>(settings.max_datagram_size, min_initial_datagram_size, 65527)),
          sender_({.controller = {.kind = settings.controller,
                                  .max_datagram_size = max_datagram_size_,
                                  .initial_window = settings.initial_window,
                                  .fixed_window = settings.fixed_window,
                                  .hystart = settings.hystart,
                                  .prr = settings.prr,
                                  .seed = seed},
                   .initial_rtt = settings.initial_rtt,
                   .pacing = settings.pacing}),
          mtu_(max_datagram_size_, std::min(max_probed_size(settings), std::max(usual_datagram_size, max_datagram_size_))),
          ecn_(settings.ecn),
          max_probed_size_(max_probed_size(settings)) {}

    const ip_path& addresses() const { return addresses_; }
    recovery::sender& sender() { return sender_; }
    const recovery::sender& sender() const { return sender_; }
    ecn_validation& ecn() { return ecn_; }
    const ecn_validation& ecn() const { return ecn_; }

    // The largest UDP payload sent.
    std::size_t max_datagram_size() const { return max_datagram_size_; }
    recovery::mtu_discovery& mtu() { return mtu_; }
    void on_mtu_probe_acknowledged(std::size_t size, time_point now) {
        if (mtu_.on_probe_acknowledged(size, now)) set_datagram_size(mtu_.size());
    }
    // RFC 9000 14.3: what is sent does not arrive; perhaps since it is too large now.
    void on_probe_timeouts(unsigned count, time_point now) {
        if (mtu_.on_timeouts(count, now)) set_datagram_size(mtu_.size());
    }
    // A datagram of this size could not be sent. False if the path carries no QUIC at all then (RFC 9000 14).
    bool on_datagram_refused(std::size_t size, time_point now) {
        if (size <= min_initial_datagram_size) return false;
        mtu_.on_refused(size, min_initial_datagram_size, now);
        if (mtu_.size() < max_datagram_size_) set_datagram_size(mtu_.size());
        return true;
    }
    // The local interface takes UDP payloads of so many bytes on the way there: that much is tried, and no more.
    void interface_takes(std::size_t bytes) {
        mtu_.lower_limit(bytes);
        mtu_.raise_limit(std::min(bytes, max_probed_size_));
    }
    // The peer takes no more (RFC 9000 18.2).
    void limit_datagram_size(std::uint64_t bytes) {
        max_probed_size_ = static_cast<std::size_t>(std::min<std::uint64_t>(bytes, max_probed_size_));
        mtu_.lower_limit(max_probed_size_);
        if (bytes >= max_datagram_size_) return;
        max_datagram_size_ = std::max<std::size_t>(bytes, min_initial_datagram_size);
        sender_.set_max_datagram_size(max_datagram_size_);
    }

    // Until the peer has proven that it receives at its address, three times as much is sent as came: RFC 9000 8.1.
    void on_received(std::size_t bytes) { received_ += bytes; }
    void on_sent(std::size_t bytes) { sent_ += bytes; }
    void validate() { validated_ = true; }
    // What is known of the path before holds on: only the peer's port is new (RFC 9000 9.4).
    void take_sender(path& other) {
        sender_ = std::move(other.sender_);
        ecn_ = other.ecn_;
        mtu_ = other.mtu_;
        max_probed_size_ = other.max_probed_size_;
        max_datagram_size_ = other.max_datagram_size_;
    }
    bool validated() const { return validated_; }
    std::uint64_t amplification_allowance() const {
        if (validated_) return std::numeric_limits<std::uint64_t>::max();
        return amplification_factor * received_ - std::min(amplification_factor * received_, sent_);
    }

    // RFC 9000 8.2.2: each PATH_CHALLENGE is answered once; an answer that is lost is not repeated.
    void on_challenge(const path_challenge_frame& f) {
        if (responses_ == queue_.size())
            std::shift_left(queue_.begin(), queue_.end(), 1);
        else
            ++responses_;
        queue_[responses_ - 1] = f.data;
    }
    bool wants_to_send() const { return responses_ > 0 || validation_.challenge_due(); }
    // True if anything was written: then the datagram is to be padded, to show that the path carries 1200 bytes (RFC 9000 8.2.1).
    bool write_frames(frame_writer& out, random_source& random) {
        if (!wants_to_send()) return false;
        std::size_t done = 0;
        while (done < responses_ && out.write(path_response_frame{queue_[done]})) ++done;
        std::shift_left(queue_.begin(), queue_.end(), static_cast<std::ptrdiff_t>(done));
        responses_ -= done;
        return validation_.write_challenge(out, random) || done > 0;
    }
    std::size_t responses_owed() const { return responses_; }

    path_validation& validation() { return validation_; }
    const path_validation& validation() const { return validation_; }

private:
    std::size_t max_probed_size(const config& settings) const {
        return settings.mtu_discovery ? std::max(settings.max_probed_size, max_datagram_size_) : max_datagram_size_;
    }
    void set_datagram_size(std::size_t bytes) {
        max_datagram_size_ = bytes;
        sender_.set_max_datagram_size(bytes);
    }

    ip_path addresses_;
    bool validated_;
    std::size_t max_datagram_size_;
    std::uint64_t received_ = 0;
    std::uint64_t sent_ = 0;
    std::size_t responses_ = 0;
    recovery::sender sender_;
    recovery::mtu_discovery mtu_;
    ecn_validation ecn_;
    std::size_t max_probed_size_;
    path_validation validation_;
    std::array<std::array<std::uint8_t, 8>, max_path_responses> queue_{};
};

}  // namespace tandem::quic
