// Endpoints and servers on several threads that share a port: nobody's connection is lost, whichever socket its datagrams come
// to.
#include <tandem/net/quic_workers.hpp>

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <future>
#include <thread>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <tandem/net/http_client.hpp>
#include <tandem/net/http_server_threads.hpp>
#include <tandem/quic/connection_id_router.hpp>

#include "net/quic_fixture.hpp"

namespace tandem::net {
namespace {

namespace asio = boost::asio;
using asio::use_awaitable;
using boost::system::error_code;

asio::awaitable<void> echo(quic_stream stream) {
    std::array<char, 4096> buffer;
    for (;;) {
        auto [error, n] = co_await stream.async_read_some(asio::buffer(buffer), asio::as_tuple(use_awaitable));
        if (error) break;
        co_await asio::async_write(stream, asio::buffer(buffer, n), use_awaitable);
    }
    stream.shutdown();
}

asio::awaitable<void> echo(quic_connection connection) {
    for (;;) {
        auto [error, stream] = co_await connection.async_accept_stream(asio::as_tuple(use_awaitable));
        if (error) co_return;
        asio::co_spawn(connection.get_executor(), echo(std::move(stream)), asio::detached);
    }
}

// Echo servers, each on a thread.
class QuicWorkers : public test::QuicPair {
protected:
    static constexpr std::size_t count = 3;

    struct worker {
        asio::io_context io{1};
        std::unique_ptr<quic_endpoint> endpoint;
        std::uint64_t connections = 0;
        std::thread thread;
    };

    QuicWorkers() {
        quic::endpoint_config config;
        config.server = tandem::test::server_context();
        config.accepted.alpn = {"echo"};
        std::uint16_t port = 0;
        for (std::size_t i = 0; i < count; ++i) {
            auto& w = workers[i];
            w.endpoint = std::make_unique<quic_endpoint>(w.io.get_executor(), config, group.worker(i));
            EXPECT_FALSE(w.endpoint->open({test::loopback, port}));
            port = w.endpoint->local_endpoint().port;
            asio::co_spawn(
                w.io,
                [&w]() -> asio::awaitable<void> {
                    for (;;) {
                        auto [error, connection] = co_await w.endpoint->async_accept(asio::as_tuple(use_awaitable));
                        if (error) co_return;
                        ++w.connections;
                        asio::co_spawn(w.io, echo(std::move(connection)), asio::detached);
                    }
                },
                asio::detached);
        }
        for (auto& w : workers) w.thread = std::thread([&w] { w.io.run(); });
    }
    ~QuicWorkers() override { stop(); }
    void stop() {
        for (auto& w : workers) {
            if (!w.thread.joinable()) continue;
            asio::post(w.io, [&w] { w.endpoint->close(0); });
            w.thread.join();
        }
    }
    quic::connect_options to_workers() {
        auto o = options();
        o.remote = workers[0].endpoint->local_endpoint();
        return o;
    }
    asio::awaitable<void> say(quic_stream& stream, std::string words) {
        co_await asio::async_write(stream, asio::buffer(words), use_awaitable);
        std::string back(words.size(), '\0');
        co_await asio::async_read(stream, asio::buffer(back), use_awaitable);
        EXPECT_EQ(back, words);
    }
    std::uint64_t handed_over() const {
        std::uint64_t sum = 0;
        for (std::size_t i = 0; i < count; ++i) sum += group.worker(i).statistics().handed_over;
        return sum;
    }

