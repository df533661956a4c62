#include "serve_certificate.hpp"

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <utility>

#include <tandem/net/clock.hpp>
#include <tandem/net/key_log_file.hpp>
#include <tandem/tls/fingerprint.hpp>

#include "exit_code.hpp"

namespace tandem::apps {

std::optional<tls::certificate> find_certificate(const serve_options& o, std::vector<std::string>& names, tls::error& why) {
    if (!o.cert.empty()) return tls::load_certificate(o.cert, o.key, why);
    constexpr std::int64_t day = 86400;
    tls::self_signed_options self;
    self.names.insert(self.names.end(), o.names.begin(), o.names.end());
    self.not_before = net::wall_seconds() - day;  // clocks differ
    self.not_after = net::wall_seconds() + 90 * day;
    self.serial = static_cast<std::uint64_t>(net::wall_seconds());
    names = self.names;
    return tls::self_signed(self, why);
}

std::shared_ptr<const tls::server_context> make_context(const serve_options& o, const tls::certificate& certificate,
                                                        std::string& text, int& code) {
    tls::server_options options;
    options.certificate = certificate;
    auto keylog = o.keylog;
    if (const char* environment = std::getenv("SSLKEYLOGFILE"); keylog.empty() && environment != nullptr) keylog = environment;
    code = exit_code::write;
    if (!keylog.empty() && !(options.key_log = net::key_log_file(keylog, text))) return text = "key log: " + text, nullptr;
    code = exit_code::roots;
    if (!o.client_ca.empty()) {
        std::ifstream in(o.client_ca);
        options.client_ca_pem.assign(std::istreambuf_iterator<char>(in), {});
        if (options.client_ca_pem.empty()) return text = "cannot read " + o.client_ca, nullptr;
    }
    code = exit_code::own_certificate;
    tls::error why;
    auto out = tls::server_context::create(options, why);
    if (!out) text = why.text;
    return out;
}

void renew_certificate(const serve_options& o, const std::function<void(std::shared_ptr<const tls::server_context>)>& use) {
    tls::error why;
    std::string text;
    int code = 0;
    auto certificate = tls::load_certificate(o.cert, o.key, why);
    auto context = certificate ? make_context(o, *certificate, text, code) : nullptr;
    if (!context) {
        std::fprintf(stderr, "tandem: the certificate stays as it is: %s\n", (certificate ? text : why.text).c_str());
        return;
    }
    use(std::move(context));
    if (o.quiet) return;
    std::printf("certificate renewed, SHA-256 %s\n", tls::fingerprint(*certificate).c_str());
    std::fflush(stdout);
}

}  // namespace tandem::apps
