#include <tandem/quic/transport_parameters.hpp>

#include <algorithm>
#include <array>
#include <bitset>

#include <tandem/bytes/reader.hpp>
#include <tandem/quic/frame.hpp>

namespace tandem::quic {
namespace {

// RFC 9000 18.2. Numbers 0 to 0x10 are all taken, so a bit set finds duplicates.
namespace id {
constexpr std::uint64_t original_destination_connection_id = 0x00;
constexpr std::uint64_t max_idle_timeout = 0x01;
constexpr std::uint64_t stateless_reset_token = 0x02;
constexpr std::uint64_t max_udp_payload_size = 0x03;
constexpr std::uint64_t initial_max_data = 0x04;
constexpr std::uint64_t initial_max_stream_data_bidi_local = 0x05;
constexpr std::uint64_t initial_max_stream_data_bidi_remote = 0x06;
constexpr std::uint64_t initial_max_stream_data_uni = 0x07;
constexpr std::uint64_t initial_max_streams_bidi = 0x08;
constexpr std::uint64_t initial_max_streams_uni = 0x09;
constexpr std::uint64_t ack_delay_exponent = 0x0a;
constexpr std::uint64_t max_ack_delay = 0x0b;
constexpr std::uint64_t disable_active_migration = 0x0c;
constexpr std::uint64_t preferred_address = 0x0d;
constexpr std::uint64_t active_connection_id_limit = 0x0e;
constexpr std::uint64_t initial_source_connection_id = 0x0f;
constexpr std::uint64_t retry_source_connection_id = 0x10;
constexpr std::uint64_t version_information = 0x11;  // RFC 9368 3
constexpr std::uint64_t last = version_information;
constexpr std::uint64_t max_datagram_frame_size = 0x20;  // RFC 9221 3
constexpr std::uint64_t grease_quic_bit = 0x2ab2;        // RFC 9287 3
constexpr std::uint64_t min_ack_delay = 0xff04de1b;      // draft-ietf-quic-ack-frequency 3
// draft-ietf-quic-reliable-stream-reset 3; and the number that it had up to its version 7, which some still speak.
constexpr std::uint64_t reset_stream_at = 0x1d;
constexpr std::uint64_t reset_stream_at_07 = 0x17f7586d2cb571;
constexpr std::uint64_t max_record_size = 0x0571c59429cd0845;  // QMux
}  // namespace id

// Above this a timeout is as good as none (34 years), and its nanoseconds still fit a duration.
constexpr std::uint64_t longest_idle_timeout_ms = std::uint64_t{1} << 40;

// Extensions of QUIC: their bits among the duplicates follow those of RFC 9000's.
constexpr std::array extensions{id::max_datagram_frame_size, id::grease_quic_bit, id::min_ack_delay, id::reset_stream_at,
                                id::reset_stream_at_07};
constexpr std::size_t record_size_slot = id::last + 1;
constexpr std::size_t first_extension_slot = id::last + 2;

std::size_t extension_slot(std::uint64_t parameter) {  // 0: none of them
    const auto found = std::ranges::find(extensions, parameter);
    return found == extensions.end() ? 0 : first_extension_slot + static_cast<std::size_t>(found - extensions.begin());
}

// Unknown parameters are compared for duplicates up to this many, which is more than anybody sends; past it they are just
// ignored.
constexpr std::size_t max_unknown = 64;

// draft-ietf-quic-qmux, Permitted and Forbidden Transport Parameters
bool permitted_in_qmux(std::uint64_t parameter) {
    return parameter == id::max_idle_timeout || (parameter >= id::initial_max_data && parameter <= id::initial_max_streams_uni);
}

// RFC 9000 18.2: a client must not send these.
bool server_only(std::uint64_t parameter) {
    return parameter == id::original_destination_connection_id || parameter == id::stateless_reset_token ||
           parameter == id::preferred_address || parameter == id::retry_source_connection_id;
}

class parser {
public:
    parser(perspective sender, parameter_profile profile, transport_parameters& out)
        : sender_(sender), profile_(profile), out_(out) {}

