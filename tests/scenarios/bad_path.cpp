#include "bad_path.hpp"

#include "allocation_counter.hpp"

namespace tandem::quic::test {
namespace {

constexpr std::size_t ip_and_udp = 28;  // bytes of headers

}  // namespace

bad_path::bad_path(pipe& p, const sim::link_config& link, std::uint64_t seed)
    : weather(link, seed), pipe_(p), memory_before_(tandem::test::live_bytes()) {
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
    check();
    if (!translate(f)) return false;
    const auto passed = weather::carry(f.to_server, f.bytes.size() + ip_and_udp, f.mark, pipe_.now);
    if (!passed) return false;
    f.delay = passed->delay;
    if (passed->congested) f.mark = ecn::ce;
    if (passed->copy) copies_.push({pipe_.now + *passed->copy, f});
    if (passed->turned_bit) tandem::test::turn_bit(f.bytes, *passed->turned_bit);
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
    EXPECT_LE(held, memory_before_ + memory_limit) << "after " << packets << " datagrams";
}

}  // namespace tandem::quic::test
