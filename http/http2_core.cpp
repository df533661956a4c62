#include <tandem/http/http2_core.hpp>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include <tandem/http/codec_memory.hpp>
#include <tandem/http/http2_callbacks.hpp>

namespace tandem::http {
namespace {

constexpr std::array<h3_error, 14> h3_counterparts{h3_error::no_error,
                                                   h3_error::general_protocol_error,
                                                   h3_error::internal_error,
                                                   h3_error::excessive_load,
                                                   h3_error::settings_error,
                                                   h3_error::stream_creation_error,
                                                   h3_error::frame_error,
                                                   h3_error::request_rejected,
                                                   h3_error::request_cancelled,
                                                   h3_error::general_protocol_error,
                                                   h3_error::connect_error,
                                                   h3_error::excessive_load,
                                                   h3_error::general_protocol_error,
                                                   h3_error::version_fallback};

std::vector<nghttp2_nv, recycled::allocator<nghttp2_nv>> nv_of(const message_lines& lines) {
    std::vector<nghttp2_nv, recycled::allocator<nghttp2_nv>> nva;
    nva.reserve(lines.size());
    for (const auto f : lines) {  // nghttp2 copies them and does not write to them
        nva.push_back({reinterpret_cast<std::uint8_t*>(const_cast<char*>(f.name.data())),
                       reinterpret_cast<std::uint8_t*>(const_cast<char*>(f.value.data())), f.name.size(), f.value.size(),
                       NGHTTP2_NV_FLAG_NONE});
    }
    return nva;
}

nghttp2_session* make_session(http2_core::side side, http2_core* core) {
    nghttp2_session_callbacks* callbacks = nullptr;
    nghttp2_option* option = nullptr;
    nghttp2_session* session = nullptr;
    if (nghttp2_session_callbacks_new(&callbacks) == 0 && nghttp2_option_new(&option) == 0) {
        http2_callbacks::set(callbacks);
        nghttp2_option_set_no_auto_window_update(option, 1);  // credit follows what the application reads
        nghttp2_option_set_no_closed_streams(option, 1);
        nghttp2_option_set_builtin_recv_extension_type(option, NGHTTP2_PRIORITY_UPDATE);  // RFC 9218 7.1
        if (side == http2_core::side::server) {
            nghttp2_session_server_new3(&session, callbacks, core, option, nghttp2_memory());
        } else {
            nghttp2_session_client_new3(&session, callbacks, core, option, nghttp2_memory());
        }
    }
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    return session;
}

}  // namespace

std::uint64_t h3_code_of(std::uint32_t code) {
    return static_cast<std::uint64_t>(code < h3_counterparts.size() ? h3_counterparts[code] : h3_error::general_protocol_error);
}

std::uint32_t http2_code_of(h3_error code) {
    switch (code) {
        case h3_error::no_error:
            return NGHTTP2_NO_ERROR;
        case h3_error::request_rejected:
            return NGHTTP2_REFUSED_STREAM;
        case h3_error::request_cancelled:
            return NGHTTP2_CANCEL;
        case h3_error::excessive_load:
            return NGHTTP2_ENHANCE_YOUR_CALM;
        case h3_error::version_fallback:
            return NGHTTP2_HTTP_1_1_REQUIRED;
        case h3_error::internal_error:
            return NGHTTP2_INTERNAL_ERROR;
        default:
            return NGHTTP2_PROTOCOL_ERROR;
    }
}

std::string http2_error_name(std::uint32_t code) { return nghttp2_http2_strerror(code); }

http2_core::http2_core(side which, const limits& limit)
    : session_(make_session(which, this)), limit_(limit), serves_(which == side::server) {
    std::vector<nghttp2_settings_entry> settings{
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, which == side::server ? limit.http2_streams : 0},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, limit.http2_stream_window},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, static_cast<std::uint32_t>(limit.field_section_size)},
        {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
    };
    if (which == side::client) settings.push_back({NGHTTP2_SETTINGS_ENABLE_PUSH, 0});
    if (which == side::server && !limit.tunnel_protocols.empty() && limit.extended_connect)
        settings.push_back({NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1});
    const bool ready =
        session_ && nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings.data(), settings.size()) == 0 &&
        nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0, static_cast<std::int32_t>(limit.http2_window)) == 0;
    if (!ready) over_ = session_error{static_cast<std::uint64_t>(h3_error::internal_error), false, "out of memory"};
}

http2_core::~http2_core() { nghttp2_session_del(session_); }

http2_exchange* http2_core::find_stream(std::int32_t stream) const {
    auto it = exchanges_.find(stream);
    return it == exchanges_.end() ? nullptr : it->second.get();
}

http2_exchange* http2_core::find(request_id id) const {
    auto it = by_id_.find(id);
    return it == by_id_.end() ? nullptr : it->second;
}

http2_exchange& http2_core::add(std::int32_t stream, request_id id) {
    auto& slot = exchanges_[stream];
    slot = std::make_unique<http2_exchange>();
    slot->id = id;
    slot->stream = stream;
    slot->begun = now_;
    if (limit_.record_waits) slot->ledger.record_intervals();
    by_id_[id] = slot.get();
    return *slot;
}

void http2_core::drop(http2_exchange& e) {
    waits_.merge(e.ledger);
    if (!over_ && !e.body.empty()) nghttp2_session_consume(session_, e.stream, e.body.size());
    by_id_.erase(e.id);
    auto it = exchanges_.find(e.stream);
    graveyard_.push_back(std::move(it->second));
    exchanges_.erase(it);
}

