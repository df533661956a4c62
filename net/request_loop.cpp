#include <tandem/net/request_loop.hpp>

#include <algorithm>
#include <utility>
#include <variant>

#include <tandem/bytes/recycled.hpp>

namespace tandem::net {

request_loop::~request_loop() {
    for (auto& [id, e] : std::exchange(exchanges_, {})) e->ended();
}

void request_loop::run(http::server_session& session, time_point now) {
    session_ = &session;
    running_ = true;
    while (auto event = session.poll_event()) on_event(*event, now);
    running_ = false;
}

void request_loop::on_event(http::server_event& event, time_point now) {
    using namespace http::server_events;
    if (auto* asked = std::get_if<request>(&event)) {
        answer(*asked, now);
    } else if (auto* available = std::get_if<body>(&event)) {
        if (auto e = find(available->id)) e->body_available(now);
    } else if (auto* last = std::get_if<http::server_events::trailers>(&event)) {
        if (auto e = find(last->id)) e->set_trailers(std::move(last->fields));
    } else if (auto* whole = std::get_if<received>(&event)) {
        if (auto e = find(whole->id)) e->received();
    } else if (auto* done = std::get_if<finished>(&event)) {
        over(done->id, true, now);
    } else if (auto* gone = std::get_if<failed>(&event)) {
        over(gone->id, false, now);
    } else if (auto* arrived = std::get_if<datagrams>(&event)) {
        if (auto e = find(arrived->id)) e->datagrams_available();
    }
}

namespace {

// The host of "host", "host:port" or "[address]:port".
std::string_view host_of(std::string_view authority) {
    const auto end = authority.starts_with('[') ? authority.find(']') : std::string_view::npos;
    return authority.substr(0, end != std::string_view::npos ? end + 1 : authority.find(':'));
}

}  // namespace

// What no handler is asked.
bool request_loop::refused(detail::exchange& e) const {
    const auto& asked = e.request();
    int status = 0;
    if (const auto length = http::parse_content_length(asked.fields.find("content-length").value_or("0"));
        !handlers_.answer && asked.protocol.empty() && length.value_or(0) > limits_.largest_body)
        status = 413;
    if (const auto& hosts = limits_.hosts; !hosts.empty()) {  // RFC 9110 7.4
        const auto host = http::to_lower(host_of(asked.authority));
        if (std::find(hosts.begin(), hosts.end(), host) == hosts.end()) status = 421;
    }
    if (status == 0) return false;
    auto page = status_page(status);
    e.respond(std::move(page.head), std::move(page.body));
    return true;
}

std::shared_ptr<detail::exchange> request_loop::find(http::request_id id) const {
    auto it = exchanges_.find(id);
    return it == exchanges_.end() ? nullptr : it->second;
}

void request_loop::answer(http::server_events::request& event, time_point now) {
    header_begun_.reset();
    ++requests_;
    const auto id = event.id;
    detail::exchange_host& host = *this;
    auto e =
        std::allocate_shared<detail::exchange>(recycled::allocator<detail::exchange>(), host, event, source_, executor_, now);
    e->set_limits(limits_.largest_body, limits_.request_body);
    if (exchanges_.empty()) slow_since_ = now, moved_ = 0;
    exchanges_.emplace(id, e);
    if (refused(*e)) {
        // It is answered.
    } else if (handlers_.answer) {
        auto answer = handlers_.answer(e->request(), source_);
        e->respond(std::move(answer.head), std::move(answer.body));
    } else {
        handlers_.exchange(std::make_shared<http_exchange>(std::move(e)));
    }
    if (requests_ >= limits_.requests_per_connection && !std::exchange(closing_, true)) session_->close(now);
}

void request_loop::wake() {
    if (!running_ && wake_) wake_();
}

void request_loop::decorate(http::fields& fields) {
    if (common_ == nullptr) return;
    for (const auto& f : *common_) {
        if (!fields.contains(f.name)) fields.append(f.name, f.value);
    }
}

void request_loop::over(http::request_id id, bool complete, time_point now) {
    quiet_since_ = slow_since_ = now;
    moved_ = taken_since_ = 0;
    header_begun_.reset();
    auto node = exchanges_.extract(id);
    if (node.empty()) return;
    auto& e = *node.mapped();
    e.ended();
    if (log_) log_({source_, e.request(), e.status(), e.bytes(), now - e.begun(), complete});
}

void request_loop::progress(time_point now, bool received) {
    quiet_since_ = now;
    if (received && exchanges_.empty() && !header_begun_) header_begun_ = now;
}

void request_loop::still_read(time_point now, std::uint64_t bytes, std::uint64_t left) {
    header_begun_.reset();
    moved_ += bytes;
    taken_since_ += bytes;
    if (left > 0 && taken_since_ < limits_.stall_bytes) return;
    quiet_since_ = now;
    taken_since_ = 0;
}

bool request_loop::overdue(const http::server_session* session, time_point now) {
    if (session == nullptr) return now - opened_ >= limits_.handshake_timeout;
    const auto begun = session->unfinished_head();
    if (begun && now - *begun >= limits_.header_timeout) return true;
    if (session->active_requests() == 0)  // a section that has begun has its own time: HTTP/1.1 answers 408 then
        return header_begun_ && now - std::max(*header_begun_, begun.value_or(*header_begun_)) >= limits_.header_timeout;
    if (exchanges_.empty()) return now - quiet_since_ >= limits_.stall_timeout;
    return stalled(now);
}

// How long tunnels may be quiet is their protocol's business, how long an answer takes the handler's.
bool request_loop::stalled(time_point now) {
    using turn = detail::exchange::turn;
    bool waits = false, converses = false;
    for (const auto& [id, e] : exchanges_) {
        const auto whose = e->whose_turn();
        waits = waits || whose == turn::client;
        converses = converses || whose == turn::conversation;
    }
    if (!waits && !converses) quiet_since_ = now;
    if (!waits || moved_ >= limits_.stall_bytes) slow_since_ = now, moved_ = 0;
    return now - std::min(quiet_since_, slow_since_) >= limits_.stall_timeout;
}

bool request_loop::idle_for_long(const http::server_session& session, time_point now) const {
    return session.active_requests() == 0 && now - quiet_since_ >= limits_.idle_timeout;
}

}  // namespace tandem::net
