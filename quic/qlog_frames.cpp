#include <tandem/quic/qlog_frames.hpp>

#include <array>
#include <chrono>
#include <type_traits>
#include <variant>

namespace tandem::quic::qlog_text {
namespace {

std::string_view stream_type(direction kind) { return kind == direction::unidirectional ? "unidirectional" : "bidirectional"; }

void write_raw(json_text& out, std::uint64_t length, std::uint64_t payload) {
    out.begin_object("raw").field("length", length).field("payload_length", payload).end_object();
}
void write_payload(json_text& out, std::uint64_t payload) {
    out.begin_object("raw").field("payload_length", payload).end_object();
}

// The application's codes have names only in its own schema.
void write_application_error(json_text& out, std::uint64_t code) { out.field("error", "unknown").field("error_code", code); }

class frame_text {
public:
    frame_text(json_text& out, std::uint64_t type, std::uint64_t length) : out_(out), type_(type), length_(length) {}

    void operator()(const padding_frame& f) { begin("padding"), write_raw(out_, length_, f.count); }
    void operator()(const ping_frame&) { begin("ping"); }
    void operator()(const ack_frame& f) {
        begin("ack");
        // The exponent that makes microseconds of it is the sender's; the default, which we declare, is used by nearly everybody.
        out_.milliseconds("ack_delay", std::chrono::microseconds(std::min(f.delay, max_delay) << 3));
        out_.begin_array("acked_ranges");
        for (auto r = f.ranges.rbegin(); r != f.ranges.rend(); ++r) {
            out_.begin_array().element(r->begin);
            if (r->size() > 1) out_.element(r->end - 1);
            out_.end_array();
        }
        out_.end_array();
        if (f.ecn) out_.field("ect1", f.ecn->ect1).field("ect0", f.ecn->ect0).field("ce", f.ecn->ce);
    }
    void operator()(const reset_stream_frame& f) {
        begin("reset_stream").field("stream_id", f.id.value);
        write_application_error(out_, f.error_code);
        out_.field("final_size", f.final_size);
    }
    void operator()(const stop_sending_frame& f) {
        begin("stop_sending").field("stream_id", f.id.value);
        write_application_error(out_, f.error_code);
    }
    void operator()(const crypto_frame& f) {
        begin("crypto").field("offset", f.offset);
        write_raw(out_, length_, f.data.size());
    }
    void operator()(const new_token_frame& f) {
        begin("new_token").begin_object("token").field("type", "resumption");
        write_payload(out_, f.token.size());
        out_.end_object();
    }
    void operator()(const stream_frame& f) {
        begin("stream").field("stream_id", f.id.value).field("offset", f.offset);
        if (f.fin) out_.field("fin", true);
        write_raw(out_, length_, f.data.size());
    }
    void operator()(const max_data_frame& f) { begin("max_data").field("maximum", f.maximum); }
    void operator()(const max_stream_data_frame& f) {
        begin("max_stream_data").field("stream_id", f.id.value).field("maximum", f.maximum);
    }
    void operator()(const max_streams_frame& f) {
        begin("max_streams").field("stream_type", stream_type(f.kind)).field("maximum", f.maximum);
    }
    void operator()(const data_blocked_frame& f) { begin("data_blocked").field("limit", f.limit); }
    void operator()(const stream_data_blocked_frame& f) {
        begin("stream_data_blocked").field("stream_id", f.id.value).field("limit", f.limit);
    }
    void operator()(const streams_blocked_frame& f) {
        begin("streams_blocked").field("stream_type", stream_type(f.kind)).field("limit", f.limit);
    }
    void operator()(const new_connection_id_frame& f) {  // without the reset token, which lets its holder end the connection
        begin("new_connection_id").field("sequence_number", f.sequence).field("retire_prior_to", f.retire_prior_to);
        out_.hex("connection_id", f.id.bytes());
    }
    void operator()(const retire_connection_id_frame& f) { begin("retire_connection_id").field("sequence_number", f.sequence); }
    void operator()(const path_challenge_frame& f) { begin("path_challenge").hex("data", f.data); }
    void operator()(const path_response_frame& f) { begin("path_response").hex("data", f.data); }
    void operator()(const connection_close_frame& f) {
        begin("connection_close").field("error_space", f.application ? "application" : "transport");
        if (f.application) {
            write_application_error(out_, f.error_code);
        } else {
            std::array<char, 32> scratch;
            const auto name = name_of_error(f.error_code, scratch);
            out_.field("error", name);
            if (name == "unknown") out_.field("error_code", f.error_code);
        }
        out_.field("reason", std::string_view(reinterpret_cast<const char*>(f.reason.data()), f.reason.size()));
        if (!f.application) out_.field("trigger_frame_type", f.frame_type);
    }
    void operator()(const handshake_done_frame&) { begin("handshake_done"); }
    void operator()(const datagram_frame& f) {
        begin("datagram");
        write_raw(out_, length_, f.data.size());
    }
    // Frames of extensions that qlog has no name for.
    template <class Other>
    void operator()(const Other&) {
        begin("unknown").field("frame_type_bytes", type_);
    }

private:
    static constexpr std::uint64_t max_delay = 1'000'000'000'000;

