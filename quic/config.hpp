// What an application may choose for QUIC connections and endpoints. Every default suits the open Internet.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <tandem/bytes/address.hpp>
#include <tandem/bytes/time.hpp>
#include <tandem/quic/types.hpp>
#include <tandem/recovery/congestion_controller.hpp>
#include <tandem/recovery/reordering.hpp>

namespace tandem::tls {
class server_context;
}
namespace tandem::quic {
class connection_tracer;
}

namespace tandem::quic {

class connection_id_router;

// One connection.
struct config {
    // Application protocols, most wanted first (TLS ALPN). A client offers them; a server takes the first of its own that the
    // client offers.
    std::vector<std::string> alpn = {"h3"};

    // The version a client begins with: v1 (RFC 9000) or v2 (RFC 9369).
    quic::version version = version::v1;
    // The versions spoken, most wanted first (RFC 9368). A client tells the server, which may move the connection to any of them,
    // and begins anew with the first that a Version Negotiation packet lists. A server accepts these.
    std::vector<quic::version> versions = {version::v1, version::v2};
    // A server moves clients that offer this version to it; none: they stay with what they began with.
    std::optional<quic::version> move_clients_to;

    duration max_idle_timeout = std::chrono::seconds(30);   // RFC 9000 10.1; zero: none from our side
    duration handshake_timeout = std::chrono::seconds(10);  // from the first packet until the handshake is complete
    duration keep_alive{};                                  // send a PING after this much silence; zero: never

    // Early data (0-RTT, RFC 9001 4.6). Client: what is written before the handshake is complete goes out at once where a ticket
    // permits it; somebody may send a copy of it to the server later, so it must be such that this does no harm. Server: takes
    // it, from each ticket once (RFC 8446 8); connection::arrived_early tells which streams it came on.
    bool early_data = false;
    // Server: stands for the settings of the application protocol that clients remember (RFC 9001 4.6.3). Early data of clients
    // that remember others is not accepted.
    std::string early_data_application;

    // Server: gives clients a token that proves their address in a later connection (NEW_TOKEN, RFC 9000 8.1.3); good once.
    bool give_tokens = true;

    // Flow control, in bytes. Windows start at `initial` and grow, up to `max`, while the application keeps up.
    std::uint64_t initial_connection_window = 1536 * 1024;
    std::uint64_t max_connection_window = 24 * 1024 * 1024;
    std::uint64_t initial_stream_window = 1024 * 1024;
    std::uint64_t max_stream_window = 16 * 1024 * 1024;
    std::uint64_t max_bidirectional_streams = 100;  // the peer may have open at one time
    std::uint64_t max_unidirectional_streams = 100;
    std::size_t stream_send_buffer = 256 * 1024;  // a stream accepts writes while it holds less than this unacknowledged

    // The UDP payload that is sent without having been tried, 1200 to 65527: the path must carry it.
    std::size_t max_datagram_size = 1200;
    // Larger ones are tried, and used where the path carries them (RFC 8899, RFC 9000 14.3): usual_datagram_size, and more, up to
    // max_probed_size, where the driver says that the interface takes more (endpoint::interface_takes).
    bool mtu_discovery = true;
    std::size_t max_probed_size = 65487;
    duration max_ack_delay = std::chrono::milliseconds(25);  // below 2^14 ms
    std::uint64_t active_connection_id_limit = 4;            // 2 to 8; IDs of the peer held at one time

    // Client: go to the address that the server prefers, once it was shown to work (RFC 9000 9.6).
    bool use_preferred_address = true;

    // Unreliable datagrams (RFC 9221): the largest frame that the peer may send, 0 to take none; and bytes held each way.
    std::uint64_t max_datagram_frame_size = 0;
    std::size_t datagram_buffer = 256 * 1024;

    // Asks peers that offer it for fewer acknowledgments while the window is large, and obeys their requests, with delays down to
    // min_ack_delay, which is at most max_ack_delay (draft-ietf-quic-ack-frequency).
    bool ack_frequency = true;
    duration min_ack_delay = std::chrono::milliseconds(1);
    bool reset_stream_at = true;  // take RESET_STREAM_AT (draft-ietf-quic-reliable-stream-reset)
    // Sends what peers must ignore, so that nobody learns to rely on its absence: reserved versions and transport parameters (RFC
    // 9000 15, 18.1), and the QUIC Bit at random to peers that agree (RFC 9287).
    bool grease = true;

    recovery::controller_kind controller = recovery::controller_kind::cubic;
    std::uint64_t initial_window = 0;  // bytes; 0: RFC 9002 7.2
    std::uint64_t fixed_window = 0;    // bytes; for controller_kind::fixed_window
    bool hystart = true;               // RFC 9406, for new_reno and cubic
    bool prr = true;                   // Proportional Rate Reduction (RFC 9937), for new_reno and cubic
    recovery::reordering_kind reordering = recovery::reordering_kind::adaptive;
    bool pacing = true;
    duration initial_rtt = std::chrono::milliseconds(333);  // RFC 9002 6.2.2
    bool ecn = true;                                        // mark ECT(0) and validate it (RFC 9000 13.4.2)
    std::uint64_t packets_per_key =
        0;  // update keys after so many packets sent; 0: when the AEAD's limit asks for it (RFC 9001 6.6)
    std::shared_ptr<connection_tracer> tracer;  // observes each connection (quic/trace.hpp, quic/qlog.hpp); none: nothing is told
    bool skip_packet_numbers = true;            // against optimistic acknowledgments (RFC 9000 21.4)
};

enum class retry_policy : std::uint8_t {
    never,      // accept at once
    always,     // every client proves its address first: one more round trip (RFC 9000 8.1.2)
    when_busy,  // only while `retry_threshold` or more handshakes are under way
};

// One endpoint: a socket's worth of connections, client and server alike.
struct endpoint_config {
    // Accepts connections with this certificate; none: the endpoint only makes connections.
    std::shared_ptr<const tls::server_context> server;
    config accepted;  // of the connections it accepts

    // Of several endpoints that share an address: connection IDs say the worker's number to who has the router, and tokens are
    // good for all of them. Null: it stands alone.
    std::shared_ptr<const connection_id_router> router;
    std::uint16_t worker = 0;

    // Where clients are asked to go after the handshake (RFC 9000 9.6.1): an address of this server's own that is not shared with
    // others. Port 0: none of this family. The driver must hand in what arrives there, and send from there what is for that path.
    ip_endpoint preferred_v4;
    ip_endpoint preferred_v6;

    retry_policy retry = retry_policy::when_busy;
    std::size_t retry_threshold = 256;    // handshakes under way from unproven addresses
    std::size_t max_half_open = 4096;     // more handshakes under way are refused (CONNECTION_REFUSED)
    std::size_t max_connections = 65536;  // more connections in all are refused
};

}  // namespace tandem::quic
