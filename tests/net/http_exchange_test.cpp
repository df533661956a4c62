// Handlers that answer in their own time, in every version of HTTP.
#include <tandem/net/http_coroutine.hpp>
#include <tandem/net/http_router.hpp>

#include <boost/asio/steady_timer.hpp>

#include "net/http_fixture.hpp"

namespace tandem::net {
namespace {

using exchange_ptr = std::shared_ptr<http_exchange>;
using boost::asio::awaitable;
using boost::asio::use_awaitable;

std::string pattern(std::size_t size) {
    std::string out(size, '\0');
    for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<char>(i * 131 + i / 7919);
    return out;
}

class Exchange : public Http, public testing::WithParamInterface<http_protocol> {
protected:
    http_request post(const std::string& path, std::string body) {
        auto r = request(path);
        r.method = "POST";
        r.body = std::move(body);
        r.has_body = true;
        return r;
    }
};

TEST_P(Exchange, EchoAsItComes) {
    serve(spawn([](exchange_ptr e) -> awaitable<void> {
        http::response head;
        head.fields.append("content-type", e->request().fields.find("content-type").value_or("none"));
        e->begin(std::move(head));
        for (;;) {
            char piece[10'000];
            boost::system::error_code end;
            auto n = co_await e->async_read_some(asio::buffer(piece), asio::redirect_error(use_awaitable, end));
            if (end) break;
            co_await asio::async_write(*e, asio::buffer(piece, n), use_awaitable);
        }
        e->finish();
    }));
    use({GetParam()});
    for (std::size_t size : {0, 1, 9'999, 3'000'000}) {
        auto text = pattern(size);
        auto r = post("/", text);
        r.fields.append("content-type", "application/x-pattern");
        auto got = fetch(std::move(r));
        EXPECT_FALSE(got->error) << got->error->text;
        EXPECT_TRUE(got->body == text) << size;
        EXPECT_EQ(got->response.fields.find("content-type"), "application/x-pattern");
        EXPECT_TRUE(got->response.fields.contains("date"));
    }
}

TEST_P(Exchange, AnswersLater) {
    exchange_ptr held;
    serve([&](exchange_ptr e) { held = std::move(e); });
    use({GetParam()});
    auto got = get(request("/later"));
    run_until([&] { return held != nullptr; });
    EXPECT_EQ(held->request().path, "/later");
    EXPECT_FALSE(held->over());
    held->respond(202, "text/plain", "at last");
    held->respond(500, "text/plain", "only the first answer counts");
    run_until([&] { return got->done; });
    EXPECT_FALSE(got->error);
    EXPECT_EQ(got->response.status, 202);
    EXPECT_EQ(got->body, "at last");
    run_until([&] { return held->over(); });
    char byte;
    boost::system::error_code read_error, write_error;
    held->async_read_some(asio::buffer(&byte, 1), [&](boost::system::error_code e, std::size_t) { read_error = e; });
    held->async_write_some(asio::buffer(&byte, 1), [&](boost::system::error_code e, std::size_t) { write_error = e; });
    run_until([&] { return read_error && write_error; });
    held->finish();  // nothing to do, nothing broken
    held->reset();
}

TEST_P(Exchange, AClientThatGoesFailsWhatWaits) {
    exchange_ptr held;
    serve([&](exchange_ptr e) { held = std::move(e); });
    use({GetParam()});
    auto r = request("/");
    auto got = get(std::move(r));
    run_until([&] { return held != nullptr; });
    held->begin({200, {}});
    boost::system::error_code failed;
    std::string much(1'000'000, 'x');
    std::function<void()> write = [&] {
        held->async_write_some(asio::buffer(much), [&](boost::system::error_code e, std::size_t) {
            if (e)
                failed = e;
            else
                write();
        });
    };
    got->stop_after = 10;  // then the client cancels
    write();
    run_until([&] { return static_cast<bool>(failed); });
    EXPECT_TRUE(held->over());
    ASSERT_EQ(log.size(), 1U);
    EXPECT_TRUE(log[0].ends_with("incomplete"));
}

TEST_P(Exchange, ForgottenOnesAreEnded) {
    serve([](exchange_ptr e) {
        if (e->request().path == "/half") e->begin({200, {}});
    });
    use({GetParam()});
    auto none = fetch(request("/none"));
    EXPECT_FALSE(none->error);
    EXPECT_EQ(none->response.status, 500);
    auto half = fetch(request("/half"));
    EXPECT_TRUE(half->error);
}

TEST_P(Exchange, ExceptionsAre500) {
    serve(spawn([](exchange_ptr e) -> awaitable<void> {
        if ((co_await read_body(*e, 1000)) == "bad") throw std::runtime_error("bad");
        e->respond(200, "text/plain", "good");
    }));
    use({GetParam()});
    EXPECT_EQ(fetch(post("/", "good"))->response.status, 200);
    EXPECT_EQ(fetch(post("/", "bad"))->response.status, 500);
    EXPECT_EQ(fetch(post("/", std::string(1001, 'a')))->response.status, 500);
    EXPECT_EQ(fetch(post("/", std::string(1000, 'a')))->response.status, 200);
}

TEST_P(Exchange, TrailersAndKnownLengths) {
    http::fields seen;
    serve(spawn([&](exchange_ptr e) -> awaitable<void> {
        e->begin({200, {}}, e->request().path == "/known" ? std::optional<std::uint64_t>(6) : std::nullopt);
        co_await asio::async_write(*e, asio::buffer(std::string("abcdef")), use_awaitable);
        e->finish({{"checksum", "1"}});
    }));
    use({GetParam()});
    auto known = fetch(request("/known"));
    EXPECT_EQ(known->body, "abcdef");
    auto open = fetch(request("/open"));
    EXPECT_EQ(open->body, "abcdef");
    EXPECT_EQ(open->trailers, (http::fields{{"checksum", "1"}}));
    auto head = request("/known");
    head.method = "HEAD";
    auto answer = fetch(std::move(head));
    EXPECT_FALSE(answer->error);
    EXPECT_EQ(answer->response.status, 200);
    EXPECT_EQ(answer->body, "");
}

TEST_P(Exchange, EarlyHints) {
    serve(spawn([&](exchange_ptr e) -> awaitable<void> {
        e->inform({103, {{"link", "</style.css>; rel=preload"}}});
        e->inform({103, {{"link", "</more.css>; rel=preload"}}});
        e->respond(200, "text/plain", "page");
        e->inform({103, {}});  // too late
        co_return;
    }));
    use({GetParam()});
    auto got = fetch(request("/"));
    EXPECT_EQ(got->body, "page");
    ASSERT_EQ(got->interim.size(), 2U);
    EXPECT_EQ(got->interim[0].status, 103);
    EXPECT_EQ(got->interim[1].fields.find("link"), "</more.css>; rel=preload");
}

// A request's body that is larger than the server takes, of a length that is known and of one that is not.
TEST_P(Exchange, LargestBody) {
    server_options.requests.largest_body = 100'000;
    int asked = 0;
    std::vector<boost::system::error_code> ends;
    serve(spawn([&](exchange_ptr e) -> awaitable<void> {
        ++asked;
        if (e->request().path == "/begun") e->begin({200, {}});
        std::vector<char> piece(10'000);
        boost::system::error_code end;
        while (!end) co_await e->async_read_some(asio::buffer(piece), asio::redirect_error(use_awaitable, end));
        ends.push_back(end);
        e->respond({200, {}});
        e->finish();
    }));
    use({GetParam()});
    EXPECT_EQ(fetch(post("/", std::string(100'000, 'x')))->response.status, 200);
    EXPECT_EQ(fetch(post("/", std::string(100'001, 'x')))->response.status, 413);
    EXPECT_EQ(asked, 1);
    struct unsaid final : http::body_source {
        std::size_t left = 100'001;
        result read(std::span<std::uint8_t> out) override {
            const auto n = std::min(out.size(), left);
            std::fill_n(out.begin(), n, std::uint8_t{'x'});
            left -= n;
            return {n, left == 0, false};
        }
    };
    for (const char* path : {"/", "/begun"}) {
        auto r = request(path);
        r.method = "POST";
        r.source = [] { return std::make_unique<unsaid>(); };
        auto got = fetch(std::move(r));
        if (path == std::string("/"))
            EXPECT_EQ(got->response.status, 413);
        else
            EXPECT_TRUE(got->error);
    }
    ASSERT_EQ(ends.size(), 3U);
    EXPECT_EQ(ends[0], asio::error::eof);
    EXPECT_EQ(ends[1], asio::error::message_size);
    EXPECT_EQ(ends[2], asio::error::message_size);
}

TEST_P(Exchange, RoutesByMethodAndPath) {
    http_router router;
    auto say = [](std::string text) { return [text](exchange_ptr e) { e->respond(200, "text/plain", text); }; };
    router.add("GET", "/a", say("a"));
    router.add("POST", "/a", say("posted"));
    router.add("*", "/files/*", say("file"));
    router.add("GET", "/files/deep/*", say("deep"));
    router.add("GET", "/files/deep/exact", say("exact"));
    serve(http_handler(router));
    use({GetParam()});
    EXPECT_EQ(fetch(request("/a"))->body, "a");
    EXPECT_EQ(fetch(request("/a?query"))->body, "a");
    EXPECT_EQ(fetch(post("/a", "x"))->body, "posted");
    EXPECT_EQ(fetch(post("/files/x", "x"))->body, "file");
    EXPECT_EQ(fetch(request("/files/deep/x"))->body, "deep");
    EXPECT_EQ(fetch(request("/files/deep/exact"))->body, "exact");
    EXPECT_EQ(fetch(request("/b"))->response.status, 404);
    auto r = request("/a");
    r.method = "DELETE";
    auto refused = fetch(std::move(r));
    EXPECT_EQ(refused->response.status, 405);
    EXPECT_EQ(refused->response.fields.find("allow"), "GET, HEAD, POST, OPTIONS");
    auto all = request("*");
    all.method = "OPTIONS";
    EXPECT_EQ(fetch(std::move(all))->response.status, 204);
}

TEST_P(Exchange, OutlivesTheServer) {
    exchange_ptr held;
    serve([&](exchange_ptr e) { held = std::move(e); });
    use({GetParam()});
    auto got = get(request("/"));
    run_until([&] { return held != nullptr; });
    server.reset();
    EXPECT_TRUE(held->over());
    held->respond(200, "text/plain", "nobody hears this");
    held.reset();
}

INSTANTIATE_TEST_SUITE_P(All, Exchange,
                         testing::Values(http_protocol::http1, http_protocol::http2, http_protocol::http3,
                                         http_protocol::http3_qmux),
                         [](const auto& p) { return protocol_name(p.param); });

}  // namespace
}  // namespace tandem::net
