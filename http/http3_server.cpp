#include <tandem/http/http3_server.hpp>

#include <algorithm>
#include <utility>

#include <nghttp3/nghttp3.h>

#include <tandem/bytes/front_vector.hpp>
#include <tandem/http/binary_fields.hpp>
#include <tandem/http/capsule_protocol.hpp>
#include <tandem/http/http3_callbacks.hpp>

namespace tandem::http {
namespace {

constexpr auto code_of(h3_error e) { return static_cast<std::uint64_t>(e); }

}  // namespace

struct http3_server::state final : http3_core {
    state(stream_transport& transport, const limits& limit) : http3_core(transport, limit, quic::perspective::server) {}

    void respond(http3_exchange& e, response message, std::unique_ptr<body_source> body);
    void inform(http3_exchange& e, const response& message);
    std::optional<time_point> unfinished_head() const;
    void finish(http3_exchange& e);
    void fail_exchange(http3_exchange& e, failure_kind kind, std::uint64_t code, std::string text);
    void peer_ended(http3_exchange& e, std::uint64_t code, std::string text);
    void count_abnormal_end();
    void take_priority(http3_exchange& e);

    void on_peer_stream(quic::stream_id stream) override { add(stream, next_id++); }
    void on_head(http3_exchange& e) override;
    void on_too_large(http3_exchange& e) override;
    void on_body_readable(http3_exchange& e) override { events.push_back(server_events::body{e.id}); }
    void on_received(http3_exchange& e) override;
    void on_sent(http3_exchange& e) override;
    void on_send_failed(http3_exchange& e) override;
    void on_reset(http3_exchange& e, std::uint64_t code) override;
    void on_stop_sending(http3_exchange& e, std::uint64_t code) override;
    void on_datagrams(http3_exchange& e) override { events.push_back(server_events::datagrams{e.id}); }
    void on_unexpected_datagram(http3_exchange& e) override;
    void on_control_read(quic::stream_id, std::span<const std::uint8_t>) override;
    void on_over() override;
    void before_write() override;
    void after_pump() override;
    bool may_tell(const server_event& event);

