// Nothing that a peer sends makes memory grow faster than a constant times the bytes it sent, beyond what the limits that we
// declared permit it to fill; and no datagram makes much work. With floods made for the purpose, and with frames at random.
#include <gtest/gtest.h>

#include <tandem/bytes/random.hpp>
#include <tandem/quic/undecryptable_packets.hpp>

#include "allocation_counter.hpp"
#include "quic_fault_peer.hpp"
#include "seed.hpp"

namespace tandem::quic::test {
namespace {

constexpr auto initial = encryption_level::initial;
constexpr auto handshake = encryption_level::handshake;
constexpr auto one_rtt = encryption_level::one_rtt;

// What the declared limits let a peer fill without sending as much: 200 streams that hold a block each for one byte, and the
// blocks of the connection's window.
constexpr std::int64_t established_bytes = 200 * 20'000 + 2 * 1536 * 1024;
// Before the handshake is complete there are only CRYPTO buffers and packets that wait for keys.
constexpr std::int64_t handshake_bytes = 256 * 1024;
constexpr std::int64_t bytes_per_byte = 4;
constexpr std::uint64_t allocations_per_byte = 2, allocations_at_most = 500;

// Bytes of frames for one packet of some 1000 bytes; n counts the packets.
using generator = bytes (*)(fault_peer&, std::uint64_t n, random_source&);

struct flood {
    const char* name;
    generator make;
};

bytes repeat(std::size_t room, const std::function<bytes(std::uint64_t)>& one) {
    bytes all;
    for (std::uint64_t i = 0;; ++i) {
        const auto next = one(i);
        if (all.size() + next.size() > room) return all;
        all.insert(all.end(), next.begin(), next.end());
    }
}
constexpr std::size_t room = 1000;
const bytes one_byte(1);

bytes stream_gaps(fault_peer& p, std::uint64_t n, random_source&) {
    return repeat(room, [&](std::uint64_t i) {
        return frames_of(stream_frame{p.ours(n % 4), 1 + 2 * (i + 160 * (n / 4)), one_byte, false});
    });
}
bytes stream_blocks(fault_peer& p, std::uint64_t n, random_source&) {
    return repeat(room, [&](std::uint64_t i) {
        return frames_of(stream_frame{p.ours(0), (4096 * (i + 100 * n) + 1) % 1'000'000, one_byte, false});
    });
}
bytes all_streams(fault_peer& p, std::uint64_t n, random_source&) {
    return repeat(room, [&](std::uint64_t i) {
        const auto index = (i + 100 * n) % 100;
        return frames_of(
            stream_frame{p.ours(index, n % 2 ? direction::bidirectional : direction::unidirectional), 1000, one_byte, false});
    });
}
bytes rapid_reset(fault_peer& p, std::uint64_t n, random_source&) {
    return repeat(room, [&](std::uint64_t i) {
        const auto id = p.ours((i + 90 * n) % 100);
        return frames_of(stream_frame{id, 0, one_byte, false}, reset_stream_frame{id, 1, 1}, stop_sending_frame{id, 1});
    });
}
bytes empty_streams(fault_peer& p, std::uint64_t, random_source&) {
    return repeat(room, [&](std::uint64_t) { return frames_of(stream_frame{p.ours(0), 0, {}, false}); });
}
bytes crypto_gaps(fault_peer& p, std::uint64_t n, random_source&) {
    const auto from = p.crypto_offset(one_rtt);
    return repeat(room, [&](std::uint64_t i) {
        return frames_of(crypto_frame{from + 1 + 2 * (i + 150 * n) % 60'000, one_byte});
    });
}
bytes challenges(fault_peer&, std::uint64_t n, random_source& random) {
    return repeat(room, [&](std::uint64_t) {
        path_challenge_frame f;
        random.fill(f.data);
        f.data[0] = static_cast<std::uint8_t>(n);
        return frames_of(f);
    });
}
bytes moving_challenges(fault_peer& p, std::uint64_t n, random_source& random) {
    ++p.path.remote.port;
    return challenges(p, n, random);
}
bytes connection_ids(fault_peer&, std::uint64_t n, random_source& random) {
    new_connection_id_frame f{n + 1, n + 1, {}, {}};
    bytes id(8);
    random.fill(id);
    f.id = connection_id(id);
    random.fill(f.reset_token);
    return frames_of(f);
}
bytes retirements(fault_peer& p, std::uint64_t n, random_source&) {
    const auto all = p.received<new_connection_id_frame>();
    return frames_of(retire_connection_id_frame{all.empty() ? 1 : std::min<std::uint64_t>(n + 1, all.back().sequence)});
}
bytes tokens(fault_peer& p, std::uint64_t, random_source&) {
    if (p.side() == perspective::client) return frames_of(ping_frame{});
    return repeat(room, [](std::uint64_t) { return frames_of(new_token_frame{one_byte}); });
}
bytes blocked(fault_peer& p, std::uint64_t n, random_source&) {
    return repeat(room, [&](std::uint64_t i) {
        const auto id = p.ours((i + n) % 100);
        return frames_of(data_blocked_frame{i}, stream_data_blocked_frame{id, i}, max_stream_data_frame{id, i * n},
                         max_data_frame{i * n});
    });
}
bytes pings(fault_peer&, std::uint64_t, random_source&) { return bytes(room, 0x01); }
bytes datagrams(fault_peer&, std::uint64_t, random_source&) {
    return repeat(room, [](std::uint64_t) { return frames_of(datagram_frame{}); });
}
bytes acknowledgments(fault_peer& p, std::uint64_t n, random_source&) {
    const auto top = *p.largest(one_rtt);
    return repeat(room, [&](std::uint64_t i) {
        const std::vector<range> some{{top - (n + i) % (top + 1), top - (n + i) % (top + 1) + 1}};
        return frames_of(ack_frame{.ranges = some});
    });
}

const flood floods[] = {
    {"StreamGaps", stream_gaps},
    {"StreamBlocks", stream_blocks},
    {"AllStreams", all_streams},
    {"RapidReset", rapid_reset},
    {"EmptyStreams", empty_streams},
    {"CryptoGaps", crypto_gaps},
    {"Challenges", challenges},
    {"MovingChallenges", moving_challenges},
    {"ConnectionIds", connection_ids},
    {"Retirements", retirements},
    {"Tokens", tokens},
    {"Blocked", blocked},
    {"Pings", pings},
    {"Datagrams", datagrams},
    {"Acknowledgments", acknowledgments},
};

fault_peer::options offering_datagrams(perspective side) {
    fault_peer::options o{.side = side};
    o.victim.max_datagram_frame_size = 65535;
    return o;
}

void expect_bounded(const fault_peer& peer, std::int64_t before, std::uint64_t sent_before, std::int64_t constant) {
    const auto sent = static_cast<std::int64_t>(peer.bytes_sent - sent_before);
    ASSERT_LE(peer.victim_bytes - before, constant + bytes_per_byte * sent) << "after " << sent << " bytes";
    ASSERT_LE(peer.most_allocations, allocations_per_byte * 1200 + allocations_at_most);
}

class QuicMemory : public testing::TestWithParam<std::tuple<flood, perspective>> {};

// The victim may answer or not, close or not: it must not fill.
TEST_P(QuicMemory, GrowsNoFasterThanWhatAFloodSends) {
    const auto& [what, side] = GetParam();
    for (const bool listens : {true, false}) {
        fault_peer peer(offering_datagrams(side));
        ASSERT_TRUE(peer.reach_established());
        random_source random(tandem::test::seed());
        peer.remembers = what.make == retirements;
        const auto before = peer.victim_bytes;
        const auto sent_before = peer.bytes_sent;
        for (std::uint64_t n = 0; n < 120 && peer.victim() != nullptr && !peer.closed(); ++n) {
            // Every other number, so that each packet is a range of its own to be acknowledged.
            peer.send(one_rtt, what.make(peer, n, random), {.number = peer.next_number(one_rtt) + 1});
            if (listens || n % 50 == 0) peer.receive_all();
            expect_bounded(peer, before, sent_before, established_bytes);
            if (HasFatalFailure()) return;
        }
    }
}

INSTANTIATE_TEST_SUITE_P(, QuicMemory,
                         testing::Combine(testing::ValuesIn(floods), testing::Values(perspective::client, perspective::server)),
                         [](const auto& one) {
                             return std::get<0>(one.param).name +
                                    std::string(std::get<1>(one.param) == perspective::client ? "OfAClient" : "OfAServer");
                         });

// A frame of any type with fields that are sometimes sensible.
bytes random_frame(random_source& random) {
    bytes room_for_one(80);
    writer out(room_for_one);
    constexpr std::uint64_t interesting[] = {0, 1, 2, 3, 4, 63, 64, 99, 400, 1000, 16383, 65536, 1 << 20, varint_max};
    const auto number = [&] { return random() % 4 != 0 ? random() % 8 : interesting[random() % std::size(interesting)]; };
    auto type = random() % 33;
    if (type > 30) type += 0x30 - 31;
    out.u8(static_cast<std::uint8_t>(type));
    const auto fields = random() % 5;
    for (std::uint64_t i = 0; i < fields; ++i) out.varint(number());
    const auto data = random() % 30;
    for (std::uint64_t i = 0; i < data; ++i) out.u8(static_cast<std::uint8_t>(random()));
    room_for_one.resize(out.size());
    return room_for_one;
}

class QuicRandomFrames : public testing::TestWithParam<perspective> {};

TEST_P(QuicRandomFrames, AreSurvivedWithBoundedMemoryAndWork) {
    random_source random(tandem::test::seed());
    for (int connection = 0; connection < 30; ++connection) {
        const auto level = connection % 6 == 0 ? initial : connection % 6 == 1 ? handshake : one_rtt;
        fault_peer peer(offering_datagrams(GetParam()));
        ASSERT_TRUE(peer.reach(level));
        peer.remembers = false;
        const auto before = peer.victim_bytes;
        const auto sent_before = peer.bytes_sent;
        for (int n = 0; n < 100 && peer.victim() != nullptr && !peer.closed(); ++n) {
            peer.send(level, random_frame(random));
            if (random() % 4 == 0) peer.receive_all();
            if (random() % 20 == 0) peer.wait(std::chrono::milliseconds(random() % 500));
            expect_bounded(peer, before, sent_before, level == one_rtt ? established_bytes : handshake_bytes);
            if (HasFatalFailure()) return;
        }
    }
}

// Before anybody is known: CRYPTO with holes, packets that wait for keys, packets of every number.
TEST_P(QuicRandomFrames, HandshakesHoldLittle) {
    for (const auto level : {initial, handshake}) {
        fault_peer peer(GetParam());
        ASSERT_TRUE(peer.reach(level));
        peer.remembers = false;
        const auto before = peer.victim_bytes;
        const auto sent_before = peer.bytes_sent;
        for (std::uint64_t n = 0; n < 300 && !peer.closed(); ++n) {
            const auto gaps = repeat(room, [&](std::uint64_t i) {
                return frames_of(crypto_frame{3000 + 2 * ((i + 160 * n) % 30'000), one_byte});
            });
            peer.send(level, gaps, {.number = peer.next_number(level) + 1});
            if (peer.application.write) peer.deliver(peer.packet(one_rtt, bytes(room, 0x01)));  // kept for later, up to a cap
            if (n % 10 == 0) peer.receive_all();
            expect_bounded(peer, before, sent_before, handshake_bytes);
            if (HasFatalFailure()) return;
        }
    }
}

INSTANTIATE_TEST_SUITE_P(, QuicRandomFrames, testing::Values(perspective::client, perspective::server),
                         [](const auto& one) { return one.param == perspective::client ? "OfAClient" : "OfAServer"; });

// Clients that begin a handshake and are never heard of again, with a packet for somebody else in each datagram.
TEST(QuicAbandoned, HandshakesLeaveNothingBehind) {
    endpoint server(pipe::defaults().server, 5);
    bytes buffer(65536);
    time_point now{1h};
    std::uint64_t first = 0;
    for (int round = 0; round < 3; ++round) {
        for (std::uint64_t n = 0; n < 50; ++n) {
            bytes said;
            fault_peer::options o{.side = perspective::client,
                                  .crypto = [&](encryption_level, bytes& out) { said = out; },
                                  .seed = 1000 * static_cast<std::uint64_t>(round + 1) + n};
            fault_peer client(o);  // has a server of its own; what it told that one goes to ours
            ASSERT_TRUE(client.reach_initial());
            ASSERT_LT(said.size(), 1000u);
            client.destination = client.original_destination;
            auto hello = client.packet(initial, frames_of(crypto_frame{0, said}), {.number = 0});
            auto other =
                client.packet(initial, frames_of(ping_frame{}), {.destination = connection_id(bytes(8, 0x77)), .expand = false});
            hello.insert(hello.end(), other.begin(), other.end());
            received_datagram d{.payload = hello, .path = {pipe::server_address, pipe::client_address}};
            server.receive(d, now);
        }
        EXPECT_EQ(server.statistics().connections, 50u) << "the hellos were taken for real";
        for (int i = 0; i < 100; ++i) {
            now += 1s;
            server.on_timeout(now);
            train out;
            out.buffer = buffer;
            while (server.transmit(now, out)) {
            }
            while (server.poll_event()) {
            }
        }
        server.on_timeout(now);
        EXPECT_EQ(server.statistics().connections, 0u);
        if (round == 0) first = tandem::test::live_bytes();
        EXPECT_LE(tandem::test::live_bytes(), first + 1000) << "round " << round;
    }
}

}  // namespace
}  // namespace tandem::quic::test
