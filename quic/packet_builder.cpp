#include <algorithm>

#include <tandem/bytes/writer.hpp>
#include <tandem/quic/packet_builder.hpp>
#include <tandem/quic/packet_number_codec.hpp>
#include <tandem/tls/cipher_suite.hpp>

namespace tandem::quic {

std::optional<packet_builder> packet_builder::begin(std::span<std::uint8_t> out, const packet_start& start) {
    writer head(out);
    const auto number_size = packet_number_size(start.number, start.largest_acknowledged);
    std::optional<written_header> written;
    if (start.level == encryption_level::one_rtt) {
        written = write_short_header(head, start.destination, start.number, number_size, false, start.key_phase);
    } else {
        const auto type = start.level == encryption_level::initial    ? packet_type::initial
                          : start.level == encryption_level::zero_rtt ? packet_type::zero_rtt
                                                                      : packet_type::handshake;
        written =
            write_long_header(head, type, start.version, start.destination, start.source, start.token, start.number, number_size);
    }
    if (!written || out.size() < written->payload_offset() + min_frame_room + tls::aead_tag_size) return std::nullopt;
    if (!start.quic_bit) out[0] &= static_cast<std::uint8_t>(~fixed_bit);
    return packet_builder(out, *written, start);
}

packet_builder::packet_builder(std::span<std::uint8_t> out, const written_header& header, const packet_start& start)
    : out_(out),
      header_(header),
      level_(start.level),
      number_(start.number),
      frames_(out.subspan(header.payload_offset(), out.size() - header.payload_offset() - tls::aead_tag_size)) {}

// RFC 9001 5.4.2: the sample for header protection begins four bytes after the packet number's begin.
std::size_t packet_builder::min_payload() const { return 4 - header_.number_size; }

std::size_t packet_builder::size() const {
    return header_.payload_offset() + std::max(frames_.written().size(), min_payload()) + tls::aead_tag_size;
}

void packet_builder::pad_to(std::size_t size) {
    const auto wanted = std::min(size, out_.size());
    if (this->size() >= wanted) return;
    frames_.write(padding_frame{wanted - tls::aead_tag_size - header_.payload_offset() - frames_.written().size()});
    padded_ = true;
}

void packet_builder::seal(packet_keys& keys) {
    if (frames_.written().size() < min_payload()) frames_.write(padding_frame{min_payload() - frames_.written().size()});
    const auto packet = out_.first(size());
    if (header_.length_offset != 0) set_packet_length(packet, header_);
    keys.seal(packet, header_.number_offset, header_.number_size, number_);
}

}  // namespace tandem::quic
