#include <tandem/http/http1_server.hpp>

#include <algorithm>
#include <utility>

#include <tandem/bytes/front_vector.hpp>
#include <tandem/http/body_buffer.hpp>
#include <tandem/http/capsule_protocol.hpp>
#include <tandem/http/http1_parser.hpp>
#include <tandem/http/http1_target.hpp>
#include <tandem/http/http1_times.hpp>
#include <tandem/http/http1_writer.hpp>

namespace tandem::http {
namespace {

constexpr auto no_error = static_cast<std::uint64_t>(h3_error::no_error);
constexpr auto message_error = static_cast<std::uint64_t>(h3_error::message_error);
constexpr auto internal_error = static_cast<std::uint64_t>(h3_error::internal_error);

}  // namespace

struct http1_server::state {
    state(const limits& l, std::string s, bool report)
        : limit(l), scheme(std::move(s)), report_carried(report), parser(http1_parser::role::requests, l) {}

    // The exchange that is on the connection; the next request is not looked at before this one is over.
    struct exchange {
        request_id id = 0;
        std::string method;
        int version = 11;
        bool keep_alive = true;
        bool expects_continue = false;  // the client waits for 100 before it sends the body
        bool has_body = false;
        bool received = false;  // all of the request came
        bool read = false;      // and the application was told so
        bool body_announced = false;
        bool answered = false;  // respond() was called
        bool sent = false;      // all of the response was given to transmit
        bool refused = false;   // nobody wants the rest of the body
        std::string protocol;   // that the client wants to switch to; what comes after the request waits for the answer
        bool tunnel = false;    // it is spoken from now on
        std::uint64_t discarded = 0;
        fields trailers;
    };

    bool undecided() const { return current && !current->protocol.empty() && !current->answered; }
    bool paused() const {
        return undecided() || (current && (current->received || body.size() >= limit.body_buffer) && !current->sent);
    }

    void on_head(time_point now);
    void on_body(std::span<const std::uint8_t> data, time_point now);
    void on_received();
    void tell_read();
    void answer(response message, std::unique_ptr<body_source> source);
    void refuse(const http1_error&);
    void on_sent();
    void try_finish();
    void end(session_error why);
    std::optional<time_point> idle_deadline() const;
    void fail_current(failure_kind kind, std::uint64_t code, const std::string& text);

