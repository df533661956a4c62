// QUIC's errors as boost::system::error_code.
#pragma once

#include <cstdint>

#include <boost/system/error_code.hpp>

#include <tandem/quic/event.hpp>

namespace tandem::net {

// Transport error codes (RFC 9000 20.1) with which a connection ended.
const boost::system::error_category& quic_transport_category();
// Codes of the application's own protocol, from a reset, a STOP_SENDING or a close. Every value is an error, 0 too. Codes above INT_MAX
// are INT_MAX here; quic_stream::error_code_of_peer and quic_connection::close_reason have them whole.
const boost::system::error_category& quic_application_category();

boost::system::error_code make_application_error(std::uint64_t code);
// What operations end with when their connection has: timed_out, connection_reset (stateless reset), or one of both categories.
// operation_aborted if this side closed it.
boost::system::error_code make_error_code(const quic::connection_closed& closed);

}  // namespace tandem::net
