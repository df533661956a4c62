#include <tandem/net/http_error.hpp>

#include <boost/asio/error.hpp>

#include <tandem/http/error.hpp>

namespace tandem::net {

namespace {

// TLS alerts a client sends when it does not accept a certificate (RFC 8446 6.2): bad_certificate to certificate_unknown,
// unknown_ca.
bool is_certificate_alert(std::uint64_t alert) { return (alert >= 42 && alert <= 46) || alert == 48; }

constexpr std::uint64_t no_application_protocol = 120;  // RFC 7301 3.2

http_error describe_tls(std::uint64_t alert, const quic::connection_closed& closed) {
    bool ours = closed.cause != quic::close_cause::peer;
    if (ours && is_certificate_alert(alert)) return {failure_class::certificate, closed.error.reason, true};
    if (!ours && alert == no_application_protocol) return {failure_class::protocol, "the server does not speak HTTP/3", true};
    return {failure_class::tls, to_string(closed.error), true};
}

}  // namespace

std::string_view to_string(failure_class kind) {
    switch (kind) {
        case failure_class::resolve:
            return "resolve";
        case failure_class::refused:
            return "refused";
        case failure_class::unreachable:
            return "unreachable";
        case failure_class::timed_out:
            return "timed out";
        case failure_class::tls:
            return "tls";
        case failure_class::certificate:
            return "certificate";
        case failure_class::protocol:
            return "protocol";
        case failure_class::lost:
            return "lost";
        case failure_class::redirects:
            return "redirects";
        case failure_class::coding:
            return "content coding";
        case failure_class::unsupported:
            return "unsupported";
        case failure_class::cancelled:
            return "cancelled";
    }
    return "";
}

failure_class classify(const boost::system::error_code& error) {
    namespace errc = boost::system::errc;
    if (error == errc::connection_refused) return failure_class::refused;
    if (error == errc::timed_out) return failure_class::timed_out;
    if (error == errc::network_unreachable || error == errc::host_unreachable || error == errc::network_down ||
        error == errc::address_not_available || error.value() == EHOSTDOWN) {
        return failure_class::unreachable;
    }
    return failure_class::lost;
}

boost::system::error_code to_error_code(const http_error& e) {
    switch (e.kind) {
        case failure_class::resolve:
            return boost::asio::error::host_not_found;
        case failure_class::refused:
            return boost::asio::error::connection_refused;
        case failure_class::unreachable:
            return boost::asio::error::network_unreachable;
        case failure_class::timed_out:
            return boost::asio::error::timed_out;
        case failure_class::cancelled:
            return boost::asio::error::operation_aborted;
        case failure_class::unsupported:
            return boost::asio::error::operation_not_supported;
        case failure_class::lost:
            return boost::asio::error::connection_reset;
        default:
            return boost::system::errc::make_error_code(boost::system::errc::protocol_error);
    }
}

http_error describe(const quic::connection_closed& closed) {
    using quic::close_cause;
    constexpr auto crypto = static_cast<std::uint64_t>(quic::transport_error::crypto_error);
    switch (closed.cause) {
        case close_cause::idle_timeout:
            return {failure_class::timed_out, "the connection went silent", false};
        case close_cause::handshake_timeout:
            return {failure_class::timed_out, "no answer to the QUIC handshake", true};
        case close_cause::stateless_reset:
            return {failure_class::lost, "the server lost its state of the connection (stateless reset)", false};
        case close_cause::version:
            return {failure_class::protocol, "the server speaks no version of QUIC that tandem speaks", true};
        default:
            break;
    }
    const auto& error = closed.error;
    if (error.application) return {failure_class::lost, "the connection was closed: " + http::h3_error_name(error.code), false};
    if (error.code >= crypto && error.code <= crypto + 0xff) return describe_tls(error.code - crypto, closed);
    if (error.is(quic::transport_error::connection_refused))
        return {failure_class::refused, "the server refused the QUIC connection", true};
    auto whose = closed.cause == close_cause::peer ? "the server closed the connection: " : "the server broke a rule of QUIC: ";
    return {closed.cause == close_cause::peer ? failure_class::lost : failure_class::protocol, whose + to_string(error), false};
}

}  // namespace tandem::net
