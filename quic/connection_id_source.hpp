// Makes the connection IDs of one endpoint and their stateless reset tokens.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>

#include <tandem/bytes/random.hpp>
#include <tandem/quic/connection_id_router.hpp>
#include <tandem/quic/secrets.hpp>
#include <tandem/quic/stateless_reset.hpp>
#include <tandem/quic/types.hpp>

namespace tandem::quic {

// Bytes of every connection ID that an endpoint issues: packets with a short header do not say how many there are. Eight random
// bytes do not repeat and tell an observer nothing (RFC 9000 5.1).
constexpr std::size_t local_connection_id_size = 8;

class connection_id_source {
public:
    explicit connection_id_source(std::uint64_t seed)
        : random_(derive_seed(seed, "connection IDs")), reset_key_(derive_secret(seed, "stateless reset")) {}

    // From now on IDs say, to who has the router, that this worker issued them.
    void use(std::shared_ptr<const connection_id_router> router, std::uint16_t worker) {
        router_ = std::move(router);
        worker_ = worker;
        random_.fill(std::span(reinterpret_cast<std::uint8_t*>(&count_), sizeof count_));  // where it begins says nothing either
    }

    connection_id make() {
        if (router_) return router_->make(worker_, count_++);
        std::array<std::uint8_t, local_connection_id_size> bytes;
        random_.fill(bytes);
        return connection_id(bytes);
    }
    stateless_reset_token token(const connection_id& id) const { return reset_key_.token(id); }

private:
    random_source random_;
    std::shared_ptr<const connection_id_router> router_;
    std::uint16_t worker_ = 0;
    std::uint64_t count_ = 0;
    stateless_reset_key reset_key_;
};

}  // namespace tandem::quic
