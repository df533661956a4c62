// A sender with one loss_recovery, driven with literal times.
#pragma once

#include <initializer_list>
#include <vector>

#include <tandem/recovery/loss_recovery.hpp>

namespace tandem::recovery::test {

using namespace std::chrono_literals;

constexpr time_point t0 = time_point{} + 10s;

inline sender_config plain(std::uint64_t window = 100'000, controller_kind kind = controller_kind::new_reno) {
    return {.controller =
                {.kind = kind, .max_datagram_size = 1000, .initial_window = window, .fixed_window = window, .hystart = false},
            .pacing = false};
}

struct world {
    explicit world(const sender_config& config = plain(), reordering_kind kind = reordering_kind::adaptive)
        : path(config), tolerance(kind) {}

    void send(std::uint64_t number, time_point at, std::uint32_t bytes = 1000, bool counts = true) {
        transmission<int> t;
        t.number = number;
        t.sent = at;
        t.bytes = bytes;
        t.ack_eliciting = t.in_flight = counts;
        t.contents = static_cast<int>(number);
        log.on_sent(t, path);
    }
    void send_range(std::uint64_t begin, std::uint64_t end, time_point at) {
        for (auto n = begin; n < end; ++n) send(n, at);
    }
    delivered<int> ack(std::initializer_list<range> ranges, time_point now, rtt_input rtt = {}) {
        return log.on_ack(std::vector<range>(ranges), rtt, tolerance, path, now);
    }
    // Acknowledges and looks for losses; returns the numbers declared lost.
    std::vector<std::uint64_t> ack_and_detect(std::initializer_list<range> ranges, time_point now) {
        ack(ranges, now);
        return detect(now);
    }
    std::vector<std::uint64_t> detect(time_point now) { return numbers(log.detect_lost(tolerance, path, now).packets); }

    static std::vector<std::uint64_t> numbers(std::span<transmission<int>* const> all) {
        std::vector<std::uint64_t> out;
        for (const auto* t : all) out.push_back(t->number);
        return out;
    }

    sender path;
    loss_recovery<int> log;
    reordering_tolerance tolerance;
};

}  // namespace tandem::recovery::test
