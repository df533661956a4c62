// QUIC's frames as values (RFC 9000 19). Views (data, tokens, reasons, ranges) point into the packet or the reader's scratch.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <variant>

#include <tandem/bytes/range_set.hpp>
#include <tandem/quic/types.hpp>

namespace tandem::quic {

// Frame types, RFC 9000 12.4 Table 3.
namespace frame_type {
constexpr std::uint64_t padding = 0x00;
constexpr std::uint64_t ping = 0x01;
constexpr std::uint64_t ack = 0x02;
constexpr std::uint64_t ack_ecn = 0x03;
constexpr std::uint64_t reset_stream = 0x04;
constexpr std::uint64_t stop_sending = 0x05;
constexpr std::uint64_t crypto = 0x06;
constexpr std::uint64_t new_token = 0x07;
constexpr std::uint64_t stream = 0x08;  // to 0x0f: | offset 0x04 | length 0x02 | fin 0x01
constexpr std::uint64_t stream_last = 0x0f;
constexpr std::uint64_t max_data = 0x10;
constexpr std::uint64_t max_stream_data = 0x11;
constexpr std::uint64_t max_streams_bidi = 0x12;
constexpr std::uint64_t max_streams_uni = 0x13;
constexpr std::uint64_t data_blocked = 0x14;
constexpr std::uint64_t stream_data_blocked = 0x15;
constexpr std::uint64_t streams_blocked_bidi = 0x16;
constexpr std::uint64_t streams_blocked_uni = 0x17;
constexpr std::uint64_t new_connection_id = 0x18;
constexpr std::uint64_t retire_connection_id = 0x19;
constexpr std::uint64_t path_challenge = 0x1a;
constexpr std::uint64_t path_response = 0x1b;
constexpr std::uint64_t connection_close = 0x1c;
constexpr std::uint64_t connection_close_application = 0x1d;
constexpr std::uint64_t handshake_done = 0x1e;
constexpr std::uint64_t immediate_ack = 0x1f;    // draft-ietf-quic-ack-frequency 5
constexpr std::uint64_t reset_stream_at = 0x24;  // draft-ietf-quic-reliable-stream-reset 4
constexpr std::uint64_t datagram = 0x30;         // RFC 9221 4: to the end of the packet
constexpr std::uint64_t datagram_with_length = 0x31;
constexpr std::uint64_t ack_frequency = 0xaf;  // draft-ietf-quic-ack-frequency 4
}  // namespace frame_type

constexpr std::uint64_t max_stream_count = std::uint64_t{1} << 60;  // RFC 9000 4.6

struct padding_frame {
    std::uint64_t count = 1;  // adjacent PADDING frames, told together
    friend bool operator==(const padding_frame&, const padding_frame&) = default;
};
struct ping_frame {
    friend bool operator==(const ping_frame&, const ping_frame&) = default;
};
struct ecn_counts {  // RFC 9000 19.3.2
    std::uint64_t ect0 = 0;
    std::uint64_t ect1 = 0;
    std::uint64_t ce = 0;
    friend bool operator==(const ecn_counts&, const ecn_counts&) = default;
};
struct ack_frame {
    std::uint64_t delay = 0;        // as on the wire: microseconds >> the sender's ack_delay_exponent
    std::span<const range> ranges;  // half-open, disjoint, descending; never empty
    std::optional<ecn_counts> ecn;
    packet_number largest() const { return ranges.front().end - 1; }
};
struct reset_stream_frame {
    stream_id id;
    std::uint64_t error_code = 0;
    std::uint64_t final_size = 0;
    friend bool operator==(const reset_stream_frame&, const reset_stream_frame&) = default;
};
// Like RESET_STREAM, but the bytes below reliable_size are still delivered (draft-ietf-quic-reliable-stream-reset 4).
struct reset_stream_at_frame {
    stream_id id;
    std::uint64_t error_code = 0;
    std::uint64_t final_size = 0;
    std::uint64_t reliable_size = 0;  // at most final_size
    friend bool operator==(const reset_stream_at_frame&, const reset_stream_at_frame&) = default;
};
struct stop_sending_frame {
    stream_id id;
    std::uint64_t error_code = 0;
    friend bool operator==(const stop_sending_frame&, const stop_sending_frame&) = default;
};
struct crypto_frame {
    std::uint64_t offset = 0;
    std::span<const std::uint8_t> data;
};
struct new_token_frame {
    std::span<const std::uint8_t> token;
};
struct stream_frame {
    stream_id id;
    std::uint64_t offset = 0;
    std::span<const std::uint8_t> data;
    bool fin = false;
};
struct max_data_frame {
    std::uint64_t maximum = 0;
    friend bool operator==(const max_data_frame&, const max_data_frame&) = default;
};
struct max_stream_data_frame {
    stream_id id;
    std::uint64_t maximum = 0;
    friend bool operator==(const max_stream_data_frame&, const max_stream_data_frame&) = default;
};
struct max_streams_frame {
    direction kind = direction::bidirectional;
    std::uint64_t maximum = 0;  // at most max_stream_count
    friend bool operator==(const max_streams_frame&, const max_streams_frame&) = default;
};
struct data_blocked_frame {
    std::uint64_t limit = 0;
    friend bool operator==(const data_blocked_frame&, const data_blocked_frame&) = default;
};
struct stream_data_blocked_frame {
    stream_id id;
    std::uint64_t limit = 0;
    friend bool operator==(const stream_data_blocked_frame&, const stream_data_blocked_frame&) = default;
};
struct streams_blocked_frame {
    direction kind = direction::bidirectional;
    std::uint64_t limit = 0;  // at most max_stream_count
    friend bool operator==(const streams_blocked_frame&, const streams_blocked_frame&) = default;
};
struct new_connection_id_frame {
    std::uint64_t sequence = 0;
    std::uint64_t retire_prior_to = 0;  // at most sequence
    connection_id id;                   // 1 to 20 bytes
    stateless_reset_token reset_token{};
    friend bool operator==(const new_connection_id_frame&, const new_connection_id_frame&) = default;
};
struct retire_connection_id_frame {
    std::uint64_t sequence = 0;
    friend bool operator==(const retire_connection_id_frame&, const retire_connection_id_frame&) = default;
};
struct path_challenge_frame {
    std::array<std::uint8_t, 8> data{};
    friend bool operator==(const path_challenge_frame&, const path_challenge_frame&) = default;
};
struct path_response_frame {
    std::array<std::uint8_t, 8> data{};
    friend bool operator==(const path_response_frame&, const path_response_frame&) = default;
};
struct connection_close_frame {
    std::uint64_t error_code = 0;
    std::uint64_t frame_type = 0;  // only of a transport error
    std::span<const std::uint8_t> reason;
    bool application = false;
};
struct handshake_done_frame {
    friend bool operator==(const handshake_done_frame&, const handshake_done_frame&) = default;
};

struct datagram_frame {
    std::span<const std::uint8_t> data;
    std::uint64_t header = 0;  // bytes of type and length, of a frame that was read
};

// How often its sender wants to be acknowledged (draft-ietf-quic-ack-frequency 4).
struct ack_frequency_frame {
    std::uint64_t sequence = 0;            // grows; frames that come late are ignored
    std::uint64_t threshold = 1;           // ack-eliciting packets that may come without an ACK
    std::uint64_t max_ack_delay = 25'000;  // microseconds
    std::uint64_t reordering = 1;          // packets out of order that cause an ACK at once; 0: none do
    friend bool operator==(const ack_frequency_frame&, const ack_frequency_frame&) = default;
};
struct immediate_ack_frame {
    friend bool operator==(const immediate_ack_frame&, const immediate_ack_frame&) = default;
};

using frame = std::variant<padding_frame, ping_frame, ack_frame, reset_stream_frame, stop_sending_frame, crypto_frame,
                           new_token_frame, stream_frame, max_data_frame, max_stream_data_frame, max_streams_frame,
                           data_blocked_frame, stream_data_blocked_frame, streams_blocked_frame, new_connection_id_frame,
                           retire_connection_id_frame, path_challenge_frame, path_response_frame, connection_close_frame,
                           handshake_done_frame, datagram_frame, reset_stream_at_frame, ack_frequency_frame, immediate_ack_frame>;

// A type that is read here, of RFC 9000 or of an extension. Whether the extension was offered is the connection's business.
constexpr bool is_known_frame(std::uint64_t type) {
    return type <= frame_type::immediate_ack || type == frame_type::reset_stream_at || type == frame_type::datagram ||
           type == frame_type::datagram_with_length || type == frame_type::ack_frequency;
}
// RFC 9000 12.4 Table 3, column Pkts. Unknown types are permitted nowhere.
bool frame_permitted(std::uint64_t type, encryption_level level);
// RFC 9000 13.2: everything but PADDING, ACK and CONNECTION_CLOSE.
constexpr bool is_ack_eliciting(std::uint64_t type) {
    return type != frame_type::padding && type != frame_type::ack && type != frame_type::ack_ecn &&
           type != frame_type::connection_close && type != frame_type::connection_close_application;
}
// RFC 9000 9.1: PATH_CHALLENGE, PATH_RESPONSE, NEW_CONNECTION_ID and PADDING.
constexpr bool is_probing(std::uint64_t type) {
    return type == frame_type::padding || type == frame_type::path_challenge || type == frame_type::path_response ||
           type == frame_type::new_connection_id;
}

}  // namespace tandem::quic
