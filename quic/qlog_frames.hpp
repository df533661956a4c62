// Frames, packet headers and errors as qlog has them. Included by qlog*.cpp only.
#pragma once

#include <tandem/bytes/json_text.hpp>
#include <tandem/quic/error.hpp>
#include <tandem/quic/frame_reader.hpp>
#include <tandem/quic/sent_frames.hpp>
#include <tandem/quic/trace.hpp>

namespace tandem::quic::qlog_text {

std::string_view name_of(packet_type);
std::string_view name_of(packet_space_id);
// "flow_control_error", "crypto_error_0x128"; "unknown" for what has no name.
std::string_view name_of_error(std::uint64_t code, std::span<char> scratch);

void write_version(json_text& out, std::string_view key, std::uint32_t version);
void write_header(json_text& out, const traced_packet& packet);
void write_header(json_text& out, const packet_header& header);
// The array "frames" of a packet's payload. `ranges` is scratch.
void write_frames(json_text& out, std::span<const std::uint8_t> payload, packet_type type, ack_ranges& ranges);
// The array "frames" of what was lost with a packet and will be sent again, but for frames of which only the kind is remembered.
void write_lost_frames(json_text& out, const sent_frames& contents);
std::size_t count_lost_frames(const sent_frames& contents);

}  // namespace tandem::quic::qlog_text
