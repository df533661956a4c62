// Explicit Congestion Notification (RFC 3168 6.1): what was agreed in the handshake, what we echo as receiver, and which echoes
// are news to the sender.
#pragma once

#include <cstdint>
#include <optional>

#include <tandem/bytes/datagram.hpp>
#include <tandem/tcp/config.hpp>
#include <tandem/tcp/segment.hpp>

namespace tandem::tcp {

class ecn_state {
public:
    explicit ecn_state(ecn_use use) : use_(use) {}

    bool agreed() const { return agreed_; }
    // Flags of our SYN. A path or host that drops ECN-setup SYNs is asked without: RFC 3168 6.1.1.1.
    std::uint8_t syn_flags(bool sent_before) {
        if (sent_before) use_ = ecn_use::never;
        return use_ == ecn_use::always ? flag::ece | flag::cwr : 0;
    }
    std::uint8_t syn_ack_flags() const { return agreed_ ? flag::ece : 0; }
    // The peer's SYN or SYN-ACK. One that has both flags in its answer only reflects ours (RFC 3168 6.1.1).
    void on_syn(std::uint8_t flags) {
        const auto both = flags & (flag::ece | flag::cwr);
        const bool answer = (flags & flag::ack) != 0;
        agreed_ =
            answer ? use_ == ecn_use::always && both == flag::ece : use_ != ecn_use::never && both == (flag::ece | flag::cwr);
    }

    // As receiver: every ACK echoes a mark until the sender says that it has slowed down. True if this mark is worth an ACK at
    // once.
    bool on_segment(std::uint8_t flags, ecn mark, bool has_data) {
        if (!agreed_ || !has_data) return false;  // RFC 3168 6.1.4, 6.1.5: nothing but data is sent with ECT
        if ((flags & flag::cwr) != 0) echo_ = false;
        if (mark != ecn::ce) return false;
        const bool first = !echo_;
        echo_ = true;
        return first;
    }
    std::uint8_t echo_flags() const { return echo_ ? flag::ece : 0; }

    // As sender. An echo is news once the segment with our CWR is acknowledged: RFC 3168 6.1.2, once per window of data.
    bool is_news(std::uint64_t acknowledged) const { return agreed_ && !cwr_pending_ && acknowledged > heard_end_; }
    // The window shrank; `next`: the sequence number of the next new data, which will carry CWR.
    void on_reduced(std::uint64_t next) {
        cwr_pending_ = true;
        heard_end_ = next;
    }
    bool cwr_pending() const { return cwr_pending_; }
    void on_cwr_sent() { cwr_pending_ = false; }

private:
    ecn_use use_;
    bool agreed_ = false;
    bool echo_ = false;
    bool cwr_pending_ = false;
    std::uint64_t heard_end_ = 0;
};

}  // namespace tandem::tcp