    json_text& begin(std::string_view name) { return out_.field("frame_type", name); }

    json_text& out_;
    std::uint64_t type_;
    std::uint64_t length_;
};

encryption_level level_of(packet_type type) {
    switch (type) {
        case packet_type::initial:
            return encryption_level::initial;
        case packet_type::zero_rtt:
            return encryption_level::zero_rtt;
        case packet_type::handshake:
            return encryption_level::handshake;
        default:
            return encryption_level::one_rtt;
    }
}

// Calls f with a frame that says what the token does, where it says enough.
template <class F>
void for_each_lost_frame(const sent_frames& contents, F f) {
    for (const auto& token : contents.control) {
        if (std::holds_alternative<handshake_done_token>(token)) f(handshake_done_frame{});
        if (const auto* retired = std::get_if<retire_connection_id_token>(&token))
            f(retire_connection_id_frame{retired->sequence});
        if (const auto* crypto = std::get_if<crypto_token>(&token)) f(*crypto);
    }
    for (const auto& token : contents.streams) {
        std::visit(
            [&](const auto& t) {
                using type = std::decay_t<decltype(t)>;
                if constexpr (std::is_same_v<type, stream_data_token>) f(t);
                if constexpr (std::is_same_v<type, max_data_token>) f(max_data_frame{t.maximum});
                if constexpr (std::is_same_v<type, max_stream_data_token>) f(max_stream_data_frame{t.id, t.maximum});
                if constexpr (std::is_same_v<type, max_streams_token>) f(max_streams_frame{t.kind, t.maximum});
                if constexpr (std::is_same_v<type, data_blocked_token>) f(data_blocked_frame{t.limit});
                if constexpr (std::is_same_v<type, stream_data_blocked_token>) f(stream_data_blocked_frame{t.id, t.limit});
                if constexpr (std::is_same_v<type, streams_blocked_token>) f(streams_blocked_frame{t.kind, t.limit});
            },
            token);
    }
}

}  // namespace

std::string_view name_of(packet_type type) {
    switch (type) {
        case packet_type::initial:
            return "initial";
        case packet_type::zero_rtt:
            return "0RTT";
        case packet_type::handshake:
            return "handshake";
        case packet_type::retry:
            return "retry";
        case packet_type::version_negotiation:
            return "version_negotiation";
        case packet_type::one_rtt:
            return "1RTT";
    }
    return "unknown";
}

std::string_view name_of(packet_space_id space) {
    return space == packet_space_id::initial ? "initial" : space == packet_space_id::handshake ? "handshake" : "application_data";
}

std::string_view name_of_error(std::uint64_t code, std::span<char> scratch) {
    constexpr std::array<std::string_view, 17> names = {"no_error",
                                                        "internal_error",
                                                        "connection_refused",
                                                        "flow_control_error",
                                                        "stream_limit_error",
                                                        "stream_state_error",
                                                        "final_size_error",
                                                        "frame_encoding_error",
                                                        "transport_parameter_error",
                                                        "connection_id_limit_error",
                                                        "protocol_violation",
                                                        "invalid_token",
                                                        "application_error",
                                                        "crypto_buffer_exceeded",
                                                        "key_update_error",
                                                        "aead_limit_reached",
                                                        "no_viable_path"};
    if (code < names.size()) return names[code];
    if (code < 0x100 || code > 0x1ff) return "unknown";
    constexpr std::string_view prefix = "crypto_error_0x1", digits = "0123456789abcdef";
    auto* end = std::copy(prefix.begin(), prefix.end(), scratch.data());
    *end++ = digits[code >> 4 & 15];
    *end++ = digits[code & 15];
    return {scratch.data(), end};
}

void write_version(json_text& out, std::string_view key, std::uint32_t version) {
    const std::array<std::uint8_t, 4> bytes = {static_cast<std::uint8_t>(version >> 24), static_cast<std::uint8_t>(version >> 16),
                                               static_cast<std::uint8_t>(version >> 8), static_cast<std::uint8_t>(version)};
    out.hex(key, bytes);
}

void write_header(json_text& out, const traced_packet& p) {
    out.begin_object("header").field("packet_type", name_of(p.type));
    const bool numbered = p.type != packet_type::retry && p.type != packet_type::version_negotiation;
    if (p.type == packet_type::one_rtt) out.field("key_phase", p.key_phase);
    if (numbered) out.field("packet_number", p.number);
    if (!p.token.empty()) {
        out.begin_object("token");
        if (p.type == packet_type::retry) out.field("type", "retry");
        write_payload(out, p.token.size());
        out.end_object();
    }
    if (p.type != packet_type::one_rtt) {
        write_version(out, "version", static_cast<std::uint32_t>(p.version));
        out.hex("scid", p.source.bytes());
    }
    out.hex("dcid", p.destination.bytes()).end_object();
}

void write_header(json_text& out, const packet_header& h) {
    out.begin_object("header").field("packet_type", name_of(h.type));
    if (h.type != packet_type::one_rtt) {
        write_version(out, "version", static_cast<std::uint32_t>(h.version));
        out.hex("scid", h.source.bytes());
    }
    out.hex("dcid", h.destination.bytes()).end_object();
}

void write_frames(json_text& out, std::span<const std::uint8_t> payload, packet_type type, ack_ranges& ranges) {
    out.begin_array("frames");
    frame_reader in(payload, level_of(type), ranges);
    frame f;
    for (std::size_t before = 0; in.next(f); before = in.offset()) {
        out.begin_object();
        std::visit(frame_text(out, in.type(), in.offset() - before), f);
        out.end_object();
    }
    out.end_array();
}

std::size_t count_lost_frames(const sent_frames& contents) {
    std::size_t count = 0;
    for_each_lost_frame(contents, [&](const auto&) { ++count; });
    return count;
}

void write_lost_frames(json_text& out, const sent_frames& contents) {
    out.begin_array("frames");
    for_each_lost_frame(contents, [&](const auto& f) {
        using type = std::decay_t<decltype(f)>;
        out.begin_object();
        if constexpr (std::is_same_v<type, crypto_token>) {
            out.field("frame_type", "crypto").field("offset", f.offset);
            write_payload(out, f.length);
        } else if constexpr (std::is_same_v<type, stream_data_token>) {
            out.field("frame_type", "stream").field("stream_id", f.id.value).field("offset", f.offset);
            if (f.fin) out.field("fin", true);
            write_payload(out, f.length);
        } else {
            frame_text(out, 0, 0)(f);
        }
        out.end_object();
    });
    out.end_array();
}

}  // namespace tandem::quic::qlog_text
