#include <tandem/sim/credentials.hpp>

namespace tandem::sim {

namespace {

constexpr std::int64_t day = 24 * 60 * 60;
constexpr std::int64_t wall_clock = 1'704'067'200;  // 2024-01-01

}  // namespace

std::optional<credentials> credentials::make(tls::error& why, tls::key_log key_log) {
    tls::self_signed_options options;
    options.names = {server_name};
    options.key = tls::key_kind::ed25519;
    options.not_before = wall_clock - 30 * day;
    options.not_after = wall_clock + 30 * day;
    options.seed.emplace().fill(0x5a);
    auto certificate = tls::self_signed(options, why);
    if (!certificate) return std::nullopt;

    tls::client_options client;
    client.ca_pem = certificate->chain_pem;
    client.wall_clock = wall_clock;
    client.key_log = std::move(key_log);
    tls::server_options server;
    server.certificate = std::move(*certificate);
    server.wall_clock = wall_clock;
    server.ticket_keys.emplace().fill(0xa5);
    server.tickets = 0;

    credentials made;
    made.server = tls::server_context::create(server, why);
    made.client = tls::client_context::create(client, why);
    if (!made.server || !made.client) return std::nullopt;
    return made;
}

}  // namespace tandem::sim
