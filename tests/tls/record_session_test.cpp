#include <tandem/tls/record_session.hpp>

#include <seed.hpp>
#include <tandem/bytes/random.hpp>
#include <tls/support.hpp>

namespace tandem::tls {
namespace {

using namespace test;

class record_session_test : public testing::Test {
protected:
    certificate cert = make_certificate();
    std::shared_ptr<const server_context> server = make_server(cert);
    std::shared_ptr<const client_context> client = make_client(cert.chain_pem);

    record_pair connected(const record_session_options& options = {}) {
        auto pair =
            make_records(client, server, {.server_name = "localhost", .alpn = {"http/1.1"}}, {.alpn = {"http/1.1"}}, options);
        run(*pair.client, *pair.server);
        EXPECT_TRUE(pair.client->handshake_complete()) << pair.client->failure().text;
        EXPECT_TRUE(pair.server->handshake_complete()) << pair.server->failure().text;
        return pair;
    }
};

TEST_F(record_session_test, carries_bytes_both_ways) {
    auto [c, s] = connected();
    EXPECT_EQ(c->alpn(), "http/1.1");
    EXPECT_EQ(s->alpn(), "http/1.1");
    EXPECT_EQ(s->server_name(), "localhost");
    EXPECT_EQ(c->protocol_version(), "TLSv1.3");
    EXPECT_EQ(c->write(bytes_of("request")), 7U);
    EXPECT_EQ(s->write(bytes_of("response")), 8U);
    run(*c, *s);
    EXPECT_TRUE(s->readable());
    EXPECT_EQ(read_all(*s), "request");
    EXPECT_EQ(read_all(*c), "response");
    EXPECT_FALSE(s->readable());
    EXPECT_FALSE(c->failed());
}

TEST_F(record_session_test, nothing_is_accepted_before_the_handshake) {
    auto [c, s] = make_records(client, server);
    EXPECT_EQ(c->write(bytes_of("early")), 0U);
    EXPECT_EQ(c->write_room(), 0U);
    EXPECT_EQ(s->write(bytes_of("early")), 0U);
    EXPECT_EQ(c->protocol_version(), "");
    run(*c, *s);
    EXPECT_GT(c->write_room(), 0U);
}

TEST_F(record_session_test, any_pieces_in_and_out) {
    const auto seed = tandem::test::seed();
    random_source random(seed);
    for (int round = 0; round < 30; ++round) {
        auto [c, s] = make_records(client, server);
        run(*c, *s, 1 + random.below(50));
        std::vector<std::uint8_t> sent(random.below(100000));
        random.fill(sent);
        std::vector<std::uint8_t> received;
        std::vector<std::uint8_t> buffer(1 + random.below(20000));
        std::size_t written = 0;
        while (received.size() < sent.size()) {
            auto rest = std::span(sent).subspan(written);
            written += c->write(rest.first(std::min<std::size_t>(rest.size(), 1 + random.below(30000))));
            std::vector<std::uint8_t> wire(1 + random.below(5000));
            wire.resize(c->transmit(wire));
            std::span<const std::uint8_t> in = wire;
            do {
                in = in.subspan(s->receive(in));
                auto n = s->read(buffer);
                received.insert(received.end(), buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(n));
            } while (!in.empty());
        }
        ASSERT_EQ(received, sent) << "seed " << seed << " round " << round;
    }
}

TEST_F(record_session_test, close_notify_ends_a_direction) {
    auto [c, s] = connected();
    c->write(bytes_of("last"));
    c->close();
    EXPECT_TRUE(c->close_sent());
    EXPECT_EQ(c->write(bytes_of("more")), 0U);
    EXPECT_EQ(s->write(bytes_of("answer")), 6U);
    run(*c, *s);
    EXPECT_EQ(read_all(*s), "last");
    EXPECT_TRUE(s->readable());
    EXPECT_TRUE(s->peer_closed());
    EXPECT_FALSE(s->truncated());
    s->end_of_input();
    EXPECT_FALSE(s->truncated());
    EXPECT_FALSE(s->failed());
    EXPECT_EQ(read_all(*c), "answer");  // the other direction is open
    EXPECT_EQ(s->write(bytes_of("more")), 4U);
    run(*c, *s);
    EXPECT_EQ(read_all(*c), "more");
}

TEST_F(record_session_test, bytes_behind_close_notify_are_dropped) {
    auto [c, s] = connected();
    c->close();
    run(*c, *s);
    EXPECT_EQ(read_all(*s), "");
    ASSERT_TRUE(s->peer_closed());
    std::vector<std::uint8_t> junk(100000);
    EXPECT_EQ(s->receive(junk), junk.size());
    EXPECT_FALSE(s->failed());
}

TEST_F(record_session_test, an_end_without_close_notify_is_truncation) {
    auto [c, s] = connected();
    c->write(bytes_of("half of it"));
    run(*c, *s);
    s->end_of_input();
    EXPECT_FALSE(s->truncated());  // there is still something to read
    EXPECT_EQ(read_all(*s), "half of it");
    EXPECT_TRUE(s->truncated());
    EXPECT_TRUE(s->readable());
    EXPECT_FALSE(s->peer_closed());
    EXPECT_FALSE(s->failed());
}

TEST_F(record_session_test, an_end_within_a_record_is_truncation) {
    auto [c, s] = connected();
    c->write(bytes_of("never whole"));
    auto out = c->pending_output();
    s->receive(out.first(out.size() - 1));
    s->end_of_input();
    EXPECT_EQ(read_all(*s), "");
    EXPECT_TRUE(s->truncated());
}

TEST_F(record_session_test, an_end_during_the_handshake_is_a_failure) {
    auto [c, s] = make_records(client, server);
    carry(*c, *s);
    s->end_of_input();
    EXPECT_TRUE(s->failed());
    EXPECT_EQ(s->failure().text, "the connection was closed during the TLS handshake");
}

TEST_F(record_session_test, a_changed_byte_fails_with_an_alert_that_the_peer_reads) {
    auto [c, s] = connected();
    c->write(bytes_of("hello"));
    std::vector<std::uint8_t> wire(c->pending_output().begin(), c->pending_output().end());
    c->consume_output(wire.size());
    wire.back() ^= 1;
    s->receive(wire);
    EXPECT_EQ(read_all(*s), "");
    EXPECT_TRUE(s->failed());
    EXPECT_EQ(s->alert(), 20);  // bad_record_mac
    EXPECT_EQ(s->failure().code, error_code::protocol);
    EXPECT_EQ(s->write(bytes_of("x")), 0U);
    carry(*s, *c);
    EXPECT_EQ(read_all(*c), "");
    EXPECT_TRUE(c->failed());
    EXPECT_EQ(c->alert(), 20);
    EXPECT_EQ(c->failure().text, "the peer ended the session: bad record mac");
}

TEST_F(record_session_test, what_is_not_tls_fails) {
    auto [c, s] = make_records(client, server);
    EXPECT_EQ(s->receive(bytes_of("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")), 35U);
    EXPECT_TRUE(s->failed());
    EXPECT_EQ(s->failure().text, "http request");
    auto [c2, s2] = make_records(client, server);
    c2->receive(bytes_of("HTTP/1.1 400 Bad Request\r\n\r\n"));
    EXPECT_TRUE(c2->failed());
    EXPECT_EQ(c2->failure().text, "wrong version number");
}

TEST_F(record_session_test, no_protocol_in_common) {
    auto [c, s] = make_records(client, server, {.server_name = "localhost", .alpn = {"h2"}}, {.alpn = {"http/1.1"}});
    run(*c, *s);
    EXPECT_TRUE(s->failed());
    EXPECT_EQ(s->alert(), 120);
    EXPECT_TRUE(c->failed());
    EXPECT_EQ(c->alert(), 120);
    EXPECT_EQ(c->failure().text, "the peer ended the session: no application protocol");
}

TEST_F(record_session_test, a_client_without_alpn_is_served) {
    auto [c, s] = make_records(client, server, {.server_name = "localhost"}, {.alpn = {"http/1.1"}});
    run(*c, *s);
    EXPECT_TRUE(s->handshake_complete());
    EXPECT_EQ(s->alpn(), "");
}

TEST_F(record_session_test, input_that_nobody_reads_is_not_taken_without_end) {
    auto [c, s] = connected();
    std::vector<std::uint8_t> plaintext(50000, 'x');
    std::size_t refused = 0;
    std::size_t sent = 0;
    while (refused == 0) {
        sent += c->write(plaintext);
        auto out = c->pending_output();
        auto taken = s->receive(out);
        c->consume_output(taken);
        refused = out.size() - taken;
        ASSERT_LT(sent, 1000000U);
    }
    EXPECT_EQ(s->receive_room(), 0U);
    EXPECT_EQ(s->receive(c->pending_output()), 0U);
    // Reading makes room, and nothing is lost.
    std::size_t read = 0;
    while (read < sent) {
        auto text = read_all(*s);
        ASSERT_FALSE(text.empty());
        read += text.size();
        carry(*c, *s);
    }
    EXPECT_EQ(read, sent);
}

TEST_F(record_session_test, output_that_nobody_takes_is_bounded) {
    auto [c, s] = connected({.max_pending_output = 20000});
    std::vector<std::uint8_t> plaintext(100000, 'x');
    EXPECT_EQ(c->write(plaintext), 20000U - 22 * 1);
    EXPECT_EQ(c->write_room(), 0U);
    EXPECT_EQ(c->write(plaintext), 0U);
    EXPECT_LE(c->pending_output().size(), 20000U + 22);
    std::vector<std::uint8_t> out(1000);
    EXPECT_EQ(c->transmit(out), 1000U);
    EXPECT_GT(c->write_room(), 0U);
}

TEST_F(record_session_test, records_are_no_larger_than_told_and_are_mapped) {
    auto [c, s] = connected({.max_record_size = 1000, .log_sealed_records = true});
    auto skip = c->pending_output().size();
    ASSERT_EQ(skip, 0U);
    std::vector<std::uint8_t> plaintext(2500, 'x');
    ASSERT_EQ(c->write(plaintext), 2500U);
    std::vector<sealed_record> records;
    while (auto r = c->poll_sealed_record()) records.push_back(*r);
    ASSERT_EQ(records.size(), 3U);
    // Header 5, type 1, tag 16 (RFC 8446 5.2)
    auto base = records[0].ciphertext_begin;
    EXPECT_EQ(records[0], (sealed_record{base, base + 1022, 0, 1000}));
    EXPECT_EQ(records[1], (sealed_record{base + 1022, base + 2044, 1000, 2000}));
    EXPECT_EQ(records[2], (sealed_record{base + 2044, base + 2566, 2000, 2500}));
    EXPECT_EQ(c->pending_output().size(), 2566U);
    run(*c, *s);
    EXPECT_EQ(read_all(*s).size(), 2500U);
}

TEST_F(record_session_test, the_map_counts_the_handshake) {
    auto [c, s] = make_records(client, server, {.server_name = "localhost"}, {}, {.log_sealed_records = true});
    std::size_t sent = 0;
    for (int i = 0; i < 3; ++i) {
        sent += c->pending_output().size();
        carry(*c, *s);
        carry(*s, *c);
    }
    ASSERT_TRUE(c->handshake_complete());
    c->write(bytes_of("abc"));
    EXPECT_EQ(c->poll_sealed_record(), (sealed_record{sent, sent + 25, 0, 3}));
    EXPECT_FALSE(c->poll_sealed_record());
}

TEST_F(record_session_test, options_have_limits) {
    error why;
    for (std::size_t size : {0, 511, 16385}) {
        EXPECT_FALSE(record_session::server(server, {}, {.max_record_size = size}, why));
        EXPECT_EQ(why.code, error_code::option);
    }
    EXPECT_FALSE(record_session::server(server, {}, {.max_pending_output = 0}, why));
    EXPECT_TRUE(record_session::server(server, {}, {.max_record_size = 512}, why));
}

TEST_F(record_session_test, closing_before_the_handshake_is_harmless) {
    auto [c, s] = make_records(client, server);
    c->close();
    run(*c, *s);
    EXPECT_EQ(c->write(bytes_of("x")), 0U);
    EXPECT_FALSE(c->failed());
}

TEST_F(record_session_test, sizes_repeat) {
    std::vector<std::size_t> first;
    for (int i = 0; i < 51; ++i) {
        auto fresh = make_certificate();
        auto [c, s] = make_records(make_client(fresh.chain_pem), make_server(fresh));
        std::vector<std::size_t> sizes;
        for (int k = 0; k < 3; ++k) {
            sizes.push_back(c->pending_output().size());
            carry(*c, *s);
            sizes.push_back(s->pending_output().size());
            carry(*s, *c);
        }
        if (first.empty()) first = sizes;
        EXPECT_EQ(sizes, first) << i;
    }
}

}  // namespace
}  // namespace tandem::tls
