// The server's counterpart of byte_stream_client.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <tandem/bytes/byte_times.hpp>
#include <tandem/bytes/time.hpp>
#include <tandem/http/alpn.hpp>
#include <tandem/http/error.hpp>
#include <tandem/http/limits.hpp>
#include <tandem/http/qmux.hpp>
#include <tandem/http/server_session.hpp>

namespace tandem::tls {
class server_context;
}

namespace tandem::http {

struct byte_stream_server_config {
    std::vector<std::string> alpn{std::string(alpn_http1)};  // what it speaks, in order of preference
    http::limits limits;
    qmux::config qmux;  // windows and idle timeout of HTTP/3 over QMux
    std::size_t max_record_size = 16 * 1024;
    bool report_carried = false;  // keep what drain_carried() gives; costs memory until it is drained
};

// Ciphertext bytes [begin, end) of what transmit() gave carry bytes of this request's response.
struct carried_range {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    request_id request = 0;
};

class byte_stream_server {
public:
    byte_stream_server(std::shared_ptr<const tls::server_context> context, byte_stream_server_config config, time_point now);
    ~byte_stream_server();
    byte_stream_server(byte_stream_server&&) noexcept;
    byte_stream_server& operator=(byte_stream_server&&) noexcept;

    // As in byte_stream_client.
    void receive(std::span<const std::uint8_t> ciphertext, std::span<const byte_times> times, time_point now);
    void receive_end(time_point now);
    std::size_t transmit(std::span<std::uint8_t> out, time_point now);
    bool finished_sending() const;
    // More received bytes are welcome. False while the application has to catch up: leave them in the stream.
    bool wants_to_receive() const;

    std::optional<time_point> next_timeout() const;
    void on_timeout(time_point now);

    server_session* session();
    bool handshake_complete() const;
    std::string_view alpn() const;
    const std::optional<session_error>& error() const;

    // Which request's response each ciphertext byte carries, in order, since the last call. A record that carries several gives
    // several ranges; the record's header and tag belong to the nearest.
    std::vector<carried_range> drain_carried();

private:
    struct state;
    std::unique_ptr<state> state_;
};

}  // namespace tandem::http