    limits limit;
    std::string scheme;
    bool report_carried;
    http1_parser parser;
    http1_writer writer;
    std::optional<exchange> current;
    body_buffer body;
    time_point own_ready;
    std::optional<time_point> head_since;
    std::optional<time_point> last_progress;
    front_vector<server_event> events;
    std::function<void(time_point)> refill;
    wait_ledger waits;
    std::vector<carried> carried_ranges;
    std::uint64_t written = 0;
    request_id next_id = 0;
    bool last = false;      // no request may follow the current one
    bool refusing = false;  // the answer being sent is the session's own, to something that is no request
    std::optional<session_error> over;
};

void http1_server::state::on_head(time_point) {
    head_since.reset();
    auto head = parser.head();
    http1_error problem;
    auto message = http1_request_of(head, scheme, problem);
    if (!message) return refuse(problem);
    current = exchange{.id = next_id++,
                       .method = head.method,
                       .version = head.version,
                       .keep_alive = head.keep_alive,
                       .has_body = head.has_body};
    if (head.method == "CONNECT") current->keep_alive = false;
    if (auto expectation = head.fields.find("expect"); expectation && head.version >= 11) {
        if (!equals_ignoring_case(*expectation, "100-continue")) return refuse({417, "an expectation this server does not know"});
        current->expects_continue = head.has_body;  // RFC 9110 10.1.1
    }
    if (!current->keep_alive) last = true;
    current->protocol = message->protocol = http1_upgrade_of(head, limit.tunnel_protocols);
    message->datagrams = has_datagrams(limit, message->protocol);
    if (const auto wrong = message->datagrams ? wrong_with_capsules(message->fields) : ""; !wrong.empty())
        return refuse({400, std::string(wrong)});
    const bool more = head.has_body || !current->protocol.empty();
    events.emplace_back(server_events::request{current->id, std::move(*message), more});
    if (!more) on_received();
}

void http1_server::state::on_body(std::span<const std::uint8_t> data, time_point now) {
    if (data.empty()) return;
    current->expects_continue = false;
    if (current->refused) return;
    if (current->sent) {  // the answer went already: nobody wants the rest
        current->discarded += data.size();
        if (current->discarded > limit.discarded_body) last = true;
        return;
    }
    body.append(data, now);
    if (!std::exchange(current->body_announced, true)) events.push_back(server_events::body{current->id});
}

void http1_server::state::on_received() {
    current->received = true;
    current->trailers = parser.take_trailers();
    tell_read();
    try_finish();
}

void http1_server::state::tell_read() {
    if (!current->received || current->read || !body.empty()) return;
    current->read = true;
    if (!current->trailers.empty()) events.push_back(server_events::trailers{current->id, std::move(current->trailers)});
    events.push_back(server_events::received{current->id});
}

void http1_server::state::answer(response message, std::unique_ptr<body_source> source) {
    auto& e = *current;
    e.answered = true;
    // A client that was not told to go on may or may not send its body now: nobody could tell it from the next request.
    if (e.expects_continue) last = true;
    if (message.status == 101) {
        e.tunnel = last = true;
        auto head = frame_switch(message, e.protocol, source.get());
        return writer.start(std::move(head.text), head.framing, std::move(source));
    }
    auto head = frame_response(message, source.get(), e.method, e.version, last, e.version < 11);
    if (head.closes) last = true;
    writer.start(std::move(head.text), head.framing, std::move(source));
    if (!e.protocol.empty()) on_received();  // it stays HTTP: there is no body
}

// Answers what is not a proper request, then ends the connection: where the next one begins is not known.
void http1_server::state::refuse(const http1_error& why) {
    last = true;
    refusing = true;
    if (!current) current = exchange{.id = next_id, .method = "GET"};
    current->answered = current->received = current->read = true;
    response message{why.status, {{"content-type", "text/plain; charset=utf-8"}}};
    answer(std::move(message), std::make_unique<memory_body>(why.text + '\n'));
}

void http1_server::state::on_sent() {
    current->sent = true;
    body.clear();
    try_finish();
}

void http1_server::state::try_finish() {
    if (!current || !current->sent) return;
    if (!current->received && !last) return;
    if (refusing) {
        auto text = parser.error().text.empty() ? "not a proper request" : parser.error().text;
        current.reset();
        return end({message_error, false, text});
    }
    tell_read();
    events.push_back(server_events::finished{current->id});
    current.reset();
    if (last) return end({no_error, false, "closed after an answer"});
    parser.next_message();
    own_ready = {};
}

// Nothing while it is this side that makes the other wait.
std::optional<time_point> http1_server::state::idle_deadline() const {
    bool our_turn = current && (current->received || undecided()) && (!current->answered || writer.waiting());
    bool tunnel = current && current->tunnel;  // how long it may be quiet is its protocol's business
    if (over || our_turn || tunnel || !last_progress) return std::nullopt;
    return *last_progress + limit.idle_time;
}

void http1_server::state::fail_current(failure_kind kind, std::uint64_t code, const std::string& text) {
    if (current && !refusing) events.push_back(server_events::failed{current->id, {kind, code, false, text}});
    current.reset();
    body.clear();
    writer.abandon();
}

void http1_server::state::end(session_error why) {
    if (over) return;
    fail_current(why.code == no_error ? failure_kind::connection_lost : failure_kind::reset, why.code, why.text);
    over = std::move(why);
    head_since.reset();
    events.push_back(server_events::closed{*over});
}

http1_server::http1_server(const limits& l, std::string scheme, bool report_carried)
    : state_(std::make_unique<state>(l, std::move(scheme), report_carried)) {}
http1_server::~http1_server() = default;

std::size_t http1_server::receive(std::span<const std::uint8_t> plaintext, std::span<const tls::record_times> times,
                                  time_point now) {
    auto& s = *state_;
    s.last_progress = now;
    http1_times cursor(times);
    std::size_t taken = 0;
    while (taken < plaintext.size() && !s.over && !s.refusing && !s.paused()) {
        if (!s.current && !s.head_since) s.head_since = now;
        auto room = s.limit.body_buffer - std::min(s.body.size(), s.limit.body_buffer - 1);
        auto input = plaintext.subspan(taken, std::min(plaintext.size() - taken, room));
        if (s.current && s.current->tunnel) {
            cursor.charge(input.size(), now, s.waits, s.own_ready);
            s.on_body(input, now);
            taken += input.size();
            continue;
        }
        auto step = s.parser.feed(input);
        cursor.charge(step.consumed, now, s.waits, s.own_ready);
        taken += step.consumed;
        switch (step.what) {
            case http1_parser::progress::need_more:
                break;
            case http1_parser::progress::head:
                s.on_head(now);
                break;
            case http1_parser::progress::body:
                s.on_body(input.subspan(step.consumed - step.body_bytes, step.body_bytes), now);
                if (s.current && s.parser.feed({}).what == http1_parser::progress::end) s.on_received();
                break;
            case http1_parser::progress::end:
                s.on_received();
                break;
            case http1_parser::progress::failed:
                if (s.current && s.current->answered) {
                    s.end({message_error, false, s.parser.error().text});
                } else {
                    if (s.current) s.fail_current(failure_kind::malformed, message_error, s.parser.error().text);
                    s.refuse(s.parser.error());
                }
                break;
        }
        if (s.last && s.current && s.current->sent) s.try_finish();
    }
    return taken;
}

void http1_server::receive_end(bool clean, time_point) {
    auto& s = *state_;
    if (s.over) return;
    if (clean && s.current && s.current->tunnel) {
        s.current->received = true;
        return s.tell_read();
    }
    // A client may shut down its half after the request and still wait for the answer.
    if (clean && s.current && s.current->received) {
        s.last = true;
        return;
    }
    s.end({no_error, true, clean ? "the client closed the connection" : "the connection was cut off"});
}

std::size_t http1_server::transmit(std::span<std::uint8_t> out, time_point now) {
    auto& s = *state_;
    if (!s.last_progress) s.last_progress = now;
    if (s.over || !s.current) return 0;
    if (s.current->expects_continue && !s.current->answered) {
        s.current->expects_continue = false;
        s.writer.inform(frame_interim({100, {}}));
    }
    auto id = s.current->id;
    auto n = s.writer.transmit(out);
    if (n > 0) s.last_progress = now;
    if (s.report_carried && n > 0) s.carried_ranges.push_back({s.written, s.written + n, id});
    s.written += n;
    if (s.writer.failed()) {
        s.fail_current(failure_kind::body_failed, internal_error, "the response's body could not be read to its end");
        s.end({internal_error, false, "a response could not be sent to its end"});
    } else if (s.current->answered && !s.writer.active()) {
        s.on_sent();
    }
    return n;
}

bool http1_server::wants_to_receive() const { return !state_->over && !state_->refusing && !state_->paused(); }
bool http1_server::finished_sending() const { return state_->over.has_value(); }

void http1_server::connection_lost(const session_error& why, time_point) { state_->end(why); }

void http1_server::on_room(std::function<void(time_point)> refill) { state_->refill = std::move(refill); }

std::optional<time_point> http1_server::next_timeout() const {
    auto& s = *state_;
    auto deadline = s.idle_deadline();
    if (!s.head_since) return deadline;
    auto head = *s.head_since + s.limit.head_time;
    return deadline ? std::min(*deadline, head) : head;
}

void http1_server::on_timeout(time_point now) {
    auto& s = *state_;
    if (s.over) return;
    if (s.head_since && now >= *s.head_since + s.limit.head_time) {
        s.head_since.reset();
        s.last_progress = now;
        return s.refuse({408, "the request did not come to its end in time"});
    }
    if (auto deadline = s.idle_deadline(); deadline && now >= *deadline) s.end({no_error, false, "idle for too long"});
}

const std::optional<session_error>& http1_server::error() const { return state_->over; }
std::vector<http1_server::carried> http1_server::drain_carried() { return std::exchange(state_->carried_ranges, {}); }

void http1_server::respond(request_id id, response message, std::unique_ptr<body_source> source, time_point) {
    auto& s = *state_;
    if (!s.current || s.current->id != id || s.current->answered) return;
    const bool switches = message.status == 101 && !s.current->protocol.empty();
    if (!(switches ? invalid_reason(message.fields) : invalid_reason(message)).empty()) message = {500, {}}, source = nullptr;
    s.answer(std::move(message), std::move(source));
}

void http1_server::inform(request_id id, response message, time_point) {
    auto& s = *state_;
    if (!s.current || s.current->id != id || s.current->answered || s.current->version < 11) return;
    if (!invalid_interim_reason(message).empty()) return;
    if (message.status == 100) s.current->expects_continue = false;
    s.writer.inform(frame_interim(message));
}

void http1_server::resume_body(request_id id) {
    if (state_->current && state_->current->id == id) state_->writer.resume();
}

std::size_t http1_server::read_body(request_id id, std::span<std::uint8_t> out, time_point now) {
    auto& s = *state_;
    std::size_t n = 0;
    while (n < out.size() && s.current && s.current->id == id) {
        n += s.body.read(out.subspan(n), now, s.waits);
        if (!s.body.empty()) break;
        s.tell_read();
        if (s.current->received || !s.refill) break;
        s.refill(now);
        if (!s.current || s.body.empty()) break;
    }
    if (n == 0 && s.current && s.current->id == id) s.current->body_announced = false;
    return n;
}

void http1_server::refuse_body(request_id id, time_point) {
    auto& s = *state_;
    if (!s.current || s.current->id != id || s.current->received) return;
    s.last = s.current->refused = true;
    s.body.clear();
    s.try_finish();
}

void http1_server::reset(request_id id, h3_error code, time_point) {
    auto& s = *state_;
    if (s.current && s.current->id == id) s.end({static_cast<std::uint64_t>(code), false, "the exchange was given up"});
}

void http1_server::close(time_point) {
    auto& s = *state_;
    s.last = true;
    if (!s.current && !s.parser.started()) s.end({no_error, false, "closed"});
}

std::optional<server_event> http1_server::poll_event() {
    auto& events = state_->events;
    if (events.empty()) return std::nullopt;
    std::optional<server_event> event(std::move(events.front()));
    events.pop_front();
    if (!state_->current) events.shrink();  // an idle connection holds none
    return event;
}

std::size_t http1_server::active_requests() const { return state_->current ? 1 : 0; }
std::optional<time_point> http1_server::unfinished_head() const { return state_->head_since; }
const wait_ledger& http1_server::ledger() const { return state_->waits; }

}  // namespace tandem::http
