#include <tandem/tls/certificate.hpp>

#include <algorithm>
#include <limits>

#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/curve25519.h>
#include <openssl/ec_key.h>
#include <openssl/err.h>
#include <openssl/nid.h>
#include <openssl/obj.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <tandem/bytes/address.hpp>
#include <tandem/tls/detail/pem.hpp>

namespace tandem::tls {
namespace {

bssl::UniquePtr<EVP_PKEY> new_key(const self_signed_options& options) {
    if (options.key == key_kind::ed25519) {
        std::array<std::uint8_t, 32> seed;
        if (options.seed) {
            seed = *options.seed;
        } else {
            RAND_bytes(seed.data(), seed.size());
        }
        return bssl::UniquePtr<EVP_PKEY>(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, seed.data(), seed.size()));
    }
    bssl::UniquePtr<EC_KEY> ec(EC_KEY_new_by_curve_name(NID_X9_62_prime256v1));
    bssl::UniquePtr<EVP_PKEY> key(EVP_PKEY_new());
    if (!ec || !key || EC_KEY_generate_key(ec.get()) != 1 || EVP_PKEY_set1_EC_KEY(key.get(), ec.get()) != 1) return nullptr;
    return key;
}

// One entry of subjectAltName. Null if the name can be neither.
bssl::UniquePtr<GENERAL_NAME> alternative_name(const std::string& name) {
    if (name.empty() || name.size() > 253 || name.find('\0') != std::string::npos) return nullptr;
    bssl::UniquePtr<GENERAL_NAME> entry(GENERAL_NAME_new());
    auto address = ip_address::parse(name);
    bssl::UniquePtr<ASN1_STRING> value(ASN1_STRING_type_new(address ? V_ASN1_OCTET_STRING : V_ASN1_IA5STRING));
    if (!entry || !value) return nullptr;
    const void* data = address ? static_cast<const void*>(address->bytes.data()) : name.data();
    if (ASN1_STRING_set(value.get(), data, static_cast<int>(address ? address->size() : name.size())) != 1) return nullptr;
    GENERAL_NAME_set0_value(entry.get(), address ? GEN_IPADD : GEN_DNS, value.release());
    return entry;
}

bool add_names(X509* certificate, const std::vector<std::string>& names, error& why) {
    bssl::UniquePtr<GENERAL_NAMES> list(GENERAL_NAMES_new());
    for (const auto& name : names) {
        auto entry = alternative_name(name);
        if (!entry) {
            why = {error_code::option, "a certificate cannot be for the name \"" + name + "\""};
            return false;
        }
        if (sk_GENERAL_NAME_push(list.get(), entry.get()) == 0) return false;
        (void)entry.release();
    }
    return X509_add1_ext_i2d(certificate, NID_subject_alt_name, list.get(), 0, 0) == 1;
}

bool add_constraints(X509* certificate) {
    bssl::UniquePtr<BASIC_CONSTRAINTS> constraints(BASIC_CONSTRAINTS_new());  // not an authority
    bssl::UniquePtr<EXTENDED_KEY_USAGE> usage(EXTENDED_KEY_USAGE_new());
    return constraints && usage && sk_ASN1_OBJECT_push(usage.get(), OBJ_nid2obj(NID_server_auth)) != 0 &&
           X509_add1_ext_i2d(certificate, NID_basic_constraints, constraints.get(), 1, 0) == 1 &&
           X509_add1_ext_i2d(certificate, NID_ext_key_usage, usage.get(), 0, 0) == 1;
}

bool set_times(X509* certificate, const self_signed_options& options) {
    bssl::UniquePtr<ASN1_TIME> begin(ASN1_TIME_set(nullptr, static_cast<time_t>(options.not_before)));
    bssl::UniquePtr<ASN1_TIME> end(ASN1_TIME_set(nullptr, static_cast<time_t>(options.not_after)));
    return begin && end && X509_set1_notBefore(certificate, begin.get()) == 1 && X509_set1_notAfter(certificate, end.get()) == 1;
}

bool set_subject(X509* certificate, const std::string& subject) {
    bssl::UniquePtr<X509_NAME> name(X509_NAME_new());
    const auto* text = reinterpret_cast<const std::uint8_t*>(subject.data());
    auto size =
        static_cast<int>(std::min<std::size_t>(subject.size(), 64));  // X.520's bound; the alternative names are what counts
    return name && X509_NAME_add_entry_by_NID(name.get(), NID_commonName, MBSTRING_UTF8, text, size, -1, 0) == 1 &&
           X509_set_subject_name(certificate, name.get()) == 1 && X509_set_issuer_name(certificate, name.get()) == 1;
}

bool fill_in(X509* certificate, EVP_PKEY* key, const self_signed_options& options, error& why) {
    bssl::UniquePtr<ASN1_INTEGER> serial(ASN1_INTEGER_new());
    return add_names(certificate, options.names, why) && serial && ASN1_INTEGER_set_uint64(serial.get(), options.serial) == 1 &&
           X509_set_version(certificate, X509_VERSION_3) == 1 && X509_set_serialNumber(certificate, serial.get()) == 1 &&
           set_times(certificate, options) && set_subject(certificate, options.names.front()) &&
           X509_set_pubkey(certificate, key) == 1 && add_constraints(certificate) &&
           X509_sign(certificate, key, options.key == key_kind::ed25519 ? nullptr : EVP_sha256()) != 0;
}

template <class Write>
std::string to_pem(Write write) {
    bssl::UniquePtr<BIO> out(BIO_new(BIO_s_mem()));
    const std::uint8_t* data = nullptr;
    std::size_t size = 0;
    if (!out || write(out.get()) != 1 || BIO_mem_contents(out.get(), &data, &size) != 1) return {};
    return {reinterpret_cast<const char*>(data), size};
}

}  // namespace

std::optional<certificate> load_certificate(const std::string& chain_file, const std::string& key_file, error& why) {
    auto chain_pem = detail::read_file(chain_file, why);
    if (!chain_pem) return std::nullopt;
    auto chain = detail::parse_certificates(*chain_pem, chain_file, why);
    if (chain.empty()) return std::nullopt;
    auto key_pem = detail::read_file(key_file, why);
    if (!key_pem) return std::nullopt;
    auto key = detail::parse_private_key(*key_pem, key_file, why);
    if (!key || !detail::check_pair(chain, key.get(), "the key in " + key_file, why)) return std::nullopt;
    return certificate{std::move(*chain_pem), std::move(*key_pem)};
}

std::optional<certificate> self_signed(const self_signed_options& options, error& why) {
    why = {};
    if (options.names.empty() || options.not_after < options.not_before || options.serial == 0 ||
        options.serial > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
        why = {error_code::option, "a certificate needs a name, a serial number and a time in which it is valid"};
        return std::nullopt;
    }
    auto key = new_key(options);
    bssl::UniquePtr<X509> made(X509_new());
    bool filled = key && made && fill_in(made.get(), key.get(), options, why);
    ERR_clear_error();
    if (!filled) {
        if (!why) why = {error_code::internal, "cannot make a certificate"};
        return std::nullopt;
    }
    return certificate{to_pem([&](BIO* out) { return PEM_write_bio_X509(out, made.get()); }), to_pem([&](BIO* out) {
                           return PEM_write_bio_PrivateKey(out, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
                       })};
}

}  // namespace tandem::tls
