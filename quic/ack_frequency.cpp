#include <tandem/quic/ack_frequency.hpp>

#include <algorithm>

namespace tandem::quic {
namespace {

std::uint64_t microseconds(duration d) {
    return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(d).count());
}

// More than a third up or down is worth a frame.
bool differs(std::uint64_t a, std::uint64_t b) { return 4 * a < 3 * b || 4 * b < 3 * a; }

}  // namespace

void ack_frequency::set_peer(std::optional<duration> min_ack_delay, duration max_ack_delay) {
    min_ack_delay_ = min_ack_delay;
    in_force_delay_ = max_ack_delay;
    asked_.max_ack_delay = microseconds(max_ack_delay);
}

void ack_frequency::consider(const recovery::sender& path, const recovery::reordering_tolerance& tolerance) {
    if (!available() || under_way_) return;
    const auto window = path.congestion_window() / path.max_datagram_size();
    ack_frequency_frame wanted;
    wanted.threshold = std::clamp<std::uint64_t>(window / acks_per_round_trip, 1, max_threshold);
    const auto shortest = std::max(min_requested_delay, *min_ack_delay_);
    const auto delay = path.rtt().smoothed() / static_cast<int>(acks_per_round_trip);
    wanted.max_ack_delay = microseconds(std::clamp(delay, shortest, std::max(shortest, max_requested_delay)));
    // 9: what is not yet taken for lost need not be told at once.
    wanted.reordering = std::min(tolerance.packets(), recovery::reordering_tolerance::max_packets);

    if (wanted.threshold == 1 && asked_.threshold == 1) return;  // the delay alone is not worth asking for
    if (!differs(wanted.threshold, asked_.threshold) && !differs(wanted.max_ack_delay, asked_.max_ack_delay) &&
        !differs(wanted.reordering, asked_.reordering)) {
        return;
    }
    wanted.sequence = asked_.sequence;
    asked_ = wanted;
    due_ = true;
}

void ack_frequency::write_frame(frame_writer& out, sent_frames& contents) {
    if (!due_) return;
    asked_.sequence = sequence_;
    if (!out.write(asked_)) return;
    contents.control.push_back(ack_frequency_token{sequence_++});
    due_ = false;
    under_way_ = true;
}

void ack_frequency::acknowledged(ack_frequency_token t) {
    if (t.sequence != asked_.sequence || sequence_ == 0) return;
    under_way_ = due_ = false;
    in_force_delay_ = delay_of(asked_);
}

void ack_frequency::lost(ack_frequency_token t) {
    if (!under_way_ || t.sequence != asked_.sequence) return;
    under_way_ = false;
    due_ = true;  // with another number: 4
    // It may have arrived nevertheless: until another one is acknowledged the longer delay counts.
    in_force_delay_ = std::max(in_force_delay_, delay_of(asked_));
}

}  // namespace tandem::quic
