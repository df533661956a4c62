// Verification of a server's certificate, and what to tell a person when it fails.
#include <array>
#include <string>

#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <tandem/bytes/address.hpp>
#include <tandem/tls/detail/ssl.hpp>

namespace tandem::tls::detail {
namespace {

constexpr int max_names_told = 4;

std::string text_of(const ASN1_STRING* value) {
    return printable(
        {reinterpret_cast<const char*>(ASN1_STRING_get0_data(value)), static_cast<std::size_t>(ASN1_STRING_length(value))});
}

std::string text_of_name(const GENERAL_NAME* name) {
    if (name->type == GEN_DNS) return text_of(name->d.dNSName);
    if (name->type != GEN_IPADD) return {};
    ip_address address;
    auto size = static_cast<std::size_t>(ASN1_STRING_length(name->d.iPAddress));
    if (size != 4 && size != 16) return {};
    address.is_v6 = size == 16;
    std::copy_n(ASN1_STRING_get0_data(name->d.iPAddress), size, address.bytes.begin());
    return address.to_string();
}

// "a.example, 192.0.2.1 and others"
std::string names_of(X509* certificate) {
    bssl::UniquePtr<GENERAL_NAMES> names(
        static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
    std::string text;
    int told = 0;
    for (std::size_t i = 0; names && i < sk_GENERAL_NAME_num(names.get()); ++i) {
        auto name = text_of_name(sk_GENERAL_NAME_value(names.get(), i));
        if (name.empty()) continue;
        if (told++ == max_names_told) return text + " and others";
        text += text.empty() ? name : ", " + name;
    }
    return text;
}

std::string time_text(const ASN1_TIME* time) {
    bssl::UniquePtr<BIO> out(BIO_new(BIO_s_mem()));
    const std::uint8_t* data = nullptr;
    std::size_t size = 0;
    if (!out || ASN1_TIME_print(out.get(), time) != 1 || BIO_mem_contents(out.get(), &data, &size) != 1) return "an unknown time";
    return {reinterpret_cast<const char*>(data), size};
}

std::string issuer_of(X509* certificate) {
    const X509_NAME* issuer = X509_get_issuer_name(certificate);
    for (int nid : {NID_commonName, NID_organizationName}) {
        int at = X509_NAME_get_index_by_NID(issuer, nid, -1);
        if (at >= 0) return text_of(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(issuer, at)));
    }
    return "an unnamed authority";
}

std::string reason(int code, X509* certificate, const session_state& session) {
    switch (code) {
        case X509_V_ERR_HOSTNAME_MISMATCH:
        case X509_V_ERR_IP_ADDRESS_MISMATCH: {
            auto names = names_of(certificate);
            return "certificate is for " + (names.empty() ? "no server" : names) + ", not " + session.server_name;
        }
        case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
            return "self-signed certificate";
        case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
        case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
        case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
        case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
            return "certificate was issued by " + issuer_of(certificate) + ", which is not trusted";
        case X509_V_ERR_CERT_HAS_EXPIRED:
            return "certificate expired on " + time_text(X509_get0_notAfter(certificate));
        case X509_V_ERR_CERT_NOT_YET_VALID:
            return "certificate is not valid before " + time_text(X509_get0_notBefore(certificate));
        default:
            return std::string("certificate was refused: ") + X509_verify_cert_error_string(code);
    }
}

int verify(X509_STORE_CTX* store, void*) {
    auto* ssl = static_cast<SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
    auto* session = session_of(ssl);
    if (!session->verifies && SSL_is_server(ssl) == 0) return 1;
    const auto* context = context_of(SSL_get_SSL_CTX(ssl));
    X509_VERIFY_PARAM_set_time(X509_STORE_CTX_get0_param(store), static_cast<time_t>(context->now()));
    if (X509_verify_cert(store) == 1) return 1;
    auto* certificate = X509_STORE_CTX_get_current_cert(store);
    if (certificate == nullptr) certificate = X509_STORE_CTX_get0_cert(store);
    session->failure = {error_code::verification, reason(X509_STORE_CTX_get_error(store), certificate, *session)};
    return 0;
}

}  // namespace

void install_verification(SSL_CTX* ctx) { SSL_CTX_set_cert_verify_callback(ctx, verify, nullptr); }

}  // namespace tandem::tls::detail
