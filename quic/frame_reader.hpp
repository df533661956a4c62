// Takes the frames of one packet's payload (or one QMux record) one at a time, without copying.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include <tandem/bytes/reader.hpp>
#include <tandem/quic/error.hpp>
#include <tandem/quic/frame.hpp>

namespace tandem::quic {

// Scratch for the ranges of an ACK frame; the owner keeps one and reuses it, so that no packet allocates.
using ack_ranges = std::vector<range>;

// More ranges than this in one ACK are checked but not delivered: they are the oldest, and our own packets out of a window of a
// thousand holes.
constexpr std::size_t max_ack_ranges = 1024;

class frame_reader {
public:
    // `ranges` is overwritten by each ACK frame. Payload, ranges and reader must outlive the frames.
    frame_reader(std::span<const std::uint8_t> payload, encryption_level level, ack_ranges& ranges)
        : in_(payload), level_(level), ranges_(&ranges) {}

    // Reads the next frame; false at the end of the payload or on an error. An empty payload has no frames and no error here;
    // refusing such a packet (RFC 9000 12.4) is the caller's business.
    bool next(frame& out);
    // Type on the wire of the last frame, also of the one that failed.
    std::uint64_t type() const { return type_; }
    // What was wrong: FRAME_ENCODING_ERROR (unknown, truncated, impossible values), PROTOCOL_VIOLATION (not permitted at this
    // level, type not in its shortest encoding, empty retire...).
    const std::optional<connection_error>& error() const { return error_; }
    std::size_t offset() const { return in_.offset(); }  // bytes of the payload read so far

private:
    bool fail(transport_error code, const char* reason);
    bool read_type();
    bool parse(frame& out);
    bool parse_ack(frame& out);
    bool parse_stream(frame& out);
    bool parse_flow_control(frame& out);
    bool parse_connection(frame& out);

    reader in_;
    encryption_level level_;
    ack_ranges* ranges_;
    std::uint64_t type_ = 0;
    std::optional<connection_error> error_;
};

}  // namespace tandem::quic
