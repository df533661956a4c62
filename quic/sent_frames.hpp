// What one packet carried, so that each part hears of its frames when the packet is acknowledged or lost (RFC 9000 13.3).
#pragma once

#include <cstdint>
#include <variant>

#include <tandem/bytes/small_vector.hpp>
#include <tandem/quic/crypto_stream.hpp>
#include <tandem/quic/received_packets.hpp>
#include <tandem/quic/stream_token.hpp>

namespace tandem::quic {

struct handshake_done_token {};
struct new_token_token {};
struct new_connection_id_token {
    std::uint64_t sequence = 0;
};
struct retire_connection_id_token {
    std::uint64_t sequence = 0;
};
struct mtu_probe_token {  // the datagram was as large as this to see if the path carries it (RFC 9000 14.4)
    std::uint32_t size = 0;
};

struct ack_frequency_token {
    std::uint64_t sequence = 0;
};

// PING, PATH_CHALLENGE and PATH_RESPONSE leave no token: they are not repeated as they are.
using control_token = std::variant<ack_token, crypto_token, handshake_done_token, new_token_token, new_connection_id_token,
                                   retire_connection_id_token, mtu_probe_token, ack_frequency_token>;

constexpr std::uint32_t no_key_generation = 0xffffffff;  // a 0-RTT packet: it says nothing of the 1-RTT keys

// The contents of a recovery::transmission. Most packets carry data of one stream and perhaps an ACK, so nothing is allocated for
// them.
struct sent_frames {
    std::uint32_t key_generation = 0;  // 1-RTT: key updates before it
    bool ect0 = false;                 // the datagram was marked ECT(0)
    small_vector<control_token, 2> control;
    stream_tokens streams;
};

}  // namespace tandem::quic
