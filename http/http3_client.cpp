#include <tandem/http/http3_client.hpp>

#include <algorithm>
#include <deque>
#include <utility>

#include <tandem/http/binary_fields.hpp>
#include <tandem/http/capsule_protocol.hpp>
#include <tandem/http/http3_core.hpp>
#include <tandem/http/http3_settings_reader.hpp>

namespace tandem::http {
namespace {

constexpr auto code_of(h3_error e) { return static_cast<std::uint64_t>(e); }

}  // namespace

struct http3_client::state final : http3_core {
    state(stream_transport& transport, const limits& limit) : http3_core(transport, limit, quic::perspective::client) {}

    struct pending {
        request_id id = 0;
        request message;
        std::unique_ptr<body_source> body;
    };

    bool begin(pending& p);
    void finish(http3_exchange& e);
    void fail_exchange(http3_exchange& e, request_failure why);
    void end_if_drained();

    void on_head(http3_exchange& e) override;
    void on_interim(http3_exchange& e) override;
    void on_too_large(http3_exchange& e) override;
    void on_body_readable(http3_exchange& e) override { events.push_back(client_events::body{e.id}); }
    void on_received(http3_exchange& e) override;
    void on_sent(http3_exchange& e) override;
    void on_control_read(quic::stream_id stream, std::span<const std::uint8_t> bytes) override;
    std::deque<pending>::iterator next();
    void on_send_failed(http3_exchange& e) override;
    void on_reset(http3_exchange& e, std::uint64_t code) override;
    void on_stop_sending(http3_exchange& e, std::uint64_t code) override;
    void on_datagrams(http3_exchange& e) override { events.push_back(client_events::datagrams{e.id}); }
    void on_unexpected_datagram(http3_exchange& e) override;
    void on_goaway(std::int64_t first_refused) override;
    void on_over() override;
    void before_write() override;
    void after_pump() override { end_if_drained(); }
    void fail_pending(failure_kind kind, const std::string& text);
    void report_closed();

