#include <tandem/http/http3_callbacks.hpp>

#include <algorithm>
#include <charconv>
#include <utility>

namespace tandem::http {
namespace {

std::string_view view(nghttp3_rcbuf* buffer) {
    auto bytes = nghttp3_rcbuf_get_buf(buffer);
    return {reinterpret_cast<const char*>(bytes.base), bytes.len};
}

quic::stream_id id_of(std::int64_t stream) { return quic::stream_id{static_cast<std::uint64_t>(stream)}; }

}  // namespace

const nghttp3_callbacks& http3_callbacks::table() {
    static const nghttp3_callbacks callbacks = [] {
        nghttp3_callbacks c{};
        c.acked_stream_data = acked;
        c.recv_data = data;
        c.deferred_consume = deferred_consume;
        c.begin_headers = begin_section;
        c.recv_header = field_line;
        c.end_headers = end_headers;
        c.begin_trailers = begin_section;
        c.recv_trailer = field_line;
        c.end_trailers = end_trailers;
        c.stop_sending = stop_sending;
        c.end_stream = end_stream;
        c.reset_stream = reset_stream;
        c.shutdown = goaway;
        c.recv_settings = settings;
        return c;
    }();
    return callbacks;
}

http3_exchange* http3_callbacks::exchange(void* user, std::int64_t stream) {
    auto& c = core(user);
    auto id = id_of(stream);
    return c.feeding_ && c.feeding_->stream == id ? c.feeding_ : c.find(id);
}

int http3_callbacks::begin_section(nghttp3_conn*, std::int64_t stream, void* user, void*) {
    if (auto* e = exchange(user, stream)) {
        e->section.clear();
        e->section_size = 0;
    }
    return 0;
}

bool http3_callbacks::take_pseudo(http3_exchange& e, std::int32_t token, std::string_view value) {
    switch (token) {
        case NGHTTP3_QPACK_TOKEN__METHOD:
            e.head.method = value;
            return true;
        case NGHTTP3_QPACK_TOKEN__SCHEME:
            e.head.scheme = value;
            return true;
        case NGHTTP3_QPACK_TOKEN__AUTHORITY:
            e.head.authority = value;
            return true;
        case NGHTTP3_QPACK_TOKEN__PATH:
            e.head.path = value;
            return true;
        case NGHTTP3_QPACK_TOKEN__PROTOCOL:
            e.head.protocol = value;
            return true;
        case NGHTTP3_QPACK_TOKEN__STATUS:
            std::from_chars(value.data(), value.data() + value.size(), e.status);
            return true;
        default:
            return false;
    }
}

// The limits are checked with every line, so that a small compressed section cannot become a large one here.
int http3_callbacks::field_line(nghttp3_conn*, std::int64_t stream, std::int32_t token, nghttp3_rcbuf* name, nghttp3_rcbuf* value,
                                std::uint8_t, void* user, void*) {
    auto* e = exchange(user, stream);
    if (!e || e->too_large) return 0;
    auto& c = core(user);
    e->section_size += view(name).size() + view(value).size() + 32;  // RFC 9114 4.2.2
    if (e->section_size > c.limit_.field_section_size || e->section.size() == c.limit_.field_count) {
        e->too_large = true;
        e->section.clear();
        return 0;
    }
    if (!take_pseudo(*e, token, view(value))) e->section.append(view(name), view(value));
    return 0;
}

int http3_callbacks::end_headers(nghttp3_conn*, std::int64_t stream, int fin, void* user, void*) {
    auto* e = exchange(user, stream);
    if (!e) return 0;
    auto& c = core(user);
    const bool interim = e->status >= 100 && e->status < 200;
    if (e->too_large || (interim && ++e->interim > c.limit_.interim_responses)) return c.on_too_large(*e), 0;
    if (interim) return c.on_interim(*e), 0;
    e->ends_with_head = fin != 0;
    c.on_head(*e);
    return 0;
}

int http3_callbacks::end_trailers(nghttp3_conn*, std::int64_t stream, int, void* user, void*) {
    if (auto* e = exchange(user, stream); e && e->too_large) core(user).on_too_large(*e);
    return 0;
}

int http3_callbacks::data(nghttp3_conn*, std::int64_t stream, const std::uint8_t* bytes, std::size_t count, void* user, void*) {
    auto& c = core(user);
    auto* e = exchange(user, stream);
    if (!e) return 0;
    if (e == c.feeding_) {
        c.fed_as_body_ += count;
    } else {
        charge_qpack(c, *e, count);
    }
    e->body.append({bytes, count}, c.now_);
    if (e->head_told && !e->body_announced && count > 0) {
        e->body_announced = true;
        c.on_body_readable(*e);
    }
    return 0;
}

int http3_callbacks::deferred_consume(nghttp3_conn*, std::int64_t stream, std::size_t consumed, void* user, void*) {
    if (auto* e = exchange(user, stream)) charge_qpack(core(user), *e, consumed);
    return 0;
}

// Bytes that nghttp3 held back until the dynamic table's entries came.
void http3_callbacks::charge_qpack(http3_core& c, http3_exchange& e, std::uint64_t bytes) {
    while (bytes > 0 && !e.blocked.empty()) {
        auto& first = e.blocked.front();
        auto n = std::min(bytes, first.bytes);
        e.ledger.add(wait_cause::qpack, n, first.since, c.now_);
        e.ledger.add_total(n, c.now_ - first.since);
        bytes -= n;
        first.bytes -= n;
        if (first.bytes == 0) e.blocked.pop_front();
    }
}

int http3_callbacks::end_stream(nghttp3_conn*, std::int64_t stream, void* user, void*) {
    if (auto* e = exchange(user, stream)) {
        e->received = true;
        core(user).tell_received(*e);
    }
    return 0;
}

int http3_callbacks::stop_sending(nghttp3_conn*, std::int64_t stream, std::uint64_t code, void* user, void*) {
    core(user).transport_.stop_sending(id_of(stream), code);
    return 0;
}

int http3_callbacks::reset_stream(nghttp3_conn*, std::int64_t stream, std::uint64_t code, void* user, void*) {
    auto& c = core(user);
    c.transport_.reset(id_of(stream), code);
    if (auto* e = exchange(user, stream)) {
        e->sent = true;  // nothing more goes
        c.on_reset(*e, code);
    }
    return 0;
}

int http3_callbacks::acked(nghttp3_conn*, std::int64_t stream, std::uint64_t count, void* user, void*) {
    auto& c = core(user);
    auto* e = exchange(user, stream);
    while (e && count > 0 && !e->chunks.empty()) {
        auto& first = e->chunks.front();
        auto n = std::min<std::uint64_t>(count, first.size - e->front_taken);
        e->front_taken += static_cast<std::size_t>(n);
        count -= n;
        if (e->front_taken < first.size) break;
        c.keep_chunk(std::move(first));
        e->chunks.pop_front();
        e->front_taken = 0;
    }
    return 0;
}

int http3_callbacks::goaway(nghttp3_conn*, std::int64_t id, void* user) {
    core(user).on_goaway(id);
    return 0;
}

int http3_callbacks::settings(nghttp3_conn*, const nghttp3_settings* peer, void* user) {
    core(user).peer_takes_datagrams_ = peer->h3_datagram != 0;
    return 0;
}

nghttp3_ssize http3_callbacks::read_data(nghttp3_conn* conn, std::int64_t stream, nghttp3_vec* vec, std::size_t,
                                         std::uint32_t* flags, void* user, void*) {
    auto& c = core(user);
    auto* e = c.find(id_of(stream));
    if (!e || !e->source || e->source_failed) return NGHTTP3_ERR_WOULDBLOCK;
    if (e->awaits_switch) return NGHTTP3_ERR_WOULDBLOCK;  // nobody speaks the protocol before it is accepted
    // Small bodies get what they need, and a byte by which too long a one betrays itself.
    const auto left = e->promised ? *e->promised - std::min(e->produced, *e->promised) : body_chunk_size;
    auto chunk = left < body_chunk_size / 4 ? body_chunk(static_cast<std::size_t>(left) + 1) : c.take_chunk();
    auto result = e->source->read({chunk.bytes.get(), chunk.bytes.size()});
    e->produced += result.n;
    // RFC 9114 4.1.2: a body of another length than was said is malformed; better not to end it than to end it wrong.
    bool wrong = e->promised && (e->produced > *e->promised || (result.end && e->produced != *e->promised));
    if (result.failed || wrong) {
        e->source_failed = true;
        c.broken_.push_back(e->stream);
        c.keep_chunk(std::move(chunk));
        return NGHTTP3_ERR_WOULDBLOCK;
    }
    if (result.end || (e->promised && e->produced == *e->promised)) {
        *flags |= NGHTTP3_DATA_FLAG_EOF;
        auto trailers = e->source->trailers();
        if (!trailers.empty() && invalid_reason(trailers).empty()) {
            const auto lines = nv_of(trailers, NGHTTP3_NV_FLAG_NONE);
            *flags |= NGHTTP3_DATA_FLAG_NO_END_STREAM;
            if (nghttp3_conn_submit_trailers(conn, stream, lines.data(), lines.size()) != 0) return NGHTTP3_ERR_CALLBACK_FAILURE;
        }
        e->source.reset();
    }
    if (result.n == 0) {
        c.keep_chunk(std::move(chunk));
        return (*flags & NGHTTP3_DATA_FLAG_EOF) ? 0 : NGHTTP3_ERR_WOULDBLOCK;
    }
    if (result.n < chunk.bytes.size() / 4) {  // many small bodies must not hold many large blocks
        body_chunk small(result.n);
        std::copy_n(chunk.bytes.get(), result.n, small.bytes.get());
        c.keep_chunk(std::exchange(chunk, std::move(small)));
    }
    chunk.size = result.n;
    e->chunks.push_back(std::move(chunk));
    vec[0] = {e->chunks.back().bytes.get(), result.n};
    return 1;
}

}  // namespace tandem::http
