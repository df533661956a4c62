// What connections cost: handshakes, heap, and packets among many. Endpoints in one process, in virtual time, without sockets.
//
// connections handshakes [SECONDS=3]: a server's full QUIC handshakes a second of one core, against the cryptography they cannot
// avoid.
//
// connections memory [N=50000]: heap of each idle established QUIC connection of a server; tcp-memory: the same of our TCP.
//
// connections packets [N=10000]: what a packet costs with N connections, and with N streams, against one.
#include <malloc.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include <openssl/curve25519.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/mem.h>
#include <openssl/nid.h>

#include <tandem/quic/endpoint.hpp>
#include <tandem/tcp/endpoint.hpp>
#include <tandem/tls/certificate.hpp>

namespace {

using namespace tandem;
using namespace std::chrono_literals;

const ip_endpoint server_end{ip_address::v4(198, 51, 100, 1), 443};

double cpu_seconds() {
    timespec t{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

std::size_t heap_in_use() {
    const auto m = mallinfo2();
    return m.uordblks + m.hblkhd;
}

[[noreturn]] void fail(const char* what) {
    std::fprintf(stderr, "%s\n", what);
    std::exit(1);
}

struct identity {
    std::shared_ptr<const tls::server_context> server;
    std::shared_ptr<const tls::client_context> client;

    identity() {
        tls::error why;
        const auto now = std::time(nullptr);
        auto certificate =
            tls::self_signed({.names = {"server.example"}, .not_before = now - 3600, .not_after = now + 86400}, why);
        if (!certificate) fail(why.text.c_str());
        tls::client_options c;
        c.ca_pem = certificate->chain_pem;
        tls::server_options s;
        s.certificate = std::move(*certificate);
        s.tickets = 0;
        server = tls::server_context::create(s, why);
        client = tls::client_context::create(c, why);
        if (!server || !client) fail(why.text.c_str());
    }
};

// Carries datagrams between two endpoints at once. `server_time` sums what the server's verbs take, if asked for.
template <class Endpoint>
struct carrier {
    Endpoint& client;
    Endpoint& server;
    time_point& now;
    bool timed = false;
    double server_time = 0;
    std::uint64_t packets = 0;
    std::vector<std::uint8_t> buffer = std::vector<std::uint8_t>(65535);

    template <class F>
    auto at_server(F f) {
        if (!timed) return f();
        struct stopwatch {
            double& sum;
            double from = cpu_seconds();
            ~stopwatch() { sum += cpu_seconds() - from; }
        } running{server_time};
        return f();
    }
    void deliver(const train& out, Endpoint& to) {
        for (std::size_t i = 0; i < out.count(); ++i) {
            received_datagram in{out.datagram(i), {out.path.remote, out.path.local}, out.mark};
            ++packets;
            to.receive(in, now);
        }
    }
    bool pass() {
        bool any = false;
        for (train out{.buffer = buffer}; client.transmit(now, out); out = {.buffer = buffer}, any = true) {
            at_server([&] { deliver(out, server); });
        }
        for (train out{.buffer = buffer}; at_server([&] { return server.transmit(now, out); });
             out = {.buffer = buffer}, any = true) {
            deliver(out, client);
        }
        return any;
    }
    void settle() {
        while (pass()) {
        }
    }
    // Timers too, for so long.
    void run(duration d) {
        const auto end = now + d;
        while (true) {
            settle();
            auto next = client.next_timeout();
            if (const auto other = server.next_timeout(); other && (!next || *other < *next)) next = other;
            if (!next || *next > end) break;
            now = std::max(now, *next);
            client.on_timeout(now);
            server.on_timeout(now);
        }
        now = end;
    }
};

quic::config quiet() {
    quic::config c;
    c.alpn = {"bench"};
    c.max_idle_timeout = {};
    c.pacing = false;
    return c;
}

quic::connect_options to_server(const identity& id, std::size_t n) {
    quic::connect_options o;
    o.remote = server_end;
    o.local = {ip_address::v4(10, static_cast<std::uint8_t>(n >> 16 & 255), static_cast<std::uint8_t>(n >> 8 & 255),
                              static_cast<std::uint8_t>(n & 255)),
               50000};
    o.server_name = "server.example";
    o.tls = id.client;
    o.config = quiet();
    return o;
}

quic::endpoint_config accepting(const identity& id) {
    quic::endpoint_config c;
    c.server = id.server;
    c.accepted = quiet();
    c.retry = quic::retry_policy::never;
    c.max_half_open = 1 << 20;
    c.max_connections = 1 << 20;
    return c;
}

template <class Endpoint>
void drop_events(Endpoint& e) {
    while (e.poll_event()) {
    }
}

// One ECDSA signature and X25519's two operations: what a server cannot do without.
double floor_seconds() {
    bssl::UniquePtr<EC_KEY> key(EC_KEY_new_by_curve_name(NID_X9_62_prime256v1));
    if (!key || EC_KEY_generate_key(key.get()) != 1) fail("no key");
    std::uint8_t digest[32] = {1}, signature[128], priv[32], pub[32], shared[32];
    unsigned size = sizeof signature;
    constexpr int rounds = 2000;
    const double from = cpu_seconds();
    for (int i = 0; i < rounds; ++i) {
        digest[0] = static_cast<std::uint8_t>(i);
        size = sizeof signature;
        if (ECDSA_sign(0, digest, sizeof digest, signature, &size, key.get()) != 1) fail("no signature");
        X25519_keypair(pub, priv);
        if (X25519(shared, priv, pub) != 1) fail("no secret");
    }
    return (cpu_seconds() - from) / rounds;
}

void handshakes(double seconds) {
    const identity id;
    const double least = floor_seconds();
    time_point now = time_point{} + 1s;
    quic::endpoint server(accepting(id), 1);
    std::uint64_t done = 0;
    double server_time = 0;
    while (server_time < seconds) {
        quic::endpoint client({}, 2 + done);
        carrier<quic::endpoint> wire{client, server, now, true};
        std::vector<quic::connection_handle> handles;
        tls::error why;
        for (std::size_t i = 0; i < 64; ++i) handles.push_back(client.connect(to_server(id, i), now, why).value());
        wire.settle();
        for (const auto h : handles) {
            if (!client.find(h) || !client.find(h)->handshake_confirmed()) fail("a handshake was not completed");
        }
        done += handles.size();
        client.close(0, "", now);
        wire.settle();
        drop_events(client);
        wire.at_server([&] { drop_events(server); });
        now += 10s;
        wire.at_server([&] { server.on_timeout(now); });
        server_time += wire.server_time;
    }
    const double each = server_time / static_cast<double>(done);
    std::printf("%.0f full handshakes a second of one server core; cryptographic floor %.0f; ratio %.2f\n", 1 / each, 1 / least,
                least / each);
}

void memory(std::size_t n) {
    const identity id;
    time_point now = time_point{} + 1s;
    quic::endpoint server(accepting(id), 1);
    const auto before = heap_in_use();
    const double from = cpu_seconds();
    for (std::size_t i = 0; i < n;) {
        quic::endpoint client({}, 2 + i);
        carrier<quic::endpoint> wire{client, server, now};
        tls::error why;
        for (std::size_t k = 0; k < 500 && i < n; ++k, ++i) {
            if (!client.connect(to_server(id, i), now, why)) fail(why.text.c_str());
        }
        wire.run(3s);
        drop_events(client);
        drop_events(server);
    }
    const auto held = heap_in_use() - before;
    const auto live = server.statistics().connections;
    std::printf("%zu idle QUIC connections: %.1f KiB of heap each (%.1f MiB in all, %.1f s)\n", static_cast<std::size_t>(live),
                static_cast<double>(held) / 1024 / static_cast<double>(n), static_cast<double>(held) / 1048576,
                cpu_seconds() - from);
}

void tcp_memory(std::size_t n) {
    time_point now = time_point{} + 1s;
    tcp::endpoint server({.max_connections = 1 << 20}, random_source(1));
    server.listen(server_end, {.max_half_open = 1 << 20, .backlog = 1 << 20});
    const auto before = heap_in_use();
    for (std::size_t i = 0; i < n;) {
        tcp::endpoint client({}, random_source(2 + i));
        carrier<tcp::endpoint> wire{client, server, now};
        for (std::size_t k = 0; k < 500 && i < n; ++k, ++i) {
            const ip_address from = ip_address::v4(10, static_cast<std::uint8_t>(i >> 16),
                                                   static_cast<std::uint8_t>(i >> 8 & 255), static_cast<std::uint8_t>(i & 255));
            client.connect({from, 50000}, server_end, {}, now);
        }
        wire.run(1s);
        drop_events(client);
        drop_events(server);
    }
    const auto held = heap_in_use() - before;
    std::printf("%zu idle TCP connections: %.2f KiB of heap each\n", server.connection_count(),
                static_cast<double>(held) / 1024 / static_cast<double>(n));
}

// Seconds for each packet when `connections` each send `streams` streams' data in turn, `bytes` at a time.
double packet_cost(const identity& id, std::size_t connections, std::size_t streams, std::size_t bytes) {
    time_point now = time_point{} + 1s;
    auto accepts = accepting(id);
    accepts.accepted.max_bidirectional_streams = streams + 10;
    quic::endpoint server(accepts, 1), client({}, 2);
    carrier<quic::endpoint> wire{client, server, now};
    std::vector<quic::connection_handle> handles;
    tls::error why;
    for (std::size_t i = 0; i < connections; ++i) {
        handles.push_back(client.connect(to_server(id, i), now, why).value());
        if (i % 500 == 499 || i + 1 == connections) wire.run(1s);
    }
    drop_events(client);
    drop_events(server);
    std::vector<std::vector<quic::stream_id>> open(connections);
    for (std::size_t i = 0; i < connections; ++i) {
        for (std::size_t s = 0; s < streams; ++s)
            open[i].push_back(client.find(handles[i])->open(quic::direction::bidirectional).value());
    }
    const std::vector<std::uint8_t> data(bytes, 7);
    std::vector<std::uint8_t> sink(65536);
    const auto turn = [&](std::size_t i, std::size_t s) {
        client.find(handles[i])->write(open[i][s], data, false, now);
        wire.settle();
        while (const auto e = server.poll_event()) {
            const auto* stream = std::get_if<quic::stream_event>(&e->event);
            auto* c = stream ? server.find(e->connection) : nullptr;
            while (c && c->read(stream->id, sink, now).n > 0) {
            }
        }
        drop_events(client);
        now += 1ms;
    };
    const std::size_t all = connections * streams, turns = std::max<std::size_t>(20'000, 2 * all);
    for (std::size_t t = 0; t < all; ++t) turn(t % connections, t / connections);  // each once, to warm up
    wire.packets = 0;
    const double from = cpu_seconds();
    for (std::size_t t = 0; t < turns; ++t) turn(t % connections, (t / connections) % streams);
    return (cpu_seconds() - from) / static_cast<double>(wire.packets);
}

void packets(std::size_t n) {
    const identity id;
    for (const std::size_t bytes : {std::size_t{1000}, std::size_t{10'000}}) {
        const double one = packet_cost(id, 1, 1, bytes), many = packet_cost(id, n, 1, bytes),
                     streams = packet_cost(id, 1, n, bytes);
        std::printf(
            "%zu bytes at a time: %.2f us a packet (sent and received) with one connection; %zu connections: x %.2f; %zu "
            "streams: x %.2f\n",
            bytes, one * 1e6, n, many / one, n, streams / one);
    }
}

}  // namespace

int main(int argc, char** argv) {
    const std::string_view what = argc > 1 ? argv[1] : "";
    const double number = argc > 2 ? std::atof(argv[2]) : 0;
    const auto count = [&](std::size_t otherwise) { return number > 0 ? static_cast<std::size_t>(number) : otherwise; };
    if (what == "handshakes") {
        handshakes(number > 0 ? number : 3);
    } else if (what == "memory") {
        memory(count(50'000));
    } else if (what == "tcp-memory") {
        tcp_memory(count(50'000));
    } else if (what == "packets") {
        packets(count(10'000));
    } else {
        fail("usage: connections handshakes|memory|tcp-memory|packets [NUMBER]");
    }
}
