// Two endpoints with a wire between them, in virtual time: delay, loss, reordering, duplication and damage as each test wants.
// Checks after every datagram what must always hold: no amplification, no oversized datagram, equal sizes within a train.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <queue>
#include <string>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include <tandem/quic/endpoint.hpp>
#include <tandem/quic/packet_header.hpp>
#include <tandem/tls/certificate.hpp>
#include <tandem/tls/context.hpp>

namespace tandem::quic::test {

using namespace std::chrono_literals;

constexpr std::int64_t noon = 1'700'000'000;

struct identity {
    std::shared_ptr<const tls::server_context> server;
    std::shared_ptr<const tls::client_context> client;
};
// One certificate for "localhost" and clients that trust it, for the whole program.
const identity& localhost();
// The same with a certificate of some 4 kB: the server's flight is larger than what it may send before the client has answered.
const identity& large_localhost();

// A datagram on its way.
struct flying {
    bool to_server = false;
    std::uint64_t index = 0;  // of all datagrams of this direction, from 0
    std::vector<std::uint8_t> bytes;
    ip_path path;  // as the receiver sees it
    ecn mark = ecn::not_ect;
    duration delay{};    // on the wire
    bool twice = false;  // a copy follows
};

class pipe {
public:
    struct options {
        endpoint_config server;
        config client;
        duration delay = 10ms;  // one way
        std::uint64_t seed = 1;
        std::string server_name = "localhost";
        const identity* who = &localhost();
    };
    static options defaults(const identity& who = localhost());

    explicit pipe(options o = defaults());

    connection_handle connect();
    connection_handle connect(const connect_options&);
    connect_options connect_to_server() const;

    // Runs until nothing is left to do before `until`, or `done` says so. False if `done` never did.
    bool run(
        time_point until, const std::function<bool()>& done = [] { return false; });
    bool run_for(
        duration d, const std::function<bool()>& done = [] { return false; }) {
        return run(now + d, done);
    }
    // Connects, and runs until both sides have confirmed the handshake.
    bool handshake(duration limit = 10s);
    // Lets everything that is ready leave, and delivers nothing.
    void transmit_all();
    void deliver(flying f);  // hands one datagram over at once

    connection* client_connection() { return client.find(client_handle); }
    connection* server_connection() { return server.find(server_handle); }

    endpoint client;
    endpoint server;
    time_point now{1h};
    connection_handle client_handle = 0;  // of the latest connection
    connection_handle server_handle = 0;
    std::vector<endpoint_event> client_events;
    std::vector<endpoint_event> server_events;
    // Called for each event, after it was stored.
    std::function<void(endpoint_event&)> on_client_event;
    std::function<void(endpoint_event&)> on_server_event;
    // Sees each datagram as it leaves; may change it; false: it is lost.
    std::function<bool(flying&)> on_wire;
    std::map<bool, std::uint64_t> sent;  // datagrams by to_server
    std::map<bool, std::uint64_t> sent_bytes;
    std::uint64_t max_train = 0;  // datagrams in the longest train

    static const ip_endpoint client_address;
    static const ip_endpoint server_address;

private:
    struct arrival {
        time_point at;
        std::uint64_t order;
        std::shared_ptr<flying> what;
        bool operator>(const arrival& o) const { return at != o.at ? at > o.at : order > o.order; }
    };
    bool transmit_from(endpoint& from, bool to_server);
    void poll_events();
    void check_amplification(const flying& f);

    options options_;
    std::priority_queue<arrival, std::vector<arrival>, std::greater<>> wire_;
    std::uint64_t order_ = 0;
    std::vector<std::uint8_t> buffer_;
    // Bytes from and to each client address until the server heard a Handshake packet from it.
    struct account {
        std::uint64_t received = 0;
        std::uint64_t sent = 0;
        bool validated = false;
    };
    std::map<ip_endpoint, account> accounts_;
};

// Events of one kind.
template <class T>
std::vector<T> events_of(const std::vector<endpoint_event>& events) {
    std::vector<T> found;
    for (const auto& e : events) {
        if (const auto* is = std::get_if<T>(&e.event)) found.push_back(*is);
    }
    return found;
}
template <class T>
std::optional<T> first_of(const std::vector<endpoint_event>& events) {
    auto all = events_of<T>(events);
    return all.empty() ? std::nullopt : std::optional<T>(all.front());
}

// Bytes that tell their place, so that a test sees if any is in the wrong one.
std::uint8_t pattern(std::uint64_t stream, std::uint64_t offset);

// Writes `size` pattern bytes and a FIN to a stream as fast as it takes them; reads them on the other side and checks them.
class transfer {
public:
    // Opens the stream now.
    transfer(pipe& p, bool from_client, std::uint64_t size, direction kind = direction::unidirectional);
    void step();  // moves what can be moved; to be called after every event
    bool done() const { return finished_; }
    std::uint64_t received() const { return received_; }
    stream_id id() const { return id_; }
    time_point finished_at() const { return finished_at_; }

private:
    pipe& pipe_;
    connection_handle from_;
    connection_handle to_;
    bool from_client_;
    stream_id id_;
    std::uint64_t size_;
    std::uint64_t written_ = 0;
    std::uint64_t received_ = 0;
    bool fin_written_ = false;
    bool finished_ = false;
    time_point finished_at_;
};

// Runs until all are done.
bool run_transfers(pipe& p, std::vector<transfer*> all, duration limit);

}  // namespace tandem::quic::test
