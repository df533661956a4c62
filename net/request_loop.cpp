#include <tandem/net/request_loop.hpp>

#include <array>
#include <utility>
#include <variant>

namespace tandem::net {

void request_loop::run(http::server_session& session, time_point now) {
    while (auto event = session.poll_event()) {
        if (auto* request = std::get_if<http::server_events::request>(&*event)) {
            answer(session, *request, now);
        } else if (auto* body = std::get_if<http::server_events::body>(&*event)) {
            discard_body(session, body->id, now);
        } else if (auto* finished = std::get_if<http::server_events::finished>(&*event)) {
            over(finished->id, true, now);
        } else if (auto* failed = std::get_if<http::server_events::failed>(&*event)) {
            over(failed->id, false, now);
        }
    }
}

void request_loop::answer(http::server_session& session, http::server_events::request& event, time_point now) {
    header_begun_.reset();
    ++requests_;
    auto answer = handler_(event.message, source_);
    if (common_ != nullptr) {
        for (const auto& f : *common_) answer.head.fields.append(f.name, f.value);
    }
    exchange e{std::move(event.message), now, answer.head.status, {}, 0};
    if (answer.body) e.bytes = answer.body->content_length();
    exchanges_.emplace(event.id, std::move(e));
    session.respond(event.id, std::move(answer.head), std::move(answer.body), now);
    if (requests_ >= limits_.requests_per_connection && !std::exchange(closing_, true)) session.close(now);
}

void request_loop::discard_body(http::server_session& session, http::request_id id, time_point now) {
    static thread_local std::array<std::uint8_t, 16 * 1024> sink;
    auto it = exchanges_.find(id);
    while (auto n = session.read_body(id, sink, now)) {
        if (it == exchanges_.end()) continue;
        it->second.discarded += n;
        if (it->second.discarded > limits_.request_body) return session.refuse_body(id, now);
    }
}

void request_loop::over(http::request_id id, bool complete, time_point now) {
    quiet_since_ = now;
    header_begun_.reset();
    auto it = exchanges_.find(id);
    if (it == exchanges_.end()) return;
    const auto& e = it->second;
    if (log_) log_({source_, e.request, e.status, e.bytes, now - e.begun, complete});
    exchanges_.erase(it);
}

void request_loop::progress(time_point now, bool received) {
    quiet_since_ = now;
    if (received && exchanges_.empty() && !header_begun_) header_begun_ = now;
}

bool request_loop::overdue(const http::server_session* session, time_point now) const {
    if (session == nullptr) return now - opened_ >= limits_.handshake_timeout;
    if (session->active_requests() > 0) return now - quiet_since_ >= limits_.stall_timeout;
    return header_begun_ && now - *header_begun_ >= limits_.header_timeout;
}

bool request_loop::idle_for_long(const http::server_session& session, time_point now) const {
    return session.active_requests() == 0 && now - quiet_since_ >= limits_.idle_timeout;
}

}  // namespace tandem::net
