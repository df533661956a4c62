// A whole established connection, once as server and once as client: the input is what its peer says in packets that open. Each
// record is a byte that says what to do and how long the frames are, and the frames. Whatever comes, the connection answers with
// nothing worse than CONNECTION_CLOSE, keeps its state machine and the amplification limit, and holds no more memory than its
// limits permit.
#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "fuzz.hpp"

#include "conformance/quic_fault_peer.hpp"

using namespace tandem;
using namespace tandem::quic;
using namespace tandem::quic::test;

namespace {

constexpr std::int64_t memory_limit = 8 * 1024 * 1024;

void check(fault_peer& peer, std::int64_t before) {
    FUZZ_CHECK(peer.victim_bytes - before <= memory_limit);
    FUZZ_CHECK(peer.most_allocations < 10'000);
    if (auto* victim = peer.victim()) {
        FUZZ_CHECK(victim->state() <= connection_state::closed);
        FUZZ_CHECK(!peer.closed() || victim->state() >= connection_state::closing);
    }
}

// The application's side: reads and writes what there is.
void use_streams(connection& victim, time_point now) {
    std::uint8_t buffer[512];
    for (std::uint64_t id = 0; id < 16; ++id) {
        victim.read(stream_id{id}, buffer, now);
        if (id % 3 == 0) victim.write(stream_id{id}, std::span(buffer).first(64), id % 6 == 0, now);
    }
    victim.open(direction::bidirectional);
    while (victim.receive_datagram()) {
    }
}

void play(perspective side, std::span<const std::uint8_t> input) {
    fault_peer::options o{.side = side};
    o.victim.max_datagram_frame_size = 1200;
    fault_peer peer(o);
    FUZZ_CHECK(peer.reach_established());
    peer.remembers = false;
    const auto before = peer.victim_bytes;
    while (!input.empty() && peer.victim() != nullptr) {
        const auto control = input[0];
        const auto size = std::min<std::size_t>(input.size() - 1, control & 0x3f);
        const auto frames = input.subspan(1, size);
        input = input.subspan(1 + size);
        switch (control >> 6) {
            case 0:
                peer.send(encryption_level::one_rtt, frames);
                break;
            case 1:  // a gap in the numbers, then an answer
                peer.send(encryption_level::one_rtt, frames,
                          {.number = peer.next_number(encryption_level::one_rtt) + 1 + control % 3});
                peer.receive_all();
                break;
            case 2:  // time passes, and the application acts
                peer.wait(std::chrono::milliseconds(20 * (control & 0x0f)));
                if (peer.victim() != nullptr) use_streams(*peer.victim(), peer.now);
                peer.acknowledge(encryption_level::one_rtt);
                break;
            default:  // bytes as they are, from elsewhere every other time
                if (control & 1) peer.path.remote.port ^= 1;
                peer.deliver({frames.begin(), frames.end()});
                peer.send(encryption_level::one_rtt, frames);
                break;
        }
        check(peer, before);
    }
    peer.receive_all();
    check(peer, before);
}

}  // namespace

// What the peer expects of every connection counts here too.
extern "C" int LLVMFuzzerInitialize(int*, char***) {
    GTEST_FLAG_SET(break_on_failure, true);
    return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    play(data[0] & 1 ? perspective::client : perspective::server, {data + 1, size - 1});
    return 0;
}
