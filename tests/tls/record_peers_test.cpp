// Record sessions against peers that are not this library's: hostile ones that forge records, and one that speaks TLS 1.2.
#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include <hex.hpp>
#include <tandem/tls/aead.hpp>
#include <tandem/tls/hkdf.hpp>
#include <tls/support.hpp>

namespace tandem::tls {
namespace {

using namespace test;
using namespace std::chrono_literals;
using tandem::test::byte_vector;

constexpr std::uint8_t content_alert = 21;
constexpr std::uint8_t content_handshake = 22;
constexpr std::uint8_t content_application = 23;

// A client session in the hands of a server that sends whatever records it likes: it has the real server's secrets.
class hostile_server : public testing::Test {
protected:
    hostile_server() {
        server = make_server(cert, 0, [this](std::string_view line) {
            if (line.starts_with("SERVER_TRAFFIC_SECRET_0 ")) secret = tandem::test::from_hex(line.substr(line.rfind(' ') + 1));
        });
        auto pair = make_records(make_client(cert.chain_pem), server);
        run(*pair.client, *pair.server);
        client = std::move(pair.client);
        EXPECT_TRUE(client->handshake_complete());
        suite = secret.size() == 48 ? cipher_suite::aes_256_gcm_sha384 : cipher_suite::aes_128_gcm_sha256;
        derive();
    }

    void derive() {
        byte_vector bytes(key_size(suite));
        byte_vector iv(aead_nonce_size);
        hkdf_expand_label(suite, bytes, secret, "key");
        hkdf_expand_label(suite, iv, secret, "iv");
        key = aead_key(suite, bytes, std::span<const std::uint8_t>(iv).first<aead_nonce_size>());
        sequence = 0;
    }

    byte_vector record(std::uint8_t type, std::span<const std::uint8_t> content, std::size_t padding = 0) {
        auto size = content.size() + 1 + padding + aead_tag_size;
        byte_vector out{23, 3, 3, static_cast<std::uint8_t>(size >> 8), static_cast<std::uint8_t>(size)};
        out.insert(out.end(), content.begin(), content.end());
        out.push_back(type);
        out.resize(5 + size);
        EXPECT_TRUE(key.seal(std::span(out).subspan(5), std::span(out).first(5), sequence++));
        return out;
    }

    // KeyUpdate (RFC 8446 4.6.3), after which the keys are the next ones.
    byte_vector key_update(std::uint8_t request) {
        auto out = record(content_handshake, byte_vector{24, 0, 0, 1, request});
        byte_vector next(secret.size());
        hkdf_expand_label(suite, next, secret, "traffic upd");
        secret = next;
        derive();
        return out;
    }

