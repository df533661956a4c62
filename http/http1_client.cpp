#include <tandem/http/http1_client.hpp>

#include <algorithm>
#include <deque>
#include <utility>

#include <tandem/http/binary_fields.hpp>
#include <tandem/http/body_buffer.hpp>
#include <tandem/http/capsule_protocol.hpp>
#include <tandem/http/http1_parser.hpp>
#include <tandem/http/http1_times.hpp>
#include <tandem/http/http1_writer.hpp>

namespace tandem::http {
namespace {

constexpr auto no_error = static_cast<std::uint64_t>(h3_error::no_error);
constexpr auto message_error = static_cast<std::uint64_t>(h3_error::message_error);
constexpr auto internal_error = static_cast<std::uint64_t>(h3_error::internal_error);

void drop_connection_fields(fields& list) {
    for (auto name : {"connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"}) list.erase(name);
}

}  // namespace

struct http1_client::state {
    explicit state(const limits& l) : limit(l), parser(http1_parser::role::responses, l) {}

    struct exchange {
        request_id id = 0;
        request message;
        std::unique_ptr<body_source> body;
        time_point submitted;
        wait_ledger ledger;
        // Of the one that is on the connection:
        bool sent_head = false;  // its first byte was handed to transmit
        duration queued{};       // from submit until then
        bool is_head = false;    // HEAD
        bool answered = false;   // the final response's head came
        bool tunnel = false;     // it was 101: the connection speaks another protocol
        bool complete = false;   // all of the response came
        bool body_announced = false;
        std::size_t interim = 0;
        fields trailers;
    };

    bool on_wire() const { return !queue.empty() && queue.front().sent_head; }
    bool paused() const { return on_wire() && received.size() >= limit.body_buffer; }
    exchange* find(request_id id) {
        auto it = std::find_if(queue.begin(), queue.end(), [&](const exchange& e) { return e.id == id; });
        return it == queue.end() ? nullptr : &*it;
    }

    void on_head();
    void on_switch(http1_head head);
    void on_body(std::span<const std::uint8_t> data, time_point now);
    void on_complete();
    void try_finish();
    void fail_front(request_failure);
    void end(session_error why);
    void report_closed();
    void say_going_away();

