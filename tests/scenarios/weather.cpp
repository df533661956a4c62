#include "weather.hpp"

namespace tandem::test {

using namespace std::chrono_literals;

namespace {

template <class Change>
link_kind with(const char* name, Change change) {
    sim::link_config link{.rate = 20'000'000, .delay = 15ms};
    change(link);
    return {name, link};
}

}  // namespace

const std::vector<link_kind>& all_links() {
    static const std::vector<link_kind> all{
        with("clean", [](auto&) {}),
        with("loss", [](auto& l) { l.loss = sim::loss_config::bernoulli(0.03); }),
        with("burst_loss", [](auto& l) { l.loss = sim::loss_config::bursts(0.03, 3); }),
        with("jitter", [](auto& l) { l.jitter = 20ms; }),
        with("reordering", [](auto& l) { l.reorder = 0.2; }),
        with("duplication", [](auto& l) { l.duplicate = 0.3; }),
        with("damage", [](auto& l) { l.corrupt = 0.03; }),
        with("narrow", [](auto& l) { l.rate = 1'000'000, l.queue = 12'000; }),
        with("long", [](auto& l) { l.delay = 150ms; }),
        with("everything",
             [](auto& l) {
                 l.loss = sim::loss_config::bursts(0.02, 2);
                 l.jitter = 5ms;
                 l.reorder = l.duplicate = 0.1;
                 l.corrupt = 0.01;
             }),
    };
    return all;
}

weather::weather(const sim::link_config& link, std::uint64_t seed)
    : up_(link, seed * 3), down_(link, seed * 3 + 1), random_(seed * 3 + 2) {}

std::optional<weather::fate> weather::carry(bool up, std::size_t size, ecn mark, time_point now) {
    ++packets;
    const bool out = outage_every > duration::zero() && now.time_since_epoch() % outage_every < outage;
    if (out || (up ? hole_up : hole_down) || size > largest || random_.uniform() < lost) return std::nullopt;
    const auto passage = (up ? up_ : down_).send(now, size);
    if (passage.result != sim::verdict::delivered) return std::nullopt;
    fate f;
    f.delay = passage.arrives - now;
    f.congested = mark == ecn::ect0 && random_.uniform() < marked;
    if (passage.copy_arrives || random_.uniform() < doubled) f.copy = passage.copy_arrives.value_or(passage.arrives) - now;
    f.turned_bit = passage.corrupt_bit;
    if (!f.turned_bit && random_.uniform() < damaged) f.turned_bit = random_();
    return f;
}

void turn_bit(std::span<std::uint8_t> bytes, std::uint64_t bit) {
    bit %= bytes.size() * 8;
    bytes[bit / 8] ^= static_cast<std::uint8_t>(1 << bit % 8);
}

}  // namespace tandem::test
