#include <tandem/http/http3_core.hpp>

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include <tandem/http/codec_memory.hpp>
#include <tandem/http/http3_callbacks.hpp>

namespace tandem::http {
namespace {

constexpr std::size_t max_spare_chunks = 4;
constexpr std::size_t small_message = 4096;   // bytes that are worth a copy to be one piece
constexpr std::size_t read_size = 16 * 1024;  // bytes of a stream taken from the transport at a time
// PRIORITY_UPDATE may name requests that did not come yet (RFC 9218 7.2); nghttp3 keeps something for each of them.
constexpr std::uint64_t priority_updates_ahead = 128;

std::int64_t number(quic::stream_id id) { return static_cast<std::int64_t>(id.value); }

}  // namespace

http3_core::http3_core(stream_transport& transport, const limits& limit, quic::perspective side)
    : transport_(transport), limit_(limit), side_(side), body_limit_(limit.body_buffer) {
    nghttp3_settings settings;
    nghttp3_settings_default(&settings);
    settings.max_field_section_size = limit.field_section_size;
    settings.qpack_max_dtable_capacity = limit.qpack_table;
    settings.qpack_encoder_max_dtable_capacity = limit.qpack_table;
    settings.qpack_blocked_streams = limit.qpack_blocked_streams;
    settings.enable_connect_protocol =
        side == quic::perspective::server && !limit.tunnel_protocols.empty() && limit.extended_connect;  // RFC 9220 3
    datagrams_offered_ = limit.datagram_buffer > 0 && transport.takes_datagrams();
    settings.h3_datagram = datagrams_offered_;  // RFC 9297 2.1.1
    auto make = side == quic::perspective::client ? &nghttp3_conn_client_new_versioned : &nghttp3_conn_server_new_versioned;
    // Fails only when memory is at its end.
    if (make(&conn_, NGHTTP3_CALLBACKS_VERSION, &http3_callbacks::table(), NGHTTP3_SETTINGS_VERSION, &settings, nghttp3_memory(),
             this) != 0) {
        over_ = session_error{static_cast<std::uint64_t>(h3_error::internal_error), false, "out of memory"};
    } else if (side == quic::perspective::server) {
        nghttp3_conn_set_max_client_streams_bidi(conn_, priority_updates_ahead);
    }
}

http3_core::~http3_core() { nghttp3_conn_del(conn_); }

http3_exchange* http3_core::find(quic::stream_id stream) const {
    auto it = exchanges_.find(stream.value);
    return it == exchanges_.end() ? nullptr : it->second.get();
}

http3_exchange* http3_core::find(request_id id) const {
    auto it = by_id_.find(id);
    return it == by_id_.end() ? nullptr : it->second;
}

http3_exchange& http3_core::add(quic::stream_id stream, request_id id) {
    auto& slot = exchanges_[stream.value];
    slot = std::make_unique<http3_exchange>();
    slot->id = id;
    slot->stream = stream;
    if (limit_.record_waits) slot->ledger.record_intervals();
    by_id_[id] = slot.get();
    return *slot;
}

void http3_core::drop(http3_exchange& e) {
    waits_.merge(e.ledger);
    by_id_.erase(e.id);
    if (e.datagrams) forget_datagrams(e);
    dropped_.push_back({e.stream, !e.received});
    if (feeding_ == &e) feeding_ = nullptr;
    auto it = exchanges_.find(e.stream.value);
    graveyard_.push_back(std::move(it->second));  // nghttp3 still points into its chunks
    exchanges_.erase(it);
}

void http3_core::reset_both(http3_exchange& e, h3_error code) {
    if (!e.sent) transport_.reset(e.stream, static_cast<std::uint64_t>(code));
    if (!e.received) transport_.stop_sending(e.stream, static_cast<std::uint64_t>(code));
}

void http3_core::close_dropped() {
    if (over_) return;
    for (auto stream : dropped_) {
        if (stream.cut_short) nghttp3_conn_shutdown_stream_read(conn_, number(stream.id));  // RFC 9204 2.2.2.2: QPACK is told
        nghttp3_conn_close_stream(conn_, number(stream.id), NGHTTP3_H3_NO_ERROR);
    }
    dropped_.clear();
    graveyard_.clear();
    if (exchanges_.empty()) spare_chunks_.clear();  // an idle connection holds no memory for bodies
}

body_chunk http3_core::take_chunk() {
    if (spare_chunks_.empty()) return body_chunk(body_chunk_size);
    auto chunk = std::move(spare_chunks_.back());
    spare_chunks_.pop_back();
    return chunk;
}

void http3_core::keep_chunk(body_chunk chunk) {
    if (chunk.bytes.size() < body_chunk_size || spare_chunks_.size() == max_spare_chunks) return;
    chunk.size = 0;
    spare_chunks_.push_back(std::move(chunk));
}

void http3_core::fail(std::uint64_t code, std::string text) {
    if (over_) return;
    transport_.close(code, text, now_);
    lost({code, false, std::move(text)});
}

void http3_core::lost(session_error why) {
    if (over_) return;
    over_ = std::move(why);
    on_over();
}

// The transport will give no more than it holds: all of it is taken, so that what arrived whole is not lost with the connection.
// The peer's flow control window bounds how much that is.
void http3_core::take_rest(time_point now) {
    now_ = now;
    if (over_ || !control_bound_) return;
    take_events();
    read_streams();
    body_limit_ = std::numeric_limits<std::size_t>::max();
    std::vector<quic::stream_id> paused;
    for (const auto& [stream, e] : exchanges_) {
        if (e->paused) paused.push_back(e->stream);
    }
    for (auto stream : paused) read_stream(stream);
}

void http3_core::pump(time_point now) {
    now_ = now;
    take_events();
    if (!over_) bind_control_streams();
    if (datagrams_wait_) take_datagrams();  // before the ends of their streams
    if (!over_ && control_bound_) read_streams();
    close_dropped();
    if (!over_ && control_bound_) before_write();
    if (!over_ && control_bound_) write_streams();
    close_dropped();
    if (!over_) after_pump();
}

void http3_core::take_events() {
    while (auto event = transport_.poll_stream_event()) {
        if (!over_) handle(*event);
    }
}

void http3_core::handle(const stream_event& event) {
    switch (event.what) {
        case stream_event::kind::opened:
            if (event.id.kind() == quic::direction::bidirectional) {
                ++unfinished_;
                on_peer_stream(event.id);
                if (side_ == quic::perspective::server && event.id.index() >= streams_opened_) {
                    streams_opened_ = event.id.index() + 1;
                    nghttp3_conn_set_max_client_streams_bidi(conn_, streams_opened_ + priority_updates_ahead);
                }
                if (early_datagrams_) release_early(event.id);
            }
            break;
        case stream_event::kind::readable:
            readable_.push_back(event.id);
            break;
        case stream_event::kind::writable:
            nghttp3_conn_unblock_stream(conn_, number(event.id));
            break;
        case stream_event::kind::stop_sending:
            if (std::find(own_control_.begin(), own_control_.end(), event.id) != own_control_.end()) {
                fail(NGHTTP3_H3_CLOSED_CRITICAL_STREAM, "the peer stopped a control stream");
            } else if (auto* e = find(event.id)) {
                nghttp3_conn_shutdown_stream_write(conn_, number(event.id));
                e->sent = true;
                on_stop_sending(*e, event.code);
            }
            break;
        case stream_event::kind::streams_available:
            open_blocked_ = false;
            break;
        case stream_event::kind::datagrams:
            datagrams_wait_ = true;
            break;
        case stream_event::kind::finished:
            if (event.id.kind() == quic::direction::bidirectional) {
                if (unfinished_ > 0) --unfinished_;
            } else if (event.id.initiator() != side_) {
                nghttp3_conn_close_stream(conn_, number(event.id), NGHTTP3_H3_NO_ERROR);
            }
            break;
    }
}

// RFC 9114 6.2.1, RFC 9204 4.2: one control stream and two for QPACK, before anything else.
void http3_core::bind_control_streams() {
    while (own_control_.size() < 3) {
        auto id = transport_.open(quic::direction::unidirectional);
        if (!id) return;
        transport_.set_priority(*id, {.urgency = 0, .incremental = false});
        own_control_.push_back(*id);
    }
    if (control_bound_) return;
    control_bound_ = true;
    nghttp3_conn_bind_control_stream(conn_, number(own_control_[0]));
    nghttp3_conn_bind_qpack_streams(conn_, number(own_control_[1]), number(own_control_[2]));
}

void http3_core::read_streams() {
    for (std::size_t i = 0; i < readable_.size() && !over_; ++i) read_stream(readable_[i]);
    readable_.clear();
}

void http3_core::read_stream(quic::stream_id stream) {
    std::array<std::uint8_t, read_size> scratch;  // on the stack, so that an idle connection holds none
    while (!over_) {
        auto* e = find(stream);
        if (e && e->received) return;  // its end was read; what is still said to be readable was read with it
        if (e && (e->refused || e->body.size() >= body_limit_)) {
            e->paused = true;
            return;
        }
        if (e) e->paused = false;
        auto result = transport_.read(stream, scratch, now_, e ? &e->ledger : &waits_);
        if (result.reset) return on_reset_event(stream, *result.reset);
        if (result.n == 0 && !result.end) return;
        // A request stream whose exchange is over: what still comes is nobody's.
        if (e || stream.kind() == quic::direction::unidirectional)
            feed(stream, e, std::span(scratch).first(result.n), result.end);
        if (result.end) return;
    }
}

void http3_core::feed(quic::stream_id stream, http3_exchange* e, std::span<const std::uint8_t> data, bool end) {
    if (e && !e->begun && !data.empty()) e->begun = now_;
    feeding_ = e;
    fed_as_body_ = 0;
    inside_nghttp3_ = true;
    auto consumed = nghttp3_conn_read_stream(conn_, number(stream), data.data(), data.size(), end);
    inside_nghttp3_ = false;
    feeding_ = nullptr;
    if (consumed < 0) {
        auto error = static_cast<int>(consumed);
        return fail(nghttp3_err_infer_quic_app_error_code(error), nghttp3_strerror(error));
    }
    if (stream.kind() == quic::direction::unidirectional && !over_) on_control_read(stream, data);
    e = find(stream);
    auto accounted = static_cast<std::size_t>(consumed) + fed_as_body_;
    if (e && accounted < data.size()) e->blocked.push_back({data.size() - accounted, now_});
}

void http3_core::on_reset_event(quic::stream_id stream, std::uint64_t code) {
    if (auto* e = find(stream)) return on_reset(*e, code);
    if (stream.kind() == quic::direction::bidirectional) return;
    auto error = nghttp3_conn_close_stream(conn_, number(stream), code);
    if (error == NGHTTP3_ERR_H3_CLOSED_CRITICAL_STREAM)
        fail(NGHTTP3_H3_CLOSED_CRITICAL_STREAM, "the peer reset a control stream");
}

// What nghttp3 wants to be sent of one stream: how much the transport took, and whether that was all.
std::pair<std::size_t, bool> http3_core::write_pieces(quic::stream_id id, std::span<const nghttp3_vec> pieces, bool fin) {
    std::array<std::uint8_t, small_message> scratch;
    std::size_t size = 0;
    for (const auto& piece : pieces) size += piece.len;
    if (pieces.size() > 1 && size <= scratch.size()) {  // header section and small body: one write for both
        auto* at = scratch.data();
        for (const auto& piece : pieces) at = std::copy_n(piece.base, piece.len, at);
        const auto n = transport_.write(id, {scratch.data(), size}, fin, now_);
        return {n, n == size};
    }
    if (pieces.empty()) transport_.write(id, {}, fin, now_);
    std::size_t accepted = 0;
    for (const auto& piece : pieces) {
        const auto n = transport_.write(id, {piece.base, piece.len}, fin && &piece == &pieces.back(), now_);
        accepted += n;
        if (n < piece.len) return {accepted, false};
    }
    return {accepted, true};
}

void http3_core::write_streams() {
    while (!over_) {
        std::int64_t stream = -1;
        int fin = 0;
        nghttp3_vec vec[8];
        inside_nghttp3_ = true;
        auto count = nghttp3_conn_writev_stream(conn_, &stream, &fin, vec, 8);
        inside_nghttp3_ = false;
        if (count < 0) {
            return fail(nghttp3_err_infer_quic_app_error_code(static_cast<int>(count)),
                        nghttp3_strerror(static_cast<int>(count)));
        }
        if (stream < 0) break;
        quic::stream_id id{static_cast<std::uint64_t>(stream)};
        const auto [accepted, whole] = write_pieces(id, {vec, static_cast<std::size_t>(count)}, fin != 0);
        if (accepted > 0 || whole) {
            nghttp3_conn_add_write_offset(conn_, stream, accepted);
            nghttp3_conn_add_ack_offset(conn_, stream, accepted);  // the transport has its own copy
        }
        if (!whole) nghttp3_conn_block_stream(conn_, stream);
        auto* e = find(id);
        if (e && whole && fin) {
            e->sent = true;
            on_sent(*e);
        }
    }
    end_broken();
}

void http3_core::end_broken() {
    for (auto stream : std::exchange(broken_, {})) {
        if (auto* e = find(stream)) on_send_failed(*e);
    }
}

int http3_core::submit_request(http3_exchange& e, const message_lines& lines) {
    const auto nva = nv_of(lines, NGHTTP3_NV_FLAG_NONE);
    const nghttp3_data_reader reader{http3_callbacks::read_data};
    return nghttp3_conn_submit_request(conn_, number(e.stream), nva.data(), nva.size(), e.source ? &reader : nullptr, nullptr);
}

int http3_core::submit_response(http3_exchange& e, std::unique_ptr<sent_head> head) {
    e.head_sent = std::move(head);
    const auto nva = nv_of(e.head_sent->lines, NGHTTP3_NV_FLAG_NO_COPY_NAME | NGHTTP3_NV_FLAG_NO_COPY_VALUE);
    const nghttp3_data_reader reader{http3_callbacks::read_data};
    return nghttp3_conn_submit_response(conn_, number(e.stream), nva.data(), nva.size(), e.source ? &reader : nullptr);
}

void http3_core::tell_received(http3_exchange& e) {
    if (!e.received || e.received_told || !e.body.empty()) return;
    e.received_told = true;
    on_received(e);
}

std::size_t http3_core::read_body(http3_exchange& e, std::span<std::uint8_t> out) {
    auto stream = e.stream;
    std::size_t n = 0;
    while (n < out.size()) {
        auto* still = find(stream);
        if (!still) return n;
        n += still->body.read(out.subspan(n), now_, still->ledger);
        if (!still->body.empty()) break;
        if (still->received) {
            tell_received(*still);
            return n;
        }
        if (!still->paused || still->refused || inside_nghttp3_ || over_) break;
        read_stream(stream);
    }
    auto* still = find(stream);
    if (n == 0 && still) still->body_announced = false;
    return n;
}

const wait_ledger& http3_core::total_waits() {
    sum_ = waits_;
    for (const auto& [stream, e] : exchanges_) sum_.merge(e->ledger);
    return sum_;
}

void http3_core::resume_body(http3_exchange& e) {
    if (!over_) nghttp3_conn_resume_stream(conn_, number(e.stream));
}

}  // namespace tandem::http