    quic_workers group{count};
    std::array<worker, count> workers;
};

// Each client moves, so that the kernel's hash of its addresses gives it to any of the sockets.
TEST_F(QuicWorkers, ConnectionsStayWithTheirThreadWhereverTheyMove) {
    constexpr int clients = 30;
    std::vector<std::unique_ptr<quic_endpoint>> endpoints;
    int done = 0, moved = 0;
    for (int i = 0; i < clients; ++i) {
        endpoints.push_back(std::make_unique<quic_endpoint>(io.get_executor()));
        ASSERT_FALSE(endpoints.back()->open({test::loopback, 0}));
        asio::co_spawn(
            io,
            [&, &e = *endpoints.back()]() -> asio::awaitable<void> {
                auto connection = co_await e.async_connect(to_workers(), use_awaitable);
                auto stream = co_await connection.async_open_stream(use_awaitable);
                co_await say(stream, "before");
                for (int m = 0; m < 3; ++m) {
                    auto [error] = co_await connection.async_migrate({test::loopback, 0}, asio::as_tuple(use_awaitable));
                    if (!error) ++moved;
                    co_await say(stream, std::string(20'000, 'x'));
                }
                ++done;
            },
            [](std::exception_ptr e) { EXPECT_FALSE(e); });
    }
    run_until([&] { return done == clients; });
    EXPECT_GE(moved, 2 * clients);  // a connection ID may not be there in time
    EXPECT_GT(handed_over(), 0u);
    for (auto& e : endpoints) e->close(0);
    stop();
    std::uint64_t sum = 0;
    for (auto& w : workers) {
        EXPECT_GT(w.connections, 0u);  // 30 clients, 3 sockets: 1 in 60,000 that one has none
        sum += w.connections;
    }
    EXPECT_EQ(sum, static_cast<std::uint64_t>(clients));  // nobody was taken for another
}

TEST_F(QuicWorkers, ThePortIsNobodyElses) {
    quic_endpoint other(io.get_executor());
    EXPECT_EQ(other.open(workers[0].endpoint->local_endpoint()), asio::error::address_in_use);
    quic_workers another(2);
    quic_endpoint first(io.get_executor(), {}, another.worker(0));
    EXPECT_EQ(first.open(workers[0].endpoint->local_endpoint()), asio::error::address_in_use);
}

TEST(QuicWorker, WhatWaitsHasALimit) {
    asio::io_context io(1);
    quic_workers group(2);
    auto receiver = group.worker(0), owner = group.worker(1);
    quic::endpoint_config config;
    owner.configure(config);
    ASSERT_TRUE(config.router);
    std::vector<std::uint8_t> packet(50, 0x40);  // a short header
    const auto id = config.router->make(config.worker, 7);
    std::copy(id.bytes().begin(), id.bytes().end(), packet.begin() + 1);
    const received_datagram datagram{packet, {}, ecn::not_ect};

    EXPECT_FALSE(owner.divert(datagram));
    EXPECT_TRUE(receiver.divert(datagram));  // nobody is there: dropped
    EXPECT_EQ(owner.statistics().dropped, 1u);
    std::size_t got = 0, batches = 0;
    owner.attach(
        io.get_executor(),
        [&](received_datagram& d) {
            EXPECT_TRUE(std::equal(d.payload.begin(), d.payload.end(), packet.begin(), packet.end()));
            ++got;
        },
        [&] { ++batches; });
    for (std::size_t i = 0; i < quic_worker::max_waiting + 10; ++i) EXPECT_TRUE(receiver.divert(datagram));
    io.poll();
    EXPECT_EQ(got, quic_worker::max_waiting);
    EXPECT_EQ(batches, 1u);
    EXPECT_EQ(owner.statistics().dropped, 11u);
    EXPECT_TRUE(receiver.divert(datagram));  // and on it goes
    owner.detach();
    io.restart();
    io.poll();
    EXPECT_EQ(got, quic_worker::max_waiting);

    packet[1] ^= 1;  // nobody's: whoever received it answers
    EXPECT_FALSE(receiver.divert(datagram));
    EXPECT_FALSE(quic_worker().divert(datagram));
}

// One client and one of the servers, datagrams handed over by hand until there are none.
class ServersThatShareTokens : public testing::Test {
protected:
    ServersThatShareTokens() {
        for (std::size_t i = 0; i < servers.size(); ++i) {
            quic::endpoint_config config;
            config.server = tandem::test::server_context();
            config.accepted.alpn = {"echo"};
            config.retry = quic::retry_policy::always;
            group.worker(i).configure(config);
            servers[i] = std::make_unique<quic::endpoint>(std::move(config), 100 + i);
        }
    }
    // The token that the server gave.
    std::vector<std::uint8_t> visit(std::size_t server, std::vector<std::uint8_t> token, std::uint64_t seed) {
        quic::endpoint client({}, seed);
        quic::connect_options o;
        o.local = {test::loopback, 1000};
        o.remote = {test::loopback, 443};
        o.server_name = "localhost";
        o.tls = tandem::test::client_context();
        o.config.alpn = {"echo"};
        o.token = std::move(token);
        tls::error why;
        EXPECT_TRUE(client.connect(o, now, why));
        for (int i = 0; i < 100; ++i) {
            now += std::chrono::milliseconds(1);
            if (!move(client, *servers[server]) && !move(*servers[server], client)) break;
        }
        std::vector<std::uint8_t> out;
        while (auto event = client.poll_event()) {
            if (auto* given = std::get_if<quic::token_received>(&event->event)) out = given->token;
        }
        return out;
    }
    bool move(quic::endpoint& from, quic::endpoint& to) {
        bool any = false;
        std::vector<std::uint8_t> buffer(65536);
        for (;;) {
            train t;
            t.buffer = buffer;
            if (!from.transmit(now, t)) return any;
            any = true;
            for (std::size_t at = 0; at < t.size; at += t.segment_size) {
                received_datagram d{
                    t.buffer.subspan(at, std::min(t.segment_size, t.size - at)), {t.path.remote, t.path.local}, t.mark};
                to.receive(d, now);
            }
        }
    }

    quic_workers group{2};
    std::array<std::unique_ptr<quic::endpoint>, 2> servers;
    time_point now{std::chrono::hours(100)};
};

// RFC 9000 8.1.4: what one has taken the others do not take again.
TEST_F(ServersThatShareTokens, TakeEachOnce) {
    const auto token = visit(0, {}, 1);
    ASSERT_FALSE(token.empty());
    EXPECT_EQ(servers[0]->statistics().retries_sent, 1u);
    const auto next = visit(1, token, 2);
    EXPECT_EQ(servers[1]->statistics().retries_sent, 0u);  // another server's token is as good
    visit(0, token, 3);
    EXPECT_EQ(servers[0]->statistics().retries_sent, 2u);  // but not twice
    visit(1, token, 4);
    EXPECT_EQ(servers[1]->statistics().retries_sent, 1u);
    ASSERT_FALSE(next.empty());
    visit(0, next, 5);
    EXPECT_EQ(servers[0]->statistics().retries_sent, 2u);
}

struct sink : transfer_sink {
    explicit sink(int& n) : ended(n) {}
    void on_response(const http::response& r, const transfer_info&) override { EXPECT_EQ(r.status, 200); }
    bool on_body(std::span<const std::uint8_t>) override { return true; }
    void on_end(const std::optional<http_error>& error, const transfer_info&) override {
        EXPECT_FALSE(error) << error->text;
        ++ended;
    }
    int& ended;
};

http_server_options server_options() {
    http_server_options o;
    o.tls = tandem::test::server_context();
    return o;
}

TEST(HttpServerThreads, ServeOnOnePortAndCountTogether) {
    http_server_threads server(3, server_options(),
                               http_handler([](std::shared_ptr<http_exchange> e) { e->respond(200, "text/plain", "hi"); }));
    const auto failed = server.start();
    ASSERT_FALSE(failed) << failed.what;
    {
        auto taken = server_options();
        taken.port = server.port();
        http_server_threads other(2, taken, http_handler());
        EXPECT_EQ(other.start().code, boost::system::errc::address_in_use);
    }
    asio::io_context io(1);
    std::vector<std::unique_ptr<http_client>> clients;
    int ended = 0, wanted = 0;
    for (int i = 0; i < 24; ++i) {  // each its own connection
        http_client_options o;
        o.connection.tls = tandem::test::client_context();
        o.protocols = {i % 2 == 0 ? http_protocol::http3 : http_protocol::http2};
        clients.push_back(std::make_unique<http_client>(io.get_executor(), o));
        http_request request;
        std::string why;
        request.url = *http::parse_url("https://localhost:" + std::to_string(server.port()) + "/", why);
        for (int r = 0; r < 3; ++r, ++wanted) clients.back()->submit(request, std::make_shared<sink>(ended));
    }
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (ended < wanted && std::chrono::steady_clock::now() < deadline) io.run_one_until(deadline);
    EXPECT_EQ(ended, wanted);
    const auto running = server.statistics();
    EXPECT_EQ(running.sum.requests, static_cast<std::uint64_t>(wanted));
    EXPECT_EQ(running.each.size(), 3u);
    clients.clear();
    std::atomic<bool> done{false};
    server.stop(std::chrono::seconds(5), [&] { done = true; });
    server.join();
    EXPECT_TRUE(done);
    EXPECT_EQ(server.statistics().sum.requests, static_cast<std::uint64_t>(wanted));
    EXPECT_EQ(server.statistics().sum.quic_connections, 12u);
    EXPECT_EQ(server.statistics().sum.tcp_connections, 12u);
}

TEST(HttpServerThreads, EachHasHandlersAndIsVisited) {
    constexpr std::size_t count = 4;
    std::array<std::thread::id, count> seen{};
    std::array<int, count> made{};
    http_server_threads server(
        count, server_options(), http_server_threads::thread_setup([&](std::size_t i, const auto&, http_server_options& own) {
            EXPECT_EQ(own.workers.size(), own.addresses.size());
            ++made[i];
            return server_handlers{{}, [](std::shared_ptr<http_exchange> e) { e->respond(200, "text/plain", "hi"); }};
        }));
    int done = 0;
    server.visit([](std::size_t, http_server&) { FAIL(); }, [&] { ++done; });  // nobody there yet
    EXPECT_EQ(done, 1);
    ASSERT_FALSE(server.start());
    EXPECT_EQ(made, (std::array<int, count>{1, 1, 1, 1}));
    std::promise<void> all;
    server.visit(
        [&](std::size_t i, http_server& one) {
            seen[i] = std::this_thread::get_id();
            EXPECT_EQ(one.port(), server.port());
        },
        [&] { all.set_value(); });
    all.get_future().wait();
    for (std::size_t i = 0; i < count; ++i) {
        for (std::size_t j = 0; j < i; ++j) EXPECT_NE(seen[i], seen[j]);
        EXPECT_NE(seen[i], std::this_thread::get_id());
    }
    // While they end, and afterwards: nobody is left out or asked twice.
    std::atomic<int> visits{0}, rounds{0};
    server.stop(std::chrono::seconds(0));
    for (int i = 0; i < 200; ++i) server.visit([&](std::size_t, http_server&) { ++visits; }, [&] { ++rounds; });
    server.join();
    EXPECT_EQ(visits, 200 * static_cast<int>(count));
    EXPECT_EQ(rounds, 200);
    server.visit([&](std::size_t i, http_server&) { seen[i] = std::this_thread::get_id(); }, [&] { ++rounds; });
    EXPECT_EQ(rounds, 201);
    EXPECT_EQ(seen[0], std::this_thread::get_id());
}

TEST(HttpServerThreads, RequestsUnderWayEndBeforeTheThreadsDo) {
    std::atomic<int> begun{0};
    http_server_threads server(2, server_options(), http_handler([&](std::shared_ptr<http_exchange> e) {
                                   ++begun;
                                   auto timer =
                                       std::make_shared<asio::steady_timer>(e->get_executor(), std::chrono::milliseconds(150));
                                   timer->async_wait([e, timer](error_code) { e->respond(200, "text/plain", "late"); });
                               }));
    ASSERT_FALSE(server.start());
    asio::io_context io(1);
    std::vector<std::unique_ptr<http_client>> clients;
    int ended = 0;
    for (int i = 0; i < 8; ++i) {
        http_client_options o;
        o.connection.tls = tandem::test::client_context();
        o.protocols = {i % 2 == 0 ? http_protocol::http3 : http_protocol::http1};
        clients.push_back(std::make_unique<http_client>(io.get_executor(), o));
        http_request request;
        std::string why;
        request.url = *http::parse_url("https://localhost:" + std::to_string(server.port()) + "/", why);
        clients.back()->submit(request, std::make_shared<sink>(ended));
    }
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (begun < 8 && std::chrono::steady_clock::now() < deadline) io.run_one_for(std::chrono::milliseconds(5));
    server.stop(std::chrono::seconds(10));
    while (ended < 8 && std::chrono::steady_clock::now() < deadline) io.run_one_until(deadline);
    EXPECT_EQ(ended, 8);
    server.join();
}

}  // namespace
}  // namespace tandem::net
