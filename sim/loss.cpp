#include <tandem/sim/loss.hpp>

#include <algorithm>

namespace tandem::sim {

loss_config loss_config::bursts(double rate, double mean_burst) {
    if (rate <= 0) return {};
    if (rate >= 1) return bernoulli(1);
    if (mean_burst <= 1) return bernoulli(rate);
    // Time in the bad state is geometric with mean 1/bad_to_good; its share is good_to_bad / (good_to_bad + bad_to_good).
    const double out = 1 / mean_burst;
    return {0, 1, std::min(1.0, out * rate / (1 - rate)), out};
}

double loss_config::average() const {
    const double moves = good_to_bad + bad_to_good;
    const double bad = moves > 0 ? good_to_bad / moves : 0;
    return bad * loss_in_bad + (1 - bad) * loss_in_good;
}

bool loss_trace::lost(std::uint64_t opportunity) {
    for (; next_ <= opportunity; ++next_) {
        const double move = random_.uniform();
        const double loss = random_.uniform();
        bad_ = bad_ ? move >= config_.bad_to_good : move < config_.good_to_bad;
        last_ = loss < (bad_ ? config_.loss_in_bad : config_.loss_in_good);
    }
    return last_;
}

}  // namespace tandem::sim
