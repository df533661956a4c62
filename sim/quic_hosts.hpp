// HTTP/3 over QUIC: the client and the server of a simulation.
#pragma once

#include <memory>
#include <vector>

#include <tandem/http/limits.hpp>
#include <tandem/http/quic_client.hpp>
#include <tandem/http/quic_server.hpp>
#include <tandem/quic/endpoint.hpp>
#include <tandem/sim/credentials.hpp>
#include <tandem/sim/page_server.hpp>
#include <tandem/sim/web_host.hpp>

namespace tandem::sim {

// Loads the page over one connection, from `local` to `remote`, beginning when the network starts.
class quic_web_client final : public web_client {
public:
    quic_web_client(const credentials& identity, const quic::config& config, const http::limits& limits, const page& wanted,
                    const page_bytes& expected, const ip_endpoint& local, const ip_endpoint& remote, std::uint64_t seed);

    wire_format wire() const override { return wire_format::udp; }
    void receive(received_datagram& in, time_point now) override { endpoint_.receive(in, now); }
    bool transmit(time_point now, train& out) override { return endpoint_.transmit(now, out); }
    std::optional<time_point> next_timeout() override { return endpoint_.next_timeout(); }
    void on_timeout(time_point now) override { endpoint_.on_timeout(now); }
    void run(time_point now) override;
    const page_loader& loader() const override { return loader_; }

private:
    void connect(time_point now);

    quic::connect_options options_;
    http::limits limits_;
    quic::endpoint endpoint_;
    std::optional<quic::connection_handle> handle_;
    std::unique_ptr<http::quic_client> http_;
    page_loader loader_;
    bool started_ = false;
};

class quic_web_server final : public web_server {
public:
    quic_web_server(const credentials& identity, const quic::config& config, const http::limits& limits,
                    const page_bytes& contents, std::uint64_t seed);
    ~quic_web_server() override;

    wire_format wire() const override { return wire_format::udp; }
    void receive(received_datagram& in, time_point now) override { endpoint_.receive(in, now); }
    bool transmit(time_point now, train& out) override;
    std::optional<time_point> next_timeout() override { return endpoint_.next_timeout(); }
    void on_timeout(time_point now) override { endpoint_.on_timeout(now); }
    void run(time_point now) override;

    std::vector<std::size_t> objects_in(const packet_view& packet) override;
    const congestion_log& congestion() const override { return congestion_; }
    std::optional<time_point> first_response() const override;
    wait_sum flow_control() const override;

private:
    struct session;
    struct sent_packet {  // of the train that is being sent
        std::size_t begin = 0, end = 0;
        std::vector<std::size_t> objects;
    };

    session* find(quic::connection_handle handle);

    http::limits limits_;
    const page_bytes& contents_;
    std::vector<sent_packet> sent_;
    congestion_log congestion_;
    quic::endpoint endpoint_;
    std::vector<std::unique_ptr<session>> sessions_;
};

}  // namespace tandem::sim
