// An http_connection that is the winner of a race between QUIC and TCP and between a host's addresses.
#pragma once

#include <memory>
#include <vector>

#include <tandem/net/http_connection.hpp>

namespace tandem::net {

// `protocols` in order of preference: http3 at most once, and at most one of those over TCP. Every address is raced for each of them
// (http/race.hpp has the rules); losers are ended when one has completed its handshake.
std::shared_ptr<http_connection> open_raced_connection(const boost::asio::any_io_executor&, const std::vector<http_protocol>& protocols,
                                                       const http_target&, const http_connection_options&, http_connection_hooks);

}  // namespace tandem::net
