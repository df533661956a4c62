#include <tandem/sim/page.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <map>

#include <tandem/sim/clock.hpp>
#include <tandem/sim/page_loader.hpp>

namespace tandem::sim {
namespace {

using namespace std::chrono_literals;

constexpr auto t0 = event_queue::start;

TEST(page, object_paths) {
    EXPECT_EQ(object_path(3), "/object/3");
    EXPECT_EQ(object_of_path("/object/17"), 17U);
    for (const auto* wrong :
         {"", "/", "/object/", "/object/0", "/object/x", "/object/1x", "/object/-1", "/object/99999999999999999999", "/o/1"}) {
        EXPECT_FALSE(object_of_path(wrong)) << wrong;
    }
}

TEST(page, sizes) {
    const page p{.objects = {10, 30, 20}};
    EXPECT_EQ(p.bytes(), 60U);
    EXPECT_EQ(p.largest(), 30U);
    EXPECT_EQ(page{}.largest(), 0U);
}

TEST(page_bytes, objects_differ_and_are_the_same_every_time) {
    const page p{.objects = {1000, 1000, 5}};
    const page_bytes a(p), b(p);
    EXPECT_EQ(a.body(1).size(), 1000U);
    EXPECT_EQ(a.body(3).size(), 5U);
    EXPECT_TRUE(a.body(0).empty());
    EXPECT_TRUE(a.body(4).empty());
    EXPECT_TRUE(std::ranges::equal(a.body(1), b.body(1)));
    EXPECT_FALSE(std::ranges::equal(a.body(1), a.body(2)));
}

// A session that does what the test says.
class scripted_session final : public http::client_session {
public:
    bool can_submit() const override { return room > 0; }
    http::request_id submit(http::request r, std::unique_ptr<http::body_source>, time_point) override {
        --room;
        requests.push_back(std::move(r));
        return requests.size() - 1;
    }
    void resume_body(http::request_id) override {}
    std::size_t read_body(http::request_id id, std::span<std::uint8_t> out, time_point) override {
        auto& bytes = bodies[id];
        const auto n = std::min(out.size(), bytes.size());
        std::copy_n(bytes.begin(), n, out.begin());
        bytes.erase(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(n));
        return n;
    }
    void cancel(http::request_id, time_point, http::h3_error) override {}
    void close(time_point) override {}
    std::optional<http::client_event> poll_event() override {
        if (events.empty()) return std::nullopt;
        auto event = std::move(events.front());
        events.pop_front();
        return event;
    }
    const wait_ledger& ledger(http::request_id) const override { return none; }
    const wait_ledger& ledger() const override { return none; }

    void answer(http::request_id id, std::span<const std::uint8_t> bytes, int status = 200) {
        events.push_back(http::client_events::response{id, {.status = status, .fields = {}}, true});
        bodies[id].insert(bodies[id].end(), bytes.begin(), bytes.end());
        events.push_back(http::client_events::body{id});
        events.push_back(http::client_events::finished{id, {}});
    }

