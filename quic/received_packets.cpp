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
    received_.insert({n, n + 1});
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
    if (!ack_eliciting) return;

    ++unacknowledged_;
    // RFC 9000 13.2.1: at once if it came out of order, in either direction, or was marked CE.
    const bool out_of_order = before && n != *before + 1;
    if (out_of_order || mark == ecn::ce || max_ack_delay_ == duration::zero()) immediate_ = true;
    if (!timer_) timer_ = now + max_ack_delay_;
}

bool received_packets::ack_due(time_point now) const {
    return unacknowledged_ > 0 && (immediate_ || unacknowledged_ >= ack_threshold || now >= *timer_);
}

std::optional<time_point> received_packets::ack_timer() const {
    if (unacknowledged_ == 0 || immediate_ || unacknowledged_ >= ack_threshold) return std::nullopt;
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
    unacknowledged_ = 0;
    immediate_ = false;
    timer_.reset();
    return ack_token{f.largest()};
}

void received_packets::acknowledged(ack_token t) { report_from_ = std::max(report_from_, t.largest + 1); }

}  // namespace tandem::quic
