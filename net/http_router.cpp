#include <tandem/net/http_router.hpp>

#include <algorithm>

#include <tandem/net/static_files.hpp>

namespace tandem::net {

void http_router::add(std::string_view method, std::string_view pattern, http_handler handler) {
    route r{std::string(method), std::string(pattern), false, std::move(handler)};
    if (r.path.ends_with('*')) {
        r.path.pop_back();
        r.beginning = true;
    }
    const auto before = [](const route& a, const route& b) {
        if (a.beginning != b.beginning) return b.beginning;
        return a.path.size() > b.path.size();
    };
    routes_.insert(std::upper_bound(routes_.begin(), routes_.end(), r, before), std::move(r));
}

void http_router::operator()(std::shared_ptr<http_exchange> exchange) const {
    const auto& request = exchange->request();
    if (request.path == "*") return exchange->respond({204, {}});  // OPTIONS: of the server as a whole (RFC 9110 9.3.7)
    auto path = std::string_view(request.path).substr(0, request.path.find('?'));
    auto first = std::find_if(routes_.begin(), routes_.end(), [&](const route& r) { return r.fits(path); });
    std::string allowed;
    const http_handler* of_get = nullptr;
    for (auto r = first; r != routes_.end() && r->path == first->path && r->beginning == first->beginning; ++r) {
        if (r->method == request.method || r->method == "*") return r->handler(std::move(exchange));
        if (r->method == "GET") of_get = &r->handler;
        allowed += (allowed.empty() ? "" : ", ") + r->method;
        if (r->method == "GET") allowed += ", HEAD";
    }
    if (of_get != nullptr && request.method == "HEAD") return (*of_get)(std::move(exchange));
    if (first != routes_.end() && request.method == "OPTIONS")
        return exchange->respond({204, {{"allow", allowed + ", OPTIONS"}}});
    auto page = status_page(first == routes_.end() ? 404 : 405);
    if (first != routes_.end()) page.head.fields.append("allow", allowed + ", OPTIONS");
    exchange->respond(std::move(page.head), std::move(page.body));
}

}  // namespace tandem::net
