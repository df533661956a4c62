#include <tandem/sim/network.hpp>

#include <gtest/gtest.h>

#include <deque>
#include <string>
#include <vector>

namespace tandem::sim {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t seed = 99;

// An endpoint that sends what it is told to, and remembers what came when.
struct parrot {
    struct arrival {
        duration at;
        std::size_t size;
        std::uint8_t first;
        friend bool operator==(const arrival&, const arrival&) = default;
    };

    void receive(received_datagram& in, time_point now) {
        seen.push_back({now - event_queue::start, in.payload.size(), in.payload.empty() ? std::uint8_t{0} : in.payload[0]});
        last_path = in.path;
        last_mark = in.mark;
        if (echo) outgoing.push_back({std::vector<std::uint8_t>(in.payload.begin(), in.payload.end()), in.path.remote});
    }
    bool transmit(time_point, train& out) {
        if (outgoing.empty()) return false;
        const auto& [payload, to] = outgoing.front();
        out.path = {my_name, to};
        out.mark = ecn::ect0;
        out.segment_size = train_segment == 0 ? payload.size() : train_segment;
        out.size = payload.size();
        std::copy(payload.begin(), payload.end(), out.buffer.begin());
        outgoing.pop_front();
        return true;
    }
    std::optional<time_point> next_timeout() const { return timer; }
    void on_timeout(time_point now) {
        timeouts.push_back(now - event_queue::start);
        if (!never_satisfied) timer.reset();
    }
    std::optional<int> poll_event() { return std::nullopt; }

    std::deque<std::pair<std::vector<std::uint8_t>, ip_endpoint>> outgoing;
    std::vector<arrival> seen;
    std::vector<duration> timeouts;
    std::optional<time_point> timer;
    ip_path last_path;
    ecn last_mark = ecn::not_ect;
    ip_endpoint my_name;
    std::size_t train_segment = 0;
    bool echo = false;
    bool never_satisfied = false;
};

struct pair_of_parrots : testing::Test {
    using application = std::function<void(time_point)>;

    void build(const link_config& there, const link_config& back, wire_format wire = wire_format::udp) {
        a_node = std::make_unique<node_of<parrot, application>>(a, wire, [this](time_point now) {
            if (a_runs) a_runs(now);
        });
        b_node = std::make_unique<node_of<parrot, application>>(b, wire, [](time_point) {});
        net = std::make_unique<network>(seed);
        a_id = net->attach(*a_node, a_end.address);
        b_id = net->attach(*b_node, b_end.address);
        net->connect(a_id, b_id, there, back);
        net->add_tap([this](const packet_view& packet, const passage& fate) {
            EXPECT_EQ(packet.path.local.address, packet.from == a_id ? a_end.address : b_end.address);
            log.push_back(std::string(packet.from == a_id ? "a>b " : "b>a ") + std::to_string(packet.size) + " " +
                          std::string(to_string(fate.result)));
        });
    }
    void say(std::size_t size, std::uint8_t first) {
        std::vector<std::uint8_t> payload(size, 0);
        payload[0] = first;
        a.outgoing.push_back({payload, b_end});
    }

