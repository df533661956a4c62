// An http_connection that is the winner of a race between QUIC and TCP and between a host's addresses.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <tandem/http/alt_svc.hpp>
#include <tandem/net/http_connection.hpp>

namespace tandem::net {

// What a race may know of its origin from earlier.
struct race_memory {
    std::shared_ptr<http::alt_svc_cache> known;  // may be null
    std::string origin;                          // as it is called there
};

// `protocols` in order of preference: http3 at most once, and at most one of those over TCP. Every address is raced for each of
// them (http/race.hpp and http/race_plan.hpp have the rules); losers are ended when one has completed its handshake.
std::shared_ptr<http_connection> open_raced_connection(const boost::asio::any_io_executor&,
                                                       const std::vector<http_protocol>& protocols, const http_target&,
                                                       const http_connection_options&, const race_memory&, http_connection_hooks);

}  // namespace tandem::net
