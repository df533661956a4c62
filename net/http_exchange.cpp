#include <tandem/net/http_exchange.hpp>

namespace tandem::net {

void http_exchange::respond(int status, std::string_view content_type, std::string text) {
    http::response head{status, {}};
    if (!content_type.empty()) head.fields.append("content-type", content_type);
    respond(std::move(head), std::make_unique<http::memory_body>(std::move(text)));
}

}  // namespace tandem::net