    ip_endpoint a_end{ip_address::v4(192, 0, 2, 1), 1000};
    ip_endpoint b_end{ip_address::v4(192, 0, 2, 2), 443};
    parrot a, b;
    application a_runs;
    std::unique_ptr<node> a_node, b_node;
    std::unique_ptr<network> net;
    node_id a_id = 0, b_id = 0;
    std::vector<std::string> log;
};

TEST_F(pair_of_parrots, carries_datagrams_with_addresses_and_times) {
    build({.rate = 8'000'000, .delay = 10ms}, {.delay = 1ms});
    a.my_name.port = 1000;
    b.echo = true;
    say(972, 1);
    say(100, 2);
    EXPECT_EQ(net->run(event_queue::start + 1s), run_result::idle);
    // 972 + 28 bytes at a byte per microsecond, then 10 ms.
    EXPECT_EQ(b.seen, (std::vector<parrot::arrival>{{11ms, 972, 1}, {11128us, 100, 2}}));
    EXPECT_EQ(b.last_path, (ip_path{b_end, a_end}));
    EXPECT_EQ(b.last_mark, ecn::ect0);
    EXPECT_EQ(a.seen, (std::vector<parrot::arrival>{{12ms, 972, 1}, {12128us, 100, 2}}));
    EXPECT_EQ(log,
              (std::vector<std::string>{"a>b 1000 delivered", "a>b 128 delivered", "b>a 1000 delivered", "b>a 128 delivered"}));
    EXPECT_EQ(net->packets(), 4U);
}

TEST_F(pair_of_parrots, ip_packets_count_as_they_are) {
    build({.delay = 1ms}, {}, wire_format::ip);
    say(60, 0x45);
    net->run(event_queue::start + 1s);
    EXPECT_EQ(log, std::vector<std::string>{"a>b 60 delivered"});
}

TEST_F(pair_of_parrots, trains_are_taken_apart) {
    build({}, {});
    a.train_segment = 100;
    say(250, 9);
    net->run(event_queue::start + 1s);
    EXPECT_EQ(log, (std::vector<std::string>{"a>b 128 delivered", "a>b 128 delivered", "a>b 78 delivered"}));
    ASSERT_EQ(b.seen.size(), 3U);
    EXPECT_EQ(b.seen[2].size, 50U);
}

TEST_F(pair_of_parrots, timers_fire_on_time_and_once) {
    build({}, {});
    a.timer = event_queue::start + 30ms;
    EXPECT_EQ(net->run(event_queue::start + 1s), run_result::idle);
    EXPECT_EQ(a.timeouts, std::vector<duration>{30ms});
}

TEST_F(pair_of_parrots, an_earlier_timer_replaces_a_later_one) {
    build({.delay = 1ms}, {.delay = 1ms});
    b.echo = true;
    a.timer = event_queue::start + 30ms;
    say(10, 1);
    a_runs = [&](time_point now) {
        if (!a.seen.empty() && a.timeouts.empty() && a.timer) a.timer = std::min(*a.timer, now + 3ms);
    };
    net->run(event_queue::start + 1s);
    EXPECT_EQ(a.timeouts, std::vector<duration>{5ms});
}

TEST_F(pair_of_parrots, stops_at_the_deadline_and_goes_on) {
    build({.delay = 50ms}, {});
    say(10, 1);
    EXPECT_EQ(net->run(event_queue::start + 20ms), run_result::deadline);
    EXPECT_TRUE(b.seen.empty());
    EXPECT_EQ(net->run(event_queue::start + 60ms, [&] { return !b.seen.empty(); }), run_result::finished);
}

TEST_F(pair_of_parrots, a_node_that_never_rests_is_told_on) {
    build({}, {});
    a.timer = event_queue::start;
    a.never_satisfied = true;
    EXPECT_EQ(net->run(event_queue::start + 1s), run_result::stuck);
}

TEST_F(pair_of_parrots, wake_runs_the_application) {
    build({}, {});
    std::vector<duration> runs;
    a_runs = [&](time_point now) { runs.push_back(now - event_queue::start); };
    net->wake(a_id, event_queue::start + 7ms);
    net->run(event_queue::start + 1s);
    EXPECT_EQ(runs, (std::vector<duration>{0ms, 7ms}));
}

TEST_F(pair_of_parrots, filter_loses_what_it_chooses) {
    build({}, {});
    net->set_drop_filter(a_id, b_id, [](const packet_view& packet) { return packet.payload[0] == 2; });
    for (std::uint8_t i = 1; i <= 3; ++i) say(10, i);
    net->run(event_queue::start + 1s);
    EXPECT_EQ(log, (std::vector<std::string>{"a>b 38 delivered", "a>b 38 drop list", "a>b 38 delivered"}));
}

TEST_F(pair_of_parrots, nobody_there) {
    build({}, {});
    a.outgoing.push_back({{1, 2, 3}, {ip_address::v4(203, 0, 113, 9), 1}});
    EXPECT_EQ(net->run(event_queue::start + 1s), run_result::idle);
    EXPECT_EQ(log, std::vector<std::string>{"a>b 31 no route"});
}

TEST_F(pair_of_parrots, duplicates_arrive_twice_and_corruption_turns_one_bit) {
    build({.duplicate = 1, .corrupt = 1}, {});
    a.outgoing.push_back({std::vector<std::uint8_t>(1, 0), b_end});
    net->run(event_queue::start + 1s);
    ASSERT_EQ(b.seen.size(), 2U);
    EXPECT_EQ(std::popcount(b.seen[0].first), 1);
    EXPECT_EQ(b.seen[0].first, b.seen[1].first);
}

TEST_F(pair_of_parrots, buffers_are_used_again) {
    build({.rate = 10'000'000, .delay = 10ms}, {.delay = 10ms});
    b.echo = true;
    int left = 1000;
    a_runs = [&](time_point) {
        if (left > 0 && static_cast<int>(a.seen.size()) >= 1000 - left) {
            say(1000, 1);
            --left;
        }
    };
    net->run(event_queue::start + 100s);
    EXPECT_EQ(a.seen.size(), 1000U);
    EXPECT_LE(net->pooled_buffers(), 3U);
}

TEST_F(pair_of_parrots, same_seed_same_run) {
    const link_config bad{.rate = 5'000'000,
                          .delay = 10ms,
                          .jitter = 5ms,
                          .loss = loss_config::bursts(0.1, 2),
                          .reorder = 0.1,
                          .duplicate = 0.1,
                          .corrupt = 0.1};
    std::vector<std::vector<parrot::arrival>> runs;
    for (int i = 0; i < 2; ++i) {
        a = b = parrot{};
        build(bad, bad);
        b.echo = true;
        for (int k = 0; k < 200; ++k) say(1000, static_cast<std::uint8_t>(k));
        net->run(event_queue::start + 100s);
        runs.push_back(a.seen);
    }
    EXPECT_GT(runs[0].size(), 100U);
    EXPECT_EQ(runs[0], runs[1]);
}

}  // namespace
}  // namespace tandem::sim
