#include <tandem/http/http2_callbacks.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace tandem::http {
namespace {

std::string_view view(const std::uint8_t* bytes, std::size_t size) { return {reinterpret_cast<const char*>(bytes), size}; }

}  // namespace

void http2_callbacks::set(nghttp2_session_callbacks* c) {
    nghttp2_session_callbacks_set_on_begin_frame_callback(c, begin_frame);
    nghttp2_session_callbacks_set_on_begin_headers_callback(c, begin_section);
    nghttp2_session_callbacks_set_on_header_callback(c, field_line);
    nghttp2_session_callbacks_set_on_frame_recv_callback(c, frame_received);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(c, data);
    nghttp2_session_callbacks_set_on_frame_send_callback(c, frame_sent);
    nghttp2_session_callbacks_set_on_frame_not_send_callback(c, frame_not_sent);
    nghttp2_session_callbacks_set_on_stream_close_callback(c, stream_closed);
    nghttp2_session_callbacks_set_error_callback2(c, error_text);
}

// What nghttp2 lets pass: PRIORITY for stream 0 (RFC 9113 6.3), and requests on streams that were skipped and so are closed
// (5.1.1).
int http2_callbacks::begin_frame(nghttp2_session*, const nghttp2_frame_hd* frame, void* user) {
    auto& c = core(user);
    if (c.over_) return 0;
    if (frame->type == NGHTTP2_PRIORITY && frame->stream_id == 0) c.fail(NGHTTP2_PROTOCOL_ERROR, "PRIORITY on stream 0");
    if (!c.serves_ || frame->type != NGHTTP2_HEADERS || frame->stream_id % 2 == 0) return 0;
    const auto id = static_cast<std::uint64_t>(frame->stream_id);
    if (c.skipped_.contains(id)) {
        c.fail(NGHTTP2_PROTOCOL_ERROR, "a stream was opened after one with a higher number");
    } else if (id > c.last_peer_stream_) {
        if (id > c.last_peer_stream_ + 2) c.skipped_.insert({c.last_peer_stream_ + 1, id});
        c.last_peer_stream_ = id;
        if (c.skipped_.size() > http2_core::max_skipped) c.skipped_.erase(*c.skipped_.begin());
    }
    return 0;
}

int http2_callbacks::begin_section(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    auto& c = core(user);
    if (c.over_) return 0;
    if (frame->headers.cat == NGHTTP2_HCAT_REQUEST) c.on_peer_stream(frame->hd.stream_id);
    if (auto* e = c.find_stream(frame->hd.stream_id)) {
        e->section.clear();
        e->section_size = 0;
    }
    return 0;
}

bool http2_callbacks::take_pseudo(http2_exchange& e, std::string_view name, std::string_view value) {
    if (name == ":method")
        e.head.method = value;
    else if (name == ":scheme")
        e.head.scheme = value;
    else if (name == ":authority")
        e.head.authority = value;
    else if (name == ":path")
        e.head.path = value;
    else if (name == ":protocol")
        e.head.protocol = value;
    else if (name == ":status")
        std::from_chars(value.data(), value.data() + value.size(), e.status);
    else
        return false;
    return true;
}

// The limits are checked with every line, so that a small compressed section cannot become a large one here.
int http2_callbacks::field_line(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name, std::size_t name_size,
                                const std::uint8_t* value, std::size_t value_size, std::uint8_t, void* user) {
    auto& c = core(user);
    auto* e = c.find_stream(frame->hd.stream_id);
    if (!e || e->too_large) return 0;
    e->section_size += name_size + value_size + 32;  // RFC 9113 10.5.1
    if (e->section_size > c.limit_.field_section_size || e->section.size() == c.limit_.field_count) {
        e->too_large = true;
        e->section.clear();
        return 0;
    }
    if (!take_pseudo(*e, view(name, name_size), view(value, value_size)))
        e->section.append(view(name, name_size), view(value, value_size));
    return 0;
}

void http2_callbacks::section_received(http2_core& c, http2_exchange& e, bool end) {
    if (e.too_large) return c.on_too_large(e);
    if (e.head_told) return;  // trailers: told when the body was read
    if (e.status >= 100 && e.status < 200) {
        if (++e.interim > c.limit_.interim_responses) return c.on_too_large(e);
        return c.on_interim(e);
    }
    e.ends_with_head = end;
    c.on_head(e);
}

