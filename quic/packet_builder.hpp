// Builds one packet in place: header, frames, padding, protection.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include <tandem/quic/frame_writer.hpp>
#include <tandem/quic/packet_header.hpp>
#include <tandem/quic/packet_protection.hpp>
#include <tandem/quic/sent_frames.hpp>
#include <tandem/quic/types.hpp>

namespace tandem::quic {

// What the header of the next packet says.
struct packet_start {
    encryption_level level{};
    quic::version version = version::v1;
    connection_id destination;
    connection_id source;                 // long headers
    std::span<const std::uint8_t> token;  // Initial
    packet_number number = 0;
    std::optional<packet_number> largest_acknowledged;
    bool key_phase = false;  // 1-RTT
    bool quic_bit = true;    // RFC 9287
};

class packet_builder {
public:
    // The header in `out`, which is the room that is left in the datagram. Nothing if not even a small frame would fit behind it.
    static std::optional<packet_builder> begin(std::span<std::uint8_t> out, const packet_start& start);

    encryption_level level() const { return level_; }
    std::span<const std::uint8_t> header() const {
        return out_.first(header_.payload_offset());
    }  // in the clear until it is sealed
    std::size_t number_offset() const { return header_.number_offset; }
    packet_number number() const { return number_; }
    frame_writer& frames() { return frames_; }
    sent_frames& contents() { return contents_; }
    bool ack_eliciting() const { return frames_.ack_eliciting(); }
    bool in_flight() const { return ack_eliciting() || padded_; }  // RFC 9002 2
    bool empty() const { return frames_.written().empty(); }
    // Bytes of the datagram that the packet will take as it is.
    std::size_t size() const;

    // Makes the packet `size` bytes long with PADDING, if it is shorter; within the room it was begun with.
    void pad_to(std::size_t size);
    // Seals it; nothing is written after that.
    void seal(packet_keys& keys);

    static constexpr std::size_t min_frame_room = 32;

private:
    packet_builder(std::span<std::uint8_t> out, const written_header& header, const packet_start& start);
    std::size_t min_payload() const;

    std::span<std::uint8_t> out_;
    written_header header_;
    encryption_level level_;
    packet_number number_;
    frame_writer frames_;
    sent_frames contents_;
    bool padded_ = false;
};

}  // namespace tandem::quic
