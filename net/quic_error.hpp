// QUIC's errors as boost::system::error_code: a category for each thing that a code can mean.
//
// An error_code has room for 31 bits, QUIC's codes have 62: those above INT_MAX are INT_MAX here, and whole in
// quic_stream::reset_code and stop_code, and in quic_connection::close_reason.
#pragma once

#include <cstdint>

#include <boost/system/error_code.hpp>

#include <tandem/quic/event.hpp>

namespace tandem::net {

// Every value of these is an error, 0 too.

// A transport error code (RFC 9000 20.1), of whichever side, with which a connection ended. Its condition is
// errc::protocol_error, or errc::connection_refused.
const boost::system::error_category& quic_transport_category();
// A code of the application's own protocol with which the peer closed the connection. Its condition is errc::connection_aborted.
const boost::system::error_category& quic_application_category();
// A code of the application's with which the peer abandoned the stream being read (RESET_STREAM): errc::connection_reset.
const boost::system::error_category& quic_reset_category();
// A code of the application's with which the peer refused more of the stream being written (STOP_SENDING): errc::broken_pipe.
const boost::system::error_category& quic_stop_category();

boost::system::error_code make_application_error(std::uint64_t code);
boost::system::error_code make_reset_error(std::uint64_t code);
boost::system::error_code make_stop_error(std::uint64_t code);
// What operations end with when their connection has: timed_out, connection_reset (stateless reset), or one of the first two
// categories. operation_aborted if this side closed it.
boost::system::error_code make_error_code(const quic::connection_closed& closed);

}  // namespace tandem::net
