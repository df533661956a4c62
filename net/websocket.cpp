#include <tandem/net/websocket.hpp>

namespace tandem::net {

std::optional<websocket> websocket::accept(std::shared_ptr<http_exchange> exchange, websocket_options options) {
    auto answer = http::answer_websocket(exchange->request(), options.subprotocols);
    if (!answer.problem.empty()) {
        exchange->respond(std::move(answer.head), std::make_unique<http::memory_body>(answer.problem + '\n'));
        return std::nullopt;
    }
    for (const auto& f : options.fields) answer.head.fields.append(f.name, f.value);
    exchange->begin(std::move(answer.head));
    return websocket(detail::websocket_state::server(std::move(exchange), std::move(options), std::move(answer.subprotocol)));
}

}  // namespace tandem::net