int http2_callbacks::frame_received(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    auto& c = core(user);
    switch (frame->hd.type) {
        case NGHTTP2_HEADERS:
        case NGHTTP2_DATA: {
            const bool end = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
            const auto stream = frame->hd.stream_id;
            if (auto* e = c.find_stream(stream); e && frame->hd.type == NGHTTP2_HEADERS) section_received(c, *e, end);
            if (auto* e = c.find_stream(stream); e && end) {
                e->received = true;
                c.tell_received(*e);
            }
            break;
        }
        case NGHTTP2_GOAWAY:
            c.goaway_code_ = frame->goaway.error_code;
            c.goaway_by_peer_ = true;
            c.text_ = view(frame->goaway.opaque_data, frame->goaway.opaque_data_len);
            c.on_goaway();
            break;
        case NGHTTP2_SETTINGS:
            if (!(frame->hd.flags & NGHTTP2_FLAG_ACK)) c.on_settings();
            break;
        case NGHTTP2_PING:
            if (frame->hd.flags & NGHTTP2_FLAG_ACK) c.on_ping_answered();
            break;
        default:
            break;
    }
    return 0;
}

int http2_callbacks::data(nghttp2_session* session, std::uint8_t, std::int32_t stream, const std::uint8_t* bytes,
                          std::size_t count, void* user) {
    auto& c = core(user);
    auto* e = c.find_stream(stream);
    if (!e || e->refused) {  // nobody's: the connection's window must not shrink for it
        nghttp2_session_consume_connection(session, count);
        return 0;
    }
    c.times_.for_each(static_cast<std::uint64_t>(bytes - c.input_.data()), count,
                      [&](const tls::record_times& run) { e->waits.note(run, run.complete); });
    e->waits.charge(count, c.now_, std::array{&e->ledger});
    e->body.append({bytes, count}, c.now_);
    if (e->head_told && count > 0 && !std::exchange(e->body_announced, true)) c.on_body_readable(*e);
    return 0;
}

int http2_callbacks::frame_sent(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    auto& c = core(user);
    if (frame->hd.type == NGHTTP2_GOAWAY && !c.goaway_by_peer_) c.goaway_code_ = frame->goaway.error_code;
    const bool message = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
    if (!message || !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM)) return 0;
    if (auto* e = c.find_stream(frame->hd.stream_id)) {
        e->sent = true;
        c.on_sent(*e);
    }
    return 0;
}

int http2_callbacks::frame_not_sent(nghttp2_session*, const nghttp2_frame* frame, int, void* user) {
    auto& c = core(user);
    if (frame->hd.type != NGHTTP2_HEADERS) return 0;
    if (auto* e = c.find_stream(frame->hd.stream_id)) c.on_not_sent(*e);
    return 0;
}

int http2_callbacks::stream_closed(nghttp2_session*, std::int32_t stream, std::uint32_t code, void* user) {
    auto& c = core(user);
    auto* e = c.find_stream(stream);
    if (!e) return 0;
    e->sent = true;  // nothing more goes
    c.on_closed(*e, code);
    return 0;
}

int http2_callbacks::error_text(nghttp2_session*, int, const char* text, std::size_t size, void* user) {
    auto& c = core(user);
    c.text_.assign(text, size);
    while (!c.text_.empty() && (c.text_.back() == '\n' || c.text_.back() == '.')) c.text_.pop_back();
    return 0;
}

bool http2_callbacks::add_trailers(nghttp2_session* session, http2_exchange& e) {
    auto trailers = e.source->trailers();
    if (trailers.empty() || !invalid_reason(trailers).empty()) return false;
    std::vector<nghttp2_nv> lines;
    for (const auto& f : trailers) {
        lines.push_back({reinterpret_cast<std::uint8_t*>(const_cast<char*>(f.name.data())),
                         reinterpret_cast<std::uint8_t*>(const_cast<char*>(f.value.data())), f.name.size(), f.value.size(),
                         NGHTTP2_NV_FLAG_NONE});
    }
    return nghttp2_submit_trailer(session, e.stream, lines.data(), lines.size()) == 0;
}

ssize_t http2_callbacks::read_data(nghttp2_session* session, std::int32_t stream, std::uint8_t* out, std::size_t room,
                                   std::uint32_t* flags, nghttp2_data_source*, void* user) {
    auto* e = core(user).find_stream(stream);
    if (!e || !e->source || e->source_failed) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    if (e->awaits_switch) {  // nobody speaks the protocol before it is accepted
        e->waiting = true;
        return NGHTTP2_ERR_DEFERRED;
    }
    auto result = e->source->read({out, room});
    e->produced += result.n;
    // RFC 9113 8.1.1: a body of another length than was said is malformed; better not to end it than to end it wrong.
    const bool wrong = e->promised && (e->produced > *e->promised || (result.end && e->produced != *e->promised));
    if (result.failed || wrong) {
        e->source_failed = true;
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;  // RST_STREAM with INTERNAL_ERROR
    }
    if (result.end || (e->promised && e->produced == *e->promised)) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
        if (add_trailers(session, *e)) *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
        e->source.reset();
    } else if (result.n == 0) {
        e->waiting = true;
        return NGHTTP2_ERR_DEFERRED;
    }
    return static_cast<ssize_t>(result.n);
}

}  // namespace tandem::http
