#include "tcp/hosts.hpp"

#include <algorithm>

namespace tandem::tcp::test {

void hosts::flush() {
    flush_one(client, true);
    flush_one(server, false);
}

void hosts::flush_one(endpoint& from, bool from_client) {
    static std::vector<std::uint8_t> buffer(65536);
    train out;
    out.buffer = buffer;
    while (from.transmit(now, out)) {
        for (std::size_t i = 0; i < out.count(); ++i) send(from_client, out.datagram(i));
    }
}

void hosts::send(bool from_client, std::span<const std::uint8_t> bytes) {
    ++packets;
    if (carry) return carry(from_client, bytes);
    std::vector<std::uint8_t> copy(bytes.begin(), bytes.end());
    if (filter) {
        packet p;
        if (parse_packet(copy, p) != drop_reason::none) return;
        const auto mark = p.mark;
        if (!filter(from_client, p)) return;
        if (p.mark != mark) write_packet(p, copy);
    }
    if (random.uniform() < link_.loss) return;
    auto& busy = busy_[from_client ? 0 : 1];
    duration wait{};
    if (link_.rate > 0) {
        busy = std::max(busy, now);
        const auto queued = static_cast<double>((busy - now).count()) * static_cast<double>(link_.rate) / 1e9;
        if (queued + static_cast<double>(bytes.size()) > static_cast<double>(link_.queue)) return;
        busy += duration(static_cast<duration::rep>(static_cast<double>(bytes.size()) * 1e9 / static_cast<double>(link_.rate)));
        wait = busy - now;
    }
    const auto delay = [&] {
        const auto spread =
            link_.jitter.count() > 0 ? duration(random.below(static_cast<std::uint64_t>(link_.jitter.count()))) : duration{};
        return wait + link_.delay + spread;
    };
    if (random.uniform() < link_.duplication) deliver(!from_client, copy, delay());
    if (random.uniform() < link_.corruption) copy[random.below(copy.size())] ^= static_cast<std::uint8_t>(1 + random.below(255));
    deliver(!from_client, std::move(copy), delay());
}

void hosts::deliver(bool to_client, std::vector<std::uint8_t> bytes, duration delay) {
    wire_.emplace(now + delay, in_flight{to_client, std::move(bytes)});
}

void hosts::inject(bool to_client, std::vector<std::uint8_t> bytes) {
    wire_.emplace(now, in_flight{to_client, std::move(bytes)});
}

void hosts::settle() {
    flush();
    if (!application) return;
    application();
    flush();
}

bool hosts::step(time_point until) {
    settle();
    auto next = until + duration(1);
    if (!wire_.empty()) next = std::min(next, wire_.begin()->first);
    for (auto* host : {&client, &server}) {
        if (const auto at = host->next_timeout()) next = std::min(next, std::max(*at, now));
    }
    if (next > until) {
        now = std::max(now, until);
        return false;
    }
    now = std::max(now, next);
    while (!wire_.empty() && wire_.begin()->first <= now) {
        auto arrived = std::move(wire_.begin()->second);
        wire_.erase(wire_.begin());
        received_datagram in{.payload = arrived.bytes};
        (arrived.to_client ? client : server).receive(in, now);
    }
    client.on_timeout(now);
    server.on_timeout(now);
    settle();
    return true;
}

}  // namespace tandem::tcp::test
