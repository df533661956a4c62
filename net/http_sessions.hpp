// What connections of an HTTP client keep in a tls::session_cache, and for how long.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <tandem/net/http_connection.hpp>
#include <tandem/quic/types.hpp>
#include <tandem/tls/session_cache.hpp>

namespace tandem::net {

class http_sessions {
public:
    // The cache may be null: then nothing is kept. `use`: what tickets are good for besides the target, for example "h2".
    http_sessions(std::shared_ptr<tls::session_cache> cache, const http_target& target, std::string_view use);

    // Empty if there is none. A ticket or token is given out once.
    std::vector<std::uint8_t> take_ticket();
    std::vector<std::uint8_t> take_token();
    void put_ticket(std::span<const std::uint8_t> ticket);
    void put_token(std::span<const std::uint8_t> token);

private:
    std::shared_ptr<tls::session_cache> cache_;
    std::string ticket_key_;
    std::string token_key_;
};

std::string_view version_name(quic::version);

}  // namespace tandem::net
