#include <tandem/http/http2_client.hpp>

#include <algorithm>
#include <deque>
#include <utility>

#include <nghttp2/nghttp2.h>

#include <tandem/http/binary_fields.hpp>
#include <tandem/http/capsule_protocol.hpp>
#include <tandem/http/http2_core.hpp>

namespace tandem::http {

struct http2_client::state final : http2_core {
    explicit state(const limits& limit) : http2_core(side::client, limit) {}

    struct pending {
        request_id id = 0;
        request message;
        std::unique_ptr<body_source> body;
    };

    void begin(pending& p);
    bool room() const;
    void finish(http2_exchange& e);
    void fail_exchange(http2_exchange& e, request_failure why);
    void fail_pending(failure_kind kind, const std::string& text);
    void end_if_drained();
    void report_closed();

    void on_head(http2_exchange& e) override;
    void on_interim(http2_exchange& e) override;
    void on_too_large(http2_exchange& e) override;
    void on_body_readable(http2_exchange& e) override { events.push_back(client_events::body{e.id}); }
    void on_received(http2_exchange& e) override;
    void on_sent(http2_exchange& e) override;
    void on_settings() override { settings_came = true; }
    bool may_begin(const pending& p) const;
    void on_closed(http2_exchange& e, std::uint32_t code) override;
    void on_not_sent(http2_exchange& e) override;
    void on_goaway() override;
    void on_over() override;
    void before_write() override;

    std::deque<pending> waiting;
    std::deque<client_event> events;
    request_id next_id = 0;
    bool settings_came = false;
    bool draining = false;
    bool going_away = false;
    bool said_closed = false;
};

// RFC 9113 5.1.2
bool http2_client::state::room() const {
    return active() < nghttp2_session_get_remote_settings(session_, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
}

void http2_client::state::begin(pending& p) {
    const bool tunnel = !p.message.protocol.empty();
    if (tunnel && nghttp2_session_get_remote_settings(session_, NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL) != 1) {  // RFC 8441 3
        events.push_back(
            client_events::failed{p.id, {failure_kind::unsupported, 0, false, "the server does not offer extended CONNECT"}, {}});
        return;
    }
    const auto stream = submit_request(message_lines(p.message, p.body.get()), p.body != nullptr);
    if (stream < 0) {
        const bool ids_used_up = stream == NGHTTP2_ERR_STREAM_ID_NOT_AVAILABLE;
        events.push_back(client_events::failed{p.id, {failure_kind::rejected, 0, true, nghttp2_strerror(stream)}, {}});
        if (ids_used_up) draining = true;
        return;
    }
    auto& e = add(stream, p.id);
    e.method = p.message.method;
    e.asks_tunnel = e.awaits_switch = tunnel;
    e.capsules = p.message.datagrams;
    e.source = std::move(p.body);
    e.promised = e.source ? e.source->content_length() : std::nullopt;
}

// Whether extended CONNECT may be used is known when the server's settings are.
bool http2_client::state::may_begin(const pending& p) const { return p.message.protocol.empty() || settings_came; }

void http2_client::state::before_write() {
    while (room()) {
        const auto next = std::find_if(waiting.begin(), waiting.end(), [this](const pending& p) { return may_begin(p); });
        if (next == waiting.end()) break;
        auto p = std::move(*next);
        waiting.erase(next);
        begin(p);
    }
    end_if_drained();
}

void http2_client::state::on_head(http2_exchange& e) {
    e.head_told = true;
    response message{e.status, std::exchange(e.section, {})};
    if (const auto wrong = e.capsules ? wrong_with_capsules(message) : ""; !wrong.empty()) {
        nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, e.stream, NGHTTP2_PROTOCOL_ERROR);
        return fail_exchange(e, {failure_kind::malformed, h3_code_of(NGHTTP2_PROTOCOL_ERROR), false, std::string(wrong)});
    }
    if (e.asks_tunnel) {
        e.tunnel = take_switch(message);
        e.awaits_switch = false;
        if (e.tunnel)
            resume_body(e);
        else
            e.source.reset();
        events.push_back(client_events::response{e.id, std::move(message), !e.ends_with_head});
        return;
    }
    events.push_back(
        client_events::response{e.id, std::move(message), !e.ends_with_head && response_has_body(e.method, e.status)});
}

void http2_client::state::on_interim(http2_exchange& e) {
    events.push_back(client_events::interim{e.id, {e.status, std::exchange(e.section, {})}});
}

void http2_client::state::on_too_large(http2_exchange& e) {
    nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, e.stream, NGHTTP2_CANCEL);
    fail_exchange(e, {failure_kind::too_large, h3_code_of(NGHTTP2_CANCEL), false,
                      e.interim > limit_.interim_responses ? "too many interim responses"
                                                           : "the answer's header section is larger than allowed"});
}

void http2_client::state::on_received(http2_exchange& e) {
    if (!e.section.empty()) events.push_back(client_events::trailers{e.id, std::move(e.section)});
    if (e.tunnel) {
        events.push_back(client_events::received{e.id});
        if (!e.sent) return;
    }
    // RFC 9113 8.1: the answer is complete; what of the request was not sent is not wanted.
    if (!e.sent && !over_) nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, e.stream, NGHTTP2_NO_ERROR);
    finish(e);
}

void http2_client::state::on_sent(http2_exchange& e) {
    if (e.tunnel && e.received_told) finish(e);
}

void http2_client::state::finish(http2_exchange& e) {
    events.push_back(client_events::finished{e.id, e.ledger});
    drop(e);
    if (over_) report_closed();
}

void http2_client::state::fail_exchange(http2_exchange& e, request_failure why) {
    events.push_back(client_events::failed{e.id, std::move(why), e.ledger});
    drop(e);
}