    const char* parse(std::span<const std::uint8_t> in) {
        reader all(in);
        while (!all.empty()) {
            const auto parameter = all.varint();
            const auto value = all.bytes(all.varint());
            if (!all.ok()) return "transport parameters are truncated";
            if (const char* wrong = one(parameter, value)) return wrong;
        }
        if (out_.min_ack_delay && *out_.min_ack_delay > out_.max_ack_delay) return "min_ack_delay is above max_ack_delay";
        return nullptr;
    }

private:
    const char* one(std::uint64_t parameter, std::span<const std::uint8_t> value) {
        const bool record_size = profile_ == parameter_profile::qmux && parameter == id::max_record_size;
        const auto extension = profile_ == parameter_profile::quic ? extension_slot(parameter) : 0;
        if (parameter > id::last && !record_size && extension == 0) return unknown(parameter);
        if (profile_ == parameter_profile::qmux && !record_size && !permitted_in_qmux(parameter)) {
            return "transport parameter is forbidden in QMux";
        }
        if (sender_ == perspective::client && server_only(parameter)) return "client sent a server's transport parameter";
        const auto slot = record_size ? record_size_slot : extension != 0 ? extension : static_cast<std::size_t>(parameter);
        if (seen_.test(slot)) return "duplicate transport parameter";
        seen_.set(slot);
        switch (parameter) {
            case id::original_destination_connection_id:
                return identifier(value, out_.original_destination_connection_id);
            case id::initial_source_connection_id:
                return identifier(value, out_.initial_source_connection_id);
            case id::retry_source_connection_id:
                return identifier(value, out_.retry_source_connection_id);
            case id::stateless_reset_token: {
                stateless_reset_token token;
                if (value.size() != token.size()) return "stateless_reset_token is not 16 bytes";
                std::ranges::copy(value, token.begin());
                out_.reset_token = token;
                return nullptr;
            }
            case id::preferred_address:
                return preferred(value);
            case id::version_information:
                return versions(value);
            case id::disable_active_migration:
                out_.disable_active_migration = true;
                return value.empty() ? nullptr : "disable_active_migration has a value";
            case id::grease_quic_bit:
                out_.grease_quic_bit = true;
                return value.empty() ? nullptr : "grease_quic_bit has a value";
            case id::reset_stream_at:
            case id::reset_stream_at_07:
                out_.reset_stream_at = true;
                return value.empty() ? nullptr : "reset_stream_at has a value";
            default:
                return number(parameter, value);
        }
    }

    // RFC 9000 7.4.2: ignored, but 7.4: not twice.
    const char* unknown(std::uint64_t parameter) {
        const auto known = std::span(unknown_).first(unknown_count_);
        if (std::ranges::find(known, parameter) != known.end()) return "duplicate transport parameter";
        if (unknown_count_ < max_unknown) unknown_[unknown_count_++] = parameter;
        return nullptr;
    }

    static const char* identifier(std::span<const std::uint8_t> value, std::optional<connection_id>& to) {
        if (value.size() > connection_id::max_size) return "connection ID in transport parameter is too long";
        to = connection_id{value};
        return nullptr;
    }

    // RFC 9368 4: a zero anywhere, or a client that does not offer what it has chosen, is malformed.
    const char* versions(std::span<const std::uint8_t> value) {
        if (value.size() < 4 || value.size() % 4 != 0) return "version_information is malformed";
        reader in(value);
        version_information v{.chosen = in.u32()};
        bool zero = v.chosen == 0, offered = false;
        while (!in.empty()) {
            const auto each = in.u32();
            zero = zero || each == 0;
            offered = offered || each == v.chosen;
            if (v.available.size() < max_available_versions) v.available.push_back(each);
        }
        if (zero || (sender_ == perspective::client && !offered)) return "version_information is malformed";
        out_.versions = std::move(v);
        return nullptr;
    }

