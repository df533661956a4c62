#include <tandem/net/quic_error.hpp>

#include <climits>

#include <boost/asio/error.hpp>

namespace tandem::net {

namespace {

int clamped(std::uint64_t code) { return code > INT_MAX ? INT_MAX : static_cast<int>(code); }

}  // namespace

boost::system::error_code make_application_error(std::uint64_t code) { return {clamped(code), quic_application_category()}; }
boost::system::error_code make_reset_error(std::uint64_t code) { return {clamped(code), quic_reset_category()}; }
boost::system::error_code make_stop_error(std::uint64_t code) { return {clamped(code), quic_stop_category()}; }

boost::system::error_code make_error_code(const quic::connection_closed& closed) {
    switch (closed.cause) {
        case quic::close_cause::application:
            return boost::asio::error::operation_aborted;
        case quic::close_cause::idle_timeout:
        case quic::close_cause::handshake_timeout:
            return boost::asio::error::timed_out;
        case quic::close_cause::stateless_reset:
            return boost::asio::error::connection_reset;
        case quic::close_cause::version:
            return boost::asio::error::no_protocol_option;
        default:
            break;
    }
    if (closed.error.application) return make_application_error(closed.error.code);
    return {clamped(closed.error.code), quic_transport_category()};
}

}  // namespace tandem::net
