// What every example needs: a certificate that its server makes and its client trusts, and an address.
#pragma once

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>

#include <tandem/bytes/address.hpp>
#include <tandem/net/quic_endpoint.hpp>
#include <tandem/tls/context.hpp>

namespace example {

inline tandem::ip_endpoint loopback(const std::string& port) {
    return {tandem::ip_address::v4(127, 0, 0, 1), static_cast<std::uint16_t>(std::stoul(port))};
}

// A certificate for localhost that signs itself; written to the file for the clients.
inline std::shared_ptr<const tandem::tls::server_context> make_certificate(const std::string& file) {
    const auto now =
        std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
    tandem::tls::error why;
    tandem::tls::self_signed_options self;
    self.not_before = now - 3600;
    self.not_after = now + 86400;
    const auto certificate = tandem::tls::self_signed(self, why);
    if (!certificate) throw std::runtime_error(why.text);
    std::ofstream(file) << certificate->chain_pem;
    tandem::tls::server_options options;
    options.certificate = *certificate;
    auto context = tandem::tls::server_context::create(options, why);
    if (!context) throw std::runtime_error(why.text);
    return context;
}

// Trusts the certificate in the file and no other.
inline std::shared_ptr<const tandem::tls::client_context> trust(const std::string& file) {
    tandem::tls::error why;
    tandem::tls::client_options options;
    options.ca_file = file;
    auto context = tandem::tls::client_context::create(options, why);
    if (!context) throw std::runtime_error(why.text);
    return context;
}

// A QUIC server's configuration and a client's, for an application protocol (ALPN).
inline tandem::quic::endpoint_config serve(const std::string& certificate, const std::string& protocol) {
    tandem::quic::endpoint_config config;
    config.server = make_certificate(certificate);
    config.accepted.alpn = {protocol};
    config.accepted.max_datagram_frame_size = 65535;
    return config;
}
inline tandem::quic::connect_options connect(const std::string& certificate, const std::string& port,
                                             const std::string& protocol) {
    tandem::quic::connect_options options;
    options.remote = loopback(port);
    options.server_name = "localhost";
    options.tls = trust(certificate);
    options.config.alpn = {protocol};
    options.config.max_datagram_frame_size = 65535;
    return options;
}

// The first line of every server: who waits for it can connect.
inline void say_ready(const tandem::net::quic_endpoint& endpoint) {
    std::cout << "listening on port " << endpoint.local_endpoint().port << std::endl;
}

inline int usage(const char* program, const char* arguments) {
    std::cerr << "usage: " << program << " " << arguments << "\n";
    return 2;
}

// For co_spawn: the first exception ends the program.
inline void rethrow(std::exception_ptr failure) {
    if (failure) std::rethrow_exception(failure);
}

}  // namespace example
