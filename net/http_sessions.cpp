#include <tandem/net/http_sessions.hpp>

#include <utility>

#include <tandem/net/clock.hpp>

namespace tandem::net {
namespace {

constexpr std::int64_t ticket_lifetime =
    7 * 86400;                                  // seconds; RFC 8446 4.6.1: no longer. TLS itself knows the server's lesser limit
constexpr std::int64_t token_lifetime = 86400;  // nobody tells; an old one does no harm

}  // namespace

http_sessions::http_sessions(std::shared_ptr<tls::session_cache> cache, const http_target& target, std::string_view use)
    : cache_(std::move(cache)) {
    const auto origin = target.host + ":" + std::to_string(target.port) + " " + std::string(use);
    ticket_key_ = "ticket " + origin;
    token_key_ = "token " + origin;
}

std::vector<std::uint8_t> http_sessions::take_ticket() {
    return cache_ ? cache_->take(ticket_key_, wall_seconds()).value_or(std::vector<std::uint8_t>()) : std::vector<std::uint8_t>();
}

std::vector<std::uint8_t> http_sessions::take_token() {
    return cache_ ? cache_->take(token_key_, wall_seconds()).value_or(std::vector<std::uint8_t>()) : std::vector<std::uint8_t>();
}

void http_sessions::put_ticket(std::span<const std::uint8_t> ticket) {
    if (cache_) cache_->put(ticket_key_, ticket, wall_seconds() + ticket_lifetime);
}

void http_sessions::put_token(std::span<const std::uint8_t> token) {
    if (cache_) cache_->put(token_key_, token, wall_seconds() + token_lifetime);
}

std::string_view version_name(quic::version v) { return v == quic::version::v2 ? "h3 QUICv2" : "h3 QUICv1"; }

}  // namespace tandem::net
