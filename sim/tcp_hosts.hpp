// HTTP over TLS over our TCP: HTTP/1.1 on one or several connections, or HTTP/3 over QMux on one.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <tandem/http/byte_stream_client.hpp>
#include <tandem/http/byte_stream_server.hpp>
#include <tandem/sim/credentials.hpp>
#include <tandem/sim/page_server.hpp>
#include <tandem/sim/web_host.hpp>
#include <tandem/tcp/endpoint.hpp>

namespace tandem::sim {

// Scratch space for moving bytes between a TCP connection and what speaks TLS over it.
struct stream_buffers {
    std::vector<std::uint8_t> bytes = std::vector<std::uint8_t>(64 * 1024);
    byte_time_runs times;
};

// Loads the page over `connections` connections, all opened when the network starts.
class tcp_web_client final : public web_client {
public:
    tcp_web_client(const credentials& identity, const tcp::config& config, const http::limits& limits, std::string_view alpn,
                   std::size_t connections, const page& wanted, const page_bytes& expected, const ip_endpoint& local,
                   const ip_endpoint& remote, std::uint64_t seed);
    ~tcp_web_client() override;

    wire_format wire() const override { return wire_format::ip; }
    void receive(received_datagram& in, time_point now) override { endpoint_.receive(in, now); }
    bool transmit(time_point now, train& out) override { return endpoint_.transmit(now, out); }
    std::optional<time_point> next_timeout() override;
    void on_timeout(time_point now) override;
    void run(time_point now) override;
    const page_loader& loader() const override { return loader_; }

private:
    struct session;

    void connect(time_point now);
    void take_events(time_point now);

    const credentials& identity_;
    tcp::config config_;
    http::byte_stream_client_config http_config_;
    std::size_t connections_;
    ip_endpoint local_, remote_;
    tcp::endpoint endpoint_;
    std::vector<std::unique_ptr<session>> sessions_;
    page_loader loader_;
    stream_buffers buffers_;
    bool started_ = false;
};

// Speaks whatever the client's ALPN chooses of HTTP/1.1 and HTTP/3 over QMux. `max_record_size`: plaintext bytes
// of a TLS record. `map_objects`: objects_in() will be asked.
class tcp_web_server final : public web_server {
public:
    tcp_web_server(const credentials& identity, const tcp::config& config, const http::limits& limits, const page_bytes& contents,
                   const ip_endpoint& local, std::size_t max_record_size, bool map_objects, std::uint64_t seed);
    ~tcp_web_server() override;

    wire_format wire() const override { return wire_format::ip; }
    void receive(received_datagram& in, time_point now) override { endpoint_.receive(in, now); }
    bool transmit(time_point now, train& out) override { return endpoint_.transmit(now, out); }
    std::optional<time_point> next_timeout() override;
    void on_timeout(time_point now) override;
    void run(time_point now) override;

    std::vector<std::size_t> objects_in(const packet_view& packet) override;
    const congestion_log& congestion() const override { return congestion_; }
    std::optional<time_point> first_response() const override;
    wait_sum flow_control() const override;

private:
    struct session;

    void take_events(time_point now);

    const credentials& identity_;
    const page_bytes& contents_;
    http::byte_stream_server_config http_config_;
    bool map_objects_;
    congestion_log congestion_;
    tcp::endpoint endpoint_;
    std::vector<std::unique_ptr<session>> sessions_;
    std::map<ip_endpoint, std::uint32_t> first_byte_;  // sequence number of a connection's first byte, by client
    stream_buffers buffers_;
};

}  // namespace tandem::sim
