// http_connection over QUIC.
#pragma once

#include <memory>

#include <tandem/net/http_connection.hpp>

namespace tandem::net {

std::shared_ptr<http_connection> open_quic_connection(const boost::asio::any_io_executor&, const http_target&,
                                                      const http_connection_options&, http_connection_hooks);

}  // namespace tandem::net
