// What requests `tandem get` makes, and when it makes them again, as a server sees it that lives in a thread of this program.
#include <tandem/net/http_coroutine.hpp>
#include <tandem/net/http_server.hpp>

#include <boost/asio/io_context.hpp>

#include <atomic>
#include <mutex>
#include <thread>

#include "exit_code.hpp"
#include "net/test_certificate.hpp"
#include "program_fixture.hpp"

namespace tandem::apps {
namespace {

namespace asio = boost::asio;
using exchange_ptr = std::shared_ptr<net::http_exchange>;

struct seen {
    std::string method, path, authority, body;
    http::fields fields;
};

// Answers with what the test's function makes of the request.
class watching {
public:
    using answer = std::function<void(const exchange_ptr&, const seen&)>;

    explicit watching(answer make) : answer_(std::move(make)) {
        net::http_server_options options;
        options.tls = test::server_context();
        options.addresses = {ip_address::v4(127, 0, 0, 1)};
        server_ = std::make_unique<net::http_server>(io_.get_executor(), options,
                                                     net::spawn([this](exchange_ptr e) { return note(e); }));
        if (auto failed = server_->start()) throw std::runtime_error(failed.what);
        thread_ = std::thread([this] { io_.run(); });
    }
    ~watching() {
        io_.stop();
        thread_.join();
    }
    std::string url(const std::string& path) const { return "https://127.0.0.1:" + std::to_string(server_->port()) + path; }
    std::vector<seen> requests() {
        std::lock_guard lock(mutex_);
        return requests_;
    }

private:
    asio::awaitable<void> note(exchange_ptr e) {
        const auto& r = e->request();
        seen s{r.method, r.path, r.authority, {}, r.fields};
        s.body = co_await net::read_body(*e, 10'000'000);
        {
            std::lock_guard lock(mutex_);
            requests_.push_back(s);
        }
        answer_(e, s);
    }

