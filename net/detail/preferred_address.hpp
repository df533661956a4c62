// The second address of a server, where clients go after the handshake (RFC 9000 9.6).
#pragma once

#include <boost/system/error_code.hpp>

#include <tandem/bytes/address.hpp>
#include <tandem/net/driver.hpp>
#include <tandem/net/udp_socket.hpp>
#include <tandem/quic/endpoint.hpp>

namespace tandem::net::detail {

// Has the server on `io` read from and send from `where` too, and tell the connections it accepts from now on. Port 0: that of
// its first socket. `options`: as for the first one. Errors: no address of this machine, in use, or what the server listens on
// anyway (invalid_argument).
boost::system::error_code listen_on_preferred(driver<quic::endpoint>& io, quic::endpoint& server, ip_endpoint where,
                                              const udp_options& options);

}  // namespace tandem::net::detail
