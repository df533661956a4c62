#include <tandem/tls/certificate.hpp>

#include <cstdio>
#include <filesystem>
#include <fstream>

#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <tls/support.hpp>

namespace tandem::tls {
namespace {

using test::day;
using test::make_certificate;
using test::noon;

bssl::UniquePtr<X509> parse(const std::string& pem) {
    bssl::UniquePtr<BIO> in(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
    return bssl::UniquePtr<X509>(PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr));
}

class certificate_files : public testing::Test {
protected:
    certificate_files() { std::filesystem::create_directories(folder); }
    ~certificate_files() override { std::filesystem::remove_all(folder); }

    std::string write(const std::string& name, const std::string& text) {
        auto path = (folder / name).string();
        std::ofstream(path, std::ios::binary) << text;
        return path;
    }
    std::filesystem::path folder =
        std::filesystem::path(testing::TempDir()) /
        ("tandem-certificates-" + std::string(testing::UnitTest::GetInstance()->current_test_info()->name()));
    error why;
};

TEST_F(certificate_files, a_pair_is_loaded) {
    auto made = make_certificate();
    auto loaded = load_certificate(write("c.pem", made.chain_pem), write("k.pem", made.key_pem), why);
    ASSERT_TRUE(loaded) << why.text;
    EXPECT_EQ(loaded->chain_pem, made.chain_pem);
    EXPECT_EQ(loaded->key_pem, made.key_pem);
}

TEST_F(certificate_files, one_file_may_hold_both) {
    auto made = make_certificate();
    auto both = write("both.pem", made.key_pem + made.chain_pem);
    EXPECT_TRUE(load_certificate(both, both, why)) << why.text;
}

TEST_F(certificate_files, a_missing_file) {
    auto made = make_certificate();
    auto chain = write("c.pem", made.chain_pem);
    EXPECT_FALSE(load_certificate("/nonexistent/c.pem", chain, why));
    EXPECT_EQ(why.code, error_code::file);
    EXPECT_EQ(why.text, "cannot read /nonexistent/c.pem: No such file or directory");
    EXPECT_FALSE(load_certificate(chain, "/nonexistent/k.pem", why));
    EXPECT_EQ(why.text, "cannot read /nonexistent/k.pem: No such file or directory");
}

TEST_F(certificate_files, a_folder_is_no_file) {
    EXPECT_FALSE(load_certificate(folder.string(), folder.string(), why));
    EXPECT_EQ(why.code, error_code::file);
    EXPECT_EQ(why.text, "cannot read " + folder.string() + ": Is a directory");
}

TEST_F(certificate_files, an_endless_file) {
    EXPECT_FALSE(load_certificate("/dev/zero", "/dev/zero", why));
    EXPECT_EQ(why.code, error_code::file);
}

TEST_F(certificate_files, no_certificate_in_it) {
    auto made = make_certificate();
    auto key = write("k.pem", made.key_pem);
    for (const auto& text : {std::string(), std::string("hello\n"), made.key_pem}) {
        auto chain = write("c.pem", text);
        EXPECT_FALSE(load_certificate(chain, key, why));
        EXPECT_EQ(why.code, error_code::certificate);
        EXPECT_EQ(why.text, chain + " contains no certificate in PEM form");
    }
}

TEST_F(certificate_files, a_damaged_certificate) {
    auto made = make_certificate();
    auto key = write("k.pem", made.key_pem);
    auto damaged = made.chain_pem;
    damaged.erase(100, 40);
    auto chain = write("c.pem", damaged);
    EXPECT_FALSE(load_certificate(chain, key, why));
    EXPECT_EQ(why.code, error_code::certificate);
    EXPECT_EQ(why.text, chain + " contains a damaged certificate");
    chain = write("c.pem", made.chain_pem.substr(0, made.chain_pem.size() / 2));
    EXPECT_FALSE(load_certificate(chain, key, why));
    EXPECT_EQ(why.code, error_code::certificate);
}

TEST_F(certificate_files, no_private_key_in_it) {
    auto made = make_certificate();
    auto chain = write("c.pem", made.chain_pem);
    EXPECT_FALSE(load_certificate(chain, chain, why));
    EXPECT_EQ(why.code, error_code::private_key);
    EXPECT_EQ(why.text, chain + " contains no private key in PEM form");
}

TEST_F(certificate_files, a_key_of_another_certificate) {
    auto chain = write("c.pem", make_certificate().chain_pem);
    for (auto kind : {key_kind::ed25519, key_kind::p256}) {
        auto key = write("k.pem", make_certificate({"localhost"}, 0, noon, kind).key_pem);
        EXPECT_FALSE(load_certificate(chain, key, why));
        EXPECT_EQ(why.code, error_code::private_key);
        EXPECT_EQ(why.text, "the key in " + key + " does not belong to the certificate");
    }
}

TEST_F(certificate_files, an_encrypted_key) {
    auto made = make_certificate();
    bssl::UniquePtr<BIO> in(BIO_new_mem_buf(made.key_pem.data(), static_cast<int>(made.key_pem.size())));
    bssl::UniquePtr<EVP_PKEY> key(PEM_read_bio_PrivateKey(in.get(), nullptr, nullptr, nullptr));
    bssl::UniquePtr<BIO> out(BIO_new(BIO_s_mem()));
    char password[] = "secret";
    ASSERT_EQ(PEM_write_bio_PKCS8PrivateKey(out.get(), key.get(), EVP_aes_128_cbc(), password, 6, nullptr, nullptr), 1);
    const std::uint8_t* data = nullptr;
    std::size_t size = 0;
    ASSERT_EQ(BIO_mem_contents(out.get(), &data, &size), 1);
    auto file = write("k.pem", std::string(reinterpret_cast<const char*>(data), size));
    EXPECT_FALSE(load_certificate(write("c.pem", made.chain_pem), file, why));
    EXPECT_EQ(why.code, error_code::private_key);
    EXPECT_EQ(why.text, file + " is encrypted; a key without a passphrase is needed");
}

TEST(self_signed, has_the_names_the_time_and_the_serial_number) {
    error why;
    auto made = self_signed(
        {.names = {"a.example", "192.0.2.1", "2001:db8::1"}, .not_before = noon, .not_after = noon + day, .serial = 77}, why);
    ASSERT_TRUE(made) << why.text;
    auto c = parse(made->chain_pem);
    ASSERT_TRUE(c);
    EXPECT_EQ(X509_check_host(c.get(), "a.example", 9, 0, nullptr), 1);
    EXPECT_EQ(X509_check_host(c.get(), "b.example", 9, 0, nullptr), 0);
    EXPECT_EQ(X509_check_ip_asc(c.get(), "192.0.2.1", 0), 1);
    EXPECT_EQ(X509_check_ip_asc(c.get(), "2001:db8::1", 0), 1);
    std::uint64_t serial = 0;
    ASSERT_EQ(ASN1_INTEGER_get_uint64(&serial, X509_get0_serialNumber(c.get())), 1);
    EXPECT_EQ(serial, 77U);
    bssl::UniquePtr<ASN1_TIME> begin(ASN1_TIME_set(nullptr, noon));
    bssl::UniquePtr<ASN1_TIME> end(ASN1_TIME_set(nullptr, noon + day));
    EXPECT_EQ(ASN1_STRING_cmp(X509_get0_notBefore(c.get()), begin.get()), 0);
    EXPECT_EQ(ASN1_STRING_cmp(X509_get0_notAfter(c.get()), end.get()), 0);
    EXPECT_EQ(X509_check_ca(c.get()), 0);
    bssl::UniquePtr<EVP_PKEY> key(X509_get_pubkey(c.get()));
    EXPECT_EQ(EVP_PKEY_id(key.get()), EVP_PKEY_EC);
    EXPECT_EQ(EVP_PKEY_bits(key.get()), 256);
    EXPECT_EQ(X509_verify(c.get(), key.get()), 1);
}

TEST(self_signed, the_same_seed_makes_the_same_certificate) {
    error why;
    self_signed_options options{.key = key_kind::ed25519, .not_before = noon, .not_after = noon + day, .seed = {{1, 2, 3}}};
    auto a = self_signed(options, why);
    auto b = self_signed(options, why);
    ASSERT_TRUE(a && b);
    EXPECT_EQ(a->chain_pem, b->chain_pem);
    EXPECT_EQ(a->key_pem, b->key_pem);
    options.seed.reset();
    auto c = self_signed(options, why);
    ASSERT_TRUE(c);
    EXPECT_NE(a->chain_pem, c->chain_pem);
    EXPECT_EQ(a->chain_pem.size(), c->chain_pem.size());
}

TEST(self_signed, refuses_what_makes_no_certificate) {
    error why;
    self_signed_options good{.not_before = noon, .not_after = noon + day};
    EXPECT_TRUE(self_signed(good, why)) << why.text;
    for (auto change :
         {+[](self_signed_options& o) { o.names.clear(); }, +[](self_signed_options& o) { o.names = {""}; },
          +[](self_signed_options& o) { o.names = {std::string("a\0b", 3)}; },
          +[](self_signed_options& o) { o.names = {std::string(254, 'a')}; },
          +[](self_signed_options& o) { o.not_after = o.not_before - 1; }, +[](self_signed_options& o) { o.serial = 0; },
          +[](self_signed_options& o) { o.serial = std::uint64_t{1} << 63; }}) {
        auto bad = good;
        change(bad);
        EXPECT_FALSE(self_signed(bad, why));
        EXPECT_EQ(why.code, error_code::option);
        EXPECT_FALSE(why.text.empty());
    }
}

}  // namespace
}  // namespace tandem::tls
