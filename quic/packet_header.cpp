#include <tandem/quic/packet_header.hpp>

#include <algorithm>

#include <tandem/bytes/reader.hpp>
#include <tandem/quic/version_parameters.hpp>

namespace tandem::quic {
namespace {

constexpr std::size_t retry_tag_size = 16;  // RFC 9001 5.8
// RFC 9001 5.4.2: the sample begins four bytes after the begin of the packet number and has 16 bytes.
constexpr std::size_t min_protected_size = 4 + 16;

parsed_packet failed(header_error error) { return {error, {}}; }

packet_type type_of(const version_parameters& v, std::uint8_t first_byte) {
    auto bits = static_cast<std::uint8_t>((first_byte >> 4) & 3);
    auto found = std::find(v.long_types.begin(), v.long_types.end(), bits);
    return static_cast<packet_type>(found - v.long_types.begin());
}

std::uint8_t bits_of(const version_parameters& v, packet_type type) {
    return static_cast<std::uint8_t>(v.long_types[static_cast<std::size_t>(type)] << 4);
}

parsed_packet parse_short(std::span<const std::uint8_t> datagram, const invariant_header& invariant, quic_bit bit) {
    if (bit == quic_bit::required && (datagram[0] & fixed_bit) == 0) return failed(header_error::fixed_bit_zero);
    if (datagram.size() < invariant.size + min_protected_size) return failed(header_error::too_short);
    packet_header header;
    header.type = packet_type::one_rtt;
    header.destination = connection_id(invariant.destination);
    header.number_offset = invariant.size;
    header.size = datagram.size();  // RFC 9000 12.2: a short header has no Length, so it is the last of its datagram
    return {header_error::none, header};
}

parsed_packet parse_negotiation(std::span<const std::uint8_t> datagram, packet_header header, std::size_t offset) {
    // RFC 9000 17.2.1; the fixed bit means nothing here.
    header.type = packet_type::version_negotiation;
    header.versions = datagram.subspan(offset);
    if (header.versions.empty() || header.versions.size() % 4 != 0) return failed(header_error::truncated);
    header.size = datagram.size();
    return {header_error::none, header};
}

parsed_packet parse_retry(std::span<const std::uint8_t> datagram, packet_header header, std::size_t offset) {
    if (datagram.size() < offset + retry_tag_size) return failed(header_error::truncated);
    header.token = datagram.subspan(offset, datagram.size() - offset - retry_tag_size);
    header.size = datagram.size();
    return {header_error::none, header};
}

}  // namespace

std::string_view to_string(header_error error) {
    switch (error) {
        case header_error::none:
            return "none";
        case header_error::truncated:
            return "truncated";
        case header_error::fixed_bit_zero:
            return "fixed bit is zero";
        case header_error::unknown_version:
            return "unknown version";
        case header_error::connection_id_size:
            return "connection ID too long";
        case header_error::too_short:
            return "too short to unprotect";
    }
    return "unknown";
}

std::optional<invariant_header> parse_invariant_header(std::span<const std::uint8_t> datagram, std::size_t short_id_size) {
    reader in(datagram);
    invariant_header header;
    header.long_form = (in.u8() & header_form_bit) != 0;
    if (header.long_form) {
        header.version = in.u32();
        header.destination = in.bytes(in.u8());
        header.source = in.bytes(in.u8());
    } else {
        header.destination = in.bytes(short_id_size);
    }
    header.size = in.offset();
    if (!in.ok()) return std::nullopt;
    return header;
}

parsed_packet parse_packet(std::span<const std::uint8_t> datagram, std::size_t short_id_size, quic_bit bit) {
    auto invariant = parse_invariant_header(datagram, short_id_size);
    if (!invariant) return failed(header_error::truncated);
    if (!invariant->long_form) return parse_short(datagram, *invariant, bit);

    packet_header header;
    header.version = version{invariant->version};
    const auto* v = parameters_of(header.version);
    if (v == nullptr && header.version != version::negotiation) return failed(header_error::unknown_version);
    if (invariant->destination.size() > connection_id::max_size || invariant->source.size() > connection_id::max_size) {
        return failed(header_error::connection_id_size);
    }
    header.destination = connection_id(invariant->destination);
    header.source = connection_id(invariant->source);
    if (v == nullptr) return parse_negotiation(datagram, header, invariant->size);

    if (bit == quic_bit::required && (datagram[0] & fixed_bit) == 0) return failed(header_error::fixed_bit_zero);
    header.type = type_of(*v, datagram[0]);
    if (header.type == packet_type::retry) return parse_retry(datagram, header, invariant->size);

    reader in(datagram);
    in.skip(invariant->size);
    if (header.type == packet_type::initial) header.token = in.bytes(in.varint());
    std::uint64_t length = in.varint();
    if (!in.ok() || length > in.remaining()) return failed(header_error::truncated);
    if (length < min_protected_size) return failed(header_error::too_short);
    header.number_offset = in.offset();
    header.size = in.offset() + static_cast<std::size_t>(length);
    return {header_error::none, header};
}

std::size_t long_header_size(packet_type type, const connection_id& destination, const connection_id& source,
                             std::size_t token_size, std::size_t number_size) {
    std::size_t token = type == packet_type::initial ? varint_size(token_size) + token_size : 0;
    return 1 + 4 + 1 + destination.size() + 1 + source.size() + token + 2 + number_size;
}

std::optional<written_header> write_long_header(writer& out, packet_type type, version v, const connection_id& destination,
                                                const connection_id& source, std::span<const std::uint8_t> token,
                                                std::uint64_t number, std::size_t number_size) {
    const auto* parameters = parameters_of(v);
    if (parameters == nullptr || type > packet_type::handshake || number_size < 1 || number_size > 4) return std::nullopt;
    auto begin = out.size();
    out.u8(static_cast<std::uint8_t>(header_form_bit | fixed_bit | bits_of(*parameters, type) | (number_size - 1)));
    out.u32(static_cast<std::uint32_t>(v));
    out.u8(static_cast<std::uint8_t>(destination.size()));
    out.bytes(destination.bytes());
    out.u8(static_cast<std::uint8_t>(source.size()));
    out.bytes(source.bytes());
    if (type == packet_type::initial) {
        out.varint(token.size());
        out.bytes(token);
    }
    written_header header;
    header.length_offset = out.size() - begin;
    out.varint(0, 2);
    header.number_offset = out.size() - begin;
    header.number_size = number_size;
    for (std::size_t i = number_size; i-- > 0;) out.u8(static_cast<std::uint8_t>(number >> (8 * i)));
    if (!out.ok()) return std::nullopt;
    return header;
}

void set_packet_length(std::span<std::uint8_t> packet, const written_header& header) {
    writer length(packet.subspan(header.length_offset, 2));
    length.varint(packet.size() - header.number_offset, 2);
}

std::optional<written_header> write_short_header(writer& out, const connection_id& destination, std::uint64_t number,
                                                 std::size_t number_size, bool spin, bool key_phase) {
    if (number_size < 1 || number_size > 4) return std::nullopt;
    auto begin = out.size();
    out.u8(static_cast<std::uint8_t>(fixed_bit | (spin ? spin_bit : 0) | (key_phase ? key_phase_bit : 0) | (number_size - 1)));
    out.bytes(destination.bytes());
    written_header header;
    header.number_offset = out.size() - begin;
    header.number_size = number_size;
    for (std::size_t i = number_size; i-- > 0;) out.u8(static_cast<std::uint8_t>(number >> (8 * i)));
    if (!out.ok()) return std::nullopt;
    return header;
}

bool write_version_negotiation(writer& out, std::span<const std::uint8_t> destination, std::span<const std::uint8_t> source,
                               std::span<const std::uint32_t> versions, std::uint8_t random) {
    if (destination.size() > 255 || source.size() > 255) return false;
    // RFC 9000 17.2.1: the bit that is elsewhere the fixed bit should be set, for those who multiplex protocols on a port.
    out.u8(static_cast<std::uint8_t>(header_form_bit | fixed_bit | random));
    out.u32(0);
    out.u8(static_cast<std::uint8_t>(destination.size()));
    out.bytes(destination);
    out.u8(static_cast<std::uint8_t>(source.size()));
    out.bytes(source);
    for (auto v : versions) out.u32(v);
    return out.ok();
}

}  // namespace tandem::quic