void http2_client::state::on_closed(http2_exchange& e, std::uint32_t code) {
    if (e.received && !e.received_told) return;  // whole: it stays until the application has read it
    if (e.source_failed) {
        return fail_exchange(
            e, {failure_kind::body_failed, h3_code_of(code), false, "the request's body could not be read to its end"});
    }
    const bool rejected = code == NGHTTP2_REFUSED_STREAM;  // RFC 9113 8.7: not processed at all
    const auto kind = rejected                         ? failure_kind::rejected
                      : code == NGHTTP2_PROTOCOL_ERROR ? failure_kind::malformed
                                                       : failure_kind::reset;
    fail_exchange(e, {kind, h3_code_of(code), rejected, "the request was reset: " + http2_error_name(code)});
}

void http2_client::state::on_not_sent(http2_exchange& e) {
    fail_exchange(e, {failure_kind::rejected, h3_code_of(NGHTTP2_REFUSED_STREAM), true, "the server is going away"});
}

// nghttp2 closes the streams that the server did not process with REFUSED_STREAM (RFC 9113 6.8).
void http2_client::state::on_goaway() {
    if (!std::exchange(going_away, true)) events.push_back(client_events::going_away{});
    fail_pending(failure_kind::rejected, "the server is going away");
}

void http2_client::state::fail_pending(failure_kind kind, const std::string& text) {
    for (auto& p : std::exchange(waiting, {})) events.push_back(client_events::failed{p.id, {kind, 0, true, text}, {}});
}

// Complete answers stay to be read; the rest fails.
void http2_client::state::on_over() {
    std::vector<http2_exchange*> ended;
    for (auto& [stream, e] : exchanges_) {
        if (!e->received || e->received_told) ended.push_back(e.get());
    }
    std::sort(ended.begin(), ended.end(), [](auto* a, auto* b) { return a->id < b->id; });
    for (auto* e : ended) {
        const bool retryable = is_safe_method(e->method) && !e->head_told;
        fail_exchange(*e, {failure_kind::connection_lost, over_->code, retryable, over_->text});
    }
    fail_pending(failure_kind::connection_lost, over_->text);
    report_closed();
}

void http2_client::state::report_closed() {
    if (said_closed || !exchanges_.empty()) return;
    said_closed = true;
    events.push_back(client_events::closed{*over_});
}

void http2_client::state::end_if_drained() {
    if ((draining || going_away) && exchanges_.empty() && waiting.empty()) fail(NGHTTP2_NO_ERROR, "closed");
}

http2_client::http2_client(const limits& limit) : state_(std::make_unique<state>(limit)) {}
http2_client::~http2_client() = default;

void http2_client::receive(std::span<const std::uint8_t> plaintext, std::span<const tls::record_times> times, time_point now) {
    state_->receive(plaintext, times, now);
}
void http2_client::receive_end(bool clean, time_point now) {
    state_->set_now(now);
    state_->receive_end(clean);
}
std::size_t http2_client::transmit(std::span<std::uint8_t> out, time_point now) { return state_->transmit(out, now); }
bool http2_client::finished_sending() const { return state_->finished_sending(); }
void http2_client::connection_lost(const session_error& why, time_point now) {
    state_->set_now(now);
    state_->lost(why);
}
const std::optional<session_error>& http2_client::error() const { return state_->over(); }

bool http2_client::can_submit() const {
    const auto& s = *state_;
    return !s.over() && !s.draining && !s.going_away && s.waiting.empty() && s.room();
}

request_id http2_client::submit(request message, std::unique_ptr<body_source> body, time_point now) {
    auto& s = *state_;
    s.set_now(now);
    const auto id = s.next_id++;
    if (auto wrong = invalid_reason(message); !wrong.empty()) {
        const auto code = static_cast<std::uint64_t>(h3_error::message_error);
        s.events.push_back(client_events::failed{id, {failure_kind::malformed, code, false, std::string(wrong)}, {}});
    } else if (s.over() || s.draining || s.going_away) {
        s.events.push_back(client_events::failed{id, {failure_kind::closed, 0, true, "the session is closing"}, {}});
    } else {
        s.waiting.push_back({id, std::move(message), std::move(body)});
    }
    return id;
}

void http2_client::resume_body(request_id id) {
    if (auto* e = state_->find(id)) state_->resume_body(*e);
}

std::size_t http2_client::read_body(request_id id, std::span<std::uint8_t> out, time_point now) {
    state_->set_now(now);
    auto* e = state_->find(id);
    return e ? state_->read_body(*e, out) : 0;
}

void http2_client::cancel(request_id id, time_point now, h3_error code) {
    auto& s = *state_;
    s.set_now(now);
    request_failure why{failure_kind::cancelled, static_cast<std::uint64_t>(code), false, "cancelled"};
    if (auto* e = s.find(id)) {
        s.events.push_back(client_events::failed{id, std::move(why), e->ledger});
        s.reset(*e, http2_code_of(code));
        if (s.over()) s.report_closed();
    } else if (std::erase_if(s.waiting, [&](const state::pending& p) { return p.id == id; }) > 0) {
        s.events.push_back(client_events::failed{id, std::move(why), {}});
    }
}

void http2_client::close(time_point now) {
    state_->set_now(now);
    state_->draining = true;
    if (!state_->over()) state_->end_if_drained();
}

std::optional<client_event> http2_client::poll_event() {
    auto& events = state_->events;
    if (events.empty()) return std::nullopt;
    auto event = std::move(events.front());
    events.pop_front();
    return event;
}

const wait_ledger& http2_client::ledger(request_id id) const {
    static const wait_ledger none;
    auto* e = state_->find(id);
    return e ? e->ledger : none;
}

const wait_ledger& http2_client::ledger() const { return state_->total_waits(); }

}  // namespace tandem::http