std::optional<time_point> http2_core::unfinished_head() const {
    std::optional<time_point> oldest;
    for (const auto& [stream, e] : exchanges_) {
        if (!e->head_told && !e->answered && (!oldest || e->begun < *oldest)) oldest = e->begun;
    }
    return oldest;
}

void http2_core::refuse(http2_exchange& e) {
    e.refused = true;
    nghttp2_session_consume_connection(session_, e.body.size());
    e.body.clear();
}

void http2_core::reset(http2_exchange& e, std::uint32_t code) {
    if (!over_) nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, e.stream, code);
    drop(e);
}

void http2_core::fail(std::uint32_t code, std::string text) {
    if (over_) return;
    nghttp2_session_terminate_session(session_, code);
    lost({h3_code_of(code), false, std::move(text)});
}

void http2_core::lost(session_error why) {
    if (over_) return;
    over_ = std::move(why);
    on_over();
}

void http2_core::receive(std::span<const std::uint8_t> plaintext, std::span<const tls::record_times> times, time_point now) {
    now_ = now;
    if (over_) return;
    input_ = plaintext;
    times_ = {};
    times_.append(times, plaintext.size(), now);
    const auto taken = nghttp2_session_mem_recv(session_, plaintext.data(), plaintext.size());
    input_ = {};
    if (taken < 0) {
        const bool flood = taken == NGHTTP2_ERR_FLOODED;
        auto why = text_.empty() ? std::string(nghttp2_strerror(static_cast<int>(taken))) : text_;
        fail(flood ? NGHTTP2_ENHANCE_YOUR_CALM : NGHTTP2_PROTOCOL_ERROR, std::move(why));
    }
    settle();
}

// nghttp2 neither wants to read nor to write: the session is over, by a GOAWAY of either side.
void http2_core::settle() {
    graveyard_.clear();
    if (over_ || nghttp2_session_want_read(session_) || nghttp2_session_want_write(session_) || output_left()) return;
    auto text = goaway_code_ == NGHTTP2_NO_ERROR ? std::string("closed") : http2_error_name(goaway_code_);
    if (goaway_code_ != NGHTTP2_NO_ERROR && !text_.empty()) text += ": " + text_;
    lost({h3_code_of(goaway_code_), goaway_by_peer_, std::move(text)});
}

void http2_core::receive_end(bool clean) {
    if (goaway_code_ != NGHTTP2_NO_ERROR && !over_) {
        return lost(
            {h3_code_of(goaway_code_), goaway_by_peer_, http2_error_name(goaway_code_) + (text_.empty() ? "" : ": " + text_)});
    }
    const auto code = clean ? h3_error::no_error : h3_error::request_incomplete;
    lost({static_cast<std::uint64_t>(code), true, clean ? "the peer closed the connection" : "the connection was cut off"});
}

bool http2_core::wants_to_send() const { return !output_broken_ && (output_left() || nghttp2_session_want_write(session_)); }

std::size_t http2_core::transmit(std::span<std::uint8_t> out, time_point now) {
    now_ = now;
    if (!over_) before_write();
    std::size_t written = 0;
    while (written < out.size() && !output_broken_) {
        if (output_.empty()) {
            const std::uint8_t* bytes = nullptr;
            const auto n = nghttp2_session_mem_send(session_, &bytes);
            if (n < 0) {
                output_broken_ = true;
                lost({static_cast<std::uint64_t>(h3_error::internal_error), false, nghttp2_strerror(static_cast<int>(n))});
                break;
            }
            if (n == 0) break;
            output_ = {bytes, static_cast<std::size_t>(n)};
        }
        const auto n = std::min(out.size() - written, output_.size());
        std::memcpy(out.data() + written, output_.data(), n);
        output_ = output_.subspan(n);
        written += n;
    }
    settle();
    return written;
}

bool http2_core::submit_response(http2_exchange& e, const message_lines& lines) {
    nghttp2_data_provider provider{};
    provider.read_callback = http2_callbacks::read_data;
    const auto nva = nv_of(lines);
    return nghttp2_submit_response(session_, e.stream, nva.data(), nva.size(), e.source ? &provider : nullptr) == 0;
}

bool http2_core::submit_interim(http2_exchange& e, const message_lines& lines) {
    const auto nva = nv_of(lines);
    return nghttp2_submit_headers(session_, NGHTTP2_FLAG_NONE, e.stream, nullptr, nva.data(), nva.size(), nullptr) == 0;
}

std::int32_t http2_core::submit_request(const message_lines& lines, bool has_body) {
    nghttp2_data_provider provider{};
    provider.read_callback = http2_callbacks::read_data;
    const auto nva = nv_of(lines);
    return nghttp2_submit_request(session_, nullptr, nva.data(), nva.size(), has_body ? &provider : nullptr, nullptr);
}

void http2_core::tell_received(http2_exchange& e) {
    if (!e.received || e.received_told || !e.head_told || !e.body.empty()) return;
    e.received_told = true;
    on_received(e);
}

std::size_t http2_core::read_body(http2_exchange& e, std::span<std::uint8_t> out) {
    const auto stream = e.stream;
    const auto n = e.body.read(out, now_, e.ledger);
    if (n > 0 && !over_) nghttp2_session_consume(session_, stream, n);
    if (n == 0) e.body_announced = false;
    tell_received(e);
    return n;
}

void http2_core::resume_body(http2_exchange& e) {
    if (!over_ && std::exchange(e.waiting, false)) nghttp2_session_resume_data(session_, e.stream);
}

const wait_ledger& http2_core::total_waits() {
    sum_ = waits_;
    for (const auto& [stream, e] : exchanges_) sum_.merge(e->ledger);
    return sum_;
}

}  // namespace tandem::http
