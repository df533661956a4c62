// What the simulated hosts have in common, whatever their transport: a client that loads a page, a server that has it.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include <tandem/bytes/wait_ledger.hpp>
#include <tandem/sim/congestion_log.hpp>
#include <tandem/sim/network.hpp>
#include <tandem/sim/page_loader.hpp>

namespace tandem::sim {

constexpr std::uint16_t web_port = 443;

class web_client : public node {
public:
    virtual const page_loader& loader() const = 0;
};

class web_server : public node {
public:
    // The objects (ascending, each once) whose response this packet of the server carries bytes of. Only for a packet that is
    // being sent right now, as in a drop filter.
    virtual std::vector<std::size_t> objects_in(const packet_view& packet) = 0;
    // Samples after every packet sent and every acknowledgment.
    virtual const congestion_log& congestion() const = 0;
    // When it began to answer the first request: the clock on which transports with different handshakes can be compared.
    virtual std::optional<time_point> first_response() const = 0;
    // How long bytes that could have been sent waited for the client's credit, on all connections, in byte-nanoseconds
    // (wait_cause::flow_control).
    virtual wait_sum flow_control() const = 0;
};

}  // namespace tandem::sim
