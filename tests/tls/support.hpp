// What the tests of TLS share: certificates at a fixed time, and both ends of a session in one place.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <tandem/tls/context.hpp>
#include <tandem/tls/quic_handshake.hpp>
#include <tandem/tls/record_session.hpp>

namespace tandem::tls::test {

constexpr std::int64_t noon = 1'700'000'000;  // in November 2023: the time of every test
constexpr std::int64_t day = 86400;

inline certificate make_certificate(std::vector<std::string> names = {"localhost", "127.0.0.1", "::1"},
                                    std::int64_t not_before = noon - day, std::int64_t not_after = noon + day,
                                    key_kind kind = key_kind::ed25519) {
    error why;
    auto made = self_signed({.names = std::move(names), .key = kind, .not_before = not_before, .not_after = not_after}, why);
    EXPECT_TRUE(made) << why.text;
    return made.value_or(certificate{});
}

inline std::shared_ptr<const server_context> make_server(const certificate& c, std::size_t tickets = 2, key_log log = nullptr) {
    error why;
    auto made =
        server_context::create({.certificate = c, .tickets = tickets, .wall_clock = noon, .key_log = std::move(log)}, why);
    EXPECT_TRUE(made) << why.text;
    return made;
}

inline std::shared_ptr<const client_context> make_client(const std::string& trusted_pem, bool verify = true,
                                                         key_log log = nullptr) {
    error why;
    auto made =
        client_context::create({.verify = verify, .ca_pem = trusted_pem, .wall_clock = noon, .key_log = std::move(log)}, why);
    EXPECT_TRUE(made) << why.text;
    return made;
}

// Carries everything that waits from one side to the other. `piece`: bytes handed over at a time.
inline bool carry(quic_handshake& from, quic_handshake& to, std::size_t piece = 100000) {
    bool moved = false;
    for (auto l : {level::initial, level::handshake, level::application}) {
        std::vector<std::uint8_t> bytes(from.output(l).begin(), from.output(l).end());
        from.discard_output(l);
        for (std::size_t at = 0; at < bytes.size(); at += piece) {
            moved = true;
            if (!to.provide(l, std::span(bytes).subspan(at, std::min(piece, bytes.size() - at)))) return false;
        }
    }
    return moved;
}

inline std::vector<installed_secret> secrets_of(quic_handshake& h) {
    std::vector<installed_secret> all;
    while (auto s = h.poll_secret()) all.push_back(*s);
    return all;
}

inline void run(quic_handshake& client, quic_handshake& server, std::size_t piece = 100000) {
    bool moved = true;
    while (moved) {
        moved = carry(client, server, piece);
        moved = carry(server, client, piece) || moved;
    }
}

inline bool carry(record_session& from, record_session& to, std::size_t piece = 100000) {
    bool moved = false;
    while (!from.pending_output().empty()) {
        auto out = from.pending_output();
        auto taken = to.receive(out.first(std::min(piece, out.size())));
        if (taken == 0) break;
        from.consume_output(taken);
        moved = true;
    }
    return moved;
}

inline void run(record_session& client, record_session& server, std::size_t piece = 100000) {
    bool moved = true;
    while (moved) {
        moved = carry(client, server, piece);
        moved = carry(server, client, piece) || moved;
    }
}

struct quic_pair {
    std::unique_ptr<quic_handshake> client;
    std::unique_ptr<quic_handshake> server;
};

inline quic_pair make_quic(const std::shared_ptr<const client_context>& client,
                           const std::shared_ptr<const server_context>& server,
                           const client_session_options& c = {.server_name = "localhost", .alpn = {"h3"}},
                           const server_session_options& s = {.alpn = {"h3"}}) {
    const std::uint8_t client_parameters[] = {0x01, 0x02, 0x03};
    const std::uint8_t server_parameters[] = {0x04, 0x05};
    error why;
    quic_pair pair{quic_handshake::client(client, c, client_parameters, why), nullptr};
    EXPECT_TRUE(pair.client) << why.text;
    pair.server = quic_handshake::server(server, s, server_parameters, why);
    EXPECT_TRUE(pair.server) << why.text;
    return pair;
}

struct record_pair {
    std::unique_ptr<record_session> client;
    std::unique_ptr<record_session> server;
};

inline record_pair make_records(const std::shared_ptr<const client_context>& client,
                                const std::shared_ptr<const server_context>& server,
                                const client_session_options& c = {.server_name = "localhost", .alpn = {"http/1.1"}},
                                const server_session_options& s = {.alpn = {"http/1.1"}}, const record_session_options& r = {}) {
    error why;
    record_pair pair{record_session::client(client, c, r, why), nullptr};
    EXPECT_TRUE(pair.client) << why.text;
    pair.server = record_session::server(server, s, r, why);
    EXPECT_TRUE(pair.server) << why.text;
    return pair;
}

inline std::string read_all(record_session& session, std::vector<record_times>* times = nullptr) {
    std::string text;
    std::vector<std::uint8_t> buffer(5000);
    while (auto n = session.read(buffer, times)) text.append(buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(n));
    return text;
}

inline std::span<const std::uint8_t> bytes_of(std::string_view text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

}  // namespace tandem::tls::test
