// Two QMux sessions with a pipe between them, and one that is fed by hand.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <numeric>
#include <span>
#include <vector>

#include <gtest/gtest.h>

#include "hex.hpp"

#include <tandem/http/qmux.hpp>

namespace tandem::http::qmux::test {

using namespace std::chrono_literals;
using quic::transport_error;
using octets = std::vector<std::uint8_t>;
using tandem::test::from_hex;
using tandem::test::from_text;

constexpr auto bidi = quic::direction::bidirectional;
constexpr auto uni = quic::direction::unidirectional;

inline time_point at(duration d) { return time_point{} + d; }

inline octets pattern(std::size_t n) {
    octets v(n);
    std::iota(v.begin(), v.end(), std::uint8_t{0});
    return v;
}

// Two sessions; bytes pass between them at once, in pieces of any size.
struct two_sessions {
    explicit two_sessions(const config& c = {}, const config& s = {})
        : client(quic::perspective::client, c, now), server(quic::perspective::server, s, now) {}

    octets take(session& from, std::size_t room = 16384) {
        octets out(room);
        out.resize(from.transmit(out, now));
        return out;
    }
    void move(session& from, session& to, std::size_t piece = 16384) {
        for (auto out = take(from); !out.empty(); out = take(from)) {
            for (std::size_t i = 0; i < out.size(); i += piece) {
                to.receive(std::span(out).subspan(i, std::min(piece, out.size() - i)), {}, now);
            }
        }
    }
    void settle(std::size_t piece = 16384) {
        while (client.wants_to_send() || server.wants_to_send()) {
            move(client, server, piece);
            move(server, client, piece);
        }
    }
    octets read_all(session& s, quic::stream_id id, bool* end = nullptr) {
        octets out(1 << 20);
        const auto r = s.read(id, out, now, nullptr);
        out.resize(r.n);
        if (end) *end = r.end;
        return out;
    }

    time_point now{};
    session client;
    session server;
};

// A server that has had the client's transport parameters, and a hand that writes records.
struct lone_server {
    explicit lone_server(const config& c = {}) : s(quic::perspective::server, c, now) {
        two_sessions t;
        s.receive(t.take(t.client), {}, now);
        EXPECT_FALSE(s.error());
        EXPECT_TRUE(s.ready());
    }
    void record(const octets& frames) {
        octets wire(frames.size() + 8);
        writer out(wire);
        out.varint(frames.size());
        out.bytes(frames);
        s.receive(out.written(), {}, now);
    }
    void refuses(const octets& frames, transport_error code) {
        record(frames);
        ASSERT_TRUE(s.error());
        EXPECT_TRUE(s.error()->is(code)) << to_string(*s.error());
        EXPECT_FALSE(s.finished_sending());
        octets out(1000);
        out.resize(s.transmit(out, now));
        EXPECT_TRUE(s.finished_sending());
        EXPECT_FALSE(s.wants_to_send());
        // The last frame is CONNECTION_CLOSE with that code.
        quic::ack_ranges none;
        reader in(out);
        for (;;) {
            const auto size = in.varint();
            const auto body = in.bytes(size);
            ASSERT_TRUE(in.ok());
            if (!in.empty()) continue;
            quic::frame_reader frames_in(body, quic::encryption_level::one_rtt, none);
            quic::frame f;
            ASSERT_TRUE(frames_in.next(f));
            EXPECT_EQ(std::get<quic::connection_close_frame>(f).error_code, static_cast<std::uint64_t>(code));
            break;
        }
    }
    time_point now{};
    session s;
};

}  // namespace tandem::http::qmux::test
