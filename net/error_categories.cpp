// What net's error codes mean.
#include <string>

#include <tandem/net/quic_error.hpp>
#include <tandem/net/tls_error.hpp>

// Boost's base class has a destructor that is not virtual, on purpose: categories are never destroyed through it.
#pragma GCC diagnostic ignored "-Wnon-virtual-dtor"

namespace tandem::net {

namespace {

// A connection that ends with code 0 has ended all the same: in both categories no value means success.
class transport_category final : public boost::system::error_category {
public:
    bool failed(int) const noexcept override { return true; }
    const char* name() const noexcept override { return "quic.transport"; }
    std::string message(int code) const override { return quic::transport_error_name(static_cast<std::uint64_t>(code)); }
};

class application_category final : public boost::system::error_category {
public:
    bool failed(int) const noexcept override { return true; }
    const char* name() const noexcept override { return "quic.application"; }
    std::string message(int code) const override { return "application error code " + std::to_string(code); }
};

class tls_category_type final : public boost::system::error_category {
public:
    const char* name() const noexcept override { return "tandem.tls"; }
    std::string message(int value) const override {
        switch (static_cast<tls_error>(value)) {
            case tls_error::failed: return "TLS failed";
            case tls_error::certificate: return "the peer's certificate is not accepted";
            case tls_error::truncated: return "the stream ended without close_notify";
            case tls_error::option: return "a TLS session cannot be made with these options";
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
    static const application_category category;
    return category;
}

const boost::system::error_category& tls_category() {
    static const tls_category_type category;
    return category;
}

}  // namespace tandem::net