    certificate cert = make_certificate();
    std::shared_ptr<const server_context> server;
    std::unique_ptr<record_session> client;
    byte_vector secret;
    cipher_suite suite{};
    aead_key key;
    std::uint64_t sequence = 0;
};

TEST_F(hostile_server, the_forger_forges) {
    client->receive(record(content_application, bytes_of("forged"), 100));
    EXPECT_EQ(read_all(*client), "forged");
}

TEST_F(hostile_server, endless_empty_records_end_the_session) {
    int sent = 0;
    while (!client->failed() && sent < 1000) {
        client->receive(record(content_application, {}));
        EXPECT_EQ(read_all(*client), "");
        ++sent;
    }
    EXPECT_TRUE(client->failed());
    EXPECT_GT(sent, 10);
    EXPECT_LT(sent, 100);
    EXPECT_EQ(client->failure().text, "too many empty fragments");
}

TEST_F(hostile_server, a_few_empty_records_are_skipped) {
    for (int i = 0; i < 5; ++i) client->receive(record(content_application, {}));
    client->receive(record(content_application, bytes_of("text")));
    EXPECT_EQ(read_all(*client), "text");
}

TEST_F(hostile_server, endless_key_updates_end_the_session) {
    int sent = 0;
    while (!client->failed() && sent < 1000) {
        client->receive(key_update(0));
        EXPECT_EQ(read_all(*client), "");
        ++sent;
    }
    EXPECT_TRUE(client->failed());
    EXPECT_GT(sent, 10);
    EXPECT_LT(sent, 100);
    EXPECT_EQ(client->failure().text, "too many key updates");
}

TEST_F(hostile_server, key_updates_between_data_are_followed_and_their_answers_do_not_pile_up) {
    for (int i = 0; i < 200; ++i) {
        client->receive(key_update(1));
        client->receive(record(content_application, bytes_of("x")));
        ASSERT_EQ(read_all(*client), "x");
    }
    EXPECT_LT(client->pending_output().size(), 100U);
    EXPECT_FALSE(client->failed());
    // One answer goes before the next data; the map still tells the data's record.
    auto before = client->pending_output().size();
    client->write(bytes_of("abc"));
    EXPECT_GT(client->pending_output().size() - before, 25U);
}

TEST_F(hostile_server, endless_tickets_are_not_kept) {
    // lifetime, age_add, nonce, ticket, no extensions
    auto ticket = tandem::test::from_hex(
        "0400002d"
        "00010000"
        "01020304"
        "0100"
        "0020" +
        std::string(64, 'a') + "0000");
    ticket[3] = static_cast<std::uint8_t>(ticket.size() - 4);
    for (int i = 0; i < 1000; ++i) {
        client->receive(record(content_handshake, ticket));
        EXPECT_EQ(read_all(*client), "");
    }
    ASSERT_FALSE(client->failed()) << client->failure().text;
    int kept = 0;
    while (client->poll_ticket()) ++kept;
    EXPECT_EQ(kept, 8);
}

TEST_F(hostile_server, a_fatal_alert_is_told) {
    client->receive(record(content_alert, byte_vector{2, 80}));
    EXPECT_EQ(read_all(*client), "");
    EXPECT_TRUE(client->failed());
    EXPECT_EQ(client->alert(), 80);
    EXPECT_EQ(client->failure().text, "the peer ended the session: internal error");
}

TEST_F(hostile_server, a_handshake_message_that_has_no_place_fails) {
    client->receive(record(content_handshake, byte_vector{20, 0, 0, 1, 0}));  // Finished
    EXPECT_EQ(read_all(*client), "");
    EXPECT_TRUE(client->failed());
}

TEST_F(hostile_server, a_record_of_zero_bytes_or_too_many_fails) {
    client->receive(byte_vector{23, 3, 3, 0, 0});
    EXPECT_EQ(read_all(*client), "");
    EXPECT_TRUE(client->failed());
}

TEST_F(hostile_server, an_oversized_record_fails_at_its_header) {
    client->receive(byte_vector{23, 3, 3, 0xff, 0xff});
    EXPECT_EQ(read_all(*client), "");
    EXPECT_TRUE(client->failed());
    EXPECT_EQ(client->alert(), 22);  // record_overflow
}

// A server of BoringSSL alone with a given highest version, 1.2 at most, and cipher.
class plain_server {
public:
    plain_server(const certificate& c, const char* cipher, std::uint16_t max_version = TLS1_2_VERSION)
        : ctx_(SSL_CTX_new(TLS_method())) {
        bssl::UniquePtr<BIO> chain(BIO_new_mem_buf(c.chain_pem.data(), static_cast<int>(c.chain_pem.size())));
        bssl::UniquePtr<BIO> key(BIO_new_mem_buf(c.key_pem.data(), static_cast<int>(c.key_pem.size())));
        bssl::UniquePtr<X509> x(PEM_read_bio_X509(chain.get(), nullptr, nullptr, nullptr));
        bssl::UniquePtr<EVP_PKEY> k(PEM_read_bio_PrivateKey(key.get(), nullptr, nullptr, nullptr));
        EXPECT_EQ(SSL_CTX_use_certificate(ctx_.get(), x.get()), 1);
        EXPECT_EQ(SSL_CTX_use_PrivateKey(ctx_.get(), k.get()), 1);
        EXPECT_EQ(SSL_CTX_set_min_proto_version(ctx_.get(), TLS1_VERSION), 1);
        EXPECT_EQ(SSL_CTX_set_max_proto_version(ctx_.get(), max_version), 1);
        EXPECT_EQ(SSL_CTX_set_strict_cipher_list(ctx_.get(), cipher), 1);
        ssl_.reset(SSL_new(ctx_.get()));
        BIO* inner = nullptr;
        BIO* outer = nullptr;
        EXPECT_EQ(BIO_new_bio_pair(&inner, 1 << 17, &outer, 1 << 17), 1);
        outer_.reset(outer);
        SSL_set_bio(ssl_.get(), inner, inner);
        SSL_set_accept_state(ssl_.get());
    }
    SSL* ssl() { return ssl_.get(); }
    void exchange(record_session& other, std::span<const byte_times> times = {}) {
        for (int i = 0; i < 10; ++i) {
            auto out = other.pending_output();
            if (!out.empty())
                other.consume_output(static_cast<std::size_t>(BIO_write(outer_.get(), out.data(), static_cast<int>(out.size()))));
            if (SSL_in_init(ssl_.get()) != 0) SSL_do_handshake(ssl_.get());
            auto in = take();
            if (!in.empty()) other.receive(in, times);
        }
    }
    byte_vector take() {
        byte_vector bytes(BIO_pending(outer_.get()));
        if (!bytes.empty()) BIO_read(outer_.get(), bytes.data(), static_cast<int>(bytes.size()));
        return bytes;
    }

private:
    bssl::UniquePtr<SSL_CTX> ctx_;
    bssl::UniquePtr<SSL> ssl_;
    bssl::UniquePtr<BIO> outer_;
};

class tls_1_2 : public testing::TestWithParam<const char*> {
protected:
    certificate cert = make_certificate({"localhost"}, noon - day, noon + day, key_kind::p256);
    error why;
    std::unique_ptr<record_session> client =
        record_session::client(make_client(cert.chain_pem), {.server_name = "localhost"}, {.log_sealed_records = true}, why);
};
INSTANTIATE_TEST_SUITE_P(ciphers, tls_1_2, testing::Values("ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305"),
                         [](const auto& i) { return i.index == 0 ? "aes_gcm" : "chacha20"; });

TEST_P(tls_1_2, is_spoken) {
    plain_server peer(cert, GetParam());
    peer.exchange(*client);
    ASSERT_TRUE(client->handshake_complete()) << client->failure().text;
    EXPECT_EQ(client->protocol_version(), "TLSv1.2");
    ASSERT_EQ(client->write(bytes_of("hello")), 5U);
    auto size = client->pending_output().size();
    auto record = client->poll_sealed_record();
    ASSERT_TRUE(record);
    EXPECT_EQ(record->ciphertext_end - record->ciphertext_begin, size);
    peer.exchange(*client);
    char buffer[10] = {};
    EXPECT_EQ(SSL_read(peer.ssl(), buffer, sizeof buffer), 5);
    EXPECT_STREQ(buffer, "hello");
}

// The plaintext begins behind the explicit nonce of AES-GCM, and at once in ChaCha20-Poly1305.
TEST_P(tls_1_2, times_follow_the_bytes) {
    plain_server peer(cert, GetParam());
    const byte_times early{1 << 20, time_point(1s), time_point(1s)};
    peer.exchange(*client, {&early, 1});
    ASSERT_TRUE(client->handshake_complete()) << client->failure().text;
    ASSERT_EQ(SSL_write(peer.ssl(), "abcdefgh", 8), 8);
    auto wire = peer.take();
    auto prefix = wire.size() - 8 - aead_tag_size;  // header and nonce
    const byte_times times[] = {{prefix + 3, time_point(2s), time_point(2s)},
                                {wire.size() - prefix - 3, time_point(3s), time_point(4s)}};
    ASSERT_EQ(client->receive(wire, times), wire.size());
    std::vector<record_times> runs;
    EXPECT_EQ(read_all(*client, &runs), "abcdefgh");
    ASSERT_EQ(runs.size(), 2U);
    EXPECT_EQ(runs[0], (record_times{3, time_point(2s), time_point(2s), time_point(4s)}));
    EXPECT_EQ(runs[1], (record_times{5, time_point(3s), time_point(4s), time_point(4s)}));
}

TEST(tls_versions, older_than_1_2_are_refused) {
    auto cert = make_certificate({"localhost"}, noon - day, noon + day, key_kind::p256);
    plain_server peer(cert, "ECDHE-ECDSA-AES128-SHA", TLS1_1_VERSION);
    error why;
    auto client = record_session::client(make_client(cert.chain_pem), {.server_name = "localhost"}, {}, why);
    peer.exchange(*client);
    EXPECT_TRUE(client->failed());
    EXPECT_EQ(client->alert(), 70);  // protocol_version
}

TEST(tls_versions, ciphers_without_authenticated_encryption_are_refused) {
    auto cert = make_certificate({"localhost"}, noon - day, noon + day, key_kind::p256);
    plain_server peer(cert, "ECDHE-ECDSA-AES128-SHA");
    error why;
    auto client = record_session::client(make_client(cert.chain_pem), {.server_name = "localhost"}, {}, why);
    peer.exchange(*client);
    EXPECT_TRUE(client->failed());
    EXPECT_EQ(client->alert(), 40);  // handshake_failure
}

}  // namespace
}  // namespace tandem::tls
