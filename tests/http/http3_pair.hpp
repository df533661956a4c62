// A client and a server session on one connection in memory, both applications reading at once.
#pragma once

#include <optional>
#include <string>

#include <gtest/gtest.h>

#include <tandem/http/http3_client.hpp>
#include <tandem/http/http3_server.hpp>

#include "fake_transport.hpp"
#include "session_trace.hpp"

namespace tandem::http::test {

constexpr std::uint64_t code_of(h3_error e) { return static_cast<std::uint64_t>(e); }

class http3_pair : public testing::Test {
protected:
    http3_pair() { make({}, {}); }

    void make(const limits& client_limits, const limits& server_limits) {
        client_end.emplace(quic::perspective::client);
        server_end.emplace(quic::perspective::server);
        client_end->connect(*server_end);
        server_end->connect(*client_end);
        client_end->datagram_size = server_end->datagram_size = datagram_size;
        client.emplace(*client_end, client_limits);
        server.emplace(*server_end, server_limits);
    }
    void run(double ms = 0) {
        for (int i = 0; i < 8; ++i) {
            client->pump(at(ms));
            asked.run(*client, at(ms));
            server->pump(at(ms));
            served.run(*server, at(ms));
        }
    }
    request_id get(std::string path, std::optional<priority> p = {}) {
        return client->submit({.authority = "host", .path = std::move(path), .priority = p}, nullptr, at(0));
    }

    std::size_t datagram_size = 0;  // of the transport; taken by make()
    std::optional<fake_transport> client_end, server_end;
    std::optional<http3_client> client;
    std::optional<http3_server> server;
    client_trace asked;
    server_trace served;
};

}  // namespace tandem::http::test
