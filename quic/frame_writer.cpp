#include <tandem/quic/frame_writer.hpp>

#include <algorithm>

namespace tandem::quic {
namespace {

// Data that fits into `room` behind its own Length field, whose size depends on it.
std::size_t capacity_with_length(std::size_t room) {
    for (const std::size_t size : {1U, 2U, 4U}) {
        const std::uint64_t largest = (std::uint64_t{1} << (8 * size - 2)) - 1;
        if (room <= size) return 0;
        // Where one more length byte would not win anything, the field stays short and full.
        if (room - size <= largest || room - 2 * size <= largest)
            return static_cast<std::size_t>(std::min<std::uint64_t>(room - size, largest));
    }
    return 0x3fffffff;
}

std::size_t stream_header(stream_id id, std::uint64_t offset) {
    return 1 + varint_size(id.value) + (offset ? varint_size(offset) : 0);
}

}  // namespace

// A frame is whole or not there: a failed write leaves the writer as it was.
template <class F>
bool frame_writer::whole(std::uint64_t type, F body) {
    const auto before = out_;
    out_.varint(type);
    body();
    if (!out_.ok()) {
        out_ = before;
        return false;
    }
    ack_eliciting_ = ack_eliciting_ || is_ack_eliciting(type);
    return true;
}

bool frame_writer::write(const frame& f) {
    return std::visit([this](const auto& one) { return write(one); }, f);
}

bool frame_writer::write(const padding_frame& f) {
    const auto room = f.count <= out_.remaining() ? out_.reserve(static_cast<std::size_t>(f.count)) : std::span<std::uint8_t>{};
    std::ranges::fill(room, std::uint8_t{0});
    return room.size() == f.count;
}

bool frame_writer::write(const ping_frame&) {
    return whole(frame_type::ping, [] {});
}

bool frame_writer::write(const ack_frame& f) {
    return whole(f.ecn ? frame_type::ack_ecn : frame_type::ack, [&] {
        const auto& first = f.ranges.front();
        out_.varint(first.end - 1);
        out_.varint(f.delay);
        out_.varint(f.ranges.size() - 1);
        out_.varint(first.size() - 1);
        auto smallest = first.begin;
        for (const auto& r : f.ranges.subspan(1)) {  // RFC 9000 19.3.1
            out_.varint(smallest - r.end - 1);
            out_.varint(r.size() - 1);
            smallest = r.begin;
        }
        if (f.ecn) {
            out_.varint(f.ecn->ect0);
            out_.varint(f.ecn->ect1);
            out_.varint(f.ecn->ce);
        }
    });
}

bool frame_writer::write(const reset_stream_frame& f) {
    return whole(frame_type::reset_stream, [&] {
        out_.varint(f.id.value);
        out_.varint(f.error_code);
        out_.varint(f.final_size);
    });
}

bool frame_writer::write(const stop_sending_frame& f) {
    return whole(frame_type::stop_sending, [&] {
        out_.varint(f.id.value);
        out_.varint(f.error_code);
    });
}

bool frame_writer::write(const crypto_frame& f) {
    const auto room = crypto(f.offset, f.data.size());
    std::ranges::copy(f.data.first(room.data.size()), room.data.begin());
    return room.ok;
}

bool frame_writer::write(const new_token_frame& f) {
    return whole(frame_type::new_token, [&] {
        out_.varint(f.token.size());
        out_.bytes(f.token);
    });
}

bool frame_writer::write(const stream_frame& f) {
    const auto room = stream(f.id, f.offset, f.data.size(), f.fin);
    std::ranges::copy(f.data.first(room.data.size()), room.data.begin());
    return room.ok;
}

bool frame_writer::write(const max_data_frame& f) {
    return whole(frame_type::max_data, [&] { out_.varint(f.maximum); });
}

bool frame_writer::write(const max_stream_data_frame& f) {
    return whole(frame_type::max_stream_data, [&] {
        out_.varint(f.id.value);
        out_.varint(f.maximum);
    });
}

bool frame_writer::write(const max_streams_frame& f) {
    return whole(f.kind == direction::unidirectional ? frame_type::max_streams_uni : frame_type::max_streams_bidi,
                 [&] { out_.varint(f.maximum); });
}

bool frame_writer::write(const data_blocked_frame& f) {
    return whole(frame_type::data_blocked, [&] { out_.varint(f.limit); });
}

bool frame_writer::write(const stream_data_blocked_frame& f) {
    return whole(frame_type::stream_data_blocked, [&] {
        out_.varint(f.id.value);
        out_.varint(f.limit);
    });
}

bool frame_writer::write(const streams_blocked_frame& f) {
    return whole(f.kind == direction::unidirectional ? frame_type::streams_blocked_uni : frame_type::streams_blocked_bidi,
                 [&] { out_.varint(f.limit); });
}

bool frame_writer::write(const new_connection_id_frame& f) {
    return whole(frame_type::new_connection_id, [&] {
        out_.varint(f.sequence);
        out_.varint(f.retire_prior_to);
        out_.u8(static_cast<std::uint8_t>(f.id.size()));
        out_.bytes(f.id.bytes());
        out_.bytes(f.reset_token);
    });
}

bool frame_writer::write(const retire_connection_id_frame& f) {
    return whole(frame_type::retire_connection_id, [&] { out_.varint(f.sequence); });
}

bool frame_writer::write(const path_challenge_frame& f) {
    return whole(frame_type::path_challenge, [&] { out_.bytes(f.data); });
}

bool frame_writer::write(const path_response_frame& f) {
    return whole(frame_type::path_response, [&] { out_.bytes(f.data); });
}

bool frame_writer::write(const connection_close_frame& f) {
    const auto fixed = 1 + varint_size(f.error_code) + (f.application ? 0 : varint_size(f.frame_type));
    if (out_.remaining() < fixed + 1) return false;
    const auto reason = f.reason.first(std::min(f.reason.size(), capacity_with_length(out_.remaining() - fixed)));
    return whole(f.application ? frame_type::connection_close_application : frame_type::connection_close, [&] {
        out_.varint(f.error_code);
        if (!f.application) out_.varint(f.frame_type);
        out_.varint(reason.size());
        out_.bytes(reason);
    });
}

bool frame_writer::write(const handshake_done_frame&) {
    return whole(frame_type::handshake_done, [] {});
}

bool frame_writer::write(const datagram_frame& f) {
    return whole(frame_type::datagram_with_length, [&] {
        out_.varint(f.data.size());
        out_.bytes(f.data);
    });
}

bool frame_writer::write(const reset_stream_at_frame& f) {
    return whole(frame_type::reset_stream_at, [&] {
        out_.varint(f.id.value);
        out_.varint(f.error_code);
        out_.varint(f.final_size);
        out_.varint(f.reliable_size);
    });
}

bool frame_writer::write(const ack_frequency_frame& f) {
    return whole(frame_type::ack_frequency, [&] {
        out_.varint(f.sequence);
        out_.varint(f.threshold);
        out_.varint(f.max_ack_delay);
        out_.varint(f.reordering);
    });
}

bool frame_writer::write(const immediate_ack_frame&) {
    return whole(frame_type::immediate_ack, [] {});
}

frame_writer::data_room frame_writer::stream(stream_id id, std::uint64_t offset, std::size_t length, bool fin) {
    data_room room;
    const auto type = frame_type::stream | 0x02U | (offset ? 0x04U : 0U) | (fin ? 0x01U : 0U);
    room.ok = whole(type, [&] {
        out_.varint(id.value);
        if (offset) out_.varint(offset);
        out_.varint(length);
        room.data = out_.reserve(length);
    });
    if (!room.ok) room.data = {};
    return room;
}

frame_writer::data_room frame_writer::crypto(std::uint64_t offset, std::size_t length) {
    data_room room;
    room.ok = whole(frame_type::crypto, [&] {
        out_.varint(offset);
        out_.varint(length);
        room.data = out_.reserve(length);
    });
    if (!room.ok) room.data = {};
    return room;
}

std::size_t frame_writer::stream_capacity(stream_id id, std::uint64_t offset) const {
    const auto header = stream_header(id, offset);
    return out_.remaining() > header ? capacity_with_length(out_.remaining() - header) : 0;
}

std::size_t frame_writer::crypto_capacity(std::uint64_t offset) const {
    const auto header = 1 + varint_size(offset);
    return out_.remaining() > header ? capacity_with_length(out_.remaining() - header) : 0;
}

}  // namespace tandem::quic
