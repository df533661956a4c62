// The packets received in one packet number space: duplicates, the ACK frames to send, and when (RFC 9000 13.2).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include <tandem/bytes/datagram.hpp>
#include <tandem/bytes/range_set.hpp>
#include <tandem/bytes/time.hpp>
#include <tandem/quic/error.hpp>
#include <tandem/quic/frame.hpp>
#include <tandem/quic/frame_writer.hpp>

namespace tandem::quic {

// A packet that carried an ACK remembers what the ACK covered.
struct ack_token {
    packet_number largest = 0;
};

class received_packets {
public:
    static constexpr std::size_t max_ranges =
        256;  // ranges remembered; the oldest go first, and packets below are taken for duplicates
    static constexpr std::size_t max_ack_ranges =
        64;  // ranges in one ACK frame, the newest; 64 fit in a packet beside other frames
    // Whatever the peer asked for: with so many separate ranges that it was not told of, an ACK goes, so that none is cut off
    // unreported.
    static constexpr std::size_t max_unreported_ranges = max_ack_ranges / 2;

    // max_ack_delay: what we declared; zero for Initial and Handshake, whose packets are acknowledged at once (RFC 9000 13.2.1).
    explicit received_packets(duration max_ack_delay = duration::zero()) : max_ack_delay_(max_ack_delay) {}

    // Received before, or so old that it cannot be told (RFC 9000 12.3: do not process).
    bool is_duplicate(packet_number) const;
    // A packet that was opened and processed. Numbers that are duplicates must not be told.
    void on_received(packet_number, bool ack_eliciting, tandem::ecn mark, time_point now);

    // The peer says how often it wants to be acknowledged (draft-ietf-quic-ack-frequency 4). Older ones than the newest are
    // ignored. PROTOCOL_VIOLATION for a delay below `min_ack_delay`, which we declared, or of 2^14 ms and more.
    std::optional<connection_error> on_ack_frequency(const ack_frequency_frame& f, duration min_ack_delay);
    // The next ack-eliciting packet, which is being read, is acknowledged at once.
    void on_immediate_ack() { immediate_ = true; }
    duration max_ack_delay() const { return max_ack_delay_; }

    // An ACK should go out now. Asked once after a batch of datagrams, so that a batch causes one ACK.
    bool ack_due(time_point now) const;
    // When ack_due becomes true by itself; nothing if no ack-eliciting packet waits or an ACK is due already for another reason.
    std::optional<time_point> ack_timer() const;
    // There is something unacknowledged that an ACK may carry along in a packet that is sent anyway.
    bool ack_useful() const { return unacknowledged_ > 0; }
    // Nothing was received yet: there is nothing to acknowledge.
    bool empty() const { return received_.empty(); }

    // Writes an ACK frame (with as many ranges as fit and ECN counts if any mark was seen) and remembers that it went.
    std::optional<ack_token> write_ack(frame_writer& out, time_point now, std::uint64_t ack_delay_exponent);
    // The peer knows: ranges up to the largest need not be reported again (RFC 9000 13.2.4). They are still remembered, for
    // duplicates.
    void acknowledged(ack_token);

    std::optional<packet_number> largest() const;
    const ecn_counts& ecn_received() const { return ecn_; }
    const range_set& ranges() const { return received_; }

private:
    bool beyond_reordering(packet_number n, std::optional<packet_number> before) const;

    range_set received_;
    packet_number floor_ = 0;               // numbers below count as received
    packet_number report_from_ = 0;         // ranges that end at or below are known to the peer
    std::optional<time_point> largest_at_;  // when the largest arrived
    ecn_counts ecn_;
    bool any_ecn_ = false;
    duration max_ack_delay_;
    // What the peer asked for; until then RFC 9000 13.2.1 and 13.2.2.
    std::uint64_t threshold_ = 1;   // ack-eliciting packets that may wait
    std::uint64_t reordering_ = 1;  // distance in packet numbers from which on disorder causes an ACK; 0: it does not
    std::optional<std::uint64_t> frequency_sequence_;
    std::optional<packet_number> largest_eliciting_;
    std::optional<packet_number> largest_reported_;  // in an ACK
    std::size_t new_ranges_ = 0;                     // since the last ACK
    bool last_ce_ = false;                           // the latest packet was marked CE

    std::uint64_t unacknowledged_ = 0;  // ack-eliciting packets since the last ACK
    bool immediate_ = false;
    std::optional<time_point> timer_;
};

}  // namespace tandem::quic
