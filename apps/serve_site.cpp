#include "serve_site.hpp"

#include <algorithm>
#include <memory>
#include <utility>

#include <boost/asio/post.hpp>

#include <tandem/http/url.hpp>
#include <tandem/net/clock.hpp>
#include <tandem/net/http_router.hpp>
#include <tandem/tls/context.hpp>

namespace tandem::apps {

namespace {

// To one --proxy server: connections over HTTP/1.1, and requests at a time; more wait. Divided among the threads, but so many are
// each's.
constexpr std::size_t proxy_connections = 64, min_proxy_connections = 4;
constexpr std::size_t proxy_requests = 1000, min_proxy_requests = 64;

// [PATH=]URL of --proxy.
bool parse_proxy(const std::string& text, std::string& path, http::url& origin, std::string& why) {
    auto equals = text.starts_with('/') ? text.find('=') : std::string::npos;
    path = equals == std::string::npos ? "" : text.substr(0, equals);
    if (path == "/") path.clear();
    if (path.ends_with('/')) path.pop_back();
    auto parsed = http::parse_url(equals == std::string::npos ? text : text.substr(equals + 1), why);
    if (!parsed) return why = "--proxy " + text + ": " + why, false;
    origin = std::move(*parsed);
    return true;
}

// --udp-proxy, and how much of it there is: tunnels in all, divided among the threads, and of one client's address.
constexpr std::size_t udp_tunnels = 1024, udp_tunnels_per_address = 32;

bool parse_udp_proxy(const serve_options& o, std::size_t threads, std::optional<net::udp_proxy_options>& out, std::string& why) {
    if (!o.udp_proxy && !o.udp_proxy_allow.empty()) return why = "--udp-proxy-allow is for --udp-proxy", false;
    if (!o.udp_proxy) return true;
    out.emplace();
    out->max_tunnels = std::max<std::size_t>(udp_tunnels / threads, 1);
    out->max_tunnels_per_address = udp_tunnels_per_address;
    for (const auto& text : o.udp_proxy_allow) {
        const auto rule = net::udp_proxy_rule::parse(text);
        if (!rule) return why = "--udp-proxy-allow " + text + ": not ADDR[/BITS][:PORT[-PORT]]", false;
        out->allow.push_back(*rule);
    }
    return true;
}

void tell(const std::shared_ptr<net::http_exchange>& exchange, std::string text) {
    exchange->respond(200, "text/plain; version=0.0.4; charset=utf-8", std::move(text));
}

// The threads are asked for what they have counted. Whoever is last makes the text; the answer is given where the request came
// in. The exchange belongs to that thread: all others hold is a place from which it is moved away, so that none of them is the
// last to let go.
net::http_handler tell_totals(const site::totals& ask) {
    return [ask](std::shared_ptr<net::http_exchange> asked) {
        const auto executor = asked->get_executor();
        auto place = std::make_shared<std::shared_ptr<net::http_exchange>>(std::move(asked));
        ask([executor, place](const metrics& counted, const net::http_server::counters& server) {
            boost::asio::post(executor, [exchange = std::move(*place), text = counted.text(server)]() mutable {
                tell(exchange, std::move(text));
            });
        });
    };
}

}  // namespace

std::optional<site> site::make(const serve_options& o, const net::static_files& files, std::size_t threads, std::string& why) {
    site out(files);
    for (const auto& text : o.proxies) {
        net::reverse_proxy_options options;
        if (!parse_proxy(text, options.strip, options.origin, why)) return std::nullopt;
        tls::client_options trust;
        trust.verify = !o.proxy_insecure;
        tls::error error;
        if (options.origin.scheme == "https" && !(options.client.connection.tls = tls::client_context::create(trust, error))) {
            return why = "--proxy " + text + ": " + error.text, std::nullopt;
        }
        options.client.http1_connections = std::max(proxy_connections / threads, min_proxy_connections);
        options.client.concurrent_requests = std::max(proxy_requests / threads, min_proxy_requests);
        out.proxies_.push_back(std::move(options));
    }
    if (!parse_udp_proxy(o, threads, out.udp_proxy_, why)) return std::nullopt;
    if (!o.metrics.empty() && !o.metrics.starts_with('/'))
        return why = "--metrics " + o.metrics + ": a path begins with '/'", std::nullopt;
    out.metrics_ = o.metrics;
    return out;
}

net::server_handlers site::handlers(const boost::asio::any_io_executor& executor, metrics& counted, const totals& ask,
                                    net::access_log& access) const {
    const auto file = [files = files_](const http::request& request) { return files->respond(request, net::wall_seconds()); };
    if (proxies_.empty() && !udp_proxy_ && metrics_.empty()) {  // at once, without a router
        return {[file](const http::request& request, const net::request_source&) { return file(request); }, {}};
    }
    net::http_router router;
    router.add("*", "/*", [file](std::shared_ptr<net::http_exchange> exchange) {
        auto answer = file(exchange->request());
        exchange->respond(std::move(answer.head), std::move(answer.body));
    });
    for (const auto& options : proxies_) {
        auto pass = net::reverse_proxy(executor, options);
        router.add("*", options.strip + "/*", pass);
        if (!options.strip.empty()) router.add("*", options.strip, pass);
    }
    if (udp_proxy_) {
        auto proxy = std::make_shared<net::udp_proxy>(executor, *udp_proxy_);
        router.add("*", "/.well-known/masque/udp/*",
                   [proxy, pass = proxy->handler()](std::shared_ptr<net::http_exchange> e) { pass(std::move(e)); });
    }
    if (!metrics_.empty()) {
        router.add("GET", metrics_, tell_totals(ask));
        access = [&counted, log = std::move(access)](const net::access_record& record) {
            counted.record(record);
            if (log) log(record);
        };
    }
    return {{}, net::http_handler(std::move(router))};
}

}  // namespace tandem::apps
