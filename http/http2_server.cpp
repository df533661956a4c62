#include <tandem/http/http2_server.hpp>

#include <algorithm>
#include <utility>

#include <nghttp2/nghttp2.h>

#include <tandem/bytes/front_vector.hpp>
#include <tandem/http/binary_fields.hpp>
#include <tandem/http/capsule_protocol.hpp>
#include <tandem/http/http2_core.hpp>

namespace tandem::http {

struct http2_server::state final : http2_core {
    explicit state(const limits& limit) : http2_core(side::server, limit) {}

    void respond(http2_exchange& e, response message, std::unique_ptr<body_source> body);
    void inform(http2_exchange& e, const response& message) { submit_interim(e, message_lines(message)); }
    void finish(http2_exchange& e);
    void fail_exchange(http2_exchange& e, failure_kind kind, std::uint32_t code, std::string text);
    void count_abnormal_end();
    void end_if_drained();

    void on_peer_stream(std::int32_t stream) override { add(stream, next_id++); }
    void on_head(http2_exchange& e) override;
    void on_too_large(http2_exchange& e) override;
    void on_body_readable(http2_exchange& e) override { events.push_back(server_events::body{e.id}); }
    void on_received(http2_exchange& e) override;
    void on_sent(http2_exchange& e) override;
    void on_closed(http2_exchange& e, std::uint32_t code) override;
    void on_ping_answered() override { last_call_heard = goaway_sent; }
    void on_over() override;
    void before_write() override;

    front_vector<server_event> events;
    std::vector<request_id> awaiting_continue;  // begun since the last transmit
    std::vector<request_id> continue_now;       // begun before that
    request_id next_id = 0;                     // = the number of requests so far
    std::uint64_t normal_ends = 0;
    std::uint64_t abnormal_ends = 0;
    bool draining = false;
    bool goaway_sent = false;
    bool last_call_heard = false;  // the client knows that no more requests are taken
};

void http2_server::state::on_head(http2_exchange& e) {
    auto& message = e.head;
    e.method = message.method;
    message.fields = std::exchange(e.section, {});
    if (!malformed(message).empty()) {
        reset(e, NGHTTP2_PROTOCOL_ERROR);  // RFC 9113 8.1.1
        return count_abnormal_end();
    }
    e.asks_tunnel = !message.protocol.empty();
    if (e.asks_tunnel && std::find(limit_.tunnel_protocols.begin(), limit_.tunnel_protocols.end(), message.protocol) ==
                             limit_.tunnel_protocols.end()) {
        refuse(e);
        return respond(e, {501, {}}, nullptr);  // RFC 9220 3
    }
    message.datagrams = has_datagrams(limit_, message.protocol);
    if (message.datagrams && !wrong_with_capsules(message.fields).empty()) {
        reset(e, NGHTTP2_PROTOCOL_ERROR);  // RFC 9297 3.2
        return count_abnormal_end();
    }
    if (message.fields.contains("priority")) message.priority = parse_priority(message.fields.joined("priority"));
    join_cookies(message.fields);
    if (!e.ends_with_head && message.fields.find("expect") == "100-continue") awaiting_continue.push_back(e.id);
    e.head_told = true;
    events.push_back(server_events::request{e.id, std::exchange(message, {}), !e.ends_with_head});
}

void http2_server::state::on_too_large(http2_exchange& e) {
    if (!e.head_told) {
        refuse(e);
        return respond(e, {431, {}}, nullptr);
    }
    fail_exchange(e, failure_kind::too_large, NGHTTP2_ENHANCE_YOUR_CALM, "a trailer section is larger than allowed");
    count_abnormal_end();
}

void http2_server::state::on_received(http2_exchange& e) {
    if (!e.section.empty()) events.push_back(server_events::trailers{e.id, std::move(e.section)});
    events.push_back(server_events::received{e.id});
    if (e.tunnel && e.sent) finish(e);
}

void http2_server::state::respond(http2_exchange& e, response message, std::unique_ptr<body_source> body) {
    e.tunnel = prepare(message, body, e.asks_tunnel);
    e.answered = true;
    const auto status = message.status;
    const message_lines lines(message, body.get(), e.method);
    if (response_has_body(e.method, status)) e.source = std::move(body);
    e.promised = e.source ? e.source->content_length() : std::nullopt;
    if (!submit_response(e, lines)) {
        fail_exchange(e, failure_kind::reset, NGHTTP2_INTERNAL_ERROR, "the response could not be submitted");
    }
}

void http2_server::state::on_sent(http2_exchange& e) {
    if (e.tunnel && !e.received_told && !e.refused) return;  // the other half goes on
    finish(e);
}

void http2_server::state::finish(http2_exchange& e) {
    // RFC 9113 8.1: the rest of the request is not needed for this answer.
    if (!e.received && !over_) nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, e.stream, NGHTTP2_NO_ERROR);
    if (e.head_told) events.push_back(server_events::finished{e.id});
    ++normal_ends;
    drop(e);
}

void http2_server::state::fail_exchange(http2_exchange& e, failure_kind kind, std::uint32_t code, std::string text) {
    if (e.head_told) events.push_back(server_events::failed{e.id, {kind, h3_code_of(code), false, std::move(text)}});
    reset(e, code);
}