    limits limit;
    http1_parser parser;
    http1_writer writer;
    std::deque<exchange> queue;  // the first one may be on the connection
    body_buffer received;        // body bytes of the first one
    time_point own_ready;
    std::deque<client_event> events;
    std::function<void(time_point)> refill;
    wait_ledger total;  // of requests that are over
    mutable wait_ledger sum;
    request_id next_id = 0;
    bool last = false;      // no request may follow the one on the connection
    bool draining = false;  // close() was called
    bool said_going_away = false;
    bool said_closed = false;
    std::optional<session_error> over;
};

void http1_client::state::on_head() {
    auto& front = queue.front();
    auto head = parser.head();
    if (head.status == 101 && !front.message.protocol.empty() &&
        list_contains(head.fields.joined("upgrade"), front.message.protocol)) {
        return on_switch(std::move(head));
    }
    if (head.status < 200) {  // RFC 9110 15.2: any number of them may come first
        parser.next_message();
        if (front.is_head) parser.expect_no_body();
        if (head.status == 101 || ++front.interim > limit.interim_responses) {
            end({message_error, false,
                 head.status == 101 ? "the server switched protocols unasked" : "too many interim responses"});
            return;
        }
        drop_connection_fields(head.fields);
        events.push_back(client_events::interim{front.id, {head.status, std::move(head.fields)}});
        return;
    }
    front.answered = true;
    if (!head.keep_alive || head.until_close) last = true;
    drop_connection_fields(head.fields);
    events.push_back(client_events::response{front.id, {head.status, std::move(head.fields)}, head.has_body});
    if (!head.has_body) on_complete();
}

// RFC 9110 7.8: what follows is the other protocol's.
void http1_client::state::on_switch(http1_head head) {
    auto& front = queue.front();
    if (const auto wrong = front.message.datagrams ? wrong_with_capsules(head.fields) : ""; !wrong.empty())
        return end({message_error, false, std::string(wrong)});
    front.answered = front.tunnel = last = true;
    drop_connection_fields(head.fields);
    events.push_back(client_events::response{front.id, {head.status, std::move(head.fields)}, true});
    if (front.body) writer.start({}, http1_framing::until_close, std::move(front.body));
}

void http1_client::state::on_body(std::span<const std::uint8_t> data, time_point now) {
    auto& front = queue.front();
    if (data.empty()) return;
    received.append(data, now);
    front.ledger.add(wait_cause::http_queue, data.size(), front.submitted, front.submitted + front.queued);
    front.ledger.add_total(data.size(), front.queued);
    if (!front.body_announced) {
        front.body_announced = true;
        events.push_back(client_events::body{front.id});
    }
}

void http1_client::state::on_complete() {
    auto& front = queue.front();
    front.complete = true;
    front.trailers = parser.take_trailers();
    // RFC 9112 9.3: what of the request was not sent yet would be taken for the next one.
    if (writer.active()) last = true;
    writer.abandon();
    try_finish();
}

// The last event of a request comes when the application has read its body.
void http1_client::state::try_finish() {
    auto& front = queue.front();
    if (!front.complete || !received.empty()) return;
    if (front.tunnel) events.push_back(client_events::received{front.id});
    if (!front.trailers.empty()) events.push_back(client_events::trailers{front.id, std::move(front.trailers)});
    total.merge(front.ledger);
    events.push_back(client_events::finished{front.id, std::move(front.ledger)});
    queue.pop_front();
    parser.next_message();
    own_ready = {};
    if (last) end({no_error, true, "the server closes the connection after this answer"});
    if (draining && queue.empty()) end({no_error, false, "closed"});
    if (over) report_closed();
}

void http1_client::state::fail_front(request_failure why) {
    auto& front = queue.front();
    total.merge(front.ledger);
    events.push_back(client_events::failed{front.id, std::move(why), std::move(front.ledger)});
    queue.pop_front();
    received.clear();
}

// The connection is over: a complete response stays to be read, everything else fails.
void http1_client::state::end(session_error why) {
    if (!over) over = std::move(why);
    writer.abandon();
    std::deque<exchange> kept;
    if (on_wire() && queue.front().complete) {
        kept.push_back(std::move(queue.front()));
        queue.pop_front();
    } else if (on_wire()) {
        auto& front = queue.front();
        auto kind = over->code == message_error    ? failure_kind::malformed
                    : over->code == internal_error ? failure_kind::body_failed
                                                   : failure_kind::connection_lost;
        bool retryable =
            kind == failure_kind::connection_lost && is_safe_method(front.message.method) && !front.answered && !parser.started();
        fail_front({kind, over->code, retryable, over->text});
    }
    while (!queue.empty()) fail_front({failure_kind::rejected, over->code, true, over->text});
    queue = std::move(kept);
    if (queue.empty()) report_closed();
}

void http1_client::state::report_closed() {
    if (said_closed || !queue.empty()) return;
    said_closed = true;
    events.push_back(client_events::closed{*over});
}

void http1_client::state::say_going_away() {
    if (std::exchange(said_going_away, true)) return;
    events.push_back(client_events::going_away{});
}

http1_client::http1_client(const limits& l) : state_(std::make_unique<state>(l)) {}
http1_client::~http1_client() = default;

std::size_t http1_client::receive(std::span<const std::uint8_t> plaintext, std::span<const tls::record_times> times,
                                  time_point now) {
    auto& s = *state_;
    http1_times cursor(times);
    std::size_t taken = 0;
    while (taken < plaintext.size() && !s.over) {
        if (!s.on_wire() || s.queue.front().complete) {
            if (s.on_wire()) break;  // the next answer waits until this one was read
            s.end({message_error, true, "the server sent bytes that no request asked for"});
            break;
        }
        if (s.paused()) break;
        auto input = plaintext.subspan(taken, std::min(plaintext.size() - taken, s.limit.body_buffer - s.received.size()));
        if (s.queue.front().tunnel) {
            cursor.charge(input.size(), now, s.queue.front().ledger, s.own_ready);
            s.on_body(input, now);
            taken += input.size();
            continue;
        }
        auto step = s.parser.feed(input);
        cursor.charge(step.consumed, now, s.queue.front().ledger, s.own_ready);
        taken += step.consumed;
        switch (step.what) {
            case http1_parser::progress::need_more:
                break;
            case http1_parser::progress::head:
                s.on_head();
                break;
            case http1_parser::progress::body:
                s.on_body(input.subspan(step.consumed - step.body_bytes, step.body_bytes), now);
                break;
            case http1_parser::progress::end:
                s.on_complete();
                break;
            case http1_parser::progress::failed:
                s.end({message_error, false, s.parser.error().text});
                break;
        }
        if (s.on_wire() && !s.queue.front().complete && !s.over && step.what == http1_parser::progress::body &&
            s.parser.feed({}).what == http1_parser::progress::end) {
            s.on_complete();
        }
        if (s.last && s.on_wire() && s.queue.front().answered) s.say_going_away();
    }
    return taken;
}

void http1_client::receive_end(bool clean, time_point) {
    auto& s = *state_;
    if (s.over) return;
    if (clean && s.on_wire() && !s.queue.front().complete && (s.queue.front().tunnel || s.parser.feed_end())) s.on_complete();
    if (!s.over) s.end({no_error, true, clean ? "the server closed the connection" : "the connection was cut off"});
}

std::size_t http1_client::transmit(std::span<std::uint8_t> out, time_point now) {
    auto& s = *state_;
    if (s.over || s.queue.empty() || out.empty()) return 0;
    auto& front = s.queue.front();
    if (!front.sent_head && !s.last) {
        const bool upgrade = !front.message.protocol.empty();  // then the body waits for the answer
        auto head = frame_request(front.message, upgrade ? nullptr : front.body.get());
        s.writer.start(std::move(head.text), head.framing, upgrade ? nullptr : std::move(front.body));
        front.sent_head = true;
        front.queued = now - front.submitted;
        front.is_head = front.message.method == "HEAD";
        if (front.is_head) s.parser.expect_no_body();
    }
    auto n = s.writer.transmit(out);
    if (s.writer.failed()) s.end({internal_error, false, "the request's body could not be read to its end"});
    return n;
}

bool http1_client::wants_to_receive() const { return !state_->over && !state_->paused(); }
bool http1_client::finished_sending() const { return state_->over.has_value(); }

void http1_client::connection_lost(const session_error& why, time_point) {
    if (!state_->over) state_->end(why);
}

const std::optional<session_error>& http1_client::error() const { return state_->over; }

bool http1_client::can_submit() const { return !state_->over && !state_->last && !state_->draining && state_->queue.empty(); }

request_id http1_client::submit(request message, std::unique_ptr<body_source> body, time_point now) {
    auto& s = *state_;
    auto id = s.next_id++;
    if (auto wrong = invalid_reason(message); !wrong.empty()) {
        s.events.push_back(client_events::failed{id, {failure_kind::malformed, message_error, false, std::string(wrong)}, {}});
        return id;
    }
    if (s.over || s.draining || s.last) {
        s.events.push_back(client_events::failed{id, {failure_kind::closed, no_error, true, "the session is closing"}, {}});
        return id;
    }
    s.queue.push_back({.id = id, .message = std::move(message), .body = std::move(body), .submitted = now});
    if (s.limit.record_waits) s.queue.back().ledger.record_intervals();
    return id;
}

void http1_client::resume_body(request_id id) {
    auto& s = *state_;
    if (s.on_wire() && s.queue.front().id == id) s.writer.resume();
}

std::size_t http1_client::read_body(request_id id, std::span<std::uint8_t> out, time_point now) {
    auto& s = *state_;
    std::size_t n = 0;
    while (n < out.size() && s.on_wire() && s.queue.front().id == id) {
        auto& front = s.queue.front();
        n += s.received.read(out.subspan(n), now, front.ledger);
        if (!s.received.empty()) break;
        if (front.complete) {
            s.try_finish();
            break;
        }
        if (s.refill) s.refill(now);
        if (!s.on_wire() || s.received.empty()) break;
    }
    if (n == 0 && s.on_wire() && s.queue.front().id == id) s.queue.front().body_announced = false;
    return n;
}

void http1_client::on_room(std::function<void(time_point)> refill) { state_->refill = std::move(refill); }

void http1_client::cancel(request_id id, time_point, h3_error code) {
    auto& s = *state_;
    auto* found = s.find(id);
    if (!found) return;
    request_failure why{failure_kind::cancelled, static_cast<std::uint64_t>(code), false, "cancelled"};
    if (!found->sent_head) {
        s.events.push_back(client_events::failed{id, std::move(why), std::move(found->ledger)});
        std::erase_if(s.queue, [&](const state::exchange& e) { return e.id == id; });
    } else {
        bool complete = found->complete;
        s.fail_front(std::move(why));
        if (complete && !s.last) {
            s.parser.next_message();
        } else {
            s.end({static_cast<std::uint64_t>(code), false,
                   "a request was cancelled"});  // RFC 9112 has no other way to stop an answer
        }
    }
    if (s.draining && s.queue.empty() && !s.over) s.end({no_error, false, "closed"});
}

void http1_client::close(time_point) {
    auto& s = *state_;
    s.draining = true;
    if (s.queue.empty() && !s.over) s.end({no_error, false, "closed"});
}

std::optional<client_event> http1_client::poll_event() {
    auto& events = state_->events;
    if (events.empty()) return std::nullopt;
    auto event = std::move(events.front());
    events.pop_front();
    return event;
}

const wait_ledger& http1_client::ledger(request_id id) const {
    static const wait_ledger none;
    auto* found = state_->find(id);
    return found ? found->ledger : none;
}

const wait_ledger& http1_client::ledger() const {
    state_->sum = state_->total;
    for (const auto& e : state_->queue) state_->sum.merge(e.ledger);
    return state_->sum;
}

}  // namespace tandem::http
