#include <tandem/net/quic_error.hpp>

#include <climits>
#include <string>

#include <boost/asio/error.hpp>

namespace tandem::net {

namespace {

// A connection that ends with code 0 has ended all the same: in both categories no value means success.
class always_failed : public boost::system::error_category {
public:
    bool failed(int) const noexcept override { return true; }
};

class transport_category final : public always_failed {
public:
    const char* name() const noexcept override { return "quic.transport"; }
    std::string message(int code) const override { return quic::transport_error_name(static_cast<std::uint64_t>(code)); }
};

class application_category final : public always_failed {
public:
    const char* name() const noexcept override { return "quic.application"; }
    std::string message(int code) const override { return "application error code " + std::to_string(code); }
};

int clamped(std::uint64_t code) { return code > INT_MAX ? INT_MAX : static_cast<int>(code); }

}  // namespace

const boost::system::error_category& quic_transport_category() {
    static const transport_category category;
    return category;
}

const boost::system::error_category& quic_application_category() {
    static const application_category category;
    return category;
}

boost::system::error_code make_application_error(std::uint64_t code) { return {clamped(code), quic_application_category()}; }

boost::system::error_code make_error_code(const quic::connection_closed& closed) {
    switch (closed.cause) {
        case quic::close_cause::application: return boost::asio::error::operation_aborted;
        case quic::close_cause::idle_timeout:
        case quic::close_cause::handshake_timeout: return boost::asio::error::timed_out;
        case quic::close_cause::stateless_reset: return boost::asio::error::connection_reset;
        case quic::close_cause::version: return boost::asio::error::no_protocol_option;
        default: break;
    }
    if (closed.error.application) return make_application_error(closed.error.code);
    return {clamped(closed.error.code), quic_transport_category()};
}

}  // namespace tandem::net
