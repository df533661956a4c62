// The state of 0-RTT in one connection (RFC 9001 4.6): its keys, and how long they are good.
#pragma once

#include <optional>
#include <string>

#include <tandem/bytes/time.hpp>
#include <tandem/quic/packet_protection.hpp>
#include <tandem/quic/transport_parameters.hpp>

namespace tandem::quic {

struct early_data {
    packet_keys keys;                                // client: to write; server: to read
    std::optional<transport_parameters> remembered;  // client: what 0-RTT packets obey
    std::string alpn;                                // what the data is in
    std::optional<time_point> read_until;            // server: 0-RTT packets that were overtaken are taken until then
    bool flowing = false;  // streams can be used though the handshake is not complete: client in 0-RTT, server in half-RTT
};

}  // namespace tandem::quic