    answer answer_;
    asio::io_context io_{1};
    std::unique_ptr<net::http_server> server_;
    std::mutex mutex_;
    std::vector<seen> requests_;
    std::thread thread_;
};

program_result ask(std::vector<std::string> arguments, const std::string& input = {}) {
    arguments.insert(arguments.begin(), {"get", "-k"});
    return run_tandem(arguments, input);
}

void say_yes(const exchange_ptr& e, const seen&) { e->respond(200, "text/plain", "yes"); }

class GetRequests : public Program {};

TEST_F(GetRequests, CredentialsQueriesAndForms) {
    watching server(say_yes);
    work.write("name", "c d&");
    ask({"-u", "Aladdin:open sesame", "-e", "https://here/", "-G", "-d", "a=b", "--data-raw", "@x", "--data-urlencode", "c=d e",
         server.url("/f?q")});
    ask({"--data-binary", "a\nb", "--data-urlencode", "n@" + (work.path() / "name").string(), server.url("/g")});
    auto all = server.requests();
    ASSERT_EQ(all.size(), 2U);
    EXPECT_EQ(all[0].method, "GET");
    EXPECT_EQ(all[0].path, "/f?q&a=b&@x&c=d%20e");
    EXPECT_EQ(all[0].fields.find("authorization"), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");  // RFC 7617 2
    EXPECT_EQ(all[0].fields.find("referer"), "https://here/");
    EXPECT_FALSE(all[0].fields.contains("content-type"));
    EXPECT_EQ(all[1].method, "POST");
    EXPECT_EQ(all[1].body, "a\nb&n=c%20d%26");
}

TEST_F(GetRequests, AnotherHostAndFieldsThatAreNotTheCallers) {
    watching server([&](const exchange_ptr& e, const seen& s) {
        if (s.path != "/away") return say_yes(e, s);
        e->respond({302, {{"location", std::string(s.fields.find("x-to").value_or(""))}}});
    });
    for (auto protocol : {"--http1.1", "--http2", "--http3-only"}) {
        ask({protocol, "-H", "Host: other:1", server.url("/f")});
        EXPECT_EQ(server.requests().back().authority, "other:1");
    }
    // A redirection leads to a host of its own.
    auto elsewhere = server.url("/f");
    elsewhere.replace(elsewhere.find("127.0.0.1"), 9, "localhost");
    ask({"-L", "-H", "Host: other:1", "-H", "X-To: " + elsewhere, server.url("/away")});
    EXPECT_TRUE(server.requests().back().authority.starts_with("localhost:"));
    for (auto line : {"Connection: close", "Content-Length: 3", "Transfer-Encoding: chunked", "Upgrade: h2c", "Host: a/b"}) {
        expect_one_line(ask({"-H", line, server.url("/f")}), exit_code::usage, "-H '");
    }
}

TEST_F(GetRequests, StandardInputIsSentAsItComes) {
    watching server(say_yes);
    for (auto protocol : {"--http1.1", "--http2", "--http3-only"}) {
        auto sent = ask({protocol, "-T", "-", server.url("/up")}, "from a pipe");
        EXPECT_EQ(sent.exit_code, 0) << sent.err;
        const auto last = server.requests().back();
        EXPECT_EQ(last.method, "PUT");
        EXPECT_EQ(last.body, "from a pipe");
        EXPECT_FALSE(last.fields.contains("content-length"));
    }
    EXPECT_EQ(ask({"-T", "-", server.url("/empty")}).exit_code, 0);
    EXPECT_EQ(server.requests().back().path, "/empty");
    expect_one_line(ask({"-T", "-", server.url("/[1-2]")}), exit_code::usage, "one URL only");
}

TEST_F(GetRequests, AreRepeatedOnlyWhereThatIsSafe) {
    std::atomic<int> count = 0;
    watching server([&](const exchange_ptr& e, const seen& s) {
        const bool again = count++ == 0;
        if (!again) return say_yes(e, s);
        e->respond({s.path == "/busy" ? 503 : 502, {{"retry-after", s.path == "/late" ? "3600" : "0"}}});
    });
    const auto tries = [&](std::vector<std::string> arguments) {
        count = 0;
        arguments.insert(arguments.begin(), {"--retry", "3"});
        ask(std::move(arguments));
        return count.load();
    };
    EXPECT_EQ(tries({server.url("/")}), 2);
    EXPECT_EQ(tries({"-X", "PUT", "-d", "x", server.url("/")}), 2);
    EXPECT_EQ(tries({"-d", "x", server.url("/")}), 1);      // 502: who knows what it did
    EXPECT_EQ(tries({"-d", "x", server.url("/busy")}), 2);  // it says that it did nothing
    EXPECT_EQ(tries({server.url("/late")}), 1);             // in an hour
}

TEST_F(GetRequests, SizesAndRatesHaveLimits) {
    const std::string body(600'000, 'x');
    watching server([&](const exchange_ptr& e, const seen& s) {
        if (s.path == "/known") return e->respond(200, "", body);
        e->begin({200, {}});
        asio::async_write(*e, asio::buffer(body), [e](auto...) { e->finish(); });
    });
    const auto target = (work.path() / "copy").string();
    for (auto path : {"/known", "/unknown"}) {
        expect_one_line(ask({"--max-filesize", "500KB", "-o", target, server.url(path)}), exit_code::too_large, "--max-filesize");
        EXPECT_FALSE(std::filesystem::exists(target));
        EXPECT_EQ(ask({"--max-filesize", "600KB", "-o", target, server.url(path)}).exit_code, 0);
        std::filesystem::remove(target);
    }
    auto slow = ask({"--limit-rate", "1MB", "-o", target, "-w", "%{time_total}", server.url("/known")});
    EXPECT_EQ(slow.exit_code, 0) << slow.err;
    EXPECT_EQ(std::filesystem::file_size(target), body.size());
    EXPECT_GT(std::stod(slow.out), 0.2);  // a read of at most 256 KiB may come too early
    expect_one_line(ask({"--limit-rate", "fast", server.url("/")}), exit_code::usage, "--limit-rate");
}

TEST_F(GetRequests, CodingsThatCannotBeUndoneAreErrors) {
    watching server([](const exchange_ptr& e, const seen& s) {
        e->respond({200, {{"content-encoding", s.path.substr(1)}}}, std::make_unique<http::memory_body>(std::string("body")));
    });
    const auto target = (work.path() / "copy").string();
    for (auto coding : {"aes128gcm", "gzip,gzip"}) {
        expect_one_line(ask({"--compressed", "-o", target, server.url(std::string("/") + coding)}), exit_code::coding, coding);
        EXPECT_FALSE(std::filesystem::exists(target));
    }
    EXPECT_EQ(ask({"--compressed", server.url("/identity")}).out, "body");
    EXPECT_EQ(ask({server.url("/aes128gcm")}).out, "body");
}

TEST_F(GetRequests, WhatTheyCost) {
    watching server([](const exchange_ptr& e, const seen&) {
        e->respond({301, {{"location", "/there"}, {"x-a", "1"}, {"x-a", "2"}}});
    });
    auto told = ask({"-w", "%{scheme} %{redirect_url} %{header{X-A}} %{header{none}}|", "-o", "/dev/null", server.url("/here")});
    EXPECT_EQ(told.out, "https " + server.url("/there") + " 1, 2 |");
}

}  // namespace
}  // namespace tandem::apps
