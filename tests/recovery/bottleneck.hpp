// Flows with endless data over one bottleneck, in virtual time, without a protocol: each packet is acknowledged by itself.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <queue>
#include <vector>

#include <tandem/bytes/random.hpp>
#include <tandem/recovery/loss_recovery.hpp>

#include "seed.hpp"
#include "world.hpp"

namespace tandem::recovery::test {

struct bottleneck_config {
    std::uint64_t rate = 1'250'000;         // bytes per second
    duration round_trip = 40ms;             // without queues
    std::uint64_t queue = 50'000;           // bytes
    double loss = 0;                        // of each packet, by chance
    std::uint64_t mark_above = UINT64_MAX;  // bytes in the queue: CE
};

class bottleneck {
public:
    static constexpr std::uint64_t packet = 1000;

    explicit bottleneck(const bottleneck_config& config) : config_(config), chance_(tandem::test::seed()) {}

    struct flow {
        explicit flow(const sender_config& config) : path(config) {}

        sender path;
        loss_recovery<int> log;
        reordering_tolerance tolerance;
        std::uint64_t next = 0;
        std::uint64_t limit = UINT64_MAX;  // packets there are to send
        std::uint64_t marks = 0;
        time_point wakes = time_point::max();
        std::function<void(time_point)> on_ack;
    };

    // config: what tests want to vary; the rest is set here.
    flow& add(controller_config config) {
        config.max_datagram_size = packet;
        config.seed = chance_();
        flows_.push_back(std::make_unique<flow>(sender_config{.controller = config}));
        return *flows_.back();
    }

    void run_until(time_point end) {
        for (auto& f : flows_) send(*f);
        while (!events_.empty() && events_.top().at <= end) {
            const auto e = events_.top();
            events_.pop();
            now_ = e.at;
            auto& f = *flows_[e.flow];
            if (e.acknowledges) {
                f.log.on_ack(std::array{range{e.number, e.number + 1}}, {}, f.tolerance, f.path, now_);
                f.log.detect_lost(f.tolerance, f.path, now_);
                if (e.marked) {
                    ++f.marks;
                    f.path.on_ecn_ce(now_, e.sent);
                }
            } else {
                if (e.at != f.wakes) continue;  // an earlier one took its place
                f.wakes = time_point::max();
                if (f.log.loss_time() && *f.log.loss_time() <= now_) f.log.detect_lost(f.tolerance, f.path, now_);
                const auto last = f.log.last_ack_eliciting_sent();
                if (last && f.path.bytes_in_flight() > 0 && now_ - *last >= f.path.rtt().timeout()) put(f);  // a probe
            }
            send(f);
            if (e.acknowledges && f.on_ack) f.on_ack(now_);
        }
        now_ = end;
    }

    time_point now() const { return now_; }
    void set_queue(std::uint64_t bytes) { config_.queue = bytes; }
    void set_rate(std::uint64_t rate) { config_.rate = rate; }
    std::uint64_t queued() const { return busy_until_ > now_ ? bytes_in(busy_until_ - now_) : 0; }
    std::uint64_t drops() const { return drops_; }

private:
    struct event {
        time_point at;
        std::size_t flow;
        std::uint64_t number;
        bool acknowledges;
        bool marked;
        time_point sent;
        bool operator<(const event& other) const { return at > other.at; }
    };

    std::uint64_t bytes_in(duration d) const {
        return static_cast<std::uint64_t>(static_cast<double>(config_.rate) * std::chrono::duration<double>(d).count());
    }
    std::size_t index(const flow& f) const {
        std::size_t i = 0;
        while (flows_[i].get() != &f) ++i;
        return i;
    }

    void put(flow& f) {
        const auto number = f.next++;
        transmission<int> t;
        t.number = number;
        t.sent = now_;
        t.bytes = packet;
        t.ack_eliciting = t.in_flight = true;
        f.log.on_sent(t, f.path);
        if (queued() + packet > config_.queue + packet) {
            ++drops_;
            return;
        }
        const bool marked = queued() > config_.mark_above;
        busy_until_ = std::max(busy_until_, now_) + duration(static_cast<duration::rep>(packet * 1'000'000'000 / config_.rate));
        if (chance_.uniform() < config_.loss) return;
        events_.push({busy_until_ + config_.round_trip, index(f), number, true, marked, now_});
    }

    void send(flow& f) {
        while (f.next < f.limit && f.path.allowance(now_) >= packet) put(f);
        if (f.next >= f.limit && f.path.allowance(now_) > 0) f.path.on_app_limited();
        auto wake = time_point::max();
        if (f.path.bytes_in_flight() > 0) wake = *f.log.last_ack_eliciting_sent() + f.path.rtt().timeout();
        if (const auto at = f.path.pacer_release(now_); at && f.next < f.limit) wake = std::min(wake, *at);
        if (const auto at = f.log.loss_time()) wake = std::min(wake, *at);
        if (wake >= f.wakes) return;
        f.wakes = std::max(wake, now_);
        events_.push({f.wakes, index(f), 0, false, false, {}});
    }

    bottleneck_config config_;
    random_source chance_;
    time_point now_ = t0;
    time_point busy_until_{};
    std::vector<std::unique_ptr<flow>> flows_;
    std::priority_queue<event> events_;
    std::uint64_t drops_ = 0;
};

}  // namespace tandem::recovery::test
