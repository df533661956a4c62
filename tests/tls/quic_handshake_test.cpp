#include <tandem/tls/quic_handshake.hpp>

#include <openssl/ssl.h>

#include <hex.hpp>
#include <tls/support.hpp>

namespace tandem::tls {
namespace {

using namespace test;

class quic_handshake_test : public testing::Test {
protected:
    certificate cert = make_certificate();
    std::shared_ptr<const server_context> server = make_server(cert);
    std::shared_ptr<const client_context> client = make_client(cert.chain_pem);
};

TEST_F(quic_handshake_test, completes_and_agrees) {
    auto [c, s] = make_quic(client, server);
    EXPECT_FALSE(c->output(level::initial).empty());
    run(*c, *s);
    for (auto* h : {c.get(), s.get()}) {
        EXPECT_TRUE(h->complete());
        EXPECT_FALSE(h->failed());
        EXPECT_FALSE(h->alert());
        EXPECT_FALSE(h->failure());
        EXPECT_FALSE(h->resumed());
        EXPECT_EQ(h->alpn(), "h3");
        EXPECT_EQ(h->server_name(), "localhost");
        EXPECT_TRUE(h->suite());
    }
    EXPECT_EQ(tandem::test::to_hex(c->peer_transport_parameters()), "0405");
    EXPECT_EQ(tandem::test::to_hex(s->peer_transport_parameters()), "010203");
}

TEST_F(quic_handshake_test, both_sides_install_the_same_secrets) {
    auto [c, s] = make_quic(client, server);
    run(*c, *s);
    auto client_secrets = secrets_of(*c);
    auto server_secrets = secrets_of(*s);
    ASSERT_EQ(client_secrets.size(), 4U);
    ASSERT_EQ(server_secrets.size(), 4U);
    using use = installed_secret::use;
    for (const auto& mine : client_secrets) {
        auto opposite = mine.direction == use::read ? use::write : use::read;
        auto found = std::find_if(server_secrets.begin(), server_secrets.end(),
                                  [&](const auto& o) { return o.level == mine.level && o.direction == opposite; });
        ASSERT_NE(found, server_secrets.end());
        EXPECT_EQ(found->suite, mine.suite);
        EXPECT_TRUE(std::ranges::equal(found->secret(), mine.secret()));
        EXPECT_NE(mine.level, level::initial);
        EXPECT_NE(mine.level, level::early_data);
    }
    // Write before read: what can be read can be acknowledged.
    for (const auto& all : {client_secrets, server_secrets}) {
        for (auto l : {level::handshake, level::application}) {
            auto is = [l](use u) { return [l, u](const auto& x) { return x.level == l && x.direction == u; }; };
            EXPECT_LT(std::find_if(all.begin(), all.end(), is(use::write)), std::find_if(all.begin(), all.end(), is(use::read)));
        }
    }
}

TEST_F(quic_handshake_test, the_server_can_send_before_the_clients_finished) {
    auto [c, s] = make_quic(client, server);
    carry(*c, *s);
    auto all = secrets_of(*s);
    EXPECT_TRUE(std::any_of(all.begin(), all.end(), [](const auto& x) {
        return x.level == level::application && x.direction == installed_secret::use::write;
    }));
    EXPECT_FALSE(std::any_of(all.begin(), all.end(), [](const auto& x) {
        return x.level == level::application && x.direction == installed_secret::use::read;
    }));
    EXPECT_FALSE(s->complete());
    EXPECT_FALSE(s->output(level::initial).empty());
    EXPECT_FALSE(s->output(level::handshake).empty());
}

TEST_F(quic_handshake_test, messages_may_come_in_any_pieces) {
    for (std::size_t piece : {1, 2, 3, 7, 100}) {
        auto [c, s] = make_quic(client, server);
        run(*c, *s, piece);
        EXPECT_TRUE(c->complete()) << piece;
        EXPECT_TRUE(s->complete()) << piece;
    }
}

TEST_F(quic_handshake_test, the_server_prefers_its_own_order_of_protocols) {
    auto [c, s] = make_quic(client, server, {.server_name = "localhost", .alpn = {"a", "hq-interop", "h3"}},
                            {.alpn = {"h3", "hq-interop"}});
    run(*c, *s);
    EXPECT_EQ(c->alpn(), "h3");
    EXPECT_EQ(s->alpn(), "h3");
}

// RFC 9001 8.1: no_application_protocol, TLS alert 120.
TEST_F(quic_handshake_test, no_protocol_in_common) {
    auto [c, s] = make_quic(client, server, {.server_name = "localhost", .alpn = {"hq", "h33"}}, {.alpn = {"h3"}});
    run(*c, *s);
    EXPECT_TRUE(s->failed());
    EXPECT_EQ(s->alert(), 120);
    EXPECT_EQ(s->failure().code, error_code::protocol);
    EXPECT_EQ(s->failure().text, "no application protocol");
    EXPECT_FALSE(c->complete());
    EXPECT_FALSE(s->provide(level::initial, bytes_of("more")));
}

TEST_F(quic_handshake_test, an_application_protocol_is_needed) {
    error why;
    const std::uint8_t parameters[] = {0x01, 0x00};
    EXPECT_FALSE(quic_handshake::client(client, {.server_name = "localhost"}, parameters, why));
    EXPECT_EQ(why.code, error_code::option);
    EXPECT_FALSE(quic_handshake::server(server, {}, parameters, why));
    EXPECT_EQ(why.code, error_code::option);
    EXPECT_FALSE(quic_handshake::client(client, {.server_name = "localhost", .alpn = {""}}, parameters, why));
    EXPECT_EQ(why.code, error_code::option);
    EXPECT_FALSE(quic_handshake::client(client, {.server_name = "localhost", .alpn = {std::string(256, 'x')}}, parameters, why));
    EXPECT_EQ(why.code, error_code::option);
    EXPECT_TRUE(quic_handshake::client(client, {.server_name = "localhost", .alpn = {std::string(255, 'x')}}, parameters, why))
        << why.text;
}

TEST_F(quic_handshake_test, garbage_fails_with_an_alert) {
    auto [c, s] = make_quic(client, server);
    EXPECT_FALSE(s->provide(level::initial, tandem::test::from_hex("47000005"
                                                                   "68656c6c6f")));
    EXPECT_TRUE(s->failed());
    EXPECT_TRUE(s->alert());
    EXPECT_EQ(s->failure().code, error_code::protocol);
    EXPECT_FALSE(s->failure().text.empty());
}

TEST_F(quic_handshake_test, a_damaged_flight_fails) {
    auto [c, s] = make_quic(client, server);
    carry(*c, *s);
    ASSERT_TRUE(c->provide(level::initial, s->output(level::initial)));
    std::vector<std::uint8_t> flight(s->output(level::handshake).begin(), s->output(level::handshake).end());
    flight.back() ^= 1;  // in Finished
    EXPECT_FALSE(c->provide(level::handshake, flight));
    EXPECT_EQ(c->alert(), 51);  // decrypt_error (RFC 8446 4.4.4)
    EXPECT_FALSE(c->complete());
}

// RFC 9001 4.1.3: nothing new at a level that is over, nothing at one that is not there yet.
TEST_F(quic_handshake_test, bytes_at_the_wrong_level_fail) {
    auto [c, s] = make_quic(client, server);
    EXPECT_FALSE(s->provide(level::handshake, c->output(level::initial)));
    EXPECT_TRUE(s->alert());

    auto [c2, s2] = make_quic(client, server);
    run(*c2, *s2);
    EXPECT_FALSE(s2->provide(level::initial, bytes_of("again")));
    EXPECT_TRUE(s2->failed());
    EXPECT_EQ(s2->alert(), 10);
}

TEST_F(quic_handshake_test, an_endless_client_hello_is_refused) {
    auto [c, s] = make_quic(client, server);
    std::vector<std::uint8_t> endless(1000, 0);
    endless[0] = 1;     // ClientHello
    endless[1] = 0xff;  // of 16 MB
    std::size_t taken = 0;
    while (taken < 1 << 20 && s->provide(level::initial, endless)) taken += endless.size();
    EXPECT_LT(taken, 200000U);
    EXPECT_TRUE(s->failed());
}

TEST_F(quic_handshake_test, a_quic_client_meets_no_tls_1_2) {
    auto [c, s] = make_quic(client, server);
    // ServerHello of TLS 1.2: version 0303, no supported_versions
    auto hello = tandem::test::from_hex(
        "02000026"
        "0303" +
        std::string(64, 'a') +
        "00"
        "c02f"
        "00");
    EXPECT_FALSE(c->provide(level::initial, hello));
    EXPECT_EQ(c->alert(), 70);  // protocol_version
}

// RFC 9001 6: TLS KeyUpdate has no place in QUIC; unexpected_message, 0x010a.
TEST_F(quic_handshake_test, a_tls_key_update_fails) {
    auto [c, s] = make_quic(client, server);
    run(*c, *s);
    EXPECT_FALSE(c->provide(level::application, tandem::test::from_hex("1800000100")));
    EXPECT_EQ(c->alert(), 10);
    EXPECT_FALSE(s->provide(level::application, tandem::test::from_hex("1800000101")));
    EXPECT_EQ(s->alert(), 10);
}

// Removes the extension of this type from a ClientHello and puts the lengths right.
std::vector<std::uint8_t> without_extension(std::span<const std::uint8_t> hello, unsigned type) {
    std::vector<std::uint8_t> out(hello.begin(), hello.end());
    auto u16 = [&](std::size_t at) { return static_cast<unsigned>(out[at] << 8 | out[at + 1]); };
    auto put = [&](std::size_t at, std::size_t value) {
        out[at] = static_cast<std::uint8_t>(value >> 8);
        out[at + 1] = static_cast<std::uint8_t>(value);
    };
    std::size_t at = 4 + 2 + 32;  // header, version, random
    at += 1U + out[at];           // session ID
    at += 2U + u16(at);           // cipher suites
    at += 1U + out[at];           // compression
    auto list = at;
    for (at += 2; at < out.size(); at += 4U + u16(at + 2)) {
        if (u16(at) != type) continue;
        auto size = 4U + u16(at + 2);
        out.erase(out.begin() + static_cast<std::ptrdiff_t>(at), out.begin() + static_cast<std::ptrdiff_t>(at + size));
        put(list, u16(list) - size);
        put(2, out.size() - 4);
        return out;
    }
    ADD_FAILURE() << "no such extension";
    return out;
}

// RFC 9001 8.2: missing_extension.
TEST_F(quic_handshake_test, a_client_hello_without_transport_parameters_fails) {
    auto [c, s] = make_quic(client, server);
    EXPECT_FALSE(s->provide(level::initial, without_extension(c->output(level::initial), 57)));
    EXPECT_EQ(s->alert(), 109);
    EXPECT_TRUE(s->peer_transport_parameters().empty());
}

// RFC 9001 8.1
TEST_F(quic_handshake_test, a_client_hello_without_protocols_fails) {
    auto [c, s] = make_quic(client, server);
    EXPECT_FALSE(s->provide(level::initial, without_extension(c->output(level::initial), 16)));
    EXPECT_EQ(s->alert(), 120);
}

// RFC 9001 8.4: no middlebox compatibility mode.
TEST_F(quic_handshake_test, a_client_hello_of_a_byte_stream_fails) {
    auto records = make_records(client, server, {.server_name = "localhost", .alpn = {"h3"}});
    auto [c, s] = make_quic(client, server);
    EXPECT_FALSE(s->provide(level::initial, records.client->pending_output().subspan(5)));
    EXPECT_TRUE(s->failed());
}

// RFC 8446 4.1.4: the server has none of the groups for which the client sent a key.
TEST_F(quic_handshake_test, hello_retry_request) {
    ASSERT_EQ(SSL_CTX_set1_curves_list(server->native(), "P-384"), 1);
    auto [c, s] = make_quic(client, server);
    carry(*c, *s);
    EXPECT_TRUE(s->output(level::handshake).empty());
    run(*c, *s, 10);
    EXPECT_TRUE(c->complete());
    EXPECT_TRUE(s->complete());
    // A second one is an error.
    auto [c2, s2] = make_quic(client, server);
    carry(*c2, *s2);
    std::vector<std::uint8_t> retry(s2->output(level::initial).begin(), s2->output(level::initial).end());
    EXPECT_TRUE(c2->provide(level::initial, retry));
    EXPECT_FALSE(c2->provide(level::initial, retry));
    EXPECT_EQ(c2->alert(), 10);
}

// The simulator relies on this: the same run, the same packets.
TEST_F(quic_handshake_test, sizes_repeat) {
    auto sizes = [&](const std::shared_ptr<const server_context>& sc, const std::shared_ptr<const client_context>& cc) {
        auto [c, s] = make_quic(cc, sc);
        std::vector<std::size_t> all{c->output(level::initial).size()};
        carry(*c, *s);
        for (auto l : {level::initial, level::handshake, level::application}) all.push_back(s->output(l).size());
        carry(*s, *c);
        for (auto l : {level::initial, level::handshake, level::application}) all.push_back(c->output(l).size());
        carry(*c, *s);
        for (auto l : {level::initial, level::handshake, level::application}) all.push_back(s->output(l).size());
        EXPECT_TRUE(s->complete());
        return all;
    };
    auto first = sizes(server, client);
    for (int i = 0; i < 50; ++i) {
        auto fresh = make_certificate();
        EXPECT_EQ(sizes(server, client), first) << i;
        EXPECT_EQ(sizes(make_server(fresh), make_client(fresh.chain_pem)), first) << i;
    }
}

TEST_F(quic_handshake_test, thousands_of_abandoned_handshakes_leave_nothing_behind) {
    // Under the leak checker; here it only must not slow down or fail.
    for (int i = 0; i < 300; ++i) {
        auto [c, s] = make_quic(client, server);
        if (i % 3 == 0) carry(*c, *s);
        if (i % 3 == 1) s->provide(level::initial, bytes_of("garbage"));
    }
}

}  // namespace
}  // namespace tandem::tls
