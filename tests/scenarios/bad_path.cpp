#include "bad_path.hpp"

#include "allocation_counter.hpp"

namespace tandem::quic::test {
namespace {

constexpr std::size_t ip_and_udp = 28;  // bytes of headers

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

bad_path::bad_path(pipe& p, const sim::link_config& link, std::uint64_t seed)
    : pipe_(p),
      up_(link, seed * 3),
      down_(link, seed * 3 + 1),
      random_(seed * 3 + 2),
      memory_before_(tandem::test::live_bytes()) {
    p.on_wire = [this](flying& f) { return carry(f); };
}

void bad_path::rebind(bool address_too) {
    inside_of_.clear();
    ++port_shift_;
    if (address_too) ++address_shift_;
}

// The client's address as the server sees it, and back.
bool bad_path::translate(flying& f) {
    if (f.to_server) {
        const auto inside = f.path.remote;
        f.path.remote.port = static_cast<std::uint16_t>(inside.port + port_shift_);
        f.path.remote.address.bytes[2] = static_cast<std::uint8_t>(inside.address.bytes[2] + address_shift_);
        inside_of_[f.path.remote] = inside;
        return true;
    }
    const auto it = inside_of_.find(f.path.local);
    if (it == inside_of_.end()) return false;
    f.path.local = it->second;
    return true;
}

bool bad_path::carry(flying& f) {
    ++datagrams;
    check();
    const bool translated = translate(f);
    if (!translated || hole || f.bytes.size() > largest || random_.uniform() < lost) return false;
    const auto fate = (f.to_server ? up_ : down_).send(pipe_.now, f.bytes.size() + ip_and_udp);
    if (fate.result != sim::verdict::delivered) return false;
    f.delay = fate.arrives - pipe_.now;
    if (f.mark == ecn::ect0 && random_.uniform() < marked) f.mark = ecn::ce;
    if (fate.copy_arrives) copies_.push({*fate.copy_arrives, f});
    if (fate.corrupt_bit || random_.uniform() < damaged) {
        const auto bit = fate.corrupt_bit.value_or(random_()) % (f.bytes.size() * 8);
        f.bytes[bit / 8] ^= static_cast<std::uint8_t>(1 << bit % 8);
    }
    return true;
}

void bad_path::deliver_copies() {
    bool any = false;
    for (; !copies_.empty() && copies_.top().at <= pipe_.now; any = true) {
        auto f = copies_.top().what;
        copies_.pop();
        pipe_.deliver(std::move(f));
    }
    if (any) pipe_.run(pipe_.now);  // lets it see what that changed, an address that is proven now, before anything is sent
}

// The pipe itself looks at the amplification limit and at sizes.
void bad_path::check() const {
    const auto held = tandem::test::live_bytes();
    EXPECT_LE(held, memory_before_ + memory_limit) << "after " << datagrams << " datagrams";
}

}  // namespace tandem::quic::test