    front_vector<server_event> events;
    std::vector<request_id>
        unproven;  // came in early data and are not safe: nobody hears of them before the handshake is complete
    struct refusal {
        request_id id = 0;
        int status = 431;
    };
    std::vector<refusal> refused;               // to be answered so, by the session itself
    std::vector<request_id> awaiting_continue;  // begun in this pump
    std::vector<request_id> continue_now;       // begun in the one before
    request_id next_id = 0;                     // = the number of client streams so far
    std::uint64_t normal_ends = 0;
    std::uint64_t abnormal_ends = 0;
    bool draining = false;
    bool goaway_sent = false;
};

void http3_server::state::on_head(http3_exchange& e) {
    auto& message = e.head;
    e.method = message.method;
    message.fields = std::exchange(e.section, {});
    if (!malformed(message).empty()) {
        reset_both(e, h3_error::message_error);
        drop(e);
        return count_abnormal_end();
    }
    e.asks_tunnel = !message.protocol.empty();
    if (e.asks_tunnel && std::find(limit_.tunnel_protocols.begin(), limit_.tunnel_protocols.end(), message.protocol) ==
                             limit_.tunnel_protocols.end()) {
        refused.push_back({e.id, 501});  // RFC 9220 3
        return;
    }
    e.has_datagrams = message.datagrams = has_datagrams(limit_, message.protocol);
    const bool unexpected = e.datagrams && !e.has_datagrams;  // RFC 9297 2
    if (unexpected || (e.has_datagrams && !wrong_with_capsules(message.fields).empty())) {
        reset_both(e, unexpected ? h3_error::datagram_error : h3_error::message_error);
        drop(e);
        return count_abnormal_end();
    }
    if (message.fields.contains("priority")) message.priority = parse_priority(message.fields.joined("priority"));
    join_cookies(message.fields);
    if (!e.ends_with_head && message.fields.find("expect") == "100-continue") awaiting_continue.push_back(e.id);
    e.head_told = true;
    take_priority(e);
    if (!is_safe_method(e.method) && transport_.may_be_replayed(e.stream)) unproven.push_back(e.id);
    events.emplace_back(server_events::request{e.id, std::move(message), !e.ends_with_head});
    if (e.datagrams) tell_datagrams(e);
}

void http3_server::state::on_unexpected_datagram(http3_exchange& e) {
    fail_exchange(e, failure_kind::malformed, code_of(h3_error::datagram_error), "a datagram for a request that has none");
    count_abnormal_end();
}

// RFC 9218: the request's own field, or what PRIORITY_UPDATE said since (or before); nghttp3 keeps it.
void http3_server::state::take_priority(http3_exchange& e) {
    nghttp3_pri given;
    if (nghttp3_conn_get_stream_priority(conn_, &given, static_cast<std::int64_t>(e.stream.value)) != 0) return;
    priority wanted{static_cast<std::uint8_t>(given.urgency), given.inc != 0};
    if (std::exchange(e.importance, wanted) != wanted) transport_.set_priority(e.stream, wanted);
}

void http3_server::state::on_control_read(quic::stream_id, std::span<const std::uint8_t>) {
    for (auto& [stream, e] : exchanges_) {
        if (e->head_told) take_priority(*e);
    }
}

// RFC 8470 3: a server may wait for the handshake instead of answering 425 (Too Early).
bool http3_server::state::may_tell(const server_event& event) {
    if (unproven.empty()) return true;
    if (!transport_.sends_early()) unproven.clear();
    return std::visit(
        [this](const auto& e) {
            if constexpr (requires { e.id; }) {
                return std::find(unproven.begin(), unproven.end(), e.id) == unproven.end();
            } else {
                return unproven.empty();
            }
        },
        event);
}

void http3_server::state::on_too_large(http3_exchange& e) {
    if (!e.head_told) {
        refused.push_back({e.id, 431});
        return;
    }
    reset_both(e, h3_error::excessive_load);
    fail_exchange(e, failure_kind::too_large, code_of(h3_error::excessive_load), "a trailer section is larger than allowed");
    count_abnormal_end();
}

void http3_server::state::on_received(http3_exchange& e) {
    if (!e.head_told) return;
    if (!e.section.empty()) events.push_back(server_events::trailers{e.id, std::move(e.section)});
    events.push_back(server_events::received{e.id});
    if (e.tunnel && e.sent) finish(e);
}

void http3_server::state::respond(http3_exchange& e, response message, std::unique_ptr<body_source> body) {
    e.tunnel = prepare(message, body, e.asks_tunnel);
    e.answered = true;
    const auto status = message.status;
    auto head = std::make_unique<sent_head>(std::move(message), body.get(), e.method);
    if (response_has_body(e.method, status)) e.source = std::move(body);
    e.promised = e.source ? e.source->content_length() : std::nullopt;
    if (submit_response(e, std::move(head)) != 0) {
        reset_both(e, h3_error::internal_error);
        fail_exchange(e, failure_kind::reset, code_of(h3_error::internal_error), "the response could not be submitted");
    }
}

void http3_server::state::inform(http3_exchange& e, const response& message) {
    const message_lines lines(message);
    const auto nva = nv_of(lines, NGHTTP3_NV_FLAG_NONE);
    nghttp3_conn_submit_info(conn_, static_cast<std::int64_t>(e.stream.value), nva.data(), nva.size());
}

std::optional<time_point> http3_server::state::unfinished_head() const {
    std::optional<time_point> oldest;
    for (const auto& [stream, e] : exchanges_) {
        if (e->begun && !e->head_told && !e->answered && (!oldest || *e->begun < *oldest)) oldest = e->begun;
    }
    return oldest;
}

void http3_server::state::on_sent(http3_exchange& e) {
    if (e.tunnel && !e.received_told && !e.refused) return;  // the other half goes on
    finish(e);
}

void http3_server::state::finish(http3_exchange& e) {
    // RFC 9114 4.1: the rest of the request is not needed for this answer.
    if (!e.received && !over_) transport_.stop_sending(e.stream, code_of(h3_error::no_error));
    if (e.head_told) events.push_back(server_events::finished{e.id});
    ++normal_ends;
    drop(e);
}

void http3_server::state::on_send_failed(http3_exchange& e) {
    reset_both(e, h3_error::internal_error);
    fail_exchange(e, failure_kind::body_failed, code_of(h3_error::internal_error),
                  "the response's body could not be read to its end");
}

void http3_server::state::fail_exchange(http3_exchange& e, failure_kind kind, std::uint64_t code, std::string text) {
    if (e.head_told) events.push_back(server_events::failed{e.id, {kind, code, false, std::move(text)}});
    drop(e);
}

void http3_server::state::peer_ended(http3_exchange& e, std::uint64_t code, std::string text) {
    fail_exchange(e, failure_kind::reset, code, std::move(text));
    count_abnormal_end();
}

void http3_server::state::on_reset(http3_exchange& e, std::uint64_t code) {
    if (!e.sent) transport_.reset(e.stream, code_of(h3_error::request_cancelled));
    peer_ended(e, code, "the request was reset: " + h3_error_name(code));
}

void http3_server::state::on_stop_sending(http3_exchange& e, std::uint64_t code) {
    if (!e.received) transport_.stop_sending(e.stream, code_of(h3_error::request_cancelled));
    peer_ended(e, code, "the client does not want the response: " + h3_error_name(code));
}

// Whoever makes this side begin and drop work again and again ends up here (CVE-2023-44487, CVE-2025-8671).
void http3_server::state::count_abnormal_end() {
    if (++abnormal_ends > limit_.reset_budget + normal_ends)
        fail(code_of(h3_error::excessive_load), "too many requests ended early");
}

void http3_server::state::before_write() {
    for (auto [id, status] : std::exchange(refused, {})) {
        auto* e = find(id);
        if (e && !e->answered) respond(*e, {status, {}}, nullptr);
    }
    // RFC 9110 10.1.1, unless the answer or the body is there. The application had its chance to answer since the last time.
    for (auto id : std::exchange(continue_now, std::exchange(awaiting_continue, {}))) {
        auto* e = find(id);
        if (e && !e->answered && e->body.empty() && !e->received) inform(*e, {100, {}});
    }
    if (draining && !std::exchange(goaway_sent, true)) nghttp3_conn_shutdown(conn_);
}

void http3_server::state::after_pump() {
    // Closing loses what the peer did not acknowledge: wait for the transport to be done with every stream.
    if (goaway_sent && exchanges_.empty() && unfinished_ == 0) fail(code_of(h3_error::no_error), "closed");
}

void http3_server::state::on_over() {
    unproven.clear();
    std::vector<http3_exchange*> all;
    for (auto& [stream, e] : exchanges_) all.push_back(e.get());
    std::sort(all.begin(), all.end(), [](auto* a, auto* b) { return a->id < b->id; });
    for (auto* e : all) fail_exchange(*e, failure_kind::connection_lost, over_->code, over_->text);
    events.push_back(server_events::closed{*over_});
}

http3_server::http3_server(stream_transport& transport, const limits& limit)
    : state_(std::make_unique<state>(transport, limit)) {}
http3_server::~http3_server() = default;

void http3_server::pump(time_point now) { state_->pump(now); }

void http3_server::connection_lost(const session_error& why, time_point now) {
    state_->take_rest(now);
    state_->lost(why);
}

const std::optional<session_error>& http3_server::error() const { return state_->over(); }

void http3_server::respond(request_id id, response message, std::unique_ptr<body_source> body, time_point now) {
    auto& s = *state_;
    s.set_now(now);
    auto* e = s.find(id);
    if (e && e->head_told && !e->answered && !s.over()) s.respond(*e, std::move(message), std::move(body));
}

void http3_server::inform(request_id id, response message, time_point now) {
    auto& s = *state_;
    s.set_now(now);
    auto* e = s.find(id);
    if (!e || !e->head_told || e->answered || s.over() || !invalid_interim_reason(message).empty()) return;
    s.inform(*e, message);
}

void http3_server::resume_body(request_id id) {
    if (auto* e = state_->find(id)) state_->resume_body(*e);
}

std::size_t http3_server::read_body(request_id id, std::span<std::uint8_t> out, time_point now) {
    state_->set_now(now);
    auto* e = state_->find(id);
    return e ? state_->read_body(*e, out) : 0;
}

// What comes of it stays where it is until the response was sent; on_sent() then asks the client to stop.
void http3_server::refuse_body(request_id id, time_point now) {
    state_->set_now(now);
    auto* e = state_->find(id);
    if (!e || e->received_told) return;
    e->refused = true;
    e->body.clear();
    if (e->received) return state_->tell_received(*e);  // all of it came: it counts as read
    if (e->tunnel && e->sent) state_->finish(*e);
}

void http3_server::reset(request_id id, h3_error code, time_point now) {
    auto& s = *state_;
    s.set_now(now);
    auto* e = s.find(id);
    if (!e || s.over()) return;
    s.cancel(*e, code);
    s.fail_exchange(*e, failure_kind::cancelled, code_of(code), "given up");
}

void http3_server::close(time_point now) {
    state_->set_now(now);
    state_->draining = true;
}

std::size_t http3_server::max_datagram(request_id id) const {
    const auto* e = state_->find(id);
    return e ? state_->max_datagram(*e) : 0;
}

datagram_result http3_server::send_datagram(request_id id, std::span<const std::uint8_t> payload, time_point now) {
    state_->set_now(now);
    auto* e = state_->find(id);
    return e ? state_->send_datagram(*e, payload) : datagram_result::unavailable;
}

std::optional<std::vector<std::uint8_t>> http3_server::receive_datagram(request_id id) {
    auto* e = state_->find(id);
    return e ? state_->receive_datagram(*e) : std::nullopt;
}

datagram_counts http3_server::datagram_statistics() const { return state_->datagram_statistics(); }

std::optional<server_event> http3_server::poll_event() {
    auto& events = state_->events;
    auto* next = events.begin();
    if (!state_->unproven.empty())
        next = std::find_if(events.begin(), events.end(), [this](const server_event& e) { return state_->may_tell(e); });
    if (next == events.end()) return std::nullopt;
    std::optional<server_event> event(std::move(*next));
    events.erase(next, next + 1);
    if (state_->active() == 0) events.shrink();
    return event;
}

std::size_t http3_server::active_requests() const { return state_->active(); }
std::optional<time_point> http3_server::unfinished_head() const { return state_->unfinished_head(); }
const wait_ledger& http3_server::ledger() const { return state_->total_waits(); }

}  // namespace tandem::http