    std::size_t room = 1;
    std::vector<http::request> requests;
    std::map<http::request_id, std::vector<std::uint8_t>> bodies;
    std::deque<http::client_event> events;
    wait_ledger none;
};

struct loading : testing::Test {
    const page wanted{.objects = {100, 200, 300}};
    const page_bytes bytes{wanted};
    page_loader loader{wanted, bytes};
    scripted_session session;
};

TEST_F(loading, requests_as_the_session_takes_them_and_times_everything) {
    loader.add(session);
    loader.run(t0 + 10ms);
    ASSERT_EQ(session.requests.size(), 1U);
    EXPECT_EQ(session.requests[0].path, "/object/1");
    EXPECT_EQ(session.requests[0].priority, (http::priority{.urgency = 3, .incremental = true}));
    session.answer(0, bytes.body(1));
    session.room = 2;
    loader.run(t0 + 30ms);
    ASSERT_EQ(session.requests.size(), 3U);
    session.answer(1, bytes.body(2));
    session.answer(2, bytes.body(3));
    loader.run(t0 + 60ms);
    EXPECT_TRUE(loader.succeeded());
    const auto& first = loader.objects()[0];
    EXPECT_EQ(first.start, 10ms);
    EXPECT_EQ(first.finish, 30ms);
    EXPECT_TRUE(first.ledger.total() == 0);
    // The third waited from 10 to 30 ms for its turn.
    const auto& third = loader.objects()[2];
    EXPECT_EQ(third.start, 30ms);
    EXPECT_EQ(third.finish, 60ms);
    EXPECT_TRUE(third.ledger.byte_nanoseconds(wait_cause::http_queue) == wait_sum{300} * 20'000'000);
    EXPECT_TRUE(third.ledger.total() == third.ledger.sum());
}

TEST_F(loading, spreads_objects_over_connections) {
    scripted_session second;
    loader.add(session);
    loader.add(second);
    session.room = second.room = 5;
    loader.run(t0);
    EXPECT_EQ(session.requests.size(), 2U);
    EXPECT_EQ(second.requests.size(), 1U);
    EXPECT_EQ(loader.object(0, 1), 3U);
    EXPECT_EQ(loader.object(1, 0), 2U);
    EXPECT_FALSE(loader.object(1, 1));
    EXPECT_FALSE(loader.object(2, 0));
}

TEST_F(loading, wrong_bytes_fail_the_object) {
    loader.add(session);
    loader.run(t0);
    std::vector<std::uint8_t> wrong(bytes.body(1).begin(), bytes.body(1).end());
    wrong[50] ^= 1;
    session.answer(0, wrong);
    loader.run(t0 + 1ms);
    EXPECT_EQ(loader.objects()[0].state, object_state::failed);
    EXPECT_EQ(loader.objects()[0].failure, "the bytes are not those the server has");
}

TEST_F(loading, missing_and_surplus_bytes_fail_the_object) {
    session.room = 2;
    loader.add(session);
    loader.run(t0);
    session.answer(0, bytes.body(1).first(99));
    std::vector<std::uint8_t> longer(bytes.body(2).begin(), bytes.body(2).end());
    longer.push_back(0);
    session.answer(1, longer);
    loader.run(t0 + 1ms);
    EXPECT_EQ(loader.objects()[0].failure, "the body ended early");
    EXPECT_EQ(loader.objects()[1].failure, "the bytes are not those the server has");
}

TEST_F(loading, another_status_fails_the_object) {
    loader.add(session);
    loader.run(t0);
    session.answer(0, bytes.body(1), 404);
    loader.run(t0 + 1ms);
    EXPECT_EQ(loader.objects()[0].failure, "status 404");
}

TEST_F(loading, a_session_that_goes_away_takes_no_more_but_finishes) {
    loader.add(session);
    session.room = 1;
    loader.run(t0);
    session.events.push_back(http::client_events::going_away{});
    session.answer(0, bytes.body(1));
    session.room = 5;
    loader.run(t0 + 1ms);
    EXPECT_EQ(loader.objects()[0].state, object_state::finished);
    EXPECT_EQ(session.requests.size(), 1U);
    EXPECT_FALSE(loader.done());
}

TEST_F(loading, the_end_of_the_last_session_fails_the_rest) {
    scripted_session second;
    second.room = 0;
    loader.add(session);
    loader.add(second);
    loader.run(t0);
    http::session_error why;
    why.text = "reset";
    session.events.push_back(http::client_events::failed{0, {.text = "reset"}, {}});
    session.events.push_back(http::client_events::closed{why});
    loader.run(t0 + 1ms);
    EXPECT_EQ(loader.objects()[0].state, object_state::failed);
    EXPECT_FALSE(loader.done());
    second.events.push_back(http::client_events::closed{why});
    loader.run(t0 + 2ms);
    EXPECT_TRUE(loader.done());
    EXPECT_FALSE(loader.succeeded());
    EXPECT_EQ(loader.objects()[2].failure, "reset");
}

}  // namespace
}  // namespace tandem::sim
