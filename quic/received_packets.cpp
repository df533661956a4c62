#include <tandem/quic/received_packets.hpp>

#include <algorithm>

#include <tandem/bytes/writer.hpp>

namespace tandem::quic {

bool received_packets::is_duplicate(packet_number n) const { return n < floor_ || received_.contains(n); }

std::optional<packet_number> received_packets::largest() const {
    if (received_.empty()) return std::nullopt;
    return received_.back().end - 1;
}

void received_packets::on_received(packet_number n, bool ack_eliciting, tandem::ecn mark, time_point now) {
    const auto before = largest();
    const auto ranges_before = received_.size();
    received_.insert({n, n + 1});
    if (received_.size() > ranges_before) ++new_ranges_;
    if (received_.size() > max_ranges) {
        floor_ = received_.front().end;
        received_.pop_front();
    }
    if (!before || n > *before) largest_at_ = now;
    if (n < report_from_) report_from_ = 0;  // a late one lies where the peer was told all: tell again
    switch (mark) {
        case ecn::ect0:
            ++ecn_.ect0;
            break;
        case ecn::ect1:
            ++ecn_.ect1;
            break;
        case ecn::ce:
            ++ecn_.ce;
            break;
        case ecn::not_ect:
            break;
    }
    any_ecn_ = any_ecn_ || mark != ecn::not_ect;
    const bool ce = mark == ecn::ce;
    // draft-ietf-quic-ack-frequency 6.3: who wants few ACKs is told of the first mark of several.
    const bool ce_matters = ce && (threshold_ <= 1 || !last_ce_);
    last_ce_ = ce;
    if (!ack_eliciting) return;

    ++unacknowledged_;
    if (!largest_eliciting_ || n > *largest_eliciting_) largest_eliciting_ = n;
    if (!timer_) timer_ = now + max_ack_delay_;
    immediate_ = immediate_ || ce_matters || max_ack_delay_ == duration::zero() || new_ranges_ >= max_unreported_ranges ||
                 beyond_reordering(n, before);
}

// RFC 9000 13.2.1: at once if it came out of order, in either direction; draft-ietf-quic-ack-frequency 6.2: unless the peer asked
// for more.
bool received_packets::beyond_reordering(packet_number n, std::optional<packet_number> before) const {
    if (reordering_ == 0) return false;
    if (reordering_ == 1) return before && n != *before + 1;
    // Largest Reported Missing: up to there the peer knows what is lost.
    const bool reported = largest_reported_ && *largest_reported_ >= reordering_;
    if (reported && n <= *largest_reported_ - reordering_) return true;  // it is taken for lost, and wrongly
    const auto from = std::max(reported ? *largest_reported_ - reordering_ + 1 : 0, floor_);
    // The smallest number from there on that did not come. The newest ranges are the last ones.
    packet_number missing = from;
    for (auto r = received_.end(); r != received_.begin();) {
        --r;
        if (r->end <= from) break;
        if (r->begin <= from) {
            missing = r->end;
            break;
        }
    }
    return missing < *largest_eliciting_ && *largest_eliciting_ - missing >= reordering_;
}

std::optional<connection_error> received_packets::on_ack_frequency(const ack_frequency_frame& f, duration min_ack_delay) {
    constexpr std::uint64_t limit = (std::uint64_t{1} << 14) * 1000;  // RFC 9000 18.2, in microseconds
    const bool possible = f.max_ack_delay < limit;
    const duration delay = std::chrono::microseconds(possible ? static_cast<std::int64_t>(f.max_ack_delay) : 0);
    if (!possible || delay < min_ack_delay) {
        return connection_error::transport(transport_error::protocol_violation, frame_type::ack_frequency,
                                           "Requested Max Ack Delay is out of range");
    }
    if (frequency_sequence_ && f.sequence <= *frequency_sequence_) return std::nullopt;
    frequency_sequence_ = f.sequence;
    threshold_ = f.threshold;
    reordering_ = f.reordering;
    if (timer_) *timer_ += delay - max_ack_delay_;
    max_ack_delay_ = delay;
    return std::nullopt;
}

bool received_packets::ack_due(time_point now) const {
    return unacknowledged_ > 0 && (immediate_ || unacknowledged_ > threshold_ || now >= *timer_);
}

std::optional<time_point> received_packets::ack_timer() const {
    if (unacknowledged_ == 0 || immediate_ || unacknowledged_ > threshold_) return std::nullopt;
    return timer_;
}

std::optional<ack_token> received_packets::write_ack(frame_writer& out, time_point now, std::uint64_t ack_delay_exponent) {
    if (received_.empty()) return std::nullopt;
    std::array<range, max_ack_ranges> newest;
    std::size_t count = 0;
    for (auto r = received_.end(); r != received_.begin() && count < max_ack_ranges;) {
        --r;
        if (count > 0 && r->end <= report_from_) break;
        newest[count++] = *r;
    }

    ack_frame f;
    const auto delay = std::chrono::duration_cast<std::chrono::microseconds>(std::max(now - *largest_at_, duration::zero()));
    f.delay = std::min(static_cast<std::uint64_t>(delay.count()) >> ack_delay_exponent, varint_max);
    if (any_ecn_) f.ecn = ecn_;
    // Where the newest ranges do not all fit, the newest of them go.
    for (;; count /= 2) {
        f.ranges = std::span(newest).first(count);
        if (out.write(f)) break;
        if (count == 1) return std::nullopt;
    }
    largest_reported_ = received_.back().end - 1;
    new_ranges_ = 0;
    unacknowledged_ = 0;
    immediate_ = false;
    timer_.reset();
    return ack_token{f.largest()};
}

void received_packets::acknowledged(ack_token t) { report_from_ = std::max(report_from_, t.largest + 1); }

}  // namespace tandem::quic
