// What the client adds to a plain exchange: redirections, content codings, timeouts, bodies in pieces.
#include <tandem/net/http_coroutine.hpp>
#include <tandem/net/http_router.hpp>

#include <zlib.h>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/udp.hpp>

#include "net/http_fixture.hpp"

namespace tandem::net {
namespace {

using namespace std::chrono_literals;
using exchange_ptr = std::shared_ptr<http_exchange>;

http_handler redirect(int status, std::string to) {
    return [status, to](exchange_ptr e) {
        e->respond({status, {{"location", to}}}, std::make_unique<http::memory_body>(std::string("moved")));
    };
}
http_handler tell = [](exchange_ptr e) {
    const auto& r = e->request();
    e->respond(200, "text/plain", r.method + " " + r.path + (r.fields.contains("authorization") ? " with credentials" : ""));
};

class Client : public Http, public testing::WithParamInterface<http_protocol> {
protected:
    void serve_routes() {
        serve(http_handler(router));
        use({GetParam()});
    }
    http_request following(const std::string& path, unsigned redirects = 5) {
        auto r = request(path);
        r.max_redirects = redirects;
        return r;
    }
    http_router router;
};

TEST_P(Client, FollowsRedirections) {
    router.add("*", "/a", redirect(301, "/b?x"));
    router.add("*", "/b", redirect(302, "c/d"));
    router.add("*", "/c/d", redirect(307, "../end"));
    router.add("*", "/end", tell);
    serve_routes();
    auto got = fetch(following("/a"));
    EXPECT_FALSE(got->error);
    EXPECT_EQ(got->body, "GET /end");
    EXPECT_EQ(got->info.redirects, 3U);
    EXPECT_EQ(got->info.url.path, "/end");
    EXPECT_EQ(fetch(following("/a", 3))->body, "GET /end");
    auto few = fetch(following("/a", 2));
    ASSERT_TRUE(few->error);
    EXPECT_EQ(few->error->kind, failure_class::redirects);
    EXPECT_EQ(fetch(following("/a", 0))->response.status, 301);
}

TEST_P(Client, RedirectionsChangeTheMethodAndKeepSecrets) {
    router.add("*", "/see-other", redirect(303, "/end"));
    router.add("*", "/same", redirect(308, "/end"));
    router.add("*", "/end", tell);
    serve_routes();
    router.add("*", "/elsewhere", redirect(302, "https://localhost:" + std::to_string(server->port()) + "/end"));
    auto post = following("/see-other");
    post.method = "POST";
    post.body = "form";
    EXPECT_EQ(fetch(post)->body, "GET /end");
    post.url.path = "/same";
    EXPECT_EQ(fetch(post)->body, "POST /end");
    auto secret = following("/same");
    secret.fields.append("authorization", "Bearer x");
    EXPECT_EQ(fetch(secret)->body, "GET /end with credentials");
}

// RFC 9113 7, RFC 9114 8.1: HTTP_1_1_REQUIRED and H3_VERSION_FALLBACK.
TEST_P(Client, ServersMayWantToBeAskedOverHttp1) {
    serve(http_handler([](std::shared_ptr<http_exchange> e) {
        if (e->source().protocol != "HTTP/1.1") return e->reset(http::h3_error::version_fallback);
        e->respond(200, "text/plain", "over HTTP/1.1");
    }));
    std::vector<http_protocol> protocols{GetParam()};
    if (GetParam() != http_protocol::http1) protocols = {http_protocol::http3, http_protocol::http2};
    if (GetParam() == http_protocol::http2) protocols = {http_protocol::http2};
    use(protocols);
    for (int i = 0; i < 2; ++i) {
        auto r = request("/");
        r.method = "POST";
        r.body = "question";
        auto got = fetch(std::move(r));
        EXPECT_FALSE(got->error) << got->error->text;
        EXPECT_EQ(got->body, "over HTTP/1.1");
        EXPECT_EQ(got->info.protocol, http_protocol::http1);
    }
}

TEST_P(Client, LoopsOfRedirectionsEnd) {
    router.add("*", "/a", redirect(302, "/b"));
    router.add("*", "/b", redirect(302, "/a"));
    serve_routes();
    auto got = fetch(following("/a", 20));
    ASSERT_TRUE(got->error);
    EXPECT_EQ(got->error->kind, failure_class::redirects);
}

TEST_P(Client, DecodesBodies) {
    std::string text;
    for (int i = 0; i < 50'000; ++i) text += std::to_string(i);
    uLongf size = compressBound(text.size());
    std::string packed(size, '\0');
    ASSERT_EQ(compress(reinterpret_cast<Bytef*>(packed.data()), &size, reinterpret_cast<const Bytef*>(text.data()), text.size()),
              Z_OK);
    packed.resize(size);
    std::string offered;
    router.add("GET", "/packed", [&](exchange_ptr e) {
        offered = e->request().fields.joined("accept-encoding");
        e->respond({200, {{"content-encoding", "deflate"}}}, std::make_unique<http::memory_body>(packed));
    });
    router.add("GET", "/cut", [&](exchange_ptr e) {
        e->respond({200, {{"content-encoding", "deflate"}}},
                   std::make_unique<http::memory_body>(packed.substr(0, packed.size() - 1)));
    });
    router.add("GET", "/broken", [&](exchange_ptr e) {
        e->respond({200, {{"content-encoding", "deflate"}}}, std::make_unique<http::memory_body>(std::string(1000, 'x')));
    });
    serve_routes();
    auto decoded = [&](const std::string& path) {
        auto r = request(path);
        r.decode = true;
        return fetch(std::move(r));
    };
    EXPECT_TRUE(decoded("/packed")->body == text);
    EXPECT_EQ(offered, "zstd, br, gzip, deflate");
    EXPECT_TRUE(fetch(request("/packed"))->body == packed);
    for (auto path : {"/cut", "/broken"}) {
        auto got = decoded(path);
        ASSERT_TRUE(got->error) << path;
        EXPECT_EQ(got->error->kind, failure_class::coding) << path;
    }
}

TEST_P(Client, TimeoutsOfEachPhase) {
    std::vector<exchange_ptr> held;
    router.add("GET", "/silent", [&](exchange_ptr e) { held.push_back(e); });
    router.add("GET", "/stalls", [&](exchange_ptr e) {
        e->begin({200, {}});
        e->async_write_some(asio::buffer("some", 4), [e](boost::system::error_code, std::size_t) {});
        held.push_back(e);
    });
    serve_routes();
    auto silent = request("/silent");
    silent.first_byte_timeout = 150ms;
    auto got = fetch(silent);
    ASSERT_TRUE(got->error);
    EXPECT_EQ(got->error->kind, failure_class::timed_out);
    EXPECT_EQ(got->error->text, "no response within 0.15 s");
    auto stalls = request("/stalls");
    stalls.stall_timeout = 150ms;
    got = fetch(stalls);
    ASSERT_TRUE(got->error);
    EXPECT_EQ(got->body, "some");
    EXPECT_EQ(got->error->text, "not a byte of the response for 0.15 s");
    held.clear();
}

// A body that is made as it is sent.
class counting_body final : public http::body_source {
public:
    explicit counting_body(std::size_t size) : left_(size) {}
    result read(std::span<std::uint8_t> out) override {
        auto n = std::min(out.size(), left_);
        std::fill_n(out.begin(), n, static_cast<std::uint8_t>('c'));
        left_ -= n;
        return {n, left_ == 0, false};
    }

private:
    std::size_t left_;
};

TEST_P(Client, IdleConnectionsAreEnded) {
    client_options.idle_timeout = 100ms;
    router.add("GET", "/", tell);
    serve_routes();
    EXPECT_FALSE(fetch(request("/"))->info.reused_connection);
    EXPECT_TRUE(fetch(request("/"))->info.reused_connection);
    run_until([&] { return server->statistics().open_connections == 0; });
    EXPECT_FALSE(fetch(request("/"))->info.reused_connection);
}

// A peer that takes the connection, or the datagram, and says no more.
TEST_P(Client, HandshakesHaveATimeOfTheirOwn) {
    asio::ip::tcp::acceptor silent(io, {asio::ip::address_v4::loopback(), 0});
    const auto port = silent.local_endpoint().port();
    asio::ip::udp::socket mute(io, {asio::ip::address_v4::loopback(), port});
    client_options.connection.tls_timeout = 150ms;
    serve_routes();
    auto got = fetch(request("/", port));
    ASSERT_TRUE(got->error);
    EXPECT_EQ(got->error->kind, failure_class::timed_out);
    const std::string what = GetParam() == http_protocol::http3 ? "QUIC's" : "TLS";
    EXPECT_EQ(got->error->text,
              "could not connect to 127.0.0.1 port " + std::to_string(port) + ": " + what + " handshake not done within 0.15 s");
}

TEST_P(Client, SendsABodyFromASource) {
    router.add("POST", "/", spawn([](exchange_ptr e) -> asio::awaitable<void> {
                   auto body = co_await read_body(*e, 10'000'000);
                   e->respond(200, "text/plain", std::to_string(body.size()));
               }));
    serve_routes();
    auto r = request("/");
    r.method = "POST";
    r.source = [] { return std::make_unique<counting_body>(3'000'000); };
    EXPECT_EQ(fetch(r)->body, "3000000");
    r.source = [] { return nullptr; };
    EXPECT_TRUE(fetch(r)->error);
}

struct patient_sink final : transfer_sink {
    void on_response(const http::response&, const transfer_info&) override {}
    bool on_body(std::span<const std::uint8_t> bytes) override { return received += bytes.size(), true; }
    void on_end(const std::optional<http_error>& e, const transfer_info&) override { failed = e.has_value(), done = true; }
    bool wants_body() override { return open; }
    std::size_t received = 0;
    bool open = false, done = false, failed = false;
};

TEST_P(Client, ASinkThatWaitsHoldsTheServerBack) {
    root.write("big", std::string(30'000'000, 'b'));
    Http::serve();
    use({GetParam()});
    auto sink = std::make_shared<patient_sink>();
    auto handle = client->submit(request("/big"), sink);
    io.run_for(300ms);
    EXPECT_EQ(sink->received, 0U);
    sink->open = true;
    client->resume(handle);
    run_until([&] { return sink->done; });
    EXPECT_FALSE(sink->failed);
    EXPECT_EQ(sink->received, 30'000'000U);
}

INSTANTIATE_TEST_SUITE_P(All, Client,
                         testing::Values(http_protocol::http1, http_protocol::http2, http_protocol::http3,
                                         http_protocol::http3_qmux),
                         [](const auto& p) { return protocol_name(p.param); });

}  // namespace
}  // namespace tandem::net
