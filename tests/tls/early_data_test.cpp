// 0-RTT as TLS sees it: when it is accepted, and that no ticket brings it twice.
#include <algorithm>

#include <openssl/ssl.h>

#include <tls/support.hpp>

namespace tandem::tls {
namespace {

using namespace test;

class early_data : public testing::Test {
protected:
    certificate cert = make_certificate();
    std::int64_t time = noon;
    std::shared_ptr<const server_context> server = make(std::nullopt);
    std::shared_ptr<const client_context> client = make_client_with_clock();
    const std::vector<std::uint8_t> context{1, 2, 3};

    std::shared_ptr<const server_context> make(std::optional<std::array<std::uint8_t, 48>> keys) {
        error why;
        auto made = server_context::create({.certificate = cert, .ticket_keys = keys, .clock = [this] { return time; }}, why);
        EXPECT_TRUE(made) << why.text;
        return made;
    }
    std::shared_ptr<const client_context> make_client_with_clock() {
        error why;
        auto made = client_context::create({.ca_pem = cert.chain_pem, .clock = [this] { return time; }}, why);
        EXPECT_TRUE(made) << why.text;
        return made;
    }
    server_session_options accepting() const { return {.alpn = {"h3"}, .early_data_context = context}; }

    session_ticket ticket(const server_session_options& at) {
        auto [c, s] = make_quic(client, server, {.server_name = "localhost", .alpn = {"h3"}}, at);
        run(*c, *s);
        EXPECT_EQ(c->early_data(), early_data_state::none);
        EXPECT_EQ(s->early_data(), early_data_state::none);
        return c->poll_ticket().value_or(session_ticket{});
    }
    quic_pair resume(const session_ticket& with, const server_session_options& at) {
        auto pair =
            make_quic(client, server, {.server_name = "localhost", .alpn = {"h3"}, .ticket = with, .early_data = true}, at);
        return pair;
    }
    early_data_state outcome(const session_ticket& with, const server_session_options& at, bool resumed = true) {
        auto [c, s] = resume(with, at);
        run(*c, *s);
        EXPECT_TRUE(c->complete()) << c->failure().text;
        EXPECT_TRUE(s->complete()) << s->failure().text;
        EXPECT_EQ(c->resumed(), resumed);
        EXPECT_EQ(c->early_data(), s->early_data());
        return c->early_data();
    }
};

TEST_F(early_data, accepted_with_the_same_secret_on_both_sides) {
    auto [c, s] = resume(ticket(accepting()), accepting());
    EXPECT_EQ(c->early_data(), early_data_state::offered);
    const auto first = c->poll_secret();
    ASSERT_TRUE(first);
    EXPECT_EQ(first->level, level::early_data);
    EXPECT_EQ(first->direction, installed_secret::use::write);
    EXPECT_EQ(c->alpn(), "h3");  // what the early data is in
    EXPECT_FALSE(c->complete());

    carry(*c, *s);
    EXPECT_EQ(s->early_data(), early_data_state::accepted);
    EXPECT_FALSE(s->complete());
    const auto secrets = secrets_of(*s);
    const auto early = std::find_if(secrets.begin(), secrets.end(), [](const auto& x) { return x.level == level::early_data; });
    ASSERT_NE(early, secrets.end());
    EXPECT_EQ(early->direction, installed_secret::use::read);
    EXPECT_TRUE(std::ranges::equal(early->secret(), first->secret()));
    run(*c, *s);
    EXPECT_TRUE(c->complete());
    EXPECT_TRUE(s->complete());
    EXPECT_TRUE(c->resumed());
    EXPECT_EQ(c->early_data(), early_data_state::accepted);
    EXPECT_TRUE(c->poll_ticket());
}

TEST_F(early_data, a_ticket_brings_it_once) {
    const auto with = ticket(accepting());
    EXPECT_EQ(outcome(with, accepting()), early_data_state::accepted);
    EXPECT_EQ(outcome(with, accepting()), early_data_state::rejected);  // resumed all the same
    EXPECT_EQ(outcome(ticket(accepting()), accepting()), early_data_state::accepted);
}

// A copy of the whole first flight, from whoever saw it.
TEST_F(early_data, a_replayed_client_hello_is_rejected) {
    auto [c, s] = resume(ticket(accepting()), accepting());
    const std::vector<std::uint8_t> hello(c->output(level::initial).begin(), c->output(level::initial).end());
    ASSERT_TRUE(s->provide(level::initial, hello));
    EXPECT_EQ(s->early_data(), early_data_state::accepted);
    for (const auto later : {0, 1, 59, 61, 100, 140, 200, 400}) {
        time = noon + later;
        error why;
        const std::uint8_t parameters[] = {0x04, 0x05};
        auto again = quic_handshake::server(server, accepting(), parameters, why);
        ASSERT_TRUE(again);
        ASSERT_TRUE(again->provide(level::initial, hello)) << again->failure().text;
        EXPECT_NE(again->early_data(), early_data_state::accepted) << later;
        for (const auto& secret : secrets_of(*again)) EXPECT_NE(secret.level, level::early_data);
    }
}

// RFC 8446 8.3: outside of the window it is not accepted however fresh the ticket is.
TEST_F(early_data, a_late_client_hello_is_rejected) {
    auto [c, s] = resume(ticket(accepting()), accepting());
    time += 61;
    carry(*c, *s);
    EXPECT_NE(s->early_data(), early_data_state::accepted);
    run(*c, *s);
    EXPECT_TRUE(c->complete());
    EXPECT_EQ(c->early_data(), early_data_state::rejected);
    EXPECT_TRUE(c->resumed());
}

TEST_F(early_data, rejected_where_the_context_changed) {
    EXPECT_EQ(outcome(ticket(accepting()), {.alpn = {"h3"}, .early_data_context = {1, 2}}), early_data_state::rejected);
    EXPECT_EQ(outcome(ticket(accepting()), {.alpn = {"h3"}}), early_data_state::rejected);
}

TEST_F(early_data, not_offered_where_the_ticket_does_not_permit_it) {
    EXPECT_EQ(outcome(ticket({.alpn = {"h3"}}), accepting()), early_data_state::none);
}

TEST_F(early_data, rejected_together_with_the_ticket) {
    const auto with = ticket(accepting());
    server = make(std::nullopt);  // other keys
    EXPECT_EQ(outcome(with, accepting(), false), early_data_state::rejected);
}

// RFC 8446 4.2.10: after HelloRetryRequest there is none.
TEST_F(early_data, rejected_by_a_hello_retry_request) {
    const auto with = ticket(accepting());
    ASSERT_EQ(SSL_CTX_set1_curves_list(server->native(), "P-384"), 1);
    EXPECT_EQ(outcome(with, accepting()), early_data_state::rejected);
}

TEST_F(early_data, a_ticket_is_for_one_context_only) {
    auto one = accepting();
    one.session_context = "1";
    const auto with = ticket(one);
    auto other = one;
    other.session_context = "2";
    EXPECT_EQ(outcome(with, other, false), early_data_state::rejected);
    EXPECT_EQ(outcome(ticket(one), one), early_data_state::accepted);
    error why;
    const std::uint8_t parameters[] = {0};
    other.session_context = std::string(33, 'x');
    EXPECT_FALSE(quic_handshake::server(server, other, parameters, why));
    EXPECT_EQ(why.code, error_code::option);
}

// RFC 8446 8: a server that starts anew with its old keys does not know what it has seen.
TEST_F(early_data, none_just_after_a_start_with_keys_that_were_used_before) {
    const std::array<std::uint8_t, 48> keys{1, 2, 3};
    server = make(keys);
    EXPECT_EQ(outcome(ticket(accepting()), accepting()), early_data_state::rejected);
    time += 149;
    EXPECT_EQ(outcome(ticket(accepting()), accepting()), early_data_state::rejected);
    time += 1;
    const auto with = ticket(accepting());
    EXPECT_EQ(outcome(with, accepting()), early_data_state::accepted);
    server = make(keys);
    EXPECT_EQ(outcome(with, accepting()), early_data_state::rejected);  // and would have been taken a second time
}

TEST_F(early_data, ticket_keys_are_renewed) {
    const auto with = ticket(accepting());
    constexpr std::int64_t lifetime = 2 * day;
    time = noon + lifetime - 10;
    EXPECT_EQ(outcome(with, accepting()), early_data_state::accepted);
    cert = make_certificate({"localhost"}, noon - day, noon + 30 * day);
    server = make(std::nullopt);
    client = make_client_with_clock();
    time = noon;
    ticket(accepting());  // makes the first key
    time = noon + lifetime - 10;
    const auto late = ticket(accepting());
    time = noon + lifetime + 10;  // the next key is in use, the one before still opens
    EXPECT_EQ(outcome(late, accepting()), early_data_state::accepted);
    time = noon + 2 * lifetime + 20;
    EXPECT_EQ(outcome(late, accepting(), false), early_data_state::none);  // the client itself knows that it is too old
}

TEST_F(early_data, damaged_tickets_are_full_handshakes) {
    auto with = ticket(accepting());
    auto all = with;
    int refused = 0;
    for (std::size_t i = 200; i + 1 < all.size(); i += 97) {
        auto bad = with;
        bad[i] ^= 0x10;
        auto [c, s] = resume(bad, accepting());
        run(*c, *s);
        if (!s->complete() || !s->resumed()) ++refused;
    }
    EXPECT_GT(refused, 0);
}

}  // namespace
}  // namespace tandem::tls
