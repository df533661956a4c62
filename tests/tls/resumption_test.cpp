// Session tickets: what resumes, and what must not.
#include <tls/support.hpp>

namespace tandem::tls {
namespace {

using namespace test;

class resumption : public testing::Test {
protected:
    certificate cert = make_certificate({"localhost", "a.example"});
    std::shared_ptr<const server_context> server = make_server(cert);
    std::shared_ptr<const client_context> client = make_client(cert.chain_pem);

    session_ticket quic_ticket(const std::shared_ptr<const client_context>& with, const std::string& name = "localhost") {
        auto [c, s] = make_quic(with, server, {.server_name = name, .alpn = {"h3"}});
        run(*c, *s);
        EXPECT_TRUE(c->complete());
        auto ticket = c->poll_ticket();
        EXPECT_TRUE(ticket);
        return ticket.value_or(session_ticket{});
    }
    bool resumes(const session_ticket& ticket, const std::shared_ptr<const client_context>& with, const std::string& name,
                 const std::shared_ptr<const server_context>& at) {
        auto [c, s] = make_quic(with, at, {.server_name = name, .alpn = {"h3"}, .ticket = ticket});
        run(*c, *s);
        EXPECT_TRUE(c->complete()) << c->failure().text;
        EXPECT_EQ(c->resumed(), s->resumed());
        return c->resumed();
    }
};

TEST_F(resumption, a_ticket_resumes_a_quic_session) { EXPECT_TRUE(resumes(quic_ticket(client), client, "localhost", server)); }

TEST_F(resumption, the_number_of_tickets_is_as_told) {
    for (std::size_t n : {0, 1, 2, 5}) {
        auto [c, s] = make_quic(client, make_server(cert, n));
        run(*c, *s);
        std::size_t got = 0;
        while (c->poll_ticket()) ++got;
        EXPECT_EQ(got, n);
        EXPECT_FALSE(s->poll_ticket());
    }
}

TEST_F(resumption, a_client_keeps_a_few_of_many_tickets) {
    auto [c, s] = make_quic(client, make_server(cert, 16));
    run(*c, *s);
    std::size_t got = 0;
    while (c->poll_ticket()) ++got;
    EXPECT_EQ(got, 8U);
}

TEST_F(resumption, a_record_session_resumes) {
    auto [c, s] = make_records(client, server);
    run(*c, *s);
    s->write(bytes_of("hello"));  // the tickets go with the first data
    run(*c, *s);
    EXPECT_EQ(read_all(*c), "hello");
    auto ticket = c->poll_ticket();
    ASSERT_TRUE(ticket);
    auto [c2, s2] = make_records(client, server, {.server_name = "localhost", .alpn = {"http/1.1"}, .ticket = *ticket});
    run(*c2, *s2);
    EXPECT_TRUE(c2->resumed());
    EXPECT_TRUE(s2->resumed());
    EXPECT_TRUE(c2->handshake_complete());
}

TEST_F(resumption, servers_with_the_same_ticket_keys_accept_each_others) {
    error why;
    server_options options{.certificate = cert, .ticket_keys = {{1, 2, 3}}, .wall_clock = noon};
    server = server_context::create(options, why);
    auto ticket = quic_ticket(client);
    EXPECT_TRUE(resumes(ticket, client, "localhost", server_context::create(options, why)));
    options.ticket_keys = {{4, 5, 6}};
    EXPECT_FALSE(resumes(ticket, client, "localhost", server_context::create(options, why)));
}

TEST_F(resumption, not_for_another_server) {
    EXPECT_FALSE(resumes(quic_ticket(client), client, "a.example", server));
    EXPECT_TRUE(resumes(quic_ticket(client, "a.example"), client, "a.example", server));
}

TEST_F(resumption, not_where_certificates_are_checked_if_none_was_before) {
    auto careless = make_client("", false);
    auto ticket = quic_ticket(careless);
    EXPECT_TRUE(resumes(ticket, careless, "localhost", server));
    EXPECT_FALSE(resumes(ticket, client, "localhost", server));
    EXPECT_TRUE(resumes(quic_ticket(client), client, "localhost", server));
}

TEST_F(resumption, a_damaged_ticket_is_a_full_handshake) {
    auto ticket = quic_ticket(client);
    for (std::size_t size :
         {std::size_t{0}, std::size_t{1}, std::size_t{2}, std::size_t{11}, ticket.size() / 2, ticket.size() - 1}) {
        auto cut = ticket;
        cut.resize(size);
        EXPECT_FALSE(resumes(cut, client, "localhost", server)) << size;
    }
    EXPECT_FALSE(resumes(session_ticket(3000, 0x41), client, "localhost", server));
}

TEST_F(resumption, sizes_repeat) {
    std::optional<std::pair<std::size_t, std::size_t>> first;
    for (int i = 0; i < 50; ++i) {
        auto ticket = quic_ticket(client);
        auto [c, s] = make_quic(client, server, {.server_name = "localhost", .alpn = {"h3"}, .ticket = ticket});
        auto hello = c->output(level::initial).size();
        carry(*c, *s);
        std::pair sizes{hello, s->output(level::handshake).size()};
        if (!first) first = sizes;
        EXPECT_EQ(sizes, *first) << i;
    }
}

}  // namespace
}  // namespace tandem::tls