    std::deque<pending> waiting;
    std::deque<client_event> events;
    request_id next_id = 0;
    http3_settings_reader settings;
    std::vector<request_id> accepted;  // tunnels whose own bytes may go now
    bool draining = false;
    bool going_away = false;
    bool said_closed = false;
};

// Puts a request on a stream of its own; false while the peer allows none.
bool http3_client::state::begin(pending& p) {
    const bool tunnel = !p.message.protocol.empty();
    if (tunnel && !*settings.extended_connect()) {  // RFC 9220 3
        events.push_back(
            client_events::failed{p.id, {failure_kind::unsupported, 0, false, "the server does not offer extended CONNECT"}, {}});
        return true;
    }
    auto stream = transport_.open(quic::direction::bidirectional);
    if (!stream) {
        open_blocked_ = true;
        return false;
    }
    ++unfinished_;
    auto& e = add(*stream, p.id);
    e.method = p.message.method;
    e.asks_tunnel = e.awaits_switch = tunnel;
    e.has_datagrams = p.message.datagrams;
    e.source = std::move(p.body);
    e.promised = e.source ? e.source->content_length() : std::nullopt;
    transport_.set_priority(*stream, p.message.priority.value_or(priority{}));
    if (submit_request(e, message_lines(p.message, e.source.get())) != 0) {
        fail_exchange(e, {failure_kind::rejected, code_of(h3_error::internal_error), true, "the request could not be submitted"});
    }
    return true;
}

void http3_client::state::on_control_read(quic::stream_id stream, std::span<const std::uint8_t> bytes) {
    if (!settings.feed(stream.value, bytes))
        fail(code_of(h3_error::settings_error), "SETTINGS_ENABLE_CONNECT_PROTOCOL is neither 0 nor 1");
}

// Whether extended CONNECT may be used is known when the server's settings are; others need not wait for that.
std::deque<http3_client::state::pending>::iterator http3_client::state::next() {
    return std::find_if(waiting.begin(), waiting.end(),
                        [this](const pending& p) { return p.message.protocol.empty() || settings.extended_connect(); });
}

void http3_client::state::before_write() {
    for (auto id : std::exchange(accepted, {})) {
        if (auto* e = find(id)) resume_body(*e);
    }
    while (!open_blocked_) {
        const auto first = next();
        if (first == waiting.end()) return;
        // RFC 8470 4: only what may be repeated goes as early data; the rest when the handshake is complete, and what is behind
        // it.
        if (transport_.sends_early() && (first->body || !is_safe_method(first->message.method))) return;
        if (!begin(*first)) return;
        waiting.erase(first);
    }
}

void http3_client::state::on_head(http3_exchange& e) {
    e.head_told = true;
    response message{e.status, std::exchange(e.section, {})};
    if (const auto wrong = e.has_datagrams ? wrong_with_capsules(message) : ""; !wrong.empty()) {
        reset_both(e, h3_error::message_error);
        return fail_exchange(e, {failure_kind::malformed, code_of(h3_error::message_error), false, std::string(wrong)});
    }
    if (e.asks_tunnel) {
        e.tunnel = take_switch(message);
        e.awaits_switch = false;
        if (e.tunnel)
            accepted.push_back(e.id);
        else
            e.source.reset();
        events.push_back(client_events::response{e.id, std::move(message), !e.ends_with_head});
        if (e.datagrams) e.tunnel ? tell_datagrams(e) : forget_datagrams(e);
        return;
    }
    events.push_back(
        client_events::response{e.id, std::move(message), !e.ends_with_head && response_has_body(e.method, e.status)});
}

void http3_client::state::on_interim(http3_exchange& e) {
    events.push_back(client_events::interim{e.id, {e.status, std::exchange(e.section, {})}});
}

void http3_client::state::on_too_large(http3_exchange& e) {
    reset_both(e, h3_error::request_cancelled);
    fail_exchange(e, {failure_kind::too_large, code_of(h3_error::request_cancelled), false,
                      "the answer's header section is larger than allowed"});
}

void http3_client::state::on_received(http3_exchange& e) {
    if (!e.section.empty()) events.push_back(client_events::trailers{e.id, std::move(e.section)});
    if (e.tunnel) {
        events.push_back(client_events::received{e.id});
        if (!e.sent) return;
    }
    // RFC 9114 4.1: the answer is complete; what of the request was not sent is not wanted.
    if (!e.sent) transport_.reset(e.stream, code_of(h3_error::no_error));
    finish(e);
}

void http3_client::state::on_sent(http3_exchange& e) {
    if (e.tunnel && e.received_told) finish(e);
}

// The server has what it needs of the request (RFC 9114 4.1.1); its answer goes on. A tunnel is cut off by it.
void http3_client::state::on_stop_sending(http3_exchange& e, std::uint64_t code) {
    e.source.reset();
    if (!e.tunnel) return;
    if (!e.received) transport_.stop_sending(e.stream, code_of(h3_error::request_cancelled));
    fail_exchange(e, {failure_kind::reset, code, false, "the tunnel was reset: " + h3_error_name(code)});
}

void http3_client::state::finish(http3_exchange& e) {
    events.push_back(client_events::finished{e.id, e.ledger});
    drop(e);
    if (over_) report_closed();
}

void http3_client::state::fail_exchange(http3_exchange& e, request_failure why) {
    events.push_back(client_events::failed{e.id, std::move(why), e.ledger});
    drop(e);
}

void http3_client::state::on_send_failed(http3_exchange& e) {
    reset_both(e, h3_error::request_cancelled);
    fail_exchange(e, {failure_kind::body_failed, code_of(h3_error::request_cancelled), false,
                      "the request's body could not be read to its end"});
}

void http3_client::state::on_reset(http3_exchange& e, std::uint64_t code) {
    if (!e.sent) transport_.reset(e.stream, code_of(h3_error::request_cancelled));
    bool rejected = code == code_of(h3_error::request_rejected);  // RFC 9114 4.1.1: not processed at all
    auto kind = rejected                                   ? failure_kind::rejected
                : code == code_of(h3_error::message_error) ? failure_kind::malformed
                                                           : failure_kind::reset;
    fail_exchange(e, {kind, code, rejected, "the request was reset: " + h3_error_name(code)});
}

void http3_client::state::on_unexpected_datagram(http3_exchange& e) {
    fail_exchange(e,
                  {failure_kind::malformed, code_of(h3_error::datagram_error), false, "a datagram for a request that has none"});
}

// RFC 9114 5.2: requests from that stream on were not and will not be processed.
void http3_client::state::on_goaway(std::int64_t first_refused) {
    if (!std::exchange(going_away, true)) events.push_back(client_events::going_away{});
    std::vector<http3_exchange*> refused;
    for (auto& [stream, e] : exchanges_) {
        if (stream >= static_cast<std::uint64_t>(first_refused)) refused.push_back(e.get());
    }
    std::sort(refused.begin(), refused.end(), [](auto* a, auto* b) { return a->id < b->id; });
    for (auto* e : refused) {
        reset_both(*e, h3_error::request_cancelled);
        fail_exchange(*e, {failure_kind::rejected, code_of(h3_error::request_rejected), true, "the server is going away"});
    }
    fail_pending(failure_kind::rejected, "the server is going away");
}

void http3_client::state::fail_pending(failure_kind kind, const std::string& text) {
    for (auto& p : std::exchange(waiting, {})) events.push_back(client_events::failed{p.id, {kind, 0, true, text}, {}});
}

// Complete answers stay to be read; the rest fails.
void http3_client::state::on_over() {
    std::vector<http3_exchange*> ended;
    for (auto& [stream, e] : exchanges_) {
        if (!e->received || e->received_told) ended.push_back(e.get());
    }
    std::sort(ended.begin(), ended.end(), [](auto* a, auto* b) { return a->id < b->id; });
    for (auto* e : ended) {
        bool retryable = is_safe_method(e->method) && !e->head_told;
        fail_exchange(*e, {failure_kind::connection_lost, over_->code, retryable, over_->text});
    }
    fail_pending(failure_kind::connection_lost, over_->text);
    report_closed();
}

void http3_client::state::report_closed() {
    if (said_closed || !exchanges_.empty()) return;
    said_closed = true;
    events.push_back(client_events::closed{*over_});
}

void http3_client::state::end_if_drained() {
    if ((draining || going_away) && exchanges_.empty() && waiting.empty()) fail(code_of(h3_error::no_error), "closed");
}

http3_client::http3_client(stream_transport& transport, const limits& limit)
    : state_(std::make_unique<state>(transport, limit)) {}
http3_client::~http3_client() = default;

void http3_client::pump(time_point now) { state_->pump(now); }

void http3_client::connection_lost(const session_error& why, time_point now) {
    state_->take_rest(now);
    state_->lost(why);
}

const std::optional<session_error>& http3_client::error() const { return state_->over(); }

bool http3_client::can_submit() const {
    return state_->can_open() && !state_->draining && !state_->going_away && state_->waiting.empty();
}

request_id http3_client::submit(request message, std::unique_ptr<body_source> body, time_point now) {
    auto& s = *state_;
    s.set_now(now);
    auto id = s.next_id++;
    if (auto wrong = invalid_reason(message); !wrong.empty()) {
        s.events.push_back(client_events::failed{
            id, {failure_kind::malformed, code_of(h3_error::message_error), false, std::string(wrong)}, {}});
    } else if (s.over() || s.draining || s.going_away) {
        s.events.push_back(client_events::failed{id, {failure_kind::closed, 0, true, "the session is closing"}, {}});
    } else {
        s.waiting.push_back({id, std::move(message), std::move(body)});
    }
    return id;
}

void http3_client::resume_body(request_id id) {
    if (auto* e = state_->find(id)) state_->resume_body(*e);
}

std::size_t http3_client::read_body(request_id id, std::span<std::uint8_t> out, time_point now) {
    state_->set_now(now);
    auto* e = state_->find(id);
    return e ? state_->read_body(*e, out) : 0;
}

void http3_client::cancel(request_id id, time_point now, h3_error code) {
    auto& s = *state_;
    s.set_now(now);
    request_failure why{failure_kind::cancelled, code_of(code), false, "cancelled"};
    if (auto* e = s.find(id)) {
        if (!s.over()) s.cancel(*e, code);
        s.fail_exchange(*e, std::move(why));
        if (s.over()) s.report_closed();
    } else if (std::erase_if(s.waiting, [&](const state::pending& p) { return p.id == id; }) > 0) {
        s.events.push_back(client_events::failed{id, std::move(why), {}});
    }
}

std::size_t http3_client::max_datagram(request_id id) const {
    const auto* e = state_->find(id);
    return e ? state_->max_datagram(*e) : 0;
}

datagram_result http3_client::send_datagram(request_id id, std::span<const std::uint8_t> payload, time_point now) {
    state_->set_now(now);
    auto* e = state_->find(id);
    return e ? state_->send_datagram(*e, payload) : datagram_result::unavailable;
}

std::optional<std::vector<std::uint8_t>> http3_client::receive_datagram(request_id id) {
    auto* e = state_->find(id);
    return e ? state_->receive_datagram(*e) : std::nullopt;
}

datagram_counts http3_client::datagram_statistics() const { return state_->datagram_statistics(); }

void http3_client::close(time_point now) {
    state_->set_now(now);
    state_->draining = true;
    if (!state_->over()) state_->end_if_drained();
}

std::optional<client_event> http3_client::poll_event() {
    auto& events = state_->events;
    if (events.empty()) return std::nullopt;
    auto event = std::move(events.front());
    events.pop_front();
    return event;
}

const wait_ledger& http3_client::ledger(request_id id) const {
    static const wait_ledger none;
    auto* e = state_->find(id);
    return e ? e->ledger : none;
}

const wait_ledger& http3_client::ledger() const { return state_->total_waits(); }

}  // namespace tandem::http
