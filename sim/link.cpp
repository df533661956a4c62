#include <tandem/sim/link.hpp>

#include <algorithm>

#include <tandem/sim/clock.hpp>
#include <tandem/sim/seed.hpp>

namespace tandem::sim {

namespace {

enum stream : std::uint64_t { full_loss = 1, small_loss, jitter, reorder, duplicate, corruption };

constexpr std::uint64_t nanoseconds_per_second = 1'000'000'000;

duration uniform(random_source& random, duration limit) {
    if (limit <= duration::zero()) return {};
    return duration{static_cast<duration::rep>(random.below(static_cast<std::uint64_t>(limit.count()) + 1))};
}

}  // namespace

std::string_view to_string(verdict v) {
    switch (v) {
        case verdict::delivered:
            return "delivered";
        case verdict::lost:
            return "lost";
        case verdict::listed:
            return "drop list";
        case verdict::queue_full:
            return "queue full";
        case verdict::too_big:
            return "larger than the MTU";
        case verdict::outage:
            return "outage";
        case verdict::no_route:
            return "no route";
    }
    return "";
}

link::link(const link_config& config, std::uint64_t seed)
    : config_(config),
      full_(config.loss, derive_seed(seed, stream::full_loss)),
      small_(config.loss, derive_seed(seed, stream::small_loss)),
      jitter_(derive_seed(seed, stream::jitter)),
      reorder_(derive_seed(seed, stream::reorder)),
      duplicate_(derive_seed(seed, stream::duplicate)),
      corrupt_(derive_seed(seed, stream::corruption)) {}

duration link::serialization(std::size_t size) const {
    if (config_.rate == 0) return {};
    const std::uint64_t bits = std::uint64_t{size} * 8;  // packets are below 2^17 bytes, so bits x 10^9 fits into 64 bits
    return duration{static_cast<duration::rep>((bits * nanoseconds_per_second + config_.rate - 1) / config_.rate)};
}

std::uint64_t link::waiting(time_point now) const {
    if (config_.rate == 0 || busy_until_ <= now) return 0;
    const auto left = static_cast<std::uint64_t>((busy_until_ - now).count());
    // Seconds and the rest apart, so that a long queue on a fast link does not overflow.
    const auto whole = left / nanoseconds_per_second * config_.rate;
    const auto rest =
        static_cast<std::uint64_t>(static_cast<double>(left % nanoseconds_per_second) * 1e-9 * static_cast<double>(config_.rate));
    return (whole + rest) / 8;
}

bool link::in_outage(time_point at) const {
    const auto t = at - event_queue::start;
    return std::any_of(config_.outages.begin(), config_.outages.end(),
                       [&](const outage& o) { return t >= o.begin && t < o.end; });
}

bool link::lost(time_point departs, std::size_t size) {
    if (!config_.loss.random()) return false;
    if (config_.loss_by == loss_clock::time) {
        const auto slot = (departs - event_queue::start) / std::max(config_.loss_slot, duration{1});
        return full_.lost(static_cast<std::uint64_t>(std::max<duration::rep>(slot, 0)));
    }
    return size >= full_packet ? full_.next() : small_.next();
}

passage link::send(time_point now, std::size_t size, bool drop) {
    passage p;
    p.number = ++sent_;
    p.waiting = waiting(now);
    p.departs = now;
    if (size > config_.mtu) {
        p.result = verdict::too_big;
        return p;
    }
    if (config_.queue != 0 && p.waiting != 0 && p.waiting + size > config_.queue) {
        p.result = verdict::queue_full;
        return p;
    }
    busy_until_ = std::max(busy_until_, now) + serialization(size);
    p.departs = busy_until_;

    // Every chance is drawn for every packet that was on the link, whatever the others said.
    const bool unlucky = lost(p.departs, size);
    auto travel = config_.delay + uniform(jitter_, config_.jitter);
    if (config_.reorder > 0 && reorder_.uniform() < config_.reorder) {
        p.held_back = true;
        travel += config_.reorder_delay;
    }
    const bool copy = config_.duplicate > 0 && duplicate_.uniform() < config_.duplicate;
    if (config_.corrupt > 0) {
        const bool damaged = corrupt_.uniform() < config_.corrupt;
        const auto bit = corrupt_();
        if (damaged) p.corrupt_bit = bit;
    }

    if (in_outage(p.departs)) {
        p.result = verdict::outage;
    } else if (drop || std::find(config_.drop.begin(), config_.drop.end(), p.number) != config_.drop.end()) {
        p.result = verdict::listed;
    } else if (unlucky) {
        p.result = verdict::lost;
    } else {
        p.result = verdict::delivered;
        p.arrives = p.departs + travel;
        if (config_.jitter_keeps_order && !p.held_back) {
            p.arrives = std::max(p.arrives, last_arrival_);
            last_arrival_ = p.arrives;
        }
        if (copy) p.copy_arrives = p.arrives;
    }
    return p;
}

}  // namespace tandem::sim
