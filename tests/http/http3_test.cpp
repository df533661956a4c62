#include "http3_pair.hpp"

namespace tandem::http {
namespace {

using test::at;
using test::code_of;
using http3 = test::http3_pair;

TEST_F(http3, request_and_response) {
    EXPECT_FALSE(client->can_submit());
    run();
    EXPECT_TRUE(client->can_submit());
    get("/a?b");
    run();
    EXPECT_EQ(served.text, "request 0 GET https://host/a?b; received 0; ");
    server->respond(0, {200, {{"x", "y"}}}, std::make_unique<memory_body>(std::string(100000, 'z')), at(0));
    run();
    EXPECT_EQ(asked.text, "response 0 200 x=y content-length=100000 +body; finished 0; ");
    EXPECT_EQ(asked.bodies[0], std::string(100000, 'z'));
    EXPECT_TRUE(served.text.ends_with("finished 0; "));
    EXPECT_EQ(server->active_requests(), 0u);
}

TEST_F(http3, bodies_and_trailers_both_ways) {
    request message{.method = "POST", .authority = "host"};
    client->submit(message, std::make_unique<test::piecewise_body>("question", 3, fields{{"t-one", "1"}}), at(0));
    run();
    EXPECT_EQ(served.text, "request 0 POST https://host/ +body; trailers 0 t-one=1; received 0; ");
    EXPECT_EQ(served.bodies[0], "question");
    server->respond(0, {200, {}}, std::make_unique<test::piecewise_body>("answer", 4, fields{{"t-two", "2"}}), at(0));
    run();
    EXPECT_EQ(asked.text, "response 0 200 +body; trailers 0 t-two=2; finished 0; ");
    EXPECT_EQ(asked.bodies[0], "answer");
}

TEST_F(http3, answers_without_bodies) {
    client->submit({.method = "HEAD", .authority = "host"}, nullptr, at(0));
    get("/1");
    get("/2");
    run();
    server->respond(0, {200, {}}, std::make_unique<memory_body>(std::string("hello")), at(0));
    server->respond(1, {204, {}}, nullptr, at(0));
    server->respond(2, {304, {}}, std::make_unique<memory_body>(std::string("hello")), at(0));
    run();
    EXPECT_EQ(
        asked.text,
        "response 0 200 content-length=5; finished 0; response 1 204; finished 1; response 2 304 content-length=5; finished 2; ");
}

TEST_F(http3, streams_do_not_wait_for_each_other) {
    get("/0");
    get("/1");
    run();
    client_end->held.insert(0);
    server->respond(0, {200, {}}, std::make_unique<memory_body>(std::string("first")), at(0));
    server->respond(1, {200, {}}, std::make_unique<memory_body>(std::string("second")), at(0));
    run();
    EXPECT_EQ(asked.text, "response 1 200 content-length=6 +body; finished 1; ");
    client_end->release(0);
    run();
    EXPECT_EQ(asked.bodies[0], "first");
}

TEST_F(http3, a_body_that_comes_later) {
    get("/");
    run();
    bool paused = false;
    auto body = std::make_unique<test::piecewise_body>("hello world", 100);
    body->pause_at = 5;
    body->paused = &paused;
    server->respond(0, {200, {}}, std::move(body), at(0));
    run();
    EXPECT_TRUE(paused);
    EXPECT_EQ(asked.bodies[0], "hello");
    server->resume_body(0);
    run();
    EXPECT_EQ(asked.bodies[0], "hello world");
    EXPECT_TRUE(asked.text.ends_with("finished 0; "));
}

TEST_F(http3, writes_as_the_transport_has_room) {
    server_end->room = 1000;
    get("/");
    run();
    server->respond(0, {200, {}}, std::make_unique<memory_body>(std::string(50000, 'z')), at(0));
    for (int i = 0; i < 100; ++i) run();
    EXPECT_EQ(asked.bodies[0].size(), 50000u);
    EXPECT_TRUE(served.text.ends_with("finished 0; "));
}

TEST_F(http3, stops_reading_until_the_application_reads) {
    limits small;
    small.body_buffer = 1000;
    make(small, {});
    server_end->room = 5000;
    asked.read_bodies = false;
    get("/");
    run();
    server->respond(0, {200, {}}, std::make_unique<memory_body>(std::string(100000, 'z')), at(0));
    for (int i = 0; i < 10; ++i) run();
    EXPECT_LT(server_end->sent[0].size(), 30000u);  // a read of 16 KiB, and what the transport holds
    std::string all;
    for (int i = 0; i < 100; ++i) {
        all += test::read_all(*client, 0, at(i));
        run(i);
    }
    EXPECT_EQ(all.size(), 100000u);
    EXPECT_TRUE(asked.text.ends_with("finished 0; "));
}

TEST_F(http3, one_read_loop_drains_a_paused_stream) {
    limits small;
    small.body_buffer = 1000;
    make(small, {});
    asked.read_bodies = false;
    get("/");
    run();
    server->respond(0, {200, {}}, std::make_unique<memory_body>(std::string(100000, 'z')), at(0));
    run();
    EXPECT_EQ(test::read_all(*client, 0, at(1)).size(), 100000u);  // without a pump in between
}

TEST_F(http3, requests_wait_for_streams) {
    client_end->max_bidirectional = 1;
    get("/0");
    get("/1");
    run();
    EXPECT_EQ(served.requests.size(), 1u);
    EXPECT_FALSE(client->can_submit());
    client_end->allow_more(1);
    run();
    EXPECT_EQ(served.requests.size(), 2u);
    EXPECT_TRUE(client->can_submit());
}

TEST_F(http3, priorities_reach_both_transports) {
    get("/0", priority{1, true});
    get("/1");
    get("/2", priority{3, true});
    run();
    auto last = [](const test::fake_transport& end, std::uint64_t stream) {
        std::optional<priority> found;
        for (const auto& [id, p] : end.priorities) {
            if (id == stream) found = p;
        }
        return found;
    };
    EXPECT_EQ(last(*client_end, 0), (priority{1, true}));
    EXPECT_EQ(last(*server_end, 0), (priority{1, true}));
    EXPECT_EQ(last(*client_end, 4), (priority{3, false}));
    EXPECT_EQ(last(*server_end, 4), (priority{3, false}));  // RFC 9218's default is not the transport's
    EXPECT_EQ(last(*server_end, 8).value_or(priority{3, true}), (priority{3, true}));
    EXPECT_EQ(served.requests[0].priority, (priority{1, true}));
    EXPECT_FALSE(served.requests[1].priority);
    // PRIORITY_UPDATE on the client's control stream (RFC 9218 7.2): stream 4, "u=0".
    server_end->inject(2, std::string("\x80\x0f\x07\x00\x04\x04u=0", 9));
    run();
    EXPECT_EQ(last(*server_end, 4), (priority{0, false}));
}

TEST_F(http3, cancelling_resets_with_the_right_code) {
    get("/");
    run();
    server->respond(0, {200, {}}, std::make_unique<test::piecewise_body>(std::string(10, 'z')), at(0));
    client->cancel(0, at(1));
    run();
    EXPECT_EQ(client_end->stops.at(0), code_of(h3_error::request_cancelled));
    EXPECT_EQ(asked.text, "failed 0 cancelled; ");
    EXPECT_TRUE(served.text.ends_with("failed 0 reset; ")) << served.text;
    EXPECT_FALSE(client_end->closed_with);
    get("/again");
    run();
    EXPECT_TRUE(served.requests.contains(1));
}

TEST_F(http3, a_server_that_rejects_lets_the_client_try_again) {
    get("/0");
    get("/1");
    run();
    server->reset(0, h3_error::request_rejected, at(0));
    server->reset(1, h3_error::internal_error, at(0));
    run();
    EXPECT_EQ(asked.text, "failed 0 rejected retryable; failed 1 reset; ");
    EXPECT_EQ(asked.failures[1].code, code_of(h3_error::internal_error));
}

TEST_F(http3, a_body_that_breaks_resets_its_stream_only) {
    get("/0");
    get("/1");
    run();
    auto broken = std::make_unique<test::piecewise_body>("hello", 100);
    broken->break_at = 2;
    auto shorter = std::make_unique<test::piecewise_body>("hello", 100);
    shorter->length = 9;
    server->respond(0, {200, {}}, std::move(broken), at(0));
    server->respond(1, {200, {}}, std::move(shorter), at(0));
    run();
    EXPECT_TRUE(asked.failures.contains(0));
    EXPECT_TRUE(asked.failures.contains(1));
    EXPECT_EQ(asked.failures[0].code, code_of(h3_error::internal_error));
    EXPECT_EQ(served.failures[0].kind, failure_kind::body_failed);
    EXPECT_FALSE(server_end->closed_with);
}

TEST_F(http3, an_answer_before_the_end_of_the_request) {
    auto body = std::make_unique<test::piecewise_body>(std::string(100, 'q'), 10);
    body->pause_at = 50;
    client->submit({.method = "POST", .authority = "host"}, std::move(body), at(0));
    run();
    server->respond(0, {413, {}}, nullptr, at(0));
    run();
    EXPECT_EQ(server_end->stops.at(0), code_of(h3_error::no_error));  // RFC 9114 4.1
    EXPECT_EQ(asked.text, "response 0 413; finished 0; ");
    EXPECT_TRUE(served.text.ends_with("finished 0; "));
    EXPECT_EQ(server->active_requests(), 0u);
}

TEST_F(http3, a_body_that_is_refused_does_not_cost_the_answer) {
    client->submit({.method = "POST", .authority = "host"}, std::make_unique<memory_body>(std::string(500'000, 'q')), at(0));
    served.read_bodies = false;
    run();
    auto body = std::make_unique<test::piecewise_body>(std::string(100, 'a'), 10);
    body->pause_at = 50;
    server->respond(0, {413, {}}, std::move(body), at(0));
    server->refuse_body(0, at(0));
    run();
    EXPECT_FALSE(server_end->stops.contains(0));
    EXPECT_EQ(test::read_all(*server, 0, at(0)), "");
    server->resume_body(0);
    run();
    EXPECT_EQ(server_end->stops.at(0), code_of(h3_error::no_error));  // RFC 9114 4.1
    EXPECT_EQ(asked.bodies[0].size(), 100u);
    EXPECT_TRUE(asked.text.ends_with("finished 0; ")) << asked.text;
    EXPECT_TRUE(served.text.ends_with("finished 0; ")) << served.text;
}

TEST_F(http3, goaway_lets_requests_under_way_end) {
    get("/0");
    run();
    server->close(at(0));
    run();
    EXPECT_EQ(asked.text, "going_away; ");
    EXPECT_FALSE(client->can_submit());
    get("/late");
    asked.run(*client, at(0));
    EXPECT_TRUE(asked.text.ends_with("failed 1 closed retryable; "));
    server->respond(0, {200, {}}, std::make_unique<memory_body>(std::string("bye")), at(0));
    server->pump(at(0));
    EXPECT_FALSE(server_end->closed_with);  // the transport has not delivered it yet
    run();
    EXPECT_EQ(asked.bodies[0], "bye");
    server_end->finish(0);
    run();
    EXPECT_EQ(server_end->closed_with, code_of(h3_error::no_error));
    EXPECT_EQ(client_end->closed_with, code_of(h3_error::no_error));
}

TEST_F(http3, requests_the_server_did_not_see_before_goaway_are_rejected) {
    run();
    server_end->held.insert(0);
    server->close(at(0));
    get("/0");
    client->pump(at(0));
    server->pump(at(0));
    run();
    EXPECT_EQ(asked.text, "going_away; failed 0 rejected retryable; closed; ");
}

TEST_F(http3, client_close_ends_the_connection_when_done) {
    get("/0");
    run();
    client->close(at(0));
    run();
    EXPECT_FALSE(client_end->closed_with);
    server->respond(0, {200, {}}, std::make_unique<memory_body>(std::string("x")), at(0));
    run();
    EXPECT_EQ(client_end->closed_with, code_of(h3_error::no_error));
    EXPECT_TRUE(asked.text.ends_with("finished 0; closed; "));
}

TEST_F(http3, a_lost_connection_fails_what_is_under_way) {
    get("/0");
    client->submit({.method = "POST", .authority = "host"}, nullptr, at(0));
    get("/2");
    run();
    server->respond(2, {200, {}}, std::make_unique<test::piecewise_body>("part", 4), at(0));
    asked.read_bodies = false;
    run();
    client->connection_lost({0, false, "gone"}, at(1));
    asked.run(*client, at(1));
    EXPECT_EQ(asked.text, "response 2 200 +body; failed 0 connection_lost retryable; failed 1 connection_lost; ");
    EXPECT_EQ(test::read_all(*client, 2, at(2)), "part");  // it had come whole
    asked.run(*client, at(2));
    EXPECT_TRUE(asked.text.ends_with("finished 2; closed; "));
    server->connection_lost({0, true, "gone"}, at(1));
    served.run(*server, at(1));
    EXPECT_TRUE(served.text.ends_with("failed 0 connection_lost; failed 1 connection_lost; closed; ")) << served.text;
}

TEST_F(http3, what_the_transport_holds_when_it_ends_is_not_lost) {
    limits small;
    small.body_buffer = 1000;
    make(small, {});
    asked.read_bodies = false;
    get("/0");
    get("/1");
    run();
    server->respond(0, {200, {}}, std::make_unique<memory_body>(std::string(100'000, 'z')), at(0));
    auto endless = std::make_unique<test::piecewise_body>(std::string(100'000, 'y'), 10'000);
    endless->pause_at = 50'000;
    server->respond(1, {200, {}}, std::move(endless), at(0));
    run();
    client->connection_lost({0, true, "gone"}, at(1));
    asked.run(*client, at(1));
    EXPECT_TRUE(asked.text.ends_with("failed 1 connection_lost; ")) << asked.text;
    EXPECT_EQ(test::read_all(*client, 0, at(2)).size(), 100'000u);
    asked.run(*client, at(2));
    EXPECT_TRUE(asked.text.ends_with("finished 0; closed; ")) << asked.text;
}

TEST_F(http3, application_waits_are_in_the_ledger) {
    asked.read_bodies = false;
    get("/");
    run(0);
    server->respond(0, {200, {}}, std::make_unique<memory_body>(std::string(1000, 'z')), at(10));
    run(10);
    EXPECT_EQ(test::read_all(*client, 0, at(15)).size(), 1000u);
    asked.run(*client, at(15));
    EXPECT_EQ(asked.ledgers.at(0).byte_nanoseconds(wait_cause::application), 1000ull * 5000000u);
    EXPECT_EQ(asked.ledgers.at(0).total(), asked.ledgers.at(0).sum());
    EXPECT_EQ(client->ledger().total(), asked.ledgers.at(0).total());
}

TEST_F(http3, a_field_section_that_waits_for_the_dynamic_table) {
    limits with_table;
    with_table.qpack_table = 4096;
    with_table.qpack_blocked_streams = 16;
    make(with_table, with_table);
    run(0);
    get("/");
    run(0);
    client_end->held.insert(7);  // the server's QPACK encoder stream
    server->respond(0, {200, {{"server", "with a value"}}}, std::make_unique<memory_body>(std::string(100, 'z')), at(0));
    run(10);
    EXPECT_EQ(asked.text, "");
    client_end->release(7);
    run(30);
    EXPECT_EQ(asked.text, "response 0 200 server=with a value content-length=100 +body; finished 0; ");
    const auto& ledger = asked.ledgers.at(0);
    auto all =
        server_end->sent.at(0).size();  // but for the frame's header and the section's prefix, which tell that it must wait
    EXPECT_EQ(ledger.byte_nanoseconds(wait_cause::qpack), (all - 4) * 20000000ull);
    EXPECT_EQ(ledger.total(), ledger.sum());
}

TEST_F(http3, continue_is_sent_when_the_application_has_not_answered) {
    request message{.method = "POST", .authority = "host", .fields = {{"expect", "100-continue"}}};
    for (bool at_once : {false, true}) {
        auto body = std::make_unique<test::piecewise_body>("question", 100);
        body->pause_at = 0;
        auto id = client->submit(message, std::move(body), at(0));
        client->pump(at(0));
        server->pump(at(0));
        served.run(*server, at(0));
        if (at_once) server->respond(id, {403, {}}, nullptr, at(0));
        auto before = server_end->sent[id * 4].size();
        server->pump(at(0));
        EXPECT_GT(server_end->sent[id * 4].size(), before);
        client->resume_body(id);
        run();
        if (!at_once) server->respond(id, {200, {}}, nullptr, at(0));
        run();
    }
    EXPECT_EQ(served.bodies[0], "question");
    EXPECT_EQ(asked.text, "interim 0 100; response 0 200; finished 0; response 1 403; finished 1; ");
}

TEST_F(http3, cookies_are_joined) {
    client->submit({.authority = "host", .fields = {{"cookie", "a=1"}, {"cookie", "b=2"}}}, nullptr, at(0));
    run();
    EXPECT_EQ(served.text, "request 0 GET https://host/ cookie=a=1; b=2; received 0; ");
}

}  // namespace
}  // namespace tandem::http
