// Two ends of a connection's streams with a perfect or lossy "network" of single packets between them.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <numeric>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <tandem/quic/frame_reader.hpp>
#include <tandem/quic/streams.hpp>

namespace tandem::quic::test {

using namespace std::chrono_literals;

inline time_point at(duration d) { return time_point{} + d; }

inline std::vector<std::uint8_t> bytes(std::size_t n, std::uint8_t first = 0) {
    std::vector<std::uint8_t> v(n);
    std::iota(v.begin(), v.end(), first);
    return v;
}

// A packet on its way: its payload, and what its sender remembers of it.
struct packet {
    std::vector<std::uint8_t> payload;
    stream_tokens tokens;
};

inline streams_config config_of(perspective side) {
    streams_config c;
    c.side = side;
    return c;
}

struct pair_of_streams {
    explicit pair_of_streams(streams_config c = config_of(perspective::client), streams_config s = config_of(perspective::server))
        : client(c), server(s) {
        transport_parameters from_client;
        transport_parameters from_server;
        client.declare(from_client);
        server.declare(from_server);
        client.set_peer_parameters(from_server, now);
        server.set_peer_parameters(from_client, now);
    }

    // One packet of at most `size` bytes; nothing if there is nothing to send.
    std::optional<packet> take(streams& from, std::size_t size = 1200) {
        std::vector<std::uint8_t> room(size);
        frame_writer out{room};
        packet p;
        from.write_frames(out, p.tokens, now);
        if (out.size() == 0) return std::nullopt;
        p.payload.assign(room.begin(), room.begin() + static_cast<std::ptrdiff_t>(out.size()));
        return p;
    }

    std::optional<connection_error> give(const packet& p, streams& to) {
        frame_reader in(p.payload, encryption_level::one_rtt, ranges);
        frame f;
        while (in.next(f)) {
            if (auto error = to.receive(f, now)) return error;
        }
        return in.error();
    }

    void acknowledge(const packet& p, streams& sender) {
        for (const auto& t : p.tokens) sender.acknowledged(t, now);
    }
    void lose(const packet& p, streams& sender) {
        for (const auto& t : p.tokens) sender.lost(t, now);
    }

    // Everything one side wants to say reaches the other and is acknowledged. Returns how many packets it took.
    int flush(streams& from, streams& to) {
        int count = 0;
        while (auto p = take(from)) {
            EXPECT_EQ(give(*p, to), std::nullopt);
            acknowledge(*p, from);
            ++count;
        }
        EXPECT_FALSE(from.wants_to_send());
        return count;
    }
    // Both ways until both are quiet.
    void settle() {
        while (flush(client, server) + flush(server, client) > 0) {
        }
    }

    time_point now{};
    streams client;
    streams server;
    ack_ranges ranges;
};

inline std::string text(streams& s, stream_id id, time_point now) {
    std::string out(65536, 0);
    const auto r = s.read(id, {reinterpret_cast<std::uint8_t*>(out.data()), out.size()}, now);
    out.resize(r.n);
    return out;
}

inline std::span<const std::uint8_t> as_bytes(std::string_view s) {
    return {reinterpret_cast<const std::uint8_t*>(s.data()), s.size()};
}

inline std::vector<stream_event> events(streams& s) {
    std::vector<stream_event> all;
    while (auto e = s.poll_event()) all.push_back(*e);
    return all;
}

inline int count(const std::vector<stream_event>& all, stream_event_kind kind) {
    int n = 0;
    for (const auto& e : all) n += e.kind == kind;
    return n;
}

}  // namespace tandem::quic::test
