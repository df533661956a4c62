// What a peer may make an HTTP session hold or do. Every number can be chosen; the defaults have their reason beside them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <tandem/bytes/time.hpp>

namespace tandem::http {

struct limits {
    // One header or trailer section, counted as RFC 9114 4.2.2 does in HTTP/3 (name + value + 32 each) and as bytes on the wire
    // in HTTP/1.1. 64 KiB: above what browsers and proxies send (8 to 16 KiB), small enough to hold for every request.
    std::size_t field_section_size = 64 * 1024;
    // Field lines in one section: bounds the allocations that tiny lines cause.
    std::size_t field_count = 128;
    // Body bytes of one message held for an application that does not read; then the transport's flow control stops the peer.
    std::size_t body_buffer = 64 * 1024;
    // HTTP/2 and HTTP/3 server: resets by the peer of requests this side already began, above those that ended well, before the
    // connection is closed with ENHANCE_YOUR_CALM or H3_EXCESSIVE_LOAD (the "rapid reset" attack).
    std::uint64_t reset_budget = 200;
    // Interim responses (1xx) to one request: servers send one or two.
    std::size_t interim_responses = 32;
    // HTTP/1.1: the line before a chunk, with its extensions; nobody sends any.
    std::size_t chunk_header = 256;
    // HTTP/1.1 server: bytes of a request body thrown away after the answer, so that the connection can be used again; beyond it
    // the connection is closed.
    std::uint64_t discarded_body = 1024 * 1024;
    // HTTP/1.1 server: from the first byte of a header section to its end (against "slowloris").
    duration head_time = std::chrono::seconds(30);
    // HTTP/1.1 server: without a byte either way while it is the client's turn; then the connection is closed.
    duration idle_time = std::chrono::seconds(60);
    // HTTP/2: credit a peer has on one stream and on the whole connection (RFC 9113 5.2): the most that is held for an
    // application that does not read. What a 100 ms path at 80 Mbit/s needs, and four times that; at least 65535 for the
    // connection.
    std::uint32_t http2_stream_window = 1024 * 1024;
    std::uint32_t http2_window = 4 * 1024 * 1024;
    // HTTP/2 server: requests a client may have under way at once (SETTINGS_MAX_CONCURRENT_STREAMS); RFC 9113 6.5.2 advises 100.
    std::uint32_t http2_streams = 100;
    // QPACK dynamic table this side offers, and the most it uses of the peer's, in bytes; and streams that may wait for this
    // side's (RFC 9204 2.1.2). With none of those the peer refers only to entries that it knows have arrived, so nothing ever
    // waits.
    std::size_t qpack_table = 4096;
    std::size_t qpack_blocked_streams = 0;
    // Server: what requests may turn their stream or connection into, in lower case ("websocket"). HTTP/2 and HTTP/3 offer
    // extended CONNECT (RFC 8441, RFC 9220) if there is any, and answer 501 to others; HTTP/1.1 overlooks other upgrades, as RFC
    // 9110 7.8 permits.
    std::vector<std::string> tunnel_protocols;
    // Server: whether HTTP/2 and HTTP/3 offer that at all; without it only HTTP/1.1 does.
    bool extended_connect = true;
    // Server: those of them whose requests HTTP datagrams belong to (RFC 9297 2), as "connect-udp".
    std::vector<std::string> datagram_protocols;
    // HTTP/3: bytes of datagrams that came in QUIC datagrams and that the application did not take yet, each with 64 more. For
    // one request, whose oldest make room; all of a connection have four times as much. 0: QUIC datagrams are not offered
    // (SETTINGS_H3_DATAGRAM), and datagrams come in capsules. 64 KiB would be some 50 packets of a path's size.
    std::size_t datagram_buffer = 0;
    // Client: the ledger of each request also keeps when its bytes waited, not only how long (wait_ledger::record_intervals).
    bool record_waits = false;
};

}  // namespace tandem::http
