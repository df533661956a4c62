// The idle timeout and the keep-alive of a connection (RFC 9000 10.1).
#pragma once

#include <algorithm>
#include <optional>

#include <tandem/bytes/time.hpp>

namespace tandem::quic {

class idle_timer {
public:
    // ours, keep_alive: zero: none.
    idle_timer(duration ours, duration keep_alive, time_point now)
        : timeout_(ours), keep_alive_(keep_alive), restarted_(now), active_(now) {}

    // RFC 9000 10.1: the lesser of both sides' values; zero means that a side has none.
    void set_peer_timeout(duration theirs) {
        if (theirs > duration::zero()) timeout_ = timeout_ > duration::zero() ? std::min(timeout_, theirs) : theirs;
    }

    void on_received(time_point now) {
        restarted_ = active_ = now;
        sent_since_received_ = false;
    }
    // Sending restarts the timer only the first time after a packet was received: RFC 9000 10.1.
    void on_sent_ack_eliciting(time_point now) {
        active_ = now;
        if (!sent_since_received_) restarted_ = now;
        sent_since_received_ = true;
    }

    // When the connection dies of silence; pto: the present probe timeout, three of which it is granted at least.
    std::optional<time_point> deadline(duration pto) const {
        if (timeout_ == duration::zero()) return std::nullopt;
        return restarted_ + std::max(timeout_, 3 * pto);
    }
    // When a PING is to be sent to keep the connection alive.
    std::optional<time_point> keep_alive_at() const {
        if (keep_alive_ == duration::zero()) return std::nullopt;
        return active_ + keep_alive_;
    }
    duration timeout() const { return timeout_; }

private:
    duration timeout_;
    duration keep_alive_;
    time_point restarted_;
    time_point active_;  // last time anything ack-eliciting was sent or anything was received
    bool sent_since_received_ = false;
};

}  // namespace tandem::quic
