// What a connection tells the application; taken with connection::poll_event or endpoint::poll_event.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include <tandem/bytes/address.hpp>
#include <tandem/quic/error.hpp>
#include <tandem/quic/streams.hpp>
#include <tandem/tls/quic_handshake.hpp>

namespace tandem::quic {

// Server: a client has begun a handshake. The first event of an accepted connection; nothing can be sent or received yet.
struct handshake_started {};

// The handshake is complete: the peer is who it says it is, streams can be opened.
struct handshake_completed {
    std::string alpn;      // the selected application protocol
    bool resumed = false;  // with a ticket of an earlier connection
    // Client: what became of what was sent early. What was rejected goes out again by itself, on the same streams.
    tls::early_data_state early_data = tls::early_data_state::none;
};

// Streams work before the handshake is complete. Client: what is written now goes as 0-RTT, by the limits that were remembered.
// Server: 0-RTT was accepted; what is answered now only the true client can read, but nobody knows yet whether it was that client
// who asked.
struct early_data_started {
    std::string alpn;
};

// Both sides know that the handshake is complete (RFC 9001 4.1.2).
struct handshake_confirmed {};

// Client: a token that proves our address to this server in a later connection (RFC 9000 8.1.3).
struct token_received {
    std::vector<std::uint8_t> token;
};

// Client: what a later connection to this server can resume with, once (RFC 8446 C.4): a TLS ticket and what goes with it.
struct ticket_received {
    std::vector<std::uint8_t> ticket;
};

enum class close_cause : std::uint8_t {
    application,        // this side's application called close
    peer,               // the peer sent CONNECTION_CLOSE
    protocol_error,     // the peer broke a rule; we told it so
    idle_timeout,       // RFC 9000 10.1: silently
    handshake_timeout,  // the peer never answered, or not to the end
    stateless_reset,    // RFC 9000 10.3: the peer no longer knows the connection
    version,            // the peer speaks no version of ours
};

// The connection is over; always the last event, exactly one. Data that was received and not read yet can still be read until
// the endpoint drops the connection.
struct connection_closed {
    close_cause cause{};
    connection_error error;  // code, frame type, text; whose application it concerns. Code 0 with a timeout or a reset
};

// The connection goes on over another path: the peer has moved (its address, or its NAT, changed), this side has, or it fell back
// to the last path that worked. `validated`: the peer was shown to receive there (RFC 9000 8.2); told again when that comes
// later.
struct path_changed {
    ip_path path;
    bool validated = false;
};

// What became of connection::probe, or of the server's preferred address (RFC 9000 9.6): the peer answers there, or it did not in
// time.
struct path_validated {
    ip_path path;
};
struct path_failed {
    ip_path path;
};

// Datagrams (RFC 9221) wait to be taken: connection::receive_datagram until there is none.
struct datagrams_available {};

using connection_event =
    std::variant<handshake_started, early_data_started, handshake_completed, handshake_confirmed, token_received, ticket_received,
                 stream_event, path_changed, datagrams_available, path_validated, path_failed, connection_closed>;

}  // namespace tandem::quic
