// What BBR knows of a path: the parts of its model, each a filter over samples (draft-ietf-ccwg-bbr 5.5).
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>

#include <tandem/bytes/time.hpp>

namespace tandem::recovery {

// A share or a multiple of bytes, or of bytes per second.
inline std::uint64_t scale(std::uint64_t value, double by) { return static_cast<std::uint64_t>(static_cast<double>(value) * by); }

// Counts round trips by packets (5.5.1): one ends when something sent after it began is acknowledged.
class round_counter {
public:
    // Returns whether a round trip ended. Both in bytes delivered on the path: when the newest acknowledged was sent, and now.
    bool on_ack(std::uint64_t prior_delivered, std::uint64_t delivered) {
        if (prior_delivered < ends_at_) return false;
        start(delivered);
        ++count_;
        return true;
    }
    void start(std::uint64_t delivered) { ends_at_ = delivered; }
    std::uint64_t count() const { return count_; }

private:
    std::uint64_t ends_at_ = 0;
    std::uint64_t count_ = 0;
};

// The highest delivery rate of this bandwidth probing cycle and the one before (5.5.3 to 5.5.6), in bytes per second.
class max_bandwidth {
public:
    void update(std::uint64_t rate) { current_ = std::max(current_, rate); }
    // The next cycle begins. One without samples does not count as a cycle.
    void advance() {
        if (current_ == 0) return;
        previous_ = current_;
        current_ = 0;
    }
    std::uint64_t value() const { return std::max(previous_, current_); }

private:
    std::uint64_t previous_ = 0;
    std::uint64_t current_ = 0;
};

// Whether sending faster still makes for faster delivery (5.3.1.2).
class full_pipe {
public:
    static constexpr double growth = 1.25;  // less than that in a round is no growth
    static constexpr int rounds = 3;

    // Looks anew, from this rate on.
    void restart(std::uint64_t baseline = 0) {
        baseline_ = baseline;
        rounds_without_growth_ = 0;
        now_ = false;
    }
    // At the end of a round that was not limited by the application.
    void on_round(std::uint64_t rate);
    void declare_reached() { reached_ = true; }

    bool now() const { return now_; }          // full_bw_now: since the last restart
    bool reached() const { return reached_; }  // full_bw_reached: ever

private:
    std::uint64_t baseline_ = 0;
    int rounds_without_growth_ = 0;
    bool now_ = false;
    bool reached_ = false;
};

// The round-trip time without queues (5.3.4.3 and 5.5.7), and when it is time to look at it again.
class min_rtt_filter {
public:
    static constexpr duration filter_length = std::chrono::seconds(10);  // MinRTTFilterLen
    static constexpr duration probe_interval = std::chrono::seconds(5);  // ProbeRTTInterval

    void update(time_point now, std::optional<duration> sample);
    void probed(time_point now) { recent_at_ = now; }  // the next probe is due an interval from now

    std::optional<duration> value() const { return value_; }
    bool probe_due() const { return probe_due_; }

private:
    std::optional<duration> value_;
    time_point value_at_;
    std::optional<duration> recent_;  // probe_rtt_min_delay
    time_point recent_at_;
    bool probe_due_ = false;
};

// The largest sample of a number of round trips: Kathleen Nichols' algorithm, which keeps the best, the best after it and the
// best after that.
class windowed_max {
public:
    void update(std::uint64_t value, std::uint64_t at, std::uint64_t length);
    std::uint64_t value() const { return best_[0].value; }

private:
    struct sample {
        std::uint64_t value = 0;
        std::uint64_t at = 0;
    };
    std::array<sample, 3> best_{};
};

// How much more is acknowledged at times than the bandwidth explains, since something on the path collects data or ACKs (5.5.9).
class ack_aggregation {
public:
    static constexpr std::uint64_t filter_rounds = 10;  // ExtraAckedFilterLen

    void restart(time_point now) { interval_began_ = now; }
    void update(time_point now, std::uint64_t acknowledged, std::uint64_t bandwidth, std::uint64_t window, std::uint64_t round,
                std::uint64_t rounds);
    std::uint64_t extra() const { return filter_.value(); }  // bytes

private:
    time_point interval_began_;
    std::uint64_t acknowledged_ = 0;
    windowed_max filter_;
};

}  // namespace tandem::recovery
