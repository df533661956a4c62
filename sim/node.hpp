// What a network connects: anything with the four verbs, and the application above it.
#pragma once

#include <optional>
#include <utility>

#include <tandem/bytes/datagram.hpp>
#include <tandem/bytes/time.hpp>

namespace tandem::sim {

// What a node's datagrams are: UDP payloads (QUIC) or whole IP packets (TCP).
enum class wire_format : std::uint8_t { udp, ip };

// Bytes that IP and UDP headers add to a UDP payload, so that links count the same thing for every transport.
constexpr std::size_t udp_overhead(bool v6) { return (v6 ? 40 : 20) + 8; }

class node {
public:
    virtual ~node() = default;
    virtual wire_format wire() const = 0;
    virtual void receive(received_datagram& in, time_point now) = 0;
    virtual bool transmit(time_point now, train& out) = 0;
    virtual std::optional<time_point> next_timeout() = 0;
    virtual void on_timeout(time_point now) = 0;
    // The application: reacts to the node's events, reads, writes. Called after what arrived or expired, before what is sent,
    // and again after something was sent (there may be room to write more).
    virtual void run(time_point now) = 0;
};

// A network_node with an application, as a node. `application(now)` may be empty.
template <network_node Endpoint, class Application>
class node_of final : public node {
public:
    node_of(Endpoint& endpoint, wire_format wire, Application application)
        : endpoint_(endpoint), wire_(wire), application_(std::move(application)) {}

    wire_format wire() const override { return wire_; }
    void receive(received_datagram& in, time_point now) override { endpoint_.receive(in, now); }
    bool transmit(time_point now, train& out) override { return endpoint_.transmit(now, out); }
    std::optional<time_point> next_timeout() override { return endpoint_.next_timeout(); }
    void on_timeout(time_point now) override { endpoint_.on_timeout(now); }
    void run(time_point now) override { application_(now); }

private:
    Endpoint& endpoint_;
    wire_format wire_;
    Application application_;
};

}  // namespace tandem::sim