    const char* preferred(std::span<const std::uint8_t> value) {
        reader in(value);
        preferred_address a;
        std::ranges::copy(in.bytes(4), a.v4.address.bytes.begin());
        a.v4.port = in.u16();
        a.v6.address.is_v6 = true;
        std::ranges::copy(in.bytes(16), a.v6.address.bytes.begin());
        a.v6.port = in.u16();
        const auto size = in.u8();
        if (!in.ok() || size < 1 || size > connection_id::max_size) return "preferred_address is malformed";
        a.id = connection_id{in.bytes(size)};
        std::ranges::copy(in.bytes(a.reset_token.size()), a.reset_token.begin());
        if (!in.ok() || !in.empty()) return "preferred_address is malformed";
        out_.preferred = a;
        return nullptr;
    }

    const char* number(std::uint64_t parameter, std::span<const std::uint8_t> value) {
        reader in(value);
        const auto n = in.varint();
        if (!in.ok() || !in.empty()) return "transport parameter is not one variable-length integer";
        switch (parameter) {
            case id::max_idle_timeout:
                out_.max_idle_timeout =
                    std::chrono::milliseconds(static_cast<std::int64_t>(std::min(n, longest_idle_timeout_ms)));
                break;
            case id::max_udp_payload_size:
                if (n < 1200) return "max_udp_payload_size is below 1200";
                out_.max_udp_payload_size = n;
                break;
            case id::initial_max_data:
                out_.initial_max_data = n;
                break;
            case id::initial_max_stream_data_bidi_local:
                out_.initial_max_stream_data_bidi_local = n;
                break;
            case id::initial_max_stream_data_bidi_remote:
                out_.initial_max_stream_data_bidi_remote = n;
                break;
            case id::initial_max_stream_data_uni:
                out_.initial_max_stream_data_uni = n;
                break;
            case id::initial_max_streams_bidi:
            case id::initial_max_streams_uni:
                if (n > max_stream_count) return "initial_max_streams is above 2^60";
                (parameter == id::initial_max_streams_bidi ? out_.initial_max_streams_bidi : out_.initial_max_streams_uni) = n;
                break;
            case id::ack_delay_exponent:
                if (n > 20) return "ack_delay_exponent is above 20";
                out_.ack_delay_exponent = n;
                break;
            case id::max_ack_delay:
                if (n >= 1U << 14) return "max_ack_delay is 2^14 or more";
                out_.max_ack_delay = std::chrono::milliseconds(static_cast<std::int64_t>(n));
                break;
            case id::max_datagram_frame_size:
                out_.max_datagram_frame_size = n;
                break;
            case id::min_ack_delay:
                if (n >= (1U << 14) * 1000U) return "min_ack_delay is above max_ack_delay";
                out_.min_ack_delay = std::chrono::microseconds(static_cast<std::int64_t>(n));
                break;
            case id::active_connection_id_limit:
                if (n < 2) return "active_connection_id_limit is below 2";
                out_.active_connection_id_limit = n;
                break;
            default:
                if (n < default_max_record_size) return "max_record_size is below its default";
                out_.max_record_size = n;
                break;
        }
        return nullptr;
    }

