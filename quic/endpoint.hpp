// One UDP socket's worth of QUIC connections, client and server alike: gives each datagram to the connection it is for, accepts
// new ones, answers unknown versions, sends Retry and stateless resets. Sans-IO: a driver moves the datagrams.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <tandem/bytes/address.hpp>
#include <tandem/bytes/datagram.hpp>
#include <tandem/bytes/random.hpp>
#include <tandem/bytes/time.hpp>
#include <tandem/quic/config.hpp>
#include <tandem/quic/connection.hpp>
#include <tandem/quic/event.hpp>
#include <tandem/quic/statistics.hpp>
#include <tandem/tls/context.hpp>
#include <tandem/tls/error.hpp>

namespace tandem::quic {

struct endpoint_event {
    connection_handle connection = 0;
    connection_event event;
};

// Whom to connect to, and what is known from earlier connections.
struct connect_options {
    ip_endpoint remote;
    ip_endpoint local;        // may be unspecified
    std::string server_name;  // whom the certificate must be for
    std::shared_ptr<const tandem::tls::client_context> tls;
    std::vector<std::uint8_t> ticket;  // from ticket_received; empty: a full handshake
    std::vector<std::uint8_t> token;   // from token_received; empty: none
    quic::config config;
};

class endpoint {
public:
    // The seed decides everything random: connection IDs, reset keys, packet numbers skipped. Give a real one on real networks.
    endpoint(endpoint_config config, std::uint64_t seed);
    ~endpoint();
    endpoint(const endpoint&) = delete;
    endpoint& operator=(const endpoint&) = delete;

    // Starts a connection; its first flight waits for transmit. On error returns nothing and says why.
    std::optional<connection_handle> connect(const connect_options& options, time_point now, tls::error& why);

    // The four verbs. The payload is decrypted in place.
    void receive(received_datagram& datagram, time_point now);
    // Fills one train of one connection; false if nobody has anything to send now.
    bool transmit(time_point now, train& out);
    std::optional<time_point> next_timeout();  // to be asked after transmit has returned false
    void on_timeout(time_point now);           // to be followed by transmit
    // Events of all connections, each connection's in order. The endpoint drops a connection once connection_closed was taken and
    // its closing or draining period is over.
    std::optional<endpoint_event> poll_event();

    // The driver could not send datagrams of this size on this path (EMSGSIZE). To be followed by transmit.
    void datagram_too_large(const ip_path& path, std::size_t size, time_point now);

    // The next path that a connection has come to use, once it may send larger datagrams than all paths carry. A driver that
    // knows how much the local interface takes on the way there may answer, and need not. What is not asked for is forgotten in
    // time.
    struct new_path {
        connection_handle connection = 0;
        ip_path path;
    };
    std::optional<new_path> poll_new_path();
    // UDP payload in bytes: up to config::max_probed_size of them are tried from now on. No effect on another path.
    void interface_takes(connection_handle connection, const ip_path& path, std::size_t bytes);

    // Null once the connection is gone. The pointer is good until the next call of one of the first four verbs.
    connection* find(connection_handle handle);

    // New connections are accepted with this context; those there are keep theirs.
    void set_server(std::shared_ptr<const tls::server_context> server);
    // New connections are told to go there, in place of the address of that family in the configuration
    // (endpoint_config::preferred_v4).
    void set_preferred(const ip_endpoint& where);
    // Closes every connection with the application's code; new ones are refused from now on.
    void close(std::uint64_t application_code, std::string_view reason, time_point now);

    endpoint_statistics statistics() const;

private:
    class state;
    std::unique_ptr<state> state_;
};

}  // namespace tandem::quic
