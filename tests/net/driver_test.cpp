#include <tandem/net/driver.hpp>

#include <gtest/gtest.h>

#include <cerrno>
#include <deque>
#include <set>
#include <string>

#include <boost/asio/io_context.hpp>

namespace tandem::net {
namespace {

const ip_address loopback = ip_address::v4(127, 0, 0, 1);

// Sends what it is told to, remembers what came.
class fake_node {
public:
    void receive(received_datagram& d, time_point now) {
        received.emplace_back(d.payload.begin(), d.payload.end());
        last_path = d.path;
        receive_times.insert(now);
    }
    bool transmit(time_point, train& out) {
        if (to_send.empty()) return false;
        auto text = to_send.front();
        to_send.pop_front();
        std::copy(text.begin(), text.end(), out.buffer.begin());
        out.size = out.segment_size = text.size();
        out.path = path;
        ++trains;
        return true;
    }
    std::optional<time_point> next_timeout() { return deadline; }
    void on_timeout(time_point now) {
        EXPECT_GE(now, *deadline);
        deadline.reset();
        ++timeouts;
    }
    std::optional<int> poll_event() { return std::nullopt; }

    std::deque<std::string> to_send;
    ip_path path;
    std::vector<std::string> received;
    std::set<time_point> receive_times;
    ip_path last_path;
    std::optional<time_point> deadline;
    int timeouts = 0;
    int trains = 0;
};

class full_queue : public udp_calls {
public:
    ssize_t sendmsg(int fd, const msghdr& message, int flags) override {
        if (refusals > 0) {
            --refusals;
            errno = EAGAIN;
            return -1;
        }
        return udp_calls::sendmsg(fd, message, flags);
    }
    int refusals = 0;
};

class Driver : public testing::Test {
protected:
    udp_socket open(bool report_errors = false, udp_calls& calls = udp_calls::system()) {
        udp_socket s(io.get_executor(), calls);
        udp_options options;
        options.report_errors = report_errors;
        EXPECT_FALSE(s.open({loopback, 0}, options));
        return s;
    }
    template <class Condition>
    void run_until(Condition done) {
        auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
        while (!done() && std::chrono::steady_clock::now() < deadline) io.run_one_until(deadline);
        EXPECT_TRUE(done());
    }

    boost::asio::io_context io{1};
    fake_node a, b;
};

TEST_F(Driver, MovesDatagramsBothWays) {
    driver<fake_node> da(open(), a, {});
    driver<fake_node> db(open(), b,
                         {[&](time_point) {
                              if (b.received.size() == 2 && b.trains == 0) {
                                  b.path = b.last_path;
                                  b.to_send = {"answer"};
                              }
                          },
                          {}});
    a.path = {da.socket().local_endpoint(), db.socket().local_endpoint()};
    a.to_send = {"one", "two"};
    da.start();
    db.start();
    run_until([&] { return !a.received.empty(); });
    EXPECT_EQ(b.received, (std::vector<std::string>{"one", "two"}));
    EXPECT_EQ(a.received, (std::vector<std::string>{"answer"}));
}

TEST_F(Driver, OneClockReadingPerBatch) {
    driver<fake_node> da(open(), a, {});
    driver<fake_node> db(open(), b, {});
    a.path = {da.socket().local_endpoint(), db.socket().local_endpoint()};
    for (int i = 0; i < 5; ++i) a.to_send.push_back("datagram");
    da.start();
    io.poll();  // all five are in b's queue before b reads
    db.start();
    run_until([&] { return b.received.size() == 5; });
    EXPECT_EQ(b.receive_times.size(), 1U);
}

TEST_F(Driver, DeadlinesAreMetAndMayMoveForward) {
    driver<fake_node> da(open(), a, {});
    a.deadline = now() + std::chrono::hours(1);
    da.start();
    io.poll();
    EXPECT_EQ(a.timeouts, 0);
    a.deadline = now() + std::chrono::milliseconds(2);
    da.wake();
    run_until([&] { return a.timeouts == 1; });
}

TEST_F(Driver, DeadlineThatMovedBackIsNotMetEarly) {
    driver<fake_node> da(open(), a, {});
    a.deadline = now() + std::chrono::milliseconds(2);
    da.start();
    io.poll();
    a.deadline = now() + std::chrono::milliseconds(20);  // the timer is armed for the earlier one
    run_until([&] { return a.timeouts == 1; });          // the node checks that it is not early
}

TEST_F(Driver, FullSocketQueueKeepsTheTrainUntilWritable) {
    full_queue calls;
    driver<fake_node> da(open(false, calls), a, {});
    driver<fake_node> db(open(), b, {});
    a.path = {da.socket().local_endpoint(), db.socket().local_endpoint()};
    a.to_send = {"one", "two", "three"};
    calls.refusals = 2;
    da.start();
    db.start();
    run_until([&] { return b.received.size() == 3; });
    EXPECT_EQ(b.received, (std::vector<std::string>{"one", "two", "three"}));
    EXPECT_EQ(a.trains, 3);
}

TEST_F(Driver, RefusedPortComesToTheErrorHook) {
    ip_endpoint nobody;
    {
        auto closed = open();
        nobody = closed.local_endpoint();
    }
    std::optional<udp_error> error;
    driver<fake_node> da(open(true), a, {{}, [&](const udp_error& e, time_point) { error = e; }});
    a.path = {da.socket().local_endpoint(), nobody};
    a.to_send = {"hello"};
    da.start();
    run_until([&] { return error.has_value(); });
    EXPECT_EQ(error->remote, nobody);
    EXPECT_EQ(error->code, boost::system::errc::connection_refused);
}

TEST_F(Driver, ManyTrainsLetOthersRunBetween) {
    driver<fake_node> da(open(), a, {});
    driver<fake_node> db(open(), b, {});
    a.path = {da.socket().local_endpoint(), db.socket().local_endpoint()};
    for (int i = 0; i < 100; ++i) a.to_send.push_back("x");
    da.start();
    io.run_one();  // one turn
    EXPECT_LT(a.trains, 100);
    db.start();
    run_until([&] { return b.received.size() == 100; });
}

TEST_F(Driver, StoppedDriverTouchesNothing) {
    {
        driver<fake_node> da(open(), a, {[&](time_point) { ADD_FAILURE(); }, {}});
        a.to_send = {"never"};
        a.deadline = now();
        da.start();
    }
    io.run();
    EXPECT_EQ(a.trains, 0);
    EXPECT_EQ(a.timeouts, 0);
}

TEST_F(Driver, MayBeDestroyedInItsOwnHook) {
    std::unique_ptr<driver<fake_node>> d;
    d = std::make_unique<driver<fake_node>>(open(), a, driver_hooks{[&](time_point) { d.reset(); }, {}});
    a.to_send = {"never"};
    d->start();
    io.run();
    EXPECT_EQ(d, nullptr);
    EXPECT_EQ(a.trains, 0);
}

}  // namespace
}  // namespace tandem::net
