#include <tandem/net/datagram_tunnel.hpp>

#include <memory>
#include <string>

#include <tandem/http/capsule_protocol.hpp>

namespace tandem::net {

namespace {

// What is wrong with a request for a tunnel, or empty.
std::string wrong_request(const http::request& asked, std::string_view protocol) {
    if (asked.protocol != protocol) return "this is the address of a tunnel: " + std::string(protocol);
    if (asked.method != "CONNECT" && asked.method != "GET") return "a tunnel is asked for by GET";
    return {};
}

}  // namespace

std::optional<datagram_tunnel> datagram_tunnel::accept(std::shared_ptr<http_exchange> exchange, std::string_view protocol,
                                                       datagram_tunnel_options options) {
    const auto& asked = exchange->request();
    if (auto problem = wrong_request(asked, protocol); !problem.empty()) {
        const bool upgradable = asked.method != "CONNECT" && asked.protocol != protocol;
        exchange->respond({upgradable ? 426 : 400, {{"content-type", "text/plain; charset=utf-8"}}},
                          std::make_unique<http::memory_body>(problem + '\n'));
        return std::nullopt;
    }
    http::response head{101, options.fields};
    for (auto name : {"content-length", "content-type", "transfer-encoding"}) head.fields.erase(name);  // RFC 9297 3.2
    http::say_capsule_protocol(head.fields);
    exchange->begin(std::move(head));
    return datagram_tunnel(detail::datagram_tunnel_state::server(std::move(exchange), std::move(options)));
}

}  // namespace tandem::net
