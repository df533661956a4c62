#include <tandem/quic/path_validation.hpp>

#include <algorithm>

namespace tandem::quic {

void path_validation::begin(time_point now, duration interval, time_point deadline) {
    *this = {};
    due_ = true;
    interval_ = interval;
    again_ = now + interval;
    deadline_ = deadline;
}

void path_validation::stop() { *this = {}; }

bool path_validation::write_challenge(frame_writer& out, random_source& random) {
    if (!due_) return false;
    path_challenge_frame f;
    random.fill(f.data);
    if (!out.write(f)) return false;
    sent_[count_++] = f.data;
    due_ = false;
    return true;
}

bool path_validation::on_response(const path_response_frame& f) {
    const auto end = sent_.begin() + static_cast<std::ptrdiff_t>(count_);
    const auto it = std::find(sent_.begin(), end, f.data);
    if (it == end) return false;
    const bool full = full_[static_cast<std::size_t>(it - sent_.begin())];
    stop();
    answered_in_full_ = full;
    return true;
}

void path_validation::on_challenge_sent(std::size_t datagram_size) {
    constexpr std::size_t smallest_maximum = 1200;  // RFC 9000 14
    if (count_ > 0 && !due_) full_[count_ - 1] = datagram_size >= smallest_maximum;
}

std::optional<time_point> path_validation::timer() const {
    if (!deadline_) return std::nullopt;
    return again_ ? std::min(*again_, *deadline_) : *deadline_;
}

bool path_validation::on_timeout(time_point now) {
    if (!deadline_) return true;
    if (now >= *deadline_) {
        stop();
        return false;
    }
    if (again_ && now >= *again_) {
        interval_ *= 2;
        again_ = now + interval_;
        due_ = count_ < max_challenges;
        if (!due_) again_.reset();
    }
    return true;
}

}  // namespace tandem::quic
