// Random loss as a trace: whether the n-th opportunity is a loss is fixed by the seed before anything is sent.
#pragma once

#include <cstdint>

#include <tandem/bytes/random.hpp>

namespace tandem::sim {

// The Gilbert-Elliott model: a chain that is in a good or a bad state and moves between packets. With no way into the bad state
// it is Bernoulli loss. Probabilities are within 0..1.
struct loss_config {
    double loss_in_good = 0;
    double loss_in_bad = 1;
    double good_to_bad = 0;
    double bad_to_good = 1;

    // Every packet is lost with this probability, whatever happened to the others.
    static loss_config bernoulli(double rate) { return {rate, 1, 0, 1}; }
    // Loses `rate` of the packets on average, in bursts of `mean_burst` (>= 1) consecutive packets on average (simple Gilbert).
    static loss_config bursts(double rate, double mean_burst);

    bool random() const { return loss_in_good > 0 || good_to_bad > 0; }
    double average() const;  // share of packets lost in the long run
};

// The trace: opportunity k (0, 1, 2...) is a loss or not, for one seed and one configuration. Two transports that are asked about
// the same opportunities get the same answers. Each opportunity takes two numbers from the stream, used or not, so that with the
// same seed the losses of a lower rate are among those of a higher one (Bernoulli).
class loss_trace {
public:
    loss_trace(const loss_config& config, std::uint64_t seed) : config_(config), random_(seed) {}

    bool lost(std::uint64_t opportunity);  // must not descend from one call to the next
    bool next() { return lost(next_); }

private:
    loss_config config_;
    random_source random_;
    std::uint64_t next_ = 0;
    bool bad_ = false;
    bool last_ = false;
};

}  // namespace tandem::sim
