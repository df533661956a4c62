// What net's error codes mean.
#include <climits>
#include <string>

#include <tandem/net/quic_error.hpp>
#include <tandem/net/tls_error.hpp>

// Boost's base class has a destructor that is not virtual, on purpose: categories are never destroyed through it.
#pragma GCC diagnostic ignored "-Wnon-virtual-dtor"

namespace tandem::net {

namespace {

using boost::system::error_condition;
namespace errc = boost::system::errc;

// A connection that ends with code 0 has ended all the same: in QUIC's categories no value means success.
class transport_category final : public boost::system::error_category {
public:
    bool failed(int) const noexcept override { return true; }
    const char* name() const noexcept override { return "quic.transport"; }
    std::string message(int code) const override { return quic::transport_error_name(static_cast<std::uint64_t>(code)); }
    error_condition default_error_condition(int code) const noexcept override {
        const bool refused = code == static_cast<int>(quic::transport_error::connection_refused);
        return errc::make_error_condition(refused ? errc::connection_refused : errc::protocol_error);
    }
};

// Codes of the application's; what they are about is in the name.
class application_codes final : public boost::system::error_category {
public:
    constexpr application_codes(const char* name, const char* what, errc::errc_t condition)
        : name_(name), what_(what), condition_(condition) {}
    bool failed(int) const noexcept override { return true; }
    const char* name() const noexcept override { return name_; }
    std::string message(int code) const override {
        if (code == INT_MAX) return std::string(what_) + " with an application error code of more than 31 bits";
        return std::string(what_) + " with application error code " + std::to_string(code);
    }
    error_condition default_error_condition(int) const noexcept override { return errc::make_error_condition(condition_); }

private:
    const char* name_;
    const char* what_;
    errc::errc_t condition_;
};

class tls_category_type final : public boost::system::error_category {
public:
    const char* name() const noexcept override { return "tandem.tls"; }
    std::string message(int value) const override {
        switch (static_cast<tls_error>(value)) {
            case tls_error::failed:
                return "TLS failed";
            case tls_error::certificate:
                return "the peer's certificate is not accepted";
            case tls_error::truncated:
                return "the stream ended without close_notify";
            case tls_error::option:
                return "a TLS session cannot be made with these options";
        }
        return "unknown TLS error";
    }
};

}  // namespace

const boost::system::error_category& quic_transport_category() {
    static const transport_category category;
    return category;
}

const boost::system::error_category& quic_application_category() {
    static const application_codes category("quic.application", "the peer closed the connection", errc::connection_aborted);
    return category;
}

const boost::system::error_category& quic_reset_category() {
    static const application_codes category("quic.reset", "the peer reset the stream", errc::connection_reset);
    return category;
}

const boost::system::error_category& quic_stop_category() {
    static const application_codes category("quic.stop", "the peer reads no more of the stream", errc::broken_pipe);
    return category;
}

const boost::system::error_category& tls_category() {
    static const tls_category_type category;
    return category;
}

}  // namespace tandem::net
