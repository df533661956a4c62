// A gateway before an origin, both in one io_context.
#include <tandem/net/http_coroutine.hpp>
#include <tandem/net/http_router.hpp>
#include <tandem/net/reverse_proxy.hpp>

#include "net/http_fixture.hpp"

namespace tandem::net {
namespace {

using namespace std::chrono_literals;
using exchange_ptr = std::shared_ptr<http_exchange>;

struct gateway_case {
    http_protocol front;
    http_protocol back;
};

class Gateway : public Http, public testing::WithParamInterface<gateway_case> {
protected:
    void serve_through() {
        auto options = server_options;
        options.access = {};
        origin = std::make_unique<http_server>(io.get_executor(), options, http_handler(router));
        ASSERT_FALSE(origin->start());
        proxy.origin.scheme = "https";
        proxy.origin.host = "127.0.0.1";
        proxy.origin.port = origin->port();
        proxy.origin.path = "/base/";
        proxy.strip = "/api";
        proxy.client.connection.tls = test::client_context();
        proxy.client.protocols = {GetParam().back};
        serve(reverse_proxy(io.get_executor(), proxy));
        use({GetParam().front});
    }
    http_router router;
    reverse_proxy_options proxy;
    std::unique_ptr<http_server> origin;
};

TEST_P(Gateway, PassesRequestsAndSaysWhoAsked) {
    http::request seen;
    router.add("*", "/base/*", [&](exchange_ptr e) {
        seen = e->request();
        e->respond({201, {{"x-answer", "yes"}, {"alt-svc", "h3=\":1\""}}},
                   std::make_unique<http::memory_body>(std::string("made")));
    });
    serve_through();
    auto r = request("/api/thing?q=1");
    r.method = "PUT";
    r.fields = {{"x-forwarded-for", "6.6.6.6"}, {"forwarded", "for=6.6.6.6"}, {"x-own", "kept"}};
    auto got = fetch(std::move(r));
    EXPECT_FALSE(got->error);
    EXPECT_EQ(got->response.status, 201);
    EXPECT_EQ(got->body, "made");
    EXPECT_EQ(got->response.fields.find("x-answer"), "yes");
    EXPECT_NE(got->response.fields.find("alt-svc").value_or(""), "h3=\":1\"");
    EXPECT_EQ(seen.path, "/base/thing?q=1");
    EXPECT_EQ(seen.method, "PUT");
    EXPECT_EQ(seen.fields.find("x-own"), "kept");
    EXPECT_EQ(seen.fields.joined("x-forwarded-for"), "127.0.0.1");
    EXPECT_EQ(seen.fields.find("x-forwarded-proto"), "https");
    EXPECT_EQ(seen.fields.joined("forwarded"),
              "for=127.0.0.1;host=\"127.0.0.1:" + std::to_string(server->port()) + "\";proto=https");
    EXPECT_TRUE(seen.fields.find("via").value_or("").ends_with(" tandem"));
}

TEST_P(Gateway, LargeBodiesBothWays) {
    router.add("POST", "/base/echo", spawn([](exchange_ptr e) -> asio::awaitable<void> {
                   e->begin({200, {}});
                   std::vector<char> piece(30'000);
                   for (;;) {
                       boost::system::error_code end;
                       auto n = co_await e->async_read_some(asio::buffer(piece), asio::redirect_error(asio::use_awaitable, end));
                       if (end) break;
                       co_await asio::async_write(*e, asio::buffer(piece.data(), n), asio::use_awaitable);
                   }
                   e->finish();
               }));
    serve_through();
    std::string text(4'000'000, '\0');
    for (std::size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>(i * 7 + i / 4093);
    auto r = request("/api/echo");
    r.method = "POST";
    r.body = text;
    auto got = fetch(std::move(r));
    EXPECT_FALSE(got->error) << got->error->text;
    EXPECT_TRUE(got->body == text);
}

TEST_P(Gateway, HeadEmptyAndErrors) {
    router.add("GET", "/base/page", [](exchange_ptr e) { e->respond(200, "text/plain", "four"); });
    router.add("GET", "/base/empty", [](exchange_ptr e) { e->respond({204, {}}); });
    router.add("GET", "/base/half", [](exchange_ptr e) { e->begin({200, {}}, 100); });
    serve_through();
    auto head = request("/api/page");
    head.method = "HEAD";
    auto got = fetch(std::move(head));
    EXPECT_FALSE(got->error);
    EXPECT_EQ(got->response.fields.find("content-length"), "4");
    EXPECT_EQ(fetch(request("/api/empty"))->response.status, 204);
    EXPECT_EQ(fetch(request("/api/none"))->response.status, 404);
    auto half = fetch(request("/api/half"));
    EXPECT_TRUE(half->error || half->response.status == 502);  // as much as was known when it broke off
    EXPECT_EQ(fetch(request("/api/page"))->body, "four");      // whatever happened before
}

TEST_P(Gateway, InterimResponsesAndTrailersAndHost) {
    std::string host;
    router.add("GET", "/base/page", spawn([&](exchange_ptr e) -> asio::awaitable<void> {
                   host = e->request().authority;
                   e->inform({103, {{"link", "</a>"}}});
                   e->begin({200, {}});
                   co_await asio::async_write(*e, asio::buffer(std::string("page")), asio::use_awaitable);
                   e->finish({{"checksum", "1"}});
               }));
    for (bool keep : {false, true}) {
        proxy.keep_host = keep;
        serve_through();
        auto got = fetch(request("/api/page"));
        EXPECT_EQ(got->body, "page");
        ASSERT_EQ(got->interim.size(), 1U);
        EXPECT_EQ(got->interim[0].fields.find("link"), "</a>");
        EXPECT_EQ(got->trailers, (http::fields{{"checksum", "1"}}));
        EXPECT_EQ(host, "127.0.0.1:" + std::to_string((keep ? server : origin)->port()));
        client.reset();
        server.reset();
    }
}

TEST_P(Gateway, AnswersSomeRequestsItself) {
    std::string forwards;
    router.add("*", "/base/*", [&](exchange_ptr e) {
        forwards = e->request().fields.find("max-forwards").value_or("none");
        e->respond({200, {}});
    });
    serve_through();
    const auto ask = [&](const char* method, const char* path, http::fields fields = {}) {
        auto r = request(path);
        r.method = method;
        r.fields = std::move(fields);
        return fetch(std::move(r))->response.status;
    };
    EXPECT_EQ(ask("TRACE", "/api/page"), 405);
    EXPECT_EQ(ask("OPTIONS", "*"), 204);
    EXPECT_EQ(ask("OPTIONS", "/api/page", {{"max-forwards", "0"}}), 204);
    EXPECT_EQ(forwards, "");
    EXPECT_EQ(ask("OPTIONS", "/api/page", {{"max-forwards", "3"}}), 200);
    EXPECT_EQ(forwards, "2");
}

TEST_P(Gateway, TooManyAtATimeAreSentAway) {
    std::vector<exchange_ptr> held;
    router.add("GET", "/base/slow", [&](exchange_ptr e) { held.push_back(std::move(e)); });
    proxy.max_requests = 2;
    serve_through();
    auto first = get(request("/api/slow")), second = get(request("/api/slow"));
    run_until([&] { return held.size() == 2; });
    auto third = fetch(request("/api/slow"));
    EXPECT_EQ(third->response.status, 503);
    EXPECT_EQ(third->response.fields.find("retry-after"), "1");
    for (auto& e : held) e->respond({204, {}});
    run_until([&] { return first->done && second->done; });
    held.clear();
    auto fourth = get(request("/api/slow"));
    run_until([&] { return held.size() == 1; });
    held[0]->respond({204, {}});
    run_until([&] { return fourth->done; });
}

TEST_P(Gateway, OriginsThatAreGoneOrSlow) {
    std::vector<exchange_ptr> held;
    router.add("GET", "/base/slow", [&](exchange_ptr e) { held.push_back(std::move(e)); });
    proxy.first_byte_timeout = 150ms;
    serve_through();
    EXPECT_EQ(fetch(request("/api/slow"))->response.status, 504);
    held.clear();
    origin.reset();
    EXPECT_EQ(fetch(request("/api/page"))->response.status, 502);
}

TEST_P(Gateway, AClientThatGoesIsNotAskedFor) {
    exchange_ptr held;
    router.add("GET", "/base/slow", [&](exchange_ptr e) { held = std::move(e); });
    serve_through();
    get(request("/api/slow"));
    run_until([&] { return held != nullptr; });
    client->cancel(last);
    // An HTTP/1.1 server cannot tell a client that is gone from one that has no more to say, until it writes.
    if (GetParam().back == http_protocol::http1) {
        io.run_for(50ms);
        held->respond(200, "text/plain", "too late");
    }
    run_until([&] { return held->over(); });
}

INSTANTIATE_TEST_SUITE_P(All, Gateway,
                         testing::Values(gateway_case{http_protocol::http1, http_protocol::http1},
                                         gateway_case{http_protocol::http2, http_protocol::http1},
                                         gateway_case{http_protocol::http3, http_protocol::http1},
                                         gateway_case{http_protocol::http3, http_protocol::http2},
                                         gateway_case{http_protocol::http2, http_protocol::http3}),
                         [](const auto& p) { return protocol_name(p.param.front) + "_to_" + protocol_name(p.param.back); });

}  // namespace
}  // namespace tandem::net
