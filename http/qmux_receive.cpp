// What a QMux session makes of the bytes it receives.
#include <algorithm>

#include <tandem/http/qmux.hpp>

namespace tandem::http::qmux {
namespace {

// draft-ietf-quic-qmux, QUIC Frames
bool prohibited(std::uint64_t type) {
    namespace t = quic::frame_type;
    switch (type) {
        case t::ping:
        case t::ack:
        case t::ack_ecn:
        case t::crypto:
        case t::new_token:
        case t::new_connection_id:
        case t::retire_connection_id:
        case t::path_challenge:
        case t::path_response:
        case t::handshake_done:
        case t::immediate_ack:
        case t::ack_frequency:
        case t::reset_stream_at:  // permitted, but we do not offer it
            return true;
        default:
            return false;
    }
}

bool own_type(std::uint64_t type) { return type == transport_parameters_type || type == ping_type || type == pong_type; }

// Frames that may come in any number without anything getting on.
bool changes_nothing(std::uint64_t type) {
    namespace t = quic::frame_type;
    return type == t::padding || (type >= t::data_blocked && type <= t::streams_blocked_uni);
}

}  // namespace

void session::receive(std::span<const std::uint8_t> plaintext, std::span<const tls::record_times> times, time_point now) {
    now_ = now;
    if (error_ || plaintext.empty()) return;  // after the end everything is discarded
    input_.insert(input_.end(), plaintext.begin(), plaintext.end());
    input_times_.append(times, plaintext.size(), now);
    std::size_t used = 0;
    while (!error_) {
        reader in(std::span<const std::uint8_t>(input_).subspan(used));
        const auto size = in.varint();
        if (!in.ok()) break;
        if (size > max_record) {
            fail(quic::transport_error::frame_encoding_error, 0, "record is larger than max_record_size");
            break;
        }
        const auto header = in.offset();
        const auto frames = in.bytes(size);
        if (!in.ok()) break;  // not all there yet
        record one{.frames = frames, .begin = header, .complete = now};
        input_times_.for_each(header + size - 1, 1, [&](const tls::record_times& last) { one.complete = last.complete; });
        if (receive_frames(one, now) && tolerable(one, now)) last_activity_ = now;
        input_times_.drop(header + size);
        used += header + static_cast<std::size_t>(size);
    }
    input_.erase(input_.begin(), input_.begin() + static_cast<std::ptrdiff_t>(used));
}

// A flood of records that do nothing costs us work and the peer little.
bool session::tolerable(const record& in, time_point now) {
    if (in.useful) return true;
    if (now - idle_since_ >= std::chrono::seconds(1)) {
        idle_since_ = now;
        idle_records_ = 0;
    }
    if (++idle_records_ <= max_idle_records) return true;
    fail(quic::transport_error::protocol_violation, 0, "too many records without use");
    return false;
}

bool session::receive_frames(record& in, time_point now) {
    if (in.frames.empty()) {
        fail(quic::transport_error::protocol_violation, 0, "record without frames");  // as RFC 9000 12.4
        return false;
    }
    std::size_t at = 0;
    while (at < in.frames.size()) {
        const auto rest = in.frames.subspan(at);
        reader own(rest);
        const auto type = own.varint();
        if (!peer_parameters_ && type != transport_parameters_type) {
            fail(quic::transport_error::protocol_violation, type, "first frame is not QX_TRANSPORT_PARAMETERS");
            return false;
        }
        if (own.ok() && own_type(type)) {
            if (!receive_own_frame(own, type, now)) return false;
            in.useful = in.useful || type == transport_parameters_type;
            at += own.offset();
            continue;
        }
        if (prohibited(type)) {
            fail(quic::transport_error::frame_encoding_error, type, "frame is prohibited in QMux");
            return false;
        }
        quic::frame_reader frames(rest, quic::encryption_level::one_rtt, no_ranges_);
        quic::frame f;
        if (!frames.next(f)) {
            fail(*frames.error());
            return false;
        }
        in.useful = in.useful || !changes_nothing(frames.type());
        if (!receive_frame(f, in, now)) return false;
        at += frames.offset();
    }
    return true;
}

bool session::receive_own_frame(reader& in, std::uint64_t type, time_point now) {
    if (type == transport_parameters_type) return receive_parameters(in, now);
    return receive_ping(in, type == pong_type);
}

bool session::receive_parameters(reader& in, time_point now) {
    if (peer_parameters_) {
        fail(quic::transport_error::protocol_violation, transport_parameters_type,
             "QX_TRANSPORT_PARAMETERS is not the first frame");
        return false;
    }
    const auto body = in.bytes(in.varint());
    if (!in.ok()) {
        fail(quic::transport_error::frame_encoding_error, transport_parameters_type, "frame is truncated");
        return false;
    }
    if (auto error = quic::parse(body, quic::peer_of(config_.streams.side), quic::parameter_profile::qmux, peer_)) {
        error->frame_type = transport_parameters_type;
        fail(std::move(*error));
        return false;
    }
    peer_parameters_ = true;
    streams_.set_peer_parameters(peer_, now);
    return true;
}

bool session::receive_ping(reader& in, bool answer) {
    const auto type = answer ? pong_type : ping_type;
    const auto sequence = in.varint();
    if (!in.ok()) {
        fail(quic::transport_error::frame_encoding_error, type, "frame is truncated");
        return false;
    }
    if (answer) {
        if (sequence >= pings_sent_) {  // we count from 0
            fail(quic::transport_error::protocol_violation, type, "answer to a ping that was not sent");
            return false;
        }
        ++pongs_;
        return true;
    }
    if (ping_received_ && sequence <= *ping_received_) {
        fail(quic::transport_error::protocol_violation, type, "ping sequence does not increase");
        return false;
    }
    ping_received_ = sequence;  // one answer, to the largest, is enough
    pong_due_ = true;
    return true;
}

bool session::receive_frame(const quic::frame& f, record& in, time_point now) {
    if (const auto* data = std::get_if<quic::stream_frame>(&f)) return receive_stream(*data, in, now);
    if (const auto* close = std::get_if<quic::connection_close_frame>(&f)) {
        closed_by_peer_ = true;
        end({close->error_code, close->frame_type, std::string(close->reason.begin(), close->reason.end()), close->application});
        return false;
    }
    if (std::holds_alternative<quic::datagram_frame>(f)) {
        fail(quic::transport_error::protocol_violation, quic::frame_type::datagram, "DATAGRAM was not offered");
        return false;
    }
    if (auto error = streams_.receive(f, now)) {
        fail(std::move(*error));
        return false;
    }
    return true;
}

bool session::receive_stream(const quic::stream_frame& f, record& in, time_point now) {
    if (auto error = streams_.receive(f, now)) {
        fail(std::move(*error));
        return false;
    }
    if (!streams_.contains(f.id)) return true;
    auto& stream = incoming_[f.id];
    // draft-ietf-quic-qmux, Ordering of STREAM Frames
    if (f.offset != stream.expected) {
        fail(quic::transport_error::protocol_violation, quic::frame_type::stream, "stream data out of order");
        return false;
    }
    stream.expected += f.data.size();
    if (stream.discarded) return true;
    const auto at = in.begin + static_cast<std::uint64_t>(f.data.data() - in.frames.data());
    input_times_.for_each(at, f.data.size(), [&](const tls::record_times& run) { stream.waits.note(run, in.complete); });
    return true;
}

}  // namespace tandem::http::qmux
