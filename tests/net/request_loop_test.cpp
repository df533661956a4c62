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
    void inform(http::request_id, http::response, time_point) override {}
    void respond(http::request_id id, http::response head, std::unique_ptr<http::body_source> body, time_point) override {
        source = std::move(body);
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
    std::optional<time_point> unfinished_head() const override { return unfinished; }
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
    std::unique_ptr<http::body_source> source;  // of the last response
    std::optional<time_point> unfinished;
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
        loop.still_read(at(t), limits.stall_bytes, 100);
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

// HTTP/2 and HTTP/3: however much else happens on the connection.
TEST_F(RequestLoop, HeaderSectionsOfStreamsHaveTheirTime) {
    session.active = 2;
    session.ask(0);
    loop.run(session, at(1s));
    session.unfinished = at(5s);
    for (auto t = 5s; t < 15s; t += 1s) {
        loop.progress(at(t), true);
        EXPECT_FALSE(loop.overdue(&session, at(t)));
    }
    EXPECT_TRUE(loop.overdue(&session, at(15s)));
}

class RequestLoopTurns : public RequestLoop {
protected:
    RequestLoopTurns() {
        handlers = {{}, [this](std::shared_ptr<http_exchange> e) { exchange = std::move(e); }};
        session.active = 1;
        session.ask(0);
        loop.run(session, at(0s));
    }
    // Looks every second, as something moves on the connection, until it is overdue; at most so long.
    duration overdue_after(duration most, const std::function<void()>& each = {}) {
        for (auto t = duration(1s); t <= most; t += 1s) {
            clock += 1s;
            loop.progress(at(clock), true);
            if (each) each();
            if (loop.overdue(&session, at(clock))) return t;
        }
        return duration::max();
    }
    std::size_t pull(std::size_t n) {
        std::vector<std::uint8_t> out(n);
        return session.source->read(out).n;
    }
    std::shared_ptr<http_exchange> exchange;
    duration clock{};
};

TEST_F(RequestLoopTurns, AHandlerMayTakeItsTime) { EXPECT_EQ(overdue_after(1000s), duration::max()); }

TEST_F(RequestLoopTurns, WhoTakesAResponseByteByByteIsOverdue) {
    exchange->respond({200, {}}, std::make_unique<http::memory_body>(std::string(1'000'000, 'x')));
    EXPECT_EQ(overdue_after(1000s, [&] { EXPECT_EQ(pull(50), 50U); }), 60s);
}

TEST_F(RequestLoopTurns, WhoTakesItSlowlyIsNot) {
    exchange->respond({200, {}}, std::make_unique<http::memory_body>(std::string(1'000'000, 'x')));
    EXPECT_EQ(overdue_after(1000s, [&] { EXPECT_EQ(pull(100), 100U); }), duration::max());
}

TEST_F(RequestLoopTurns, ResponsesInPiecesAreTheHandlersTurnWhileThereAreNone) {
    exchange->begin({200, {}});
    EXPECT_EQ(overdue_after(1000s), duration::max());
    exchange->async_write_some(boost::asio::buffer("event", 5), [](auto...) {});
    EXPECT_EQ(overdue_after(1000s), 60s);
    EXPECT_EQ(pull(100), 5U);
    EXPECT_EQ(overdue_after(1000s), duration::max());
}

TEST_F(RequestLoopTurns, WhoSendsABodyByteByByteIsOverdue) {
    session.events.push_back(http::server_events::request{1, {}, true});
    session.events.push_back(http::server_events::finished{0});
    loop.run(session, at(0s));
    char piece[100];
    const auto read = [&] {
        exchange->async_read_some(boost::asio::buffer(piece), [](auto...) {});
        session.body_left = 50;
        session.events.push_back(http::server_events::body{1});
        loop.run(session, at(0s));
        exchange->async_read_some(boost::asio::buffer(piece), [](auto...) {});
    };
    EXPECT_EQ(overdue_after(1000s, read), 60s);
    exchange->begin({200, {}});  // a conversation
    EXPECT_EQ(overdue_after(1000s, read), duration::max());
}

TEST_F(RequestLoop, OtherHostsAreMisdirected) {
    limits.hosts = {"here", "[::1]"};
    for (const char* authority : {"HERE", "here:4433", "[::1]:1", "there", "", "here.there"}) {
        http::request r;
        r.authority = authority;
        session.events.push_back(http::server_events::request{session.statuses.size(), r, false});
    }
    loop.run(session, at(1s));
    EXPECT_EQ(session.statuses, (std::vector<int>{404, 404, 404, 421, 421, 421}));
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
