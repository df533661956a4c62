#include <tandem/quic/frame_reader.hpp>

#include <algorithm>

#include <tandem/bytes/writer.hpp>

namespace tandem::quic {

bool frame_permitted(std::uint64_t type, encryption_level level) {
    namespace t = frame_type;
    if (!is_known_frame(type)) return false;
    switch (level) {
        case encryption_level::initial:
        case encryption_level::handshake:
            return type <= t::ack_ecn || type == t::crypto || type == t::connection_close;
        case encryption_level::zero_rtt:
            // RFC 9000 12.5 adds RETIRE_CONNECTION_ID to what Table 3 keeps out of 0-RTT.
            return type != t::ack && type != t::ack_ecn && type != t::crypto && type != t::new_token &&
                   type != t::path_response && type != t::retire_connection_id && type != t::handshake_done &&
                   type != t::immediate_ack && type != t::ack_frequency;
        case encryption_level::one_rtt:
            return true;
    }
    return false;
}

bool frame_reader::fail(transport_error code, const char* reason) {
    error_ = connection_error::transport(code, type_, reason);
    return false;
}

bool frame_reader::next(frame& out) {
    if (error_ || in_.empty()) return false;
    if (!read_type()) return false;
    if (!parse(out)) {
        if (!error_) fail(transport_error::frame_encoding_error, "frame is truncated");
        return false;
    }
    return true;
}

bool frame_reader::read_type() {
    const auto before = in_.offset();
    type_ = in_.varint();
    if (!in_.ok()) return fail(transport_error::frame_encoding_error, "frame type is truncated");
    // RFC 9000 12.4
    if (varint_size(type_) != in_.offset() - before)
        return fail(transport_error::protocol_violation, "frame type is not in its shortest encoding");
    if (!is_known_frame(type_)) return fail(transport_error::frame_encoding_error, "unknown frame type");
    if (!frame_permitted(type_, level_))
        return fail(transport_error::protocol_violation, "frame is not permitted in this packet type");
    return true;
}

bool frame_reader::parse(frame& out) {
    switch (type_) {
        case frame_type::padding: {
            padding_frame f;
            const auto ahead = in_.ahead();
            const auto run = std::find_if(ahead.begin(), ahead.end(), [](std::uint8_t b) { return b != 0; }) - ahead.begin();
            f.count += static_cast<std::size_t>(run);
            in_.skip(static_cast<std::uint64_t>(run));
            out = f;
            return true;
        }
        case frame_type::ping:
            out = ping_frame{};
            return true;
        case frame_type::ack:
        case frame_type::ack_ecn:
            return parse_ack(out);
        case frame_type::crypto: {
            crypto_frame f;
            f.offset = in_.varint();
            f.data = in_.bytes(in_.varint());
            if (!in_.ok()) return false;
            // RFC 9000 19.6
            if (f.offset + f.data.size() > varint_max)
                return fail(transport_error::frame_encoding_error, "CRYPTO data beyond the largest offset");
            out = f;
            return true;
        }
        case frame_type::reset_stream:
        case frame_type::stop_sending:
        case frame_type::max_data:
        case frame_type::max_stream_data:
        case frame_type::max_streams_bidi:
        case frame_type::max_streams_uni:
        case frame_type::data_blocked:
        case frame_type::stream_data_blocked:
        case frame_type::streams_blocked_bidi:
        case frame_type::streams_blocked_uni:
            return parse_flow_control(out);
        default:
            return type_ >= frame_type::stream && type_ <= frame_type::stream_last ? parse_stream(out) : parse_connection(out);
    }
}

// RFC 9000 19.3.1. Everything is subtraction, so each step is checked before it is made.
bool frame_reader::parse_ack(frame& out) {
    ack_frame f;
    auto& ranges = *ranges_;
    ranges.clear();
    const auto largest = in_.varint();
    f.delay = in_.varint();
    const auto count = in_.varint();
    const auto first = in_.varint();
    if (!in_.ok()) return false;
    if (first > largest) return fail(transport_error::frame_encoding_error, "ACK range below packet number 0");
    auto smallest = largest - first;
    ranges.push_back({smallest, largest + 1});
    for (std::uint64_t i = 0; i < count; ++i) {
        const auto gap = in_.varint();
        const auto length = in_.varint();
        if (!in_.ok()) return false;  // also ends a count that lies: two bytes at least per range
        if (smallest < 2 || gap > smallest - 2)
            return fail(transport_error::frame_encoding_error, "ACK gap below packet number 0");
        const auto high = smallest - gap - 2;
        if (length > high) return fail(transport_error::frame_encoding_error, "ACK range below packet number 0");
        smallest = high - length;
        if (ranges.size() < max_ack_ranges) ranges.push_back({smallest, high + 1});
    }
    if (type_ == frame_type::ack_ecn) {
        ecn_counts counts;
        counts.ect0 = in_.varint();
        counts.ect1 = in_.varint();
        counts.ce = in_.varint();
        if (!in_.ok()) return false;
        f.ecn = counts;
    }
    f.ranges = ranges;
    out = f;
    return true;
}

bool frame_reader::parse_stream(frame& out) {
    stream_frame f;
    f.id = stream_id{in_.varint()};
    if (type_ & 0x04) f.offset = in_.varint();
    f.data = type_ & 0x02 ? in_.bytes(in_.varint()) : in_.rest();
    f.fin = type_ & 0x01;
    if (!in_.ok()) return false;
    // RFC 9000 19.8
    if (f.offset + f.data.size() > varint_max)
        return fail(transport_error::frame_encoding_error, "STREAM data beyond the largest offset");
    out = f;
    return true;
}

bool frame_reader::parse_flow_control(frame& out) {
    const auto first = in_.varint();
    switch (type_) {
        case frame_type::max_data:
            out = max_data_frame{first};
            return in_.ok();
        case frame_type::data_blocked:
            out = data_blocked_frame{first};
            return in_.ok();
        case frame_type::max_streams_bidi:
        case frame_type::max_streams_uni:
        case frame_type::streams_blocked_bidi:
        case frame_type::streams_blocked_uni: {
            // RFC 9000 19.11 and 19.14
            if (first > max_stream_count) return fail(transport_error::frame_encoding_error, "more than 2^60 streams");
            const auto kind = type_ & 1 ? direction::unidirectional : direction::bidirectional;
            if (type_ <= frame_type::max_streams_uni) {
                out = max_streams_frame{kind, first};
            } else {
                out = streams_blocked_frame{kind, first};
            }
            return in_.ok();
        }
        default:
            break;
    }
    const stream_id id{first};
    const auto second = in_.varint();
    switch (type_) {
        case frame_type::stop_sending:
            out = stop_sending_frame{id, second};
            break;
        case frame_type::max_stream_data:
            out = max_stream_data_frame{id, second};
            break;
        case frame_type::stream_data_blocked:
            out = stream_data_blocked_frame{id, second};
            break;
        default:
            out = reset_stream_frame{id, second, in_.varint()};
            break;
    }
    return in_.ok();
}

bool frame_reader::parse_connection(frame& out) {
    switch (type_) {
        case frame_type::new_token: {
            const auto token = in_.bytes(in_.varint());
            if (!in_.ok()) return false;
            if (token.empty()) return fail(transport_error::frame_encoding_error, "empty token");  // RFC 9000 19.7
            out = new_token_frame{token};
            return true;
        }
        case frame_type::new_connection_id: {
            new_connection_id_frame f;
            f.sequence = in_.varint();
            f.retire_prior_to = in_.varint();
            const auto size = in_.u8();
            if (!in_.ok()) return false;
            // RFC 9000 19.15
            if (f.retire_prior_to > f.sequence)
                return fail(transport_error::frame_encoding_error, "Retire Prior To above Sequence Number");
            if (size < 1 || size > connection_id::max_size)
                return fail(transport_error::frame_encoding_error, "connection ID of impossible length");
            f.id = connection_id{in_.bytes(size)};
            std::ranges::copy(in_.bytes(f.reset_token.size()), f.reset_token.begin());
            out = f;
            return in_.ok();
        }
        case frame_type::retire_connection_id:
            out = retire_connection_id_frame{in_.varint()};
            return in_.ok();
        case frame_type::path_challenge: {
            path_challenge_frame f;
            std::ranges::copy(in_.bytes(f.data.size()), f.data.begin());
            out = f;
            return in_.ok();
        }
        case frame_type::path_response: {
            path_response_frame f;
            std::ranges::copy(in_.bytes(f.data.size()), f.data.begin());
            out = f;
            return in_.ok();
        }
        case frame_type::handshake_done:
            out = handshake_done_frame{};
            return true;
        case frame_type::immediate_ack:
            out = immediate_ack_frame{};
            return true;
        case frame_type::ack_frequency: {
            ack_frequency_frame f;
            f.sequence = in_.varint();
            f.threshold = in_.varint();
            f.max_ack_delay = in_.varint();
            f.reordering = in_.varint();
            out = f;
            return in_.ok();
        }
        case frame_type::reset_stream_at: {
            reset_stream_at_frame f;
            f.id = stream_id{in_.varint()};
            f.error_code = in_.varint();
            f.final_size = in_.varint();
            f.reliable_size = in_.varint();
            if (!in_.ok()) return false;
            if (f.reliable_size > f.final_size)
                return fail(transport_error::frame_encoding_error, "Reliable Size above Final Size");
            out = f;
            return true;
        }
        case frame_type::datagram:
            out = datagram_frame{in_.bytes(in_.remaining()), 1};
            return true;
        case frame_type::datagram_with_length: {
            const auto before = in_.offset();
            const auto size = in_.varint();
            out = datagram_frame{in_.bytes(size), 1 + in_.offset() - before - size};
            return in_.ok();
        }
        default: {
            connection_close_frame f;
            f.application = type_ == frame_type::connection_close_application;
            f.error_code = in_.varint();
            if (!f.application) f.frame_type = in_.varint();
            f.reason = in_.bytes(in_.varint());
            out = f;
            return in_.ok();
        }
    }
}

}  // namespace tandem::quic
