// Responses whose QUIC path falls silent halfway.
#include <chrono>
#include <functional>
#include <memory>
#include <vector>

#include <boost/asio/steady_timer.hpp>

#include <tandem/http/range.hpp>
#include <tandem/net/http_exchange.hpp>

#include "net/fallback_fixture.hpp"

namespace tandem::net {
namespace {

// A response of which some came over QUIC, and then nothing any more.
struct cut_outcome final : transfer_sink {
    explicit cut_outcome(std::function<void()> c) : cut(std::move(c)) {}
    void on_response(const http::response& r, const transfer_info&) override { status = r.status, ++responses; }
    bool on_body(std::span<const std::uint8_t> bytes) override {
        body.append(bytes.begin(), bytes.end());
        if (body.size() >= 100'000 && cut) std::exchange(cut, nullptr)();
        return true;
    }
    bool on_restart() override {
        if (may_restart) body.clear();
        return may_restart;
    }
    void on_resumed(std::uint64_t at, const transfer_info&) override { resumed_at = at; }
    void on_end(const std::optional<http_error>& e, const transfer_info& i) override { error = e, info = i, done = true; }
    std::function<void()> cut;
    std::string body;
    int status = 0, responses = 0;
    bool may_restart = false, done = false;
    std::optional<std::uint64_t> resumed_at;
    std::optional<http_error> error;
    transfer_info info;
};

class DyingPath : public Fallback {
protected:
    std::shared_ptr<cut_outcome> fetch_and_cut(http_handler handler, bool may_restart = false) {
        serve(std::move(handler));
        listen();
        auto sink = std::make_shared<cut_outcome>([this] { relay->dead = true; });
        sink->may_restart = may_restart;
        client->submit(request("/f", relay->port()), sink);
        run_until([&] { return sink->done; });
        return sink;
    }
    const std::string content = [] {
        std::string s(5'000'000, ' ');
        for (std::size_t i = 0; i < s.size(); ++i) s[i] = static_cast<char>('a' + i * 7919 % 26);
        return s;
    }();
};

TEST_F(DyingPath, TheRestOfAResponseComesOverTcp) {
    std::vector<std::string> ranges;
    auto got = fetch_and_cut([&](std::shared_ptr<http_exchange> e) {
        ranges.push_back(e->request().fields.joined("range") + " " + e->request().fields.joined("if-range"));
        const auto part = http::parse_range(e->request().fields.joined("range"), content.size());
        if (part.what != http::range_request::kind::part)
            return e->respond({200, {{"etag", "\"v\""}}}, std::make_unique<http::memory_body>(content));
        e->respond({206, {{"etag", "\"v\""}, {"content-range", http::content_range(part.bytes, content.size())}}},
                   std::make_unique<http::memory_body>(content.substr(part.bytes.begin)));
    });
    EXPECT_FALSE(got->error) << got->error->text;
    EXPECT_TRUE(got->body == content);
    EXPECT_EQ(got->responses, 1);
    EXPECT_EQ(got->info.protocol, http_protocol::http2);
    EXPECT_EQ(got->info.body_bytes, content.size());
    ASSERT_EQ(ranges.size(), 2u);
    ASSERT_TRUE(got->resumed_at);
    EXPECT_EQ(ranges[1], "bytes=" + std::to_string(*got->resumed_at) + "- \"v\"");
}

TEST_F(DyingPath, AServerWithoutRangesSendsTheSameOnceMore) {
    auto got = fetch_and_cut([&](std::shared_ptr<http_exchange> e) {
        e->respond({200, {{"etag", "\"v\""}}}, std::make_unique<http::memory_body>(content));
    });
    EXPECT_FALSE(got->error);
    EXPECT_TRUE(got->body == content);
    EXPECT_EQ(got->responses, 1);
}

TEST_F(DyingPath, WithoutAValidatorOnlyASinkThatCanBeginAnewGetsAll) {
    auto got = fetch_and_cut(
        [&](std::shared_ptr<http_exchange> e) {
            e->respond({200, {}}, std::make_unique<http::memory_body>(content));
        },
        true);
    EXPECT_FALSE(got->error);
    EXPECT_TRUE(got->body == content);
    EXPECT_EQ(got->responses, 2);
    EXPECT_EQ(got->info.body_bytes, content.size());
}

TEST_F(DyingPath, AnotherVersionIsNotMixedIn) {
    int version = 0;
    auto got = fetch_and_cut([&](std::shared_ptr<http_exchange> e) {
        e->respond({200, {{"etag", "\"" + std::to_string(version++) + "\""}}}, std::make_unique<http::memory_body>(content));
    });
    ASSERT_TRUE(got->error);
    EXPECT_EQ(got->error->kind, failure_class::lost);
    EXPECT_LT(got->body.size(), content.size());
}

// A server that takes its time is asked whether it lives, and believed.
TEST_F(DyingPath, APauseIsNoDeath) {
    asio::steady_timer pause(io);
    auto got = fetch_and_cut([&](std::shared_ptr<http_exchange> e) {
        e->begin({200, {{"etag", "\"v\""}}});
        e->async_write_some(asio::buffer("some", 4), [](boost::system::error_code, std::size_t) {});
        pause.expires_after(std::chrono::milliseconds(2500));
        pause.async_wait([e](const boost::system::error_code&) {
            e->async_write_some(asio::buffer("more", 4), [e](boost::system::error_code, std::size_t) { e->finish(); });
        });
    });
    EXPECT_FALSE(got->error);
    EXPECT_EQ(got->body, "somemore");
    EXPECT_EQ(got->info.protocol, http_protocol::http3);
    EXPECT_EQ(got->info.attempts, 1u);
}

}  // namespace
}  // namespace tandem::net
