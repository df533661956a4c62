// Timeouts and limits of a server's connections, with a session that is a fake and a time that is a number.
#include <tandem/net/request_loop.hpp>

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>

#include <deque>
#include <vector>

namespace tandem::net {
namespace {

using namespace std::chrono_literals;

class fake_session final : public http::server_session {
public:
    void respond(http::request_id id, http::response head, std::unique_ptr<http::body_source>, time_point) override {
        statuses.push_back(head.status);
        heads.push_back(std::move(head));
        last = id;
    }
    void resume_body(http::request_id) override {}
    std::size_t read_body(http::request_id, std::span<std::uint8_t> out, time_point) override {
        auto n = std::min(out.size(), body_left);
        body_left -= n;
        return n;
    }
    void refuse_body(http::request_id, time_point) override { ++refusals; }
    void reset(http::request_id, http::h3_error, time_point) override {}
    void close(time_point) override { ++closes; }
    std::optional<http::server_event> poll_event() override {
        if (events.empty()) return std::nullopt;
        auto e = std::move(events.front());
        events.pop_front();
        return e;
    }
    std::size_t active_requests() const override { return active; }
    const wait_ledger& ledger() const override { return ledger_; }

    void ask(http::request_id id) {
        http::request r;
        r.path = "/" + std::to_string(id);
        events.push_back(http::server_events::request{id, r, false});
    }

    std::deque<http::server_event> events;
    std::vector<int> statuses;
    std::vector<http::response> heads;
    http::request_id last = 0;
    std::size_t body_left = 0;
    std::size_t active = 0;
    int refusals = 0;
    int closes = 0;

private:
    wait_ledger ledger_;
};

class RequestLoop : public testing::Test {
protected:
    static time_point at(duration d) { return time_point(1000s + d); }

    request_limits limits;
    boost::asio::io_context io{1};
    server_handlers handlers{[](const http::request&, const request_source&) { return status_page(404); }, {}};
    std::vector<std::string> lines;
    access_log log = [this](const access_record& r) {
        lines.push_back(r.request.path + " " + std::to_string(r.status) + (r.complete ? "" : " incomplete"));
    };
    fake_session session;
    request_loop loop{handlers, log, limits, {{}, "HTTP/3"}, io.get_executor(), at(0s)};
};

TEST_F(RequestLoop, AnswersAndLogs) {
    http::fields common{{"server", "test"}};
    loop.set_common_fields(&common);
    session.ask(0);
    session.ask(1);
    session.events.push_back(http::server_events::finished{0});
    session.events.push_back(http::server_events::failed{1, {}});
    loop.run(session, at(1s));
    EXPECT_EQ(session.statuses, (std::vector<int>{404, 404}));
    EXPECT_EQ(session.heads[0].fields.find("server"), "test");
    EXPECT_EQ(lines, (std::vector<std::string>{"/0 404", "/1 404 incomplete"}));
    EXPECT_EQ(loop.requests(), 2U);
}

TEST_F(RequestLoop, HandshakeHasItsTime) {
    EXPECT_FALSE(loop.overdue(nullptr, at(limits.handshake_timeout - 1ns)));
    EXPECT_TRUE(loop.overdue(nullptr, at(limits.handshake_timeout)));
}

TEST_F(RequestLoop, HeaderSectionHasItsTimeHoweverSlowlyItTrickles) {
    for (auto t = 1s; t < 10s; t += 1s) loop.progress(at(t), true);
    EXPECT_FALSE(loop.overdue(&session, at(10s)));
    EXPECT_TRUE(loop.overdue(&session, at(11s)));  // ten seconds after the first byte
}

TEST_F(RequestLoop, IdleIsCountedFromTheLastByteOrExchange) {
    session.ask(0);
    loop.run(session, at(5s));
    session.events.push_back(http::server_events::finished{0});
    loop.run(session, at(20s));
    EXPECT_FALSE(loop.idle_for_long(session, at(79s)));
    EXPECT_TRUE(loop.idle_for_long(session, at(80s)));
    EXPECT_FALSE(loop.overdue(&session, at(80s)));
}

// HTTP/2's credit, which slow clients send long after the last byte was given to TCP, is no header section that takes too long.
TEST_F(RequestLoop, WhoStillReadsIsNeitherOverdueNorIdle) {
    loop.progress(at(0s), true);
    for (auto t = 5s; t < 200s; t += 5s) {
        EXPECT_FALSE(loop.overdue(&session, at(t)));
        EXPECT_FALSE(loop.idle_for_long(session, at(t)));
        loop.still_read(at(t));
        loop.progress(at(t), true);
    }
    EXPECT_TRUE(loop.overdue(&session, at(195s + limits.header_timeout)));
}

TEST_F(RequestLoop, StalledTransferIsOverdueAndAMovingOneIsNot) {
    session.active = 1;
    loop.progress(at(10s), false);
    EXPECT_FALSE(loop.overdue(&session, at(69s)));
    EXPECT_FALSE(loop.idle_for_long(session, at(1000s)));
    loop.progress(at(69s), false);
    EXPECT_FALSE(loop.overdue(&session, at(128s)));
    EXPECT_TRUE(loop.overdue(&session, at(129s)));
}

TEST_F(RequestLoop, BodiesAreReadAwayUpToTheLimit) {
    session.ask(0);
    session.body_left = limits.request_body;
    session.events.push_back(http::server_events::body{0});
    loop.run(session, at(1s));
    EXPECT_EQ(session.refusals, 0);
    session.body_left = 1;
    session.events.push_back(http::server_events::body{0});
    loop.run(session, at(1s));
    EXPECT_EQ(session.refusals, 1);
}

TEST_F(RequestLoop, ConnectionEndsInGoodOrderAfterItsShareOfRequests) {
    limits.requests_per_connection = 3;
    for (http::request_id id = 0; id < 5; ++id) session.ask(id);
    loop.run(session, at(1s));
    EXPECT_EQ(session.statuses.size(), 5U);
    EXPECT_EQ(session.closes, 1);
}

}  // namespace
}  // namespace tandem::net
