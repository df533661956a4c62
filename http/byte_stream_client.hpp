// HTTP over TLS over any byte stream (kernel TCP, our TCP, a pipe): owns the TLS session and, chosen by ALPN, HTTP/1.1 or
// HTTP/3 over QMux. The owner moves ciphertext between the stream and this object.
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
#include <tandem/http/client_session.hpp>
#include <tandem/http/error.hpp>
#include <tandem/http/limits.hpp>
#include <tandem/http/qmux.hpp>
#include <tandem/tls/session.hpp>

namespace tandem::tls {
class client_context;
}

namespace tandem::http {

struct byte_stream_client_config {
    std::vector<std::string> alpn{std::string(alpn_http1)};  // in order of preference
    http::limits limits;
    qmux::config qmux;                        // windows and idle timeout of HTTP/3 over QMux
    std::size_t max_record_size = 16 * 1024;  // plaintext bytes of a TLS record that this side makes
    tls::session_ticket ticket;               // of an earlier connection, to resume with
};

class byte_stream_client {
public:
    // `server_name` is what the certificate must be for (a host name or an IP address).
    byte_stream_client(std::shared_ptr<const tls::client_context> context, std::string server_name,
                       byte_stream_client_config config, time_point now);
    ~byte_stream_client();
    byte_stream_client(byte_stream_client&&) noexcept;
    byte_stream_client& operator=(byte_stream_client&&) noexcept;

    // Ciphertext that came from the stream, and when its bytes arrived and were readable (empty: all of them now).
    void receive(std::span<const std::uint8_t> ciphertext, std::span<const byte_times> times, time_point now);
    // The stream's other end will send no more (TCP FIN), or the stream broke.
    void receive_end(time_point now);
    // Puts ciphertext to send into `out`; returns how much, 0 if there is none now. Plaintext is made only when it is asked for,
    // so ask only as the stream takes it.
    std::size_t transmit(std::span<std::uint8_t> out, time_point now);
    // The stream should be closed for sending now: everything that had to go was transmitted.
    bool finished_sending() const;
    // More received bytes are welcome. False while the application has to catch up: leave them in the stream.
    bool wants_to_receive() const;

    std::optional<time_point> next_timeout() const;
    void on_timeout(time_point now);

    // Null until the TLS handshake is complete; then valid as long as this object.
    client_session* session();
    bool handshake_complete() const;
    bool resumed() const;                              // with the ticket
    std::optional<tls::session_ticket> poll_ticket();  // for a later connection; nothing when there are no more
    std::string_view alpn() const;  // empty before the handshake, or if the peer chose none (then HTTP/1.1 is spoken)
    // The connection is over: TLS or HTTP failed, or the peer closed. Requests have failed by then.
    const std::optional<session_error>& error() const;

private:
    struct state;
    std::unique_ptr<state> state_;
};

}  // namespace tandem::http
