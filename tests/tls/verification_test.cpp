// A client checks chain and name, over QUIC and over byte streams alike, and says why it refuses.
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <tls/support.hpp>

namespace tandem::tls {
namespace {

using namespace test;

enum class transport { quic, records };

struct outcome {
    bool complete = false;
    error_code code{};
    std::string text;
    std::optional<std::uint8_t> alert;
    bool server_complete = false;
};

outcome connect(transport t, const std::shared_ptr<const client_context>& client,
                const std::shared_ptr<const server_context>& server, const std::string& name) {
    if (t == transport::quic) {
        auto pair = make_quic(client, server, {.server_name = name, .alpn = {"h3"}});
        run(*pair.client, *pair.server);
        return {pair.client->complete(), pair.client->failure().code, pair.client->failure().text, pair.client->alert(),
                pair.server->complete()};
    }
    auto pair = make_records(client, server, {.server_name = name, .alpn = {"http/1.1"}});
    run(*pair.client, *pair.server);
    return {pair.client->handshake_complete(), pair.client->failure().code, pair.client->failure().text, pair.client->alert(),
            pair.server->handshake_complete()};
}

class verification : public testing::TestWithParam<transport> {
protected:
    void expect_accepted(const certificate& c, const std::string& name) {
        auto r = connect(GetParam(), make_client(c.chain_pem), make_server(c), name);
        EXPECT_TRUE(r.complete) << name << ": " << r.text;
        EXPECT_TRUE(r.server_complete);
        EXPECT_EQ(r.code, error_code::none);
    }
    void expect_refused(const certificate& c, const std::string& trusted, const std::string& name, const std::string& text) {
        auto r = connect(GetParam(), make_client(trusted), make_server(c), name);
        EXPECT_FALSE(r.complete) << name;
        EXPECT_FALSE(r.server_complete) << name;
        EXPECT_EQ(r.code, error_code::verification) << r.text;
        EXPECT_EQ(r.text, text);
        EXPECT_TRUE(r.alert);
    }
};
INSTANTIATE_TEST_SUITE_P(over, verification, testing::Values(transport::quic, transport::records),
                         [](const auto& i) { return i.param == transport::quic ? "quic" : "records"; });

TEST_P(verification, names_and_addresses_that_the_certificate_is_for) {
    for (auto kind : {key_kind::ed25519, key_kind::p256}) {
        auto c = make_certificate({"localhost", "127.0.0.1", "::1", "a.example"}, noon - day, noon + day, kind);
        for (const auto* name : {"localhost", "LOCALHOST", "localhost.", "127.0.0.1", "::1", "0:0:0:0:0:0:0:1", "a.example"}) {
            expect_accepted(c, name);
        }
    }
}

TEST_P(verification, another_name) {
    auto c = make_certificate({"other.example"});
    expect_refused(c, c.chain_pem, "localhost", "certificate is for other.example, not localhost");
}

TEST_P(verification, another_address) {
    auto c = make_certificate({"localhost", "127.0.0.1", "2001:db8::1"});
    expect_refused(c, c.chain_pem, "127.0.0.2", "certificate is for localhost, 127.0.0.1, 2001:db8::1, not 127.0.0.2");
    expect_refused(c, c.chain_pem, "2001:db8::2", "certificate is for localhost, 127.0.0.1, 2001:db8::1, not 2001:db8::2");
}

TEST_P(verification, many_other_names_are_not_all_told) {
    auto c = make_certificate({"a.example", "b.example", "c.example", "d.example", "e.example"});
    expect_refused(c, c.chain_pem, "localhost",
                   "certificate is for a.example, b.example, c.example, d.example and others, not localhost");
}

TEST_P(verification, wildcards_stand_for_one_whole_label) {
    auto c = make_certificate({"*.a.example", "f*.b.example"});
    expect_accepted(c, "x.a.example");
    expect_refused(c, c.chain_pem, "a.example", "certificate is for *.a.example, f*.b.example, not a.example");
    expect_refused(c, c.chain_pem, "x.y.a.example", "certificate is for *.a.example, f*.b.example, not x.y.a.example");
    expect_refused(c, c.chain_pem, "foo.b.example", "certificate is for *.a.example, f*.b.example, not foo.b.example");
}

TEST_P(verification, an_address_is_not_looked_for_among_the_names) {
    // A DNS entry with the text of an address.
    auto c = make_certificate({"localhost"});
    expect_refused(c, c.chain_pem, "127.0.0.1", "certificate is for localhost, not 127.0.0.1");
}

TEST_P(verification, a_common_name_is_no_name) {
    // The subject is "localhost" (RFC 9525 6.3: not to be looked at), the alternative names are others.
    auto c = make_certificate({"localhost"});
    bssl::UniquePtr<BIO> in(BIO_new_mem_buf(c.key_pem.data(), static_cast<int>(c.key_pem.size())));
    bssl::UniquePtr<EVP_PKEY> key(PEM_read_bio_PrivateKey(in.get(), nullptr, nullptr, nullptr));
    bssl::UniquePtr<BIO> chain(BIO_new_mem_buf(c.chain_pem.data(), static_cast<int>(c.chain_pem.size())));
    bssl::UniquePtr<X509> x(PEM_read_bio_X509(chain.get(), nullptr, nullptr, nullptr));
    int at = X509_get_ext_by_NID(x.get(), NID_subject_alt_name, -1);
    ASSERT_GE(at, 0);
    X509_EXTENSION_free(X509_delete_ext(x.get(), at));
    ASSERT_NE(X509_sign(x.get(), key.get(), nullptr), 0);
    bssl::UniquePtr<BIO> out(BIO_new(BIO_s_mem()));
    const std::uint8_t* data = nullptr;
    std::size_t size = 0;
    ASSERT_EQ(PEM_write_bio_X509(out.get(), x.get()), 1);
    ASSERT_EQ(BIO_mem_contents(out.get(), &data, &size), 1);
    c.chain_pem.assign(reinterpret_cast<const char*>(data), size);
    expect_refused(c, c.chain_pem, "localhost", "certificate is for no server, not localhost");
}

TEST_P(verification, a_self_signed_certificate_that_is_not_trusted) {
    auto c = make_certificate();
    expect_refused(c, make_certificate({"a.example"}).chain_pem, "localhost", "self-signed certificate");
}

TEST_P(verification, expired_and_not_yet_valid) {
    auto old = make_certificate({"localhost"}, noon - 2 * day, noon - day);
    expect_refused(old, old.chain_pem, "localhost", "certificate expired on Nov 13 22:13:20 2023 GMT");
    auto future = make_certificate({"localhost"}, noon + day, noon + 2 * day);
    expect_refused(future, future.chain_pem, "localhost", "certificate is not valid before Nov 15 22:13:20 2023 GMT");
}

TEST_P(verification, without_it_anything_goes) {
    auto c = make_certificate({"other.example"}, noon - 2 * day, noon - day);
    auto r = connect(GetParam(), make_client("", false), make_server(c), "localhost");
    EXPECT_TRUE(r.complete) << r.text;
    r = connect(GetParam(), make_client("", false), make_server(c), "");
    EXPECT_TRUE(r.complete) << r.text;
}

TEST_P(verification, needs_a_name) {
    auto client = make_client(make_certificate().chain_pem);
    error why;
    for (const auto& name : {std::string(), std::string("."), std::string("localhost\0.example", 18), std::string(254, 'a')}) {
        if (GetParam() == transport::quic) {
            EXPECT_FALSE(quic_handshake::client(client, {.server_name = name, .alpn = {"h3"}}, {}, why)) << name;
        } else {
            EXPECT_FALSE(record_session::client(client, {.server_name = name}, {}, why)) << name;
        }
        EXPECT_EQ(why.code, error_code::option) << name;
        EXPECT_FALSE(why.text.empty());
    }
}

// A certificate signed by an authority of the given name.
struct issued {
    std::string authority_pem;
    certificate leaf;
};

std::string pem_of(X509* x) {
    bssl::UniquePtr<BIO> out(BIO_new(BIO_s_mem()));
    const std::uint8_t* data = nullptr;
    std::size_t size = 0;
    PEM_write_bio_X509(out.get(), x);
    BIO_mem_contents(out.get(), &data, &size);
    return {reinterpret_cast<const char*>(data), size};
}

bssl::UniquePtr<X509> x509_of(const std::string& pem) {
    bssl::UniquePtr<BIO> in(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
    return bssl::UniquePtr<X509>(PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr));
}

issued issue(const std::string& authority) {
    auto root = make_certificate({authority});
    issued made{"", make_certificate({"localhost"})};
    bssl::UniquePtr<BIO> in(BIO_new_mem_buf(root.key_pem.data(), static_cast<int>(root.key_pem.size())));
    bssl::UniquePtr<EVP_PKEY> key(PEM_read_bio_PrivateKey(in.get(), nullptr, nullptr, nullptr));
    auto r = x509_of(root.chain_pem);
    X509_EXTENSION_free(X509_delete_ext(r.get(), X509_get_ext_by_NID(r.get(), NID_basic_constraints, -1)));
    bssl::UniquePtr<BASIC_CONSTRAINTS> constraints(BASIC_CONSTRAINTS_new());
    constraints->ca = 0xff;
    X509_add1_ext_i2d(r.get(), NID_basic_constraints, constraints.get(), 1, 0);
    X509_sign(r.get(), key.get(), nullptr);
    made.authority_pem = pem_of(r.get());
    auto leaf = x509_of(made.leaf.chain_pem);
    X509_set_issuer_name(leaf.get(), X509_get_subject_name(r.get()));
    X509_sign(leaf.get(), key.get(), nullptr);
    made.leaf.chain_pem = pem_of(leaf.get());
    return made;
}

TEST_P(verification, a_chain_to_a_trusted_authority) {
    auto made = issue("Test Authority");
    auto r = connect(GetParam(), make_client(made.authority_pem), make_server(made.leaf), "localhost");
    EXPECT_TRUE(r.complete) << r.text;
}

TEST_P(verification, an_authority_that_is_not_trusted) {
    auto made = issue("Test Authority");
    expect_refused(made.leaf, make_certificate().chain_pem, "localhost",
                   "certificate was issued by Test Authority, which is not trusted");
}

TEST_P(verification, an_untrusted_authority_in_the_chain) {
    auto made = issue("Test Authority");
    made.leaf.chain_pem += made.authority_pem;
    expect_refused(made.leaf, make_certificate().chain_pem, "localhost",
                   "certificate was issued by Test Authority, which is not trusted");
    auto r = connect(GetParam(), make_client(made.authority_pem), make_server(made.leaf), "localhost");
    EXPECT_TRUE(r.complete) << r.text;
}

TEST_P(verification, names_of_a_peer_are_printed_safely) {
    auto made = issue("Evil\x1b[2J\n" + std::string(40, 'x'));
    auto r = connect(GetParam(), make_client(make_certificate().chain_pem), make_server(made.leaf), "localhost");
    EXPECT_EQ(r.text, "certificate was issued by Evil?[2J?" + std::string(40, 'x') + ", which is not trusted");
}

}  // namespace
}  // namespace tandem::tls