void http2_server::state::on_closed(http2_exchange& e, std::uint32_t code) {
    // A tunnel that both sides ended; the last bytes were not read yet.
    if (e.tunnel && e.received && !e.source && !e.source_failed && code == NGHTTP2_NO_ERROR) return;
    if (e.head_told) {
        auto failure = e.source_failed ? request_failure{failure_kind::body_failed, h3_code_of(code), false,
                                                         "the response's body could not be read to its end"}
                                       : request_failure{failure_kind::reset, h3_code_of(code), false,
                                                         "the request was reset: " + http2_error_name(code)};
        events.push_back(server_events::failed{e.id, std::move(failure)});
    }
    const bool ours = e.source_failed;
    drop(e);
    if (!ours) count_abnormal_end();
}

// Whoever makes this side begin and drop work again and again ends up here (CVE-2023-44487, CVE-2025-8671).
void http2_server::state::count_abnormal_end() {
    if (++abnormal_ends > limit_.reset_budget + normal_ends) fail(NGHTTP2_ENHANCE_YOUR_CALM, "too many requests ended early");
}

void http2_server::state::before_write() {
    // RFC 9110 10.1.1, unless the answer or the body is there. The application had its chance to answer since the last time.
    for (auto id : std::exchange(continue_now, std::exchange(awaiting_continue, {}))) {
        auto* e = find(id);
        if (e && !e->answered && e->body.empty() && !e->received) inform(*e, {100, {}});
    }
    end_if_drained();
}

// RFC 9113 6.8: a first GOAWAY asks for no more requests; when the client has surely seen it and all is answered, the last one
// says which were processed.
void http2_server::state::end_if_drained() {
    if (!draining) return;
    if (!std::exchange(goaway_sent, true)) {
        nghttp2_submit_shutdown_notice(session_);
        nghttp2_submit_ping(session_, NGHTTP2_FLAG_NONE, nullptr);
    }
    if (last_call_heard && exchanges_.empty()) fail(NGHTTP2_NO_ERROR, "closed");
}

void http2_server::state::on_over() {
    std::vector<http2_exchange*> all;
    for (auto& [stream, e] : exchanges_) all.push_back(e.get());
    std::sort(all.begin(), all.end(), [](auto* a, auto* b) { return a->id < b->id; });
    for (auto* e : all) {
        if (e->head_told)
            events.push_back(server_events::failed{e->id, {failure_kind::connection_lost, over_->code, false, over_->text}});
        drop(*e);
    }
    events.push_back(server_events::closed{*over_});
}

http2_server::http2_server(const limits& limit) : state_(std::make_unique<state>(limit)) {}
http2_server::~http2_server() = default;

void http2_server::receive(std::span<const std::uint8_t> plaintext, std::span<const tls::record_times> times, time_point now) {
    state_->receive(plaintext, times, now);
}
void http2_server::receive_end(bool clean, time_point now) {
    state_->set_now(now);
    state_->receive_end(clean);
}
std::size_t http2_server::transmit(std::span<std::uint8_t> out, time_point now) { return state_->transmit(out, now); }
bool http2_server::finished_sending() const { return state_->finished_sending(); }
void http2_server::connection_lost(const session_error& why, time_point now) {
    state_->set_now(now);
    state_->lost(why);
}
const std::optional<session_error>& http2_server::error() const { return state_->over(); }

void http2_server::respond(request_id id, response message, std::unique_ptr<body_source> body, time_point now) {
    auto& s = *state_;
    s.set_now(now);
    auto* e = s.find(id);
    if (e && e->head_told && !e->answered && !s.over()) s.respond(*e, std::move(message), std::move(body));
}

void http2_server::inform(request_id id, response message, time_point now) {
    auto& s = *state_;
    s.set_now(now);
    auto* e = s.find(id);
    if (!e || !e->head_told || e->answered || s.over() || !invalid_interim_reason(message).empty()) return;
    s.inform(*e, message);
}

void http2_server::resume_body(request_id id) {
    if (auto* e = state_->find(id)) state_->resume_body(*e);
}

std::size_t http2_server::read_body(request_id id, std::span<std::uint8_t> out, time_point now) {
    state_->set_now(now);
    auto* e = state_->find(id);
    return e ? state_->read_body(*e, out) : 0;
}

// on_sent() then asks the client to stop; if all of it came, it counts as read.
void http2_server::refuse_body(request_id id, time_point now) {
    state_->set_now(now);
    auto* e = state_->find(id);
    if (!e || e->received_told || state_->over()) return;
    state_->refuse(*e);
    if (e->received) return state_->tell_received(*e);
    if (e->tunnel && e->sent) state_->finish(*e);
}

void http2_server::reset(request_id id, h3_error code, time_point now) {
    auto& s = *state_;
    s.set_now(now);
    auto* e = s.find(id);
    if (e && !s.over()) s.fail_exchange(*e, failure_kind::cancelled, http2_code_of(code), "given up");
}

void http2_server::close(time_point now) {
    state_->set_now(now);
    state_->draining = true;
}

std::optional<server_event> http2_server::poll_event() {
    auto& events = state_->events;
    if (events.empty()) return std::nullopt;
    auto event = std::move(events.front());
    events.pop_front();
    if (state_->active() == 0) events.shrink();
    return event;
}

std::size_t http2_server::active_requests() const { return state_->active(); }
std::optional<time_point> http2_server::unfinished_head() const { return state_->unfinished_head(); }
const wait_ledger& http2_server::ledger() const { return state_->total_waits(); }

}  // namespace tandem::http