    perspective sender_;
    parameter_profile profile_;
    transport_parameters& out_;
    std::bitset<first_extension_slot + extensions.size()> seen_;
    std::array<std::uint64_t, max_unknown> unknown_{};
    std::size_t unknown_count_ = 0;
};

void put(writer& out, std::uint64_t parameter, std::span<const std::uint8_t> value) {
    out.varint(parameter);
    out.varint(value.size());
    out.bytes(value);
}

void put(writer& out, std::uint64_t parameter, std::uint64_t value, std::uint64_t otherwise) {
    if (value == otherwise) return;
    out.varint(parameter);
    out.varint(varint_size(value));
    out.varint(value);
}

void put(writer& out, std::uint64_t parameter, const std::optional<connection_id>& value) {
    if (value) put(out, parameter, value->bytes());
}

void put_preferred(writer& out, const preferred_address& a) {
    out.varint(id::preferred_address);
    out.varint(4 + 2 + 16 + 2 + 1 + a.id.size() + a.reset_token.size());
    out.bytes(std::span(a.v4.address.bytes).first(4));
    out.u16(a.v4.port);
    out.bytes(a.v6.address.bytes);
    out.u16(a.v6.port);
    out.u8(static_cast<std::uint8_t>(a.id.size()));
    out.bytes(a.id.bytes());
    out.bytes(a.reset_token);
}

void put_versions(writer& out, const version_information& v) {
    out.varint(id::version_information);
    out.varint(4 + 4 * v.available.size());
    out.u32(v.chosen);
    for (const auto each : v.available) out.u32(each);
}

void emit_quic_only(const transport_parameters& p, writer& out) {
    const transport_parameters defaults;
    put(out, id::original_destination_connection_id, p.original_destination_connection_id);
    put(out, id::initial_source_connection_id, p.initial_source_connection_id);
    put(out, id::retry_source_connection_id, p.retry_source_connection_id);
    if (p.reset_token) put(out, id::stateless_reset_token, *p.reset_token);
    if (p.preferred) put_preferred(out, *p.preferred);
    if (p.versions) put_versions(out, *p.versions);
    put(out, id::max_udp_payload_size, p.max_udp_payload_size, defaults.max_udp_payload_size);
    put(out, id::ack_delay_exponent, p.ack_delay_exponent, defaults.ack_delay_exponent);
    put(out, id::max_ack_delay, static_cast<std::uint64_t>(p.max_ack_delay.count()),
        static_cast<std::uint64_t>(defaults.max_ack_delay.count()));
    put(out, id::max_datagram_frame_size, p.max_datagram_frame_size, 0);
    if (p.disable_active_migration) put(out, id::disable_active_migration, std::span<const std::uint8_t>{});
    put(out, id::active_connection_id_limit, p.active_connection_id_limit, defaults.active_connection_id_limit);
    if (p.min_ack_delay) put(out, id::min_ack_delay, static_cast<std::uint64_t>(p.min_ack_delay->count()), varint_max + 1);
    for (const auto each : {id::reset_stream_at, id::reset_stream_at_07}) {
        if (p.reset_stream_at) put(out, each, std::span<const std::uint8_t>{});
    }
    if (p.grease_quic_bit) put(out, id::grease_quic_bit, std::span<const std::uint8_t>{});
}

// More than all parameters together can take.
constexpr std::size_t max_emitted = 512;

}  // namespace

std::optional<connection_error> parse(std::span<const std::uint8_t> in, perspective sender, parameter_profile profile,
                                      transport_parameters& out) {
    if (const char* wrong = parser(sender, profile, out).parse(in)) {
        return connection_error::transport(transport_error::transport_parameter_error, 0, wrong);
    }
    return std::nullopt;
}

void emit(const transport_parameters& p, parameter_profile profile, writer& out) {
    put(out, id::max_idle_timeout, static_cast<std::uint64_t>(p.max_idle_timeout.count()), 0);
    put(out, id::initial_max_data, p.initial_max_data, 0);
    put(out, id::initial_max_stream_data_bidi_local, p.initial_max_stream_data_bidi_local, 0);
    put(out, id::initial_max_stream_data_bidi_remote, p.initial_max_stream_data_bidi_remote, 0);
    put(out, id::initial_max_stream_data_uni, p.initial_max_stream_data_uni, 0);
    put(out, id::initial_max_streams_bidi, p.initial_max_streams_bidi, 0);
    put(out, id::initial_max_streams_uni, p.initial_max_streams_uni, 0);
    if (profile == parameter_profile::quic) {
        emit_quic_only(p, out);
    } else {
        put(out, id::max_record_size, p.max_record_size, default_max_record_size);
    }
}

std::vector<std::uint8_t> emit(const transport_parameters& p, parameter_profile profile) {
    std::array<std::uint8_t, max_emitted> room;
    writer out(room);
    emit(p, profile, out);
    return {room.begin(), room.begin() + static_cast<std::ptrdiff_t>(out.size())};
}

void add_reserved(std::vector<std::uint8_t>& parameters, random_source& random) {
    std::array<std::uint8_t, 8 + 1 + 16> room;
    writer out(room);
    out.varint(31 * random.below(std::uint64_t{1} << 30) + 27);
    std::array<std::uint8_t, 16> value;
    random.fill(value);
    const auto size = static_cast<std::size_t>(random.below(value.size() + 1));
    out.varint(size);
    out.bytes(std::span(value).first(size));
    parameters.insert(parameters.end(), out.written().begin(), out.written().end());
}

}  // namespace tandem::quic
