#include <tandem/sim/page_server.hpp>

#include <algorithm>
#include <array>
#include <memory>
#include <variant>

namespace tandem::sim {

bool page_server::run(http::server_session& session, time_point now) {
    bool progress = false;
    while (const auto event = session.poll_event()) {
        progress = true;
        if (const auto* body = std::get_if<http::server_events::body>(&*event)) {
            std::array<std::uint8_t, 4096> ignored{};
            while (session.read_body(body->id, ignored, now) != 0) {
            }
        }
        const auto* request = std::get_if<http::server_events::request>(&*event);
        if (request == nullptr) continue;
        if (!first_response_) first_response_ = now;
        const auto object = object_of_path(request->message.path);
        const auto bytes = object ? contents_.body(*object) : std::span<const std::uint8_t>{};
        if (bytes.empty()) {
            session.respond(request->id, {.status = object ? 200 : 404}, std::make_unique<http::memory_body>(std::string{}), now);
            continue;
        }
        requested_.resize(std::max<std::size_t>(requested_.size(), request->id + 1));
        requested_[request->id] = *object;
        http::response response{.status = 200};
        response.fields.append("content-type", "application/octet-stream");
        session.respond(request->id, std::move(response), std::make_unique<http::memory_body>(contents_.owner(), bytes), now);
    }
    return progress;
}

std::optional<std::size_t> page_server::object(http::request_id request) const {
    if (request >= requested_.size() || requested_[request] == 0) return std::nullopt;
    return requested_[request];
}

}  // namespace tandem::sim
