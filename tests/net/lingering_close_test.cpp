// The end of a TCP connection waits for those who still read, and for nobody else.
#include <tandem/net/lingering_close.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>

#include <tandem/net/byte_stream_pump.hpp>

namespace tandem::net {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using namespace std::chrono_literals;

const time_point start{100s};

TEST(LingeringClose, EndsWhenNothingMoves) {
    lingering_close c({5s, 30s});
    EXPECT_FALSE(c.begun());
    c.begin(start, 0);
    EXPECT_TRUE(c.begun());
    EXPECT_EQ(c.deadline(), start + 5s);
    EXPECT_FALSE(c.over(start + 4s, 0));
    EXPECT_TRUE(c.over(start + 5s, 0));
}

TEST(LingeringClose, WhatComesPutsTheEndOffButNotForEver) {
    lingering_close c({5s, 30s});
    c.begin(start, 0);
    for (auto t = 4s; t < 30s; t += 4s) {
        c.received(start + t);
        EXPECT_FALSE(c.over(start + t, 0));
    }
    EXPECT_EQ(c.deadline(), start + 30s);
    EXPECT_TRUE(c.over(start + 30s, 0));
}

TEST(LingeringClose, WhoStillReadsIsWaitedFor) {
    lingering_close c({5s, 30s});
    std::uint64_t left = 100;
    c.begin(start, left);
    auto t = start;
    while (left > 1) {
        t += 4s;
        EXPECT_FALSE(c.over(t, --left));
        EXPECT_EQ(c.deadline(), t + 5s);
    }
    EXPECT_GT(t, start + 30s);
    EXPECT_FALSE(c.over(t + 4s, 1));  // it has stopped reading
    EXPECT_TRUE(c.over(t + 5s, 1));
    EXPECT_TRUE(c.over(t + 5s, 0));  // or has read everything, long after our FIN
}

// An answer of so many bytes, and then the end.
struct answer {
    std::size_t left;
    std::size_t received = 0;

    void receive(std::span<const std::uint8_t> bytes, std::span<const std::uint8_t>, time_point) { received += bytes.size(); }
    void receive_end(time_point) {}
    std::size_t transmit(std::span<std::uint8_t> out, time_point) {
        const auto n = std::min(out.size(), left);
        left -= n;
        return n;
    }
    bool finished_sending() const { return left == 0; }
    bool wants_to_receive() const { return true; }
    std::optional<time_point> next_timeout() const { return std::nullopt; }
    void on_timeout(time_point) {}
};

class Lingering : public testing::Test {
protected:
    void serve(std::size_t bytes, const lingering_limits& limits) {
        tcp::acceptor acceptor(io, {asio::ip::address_v4::loopback(), 0});
        peer.open(tcp::v4());
        peer.set_option(asio::socket_base::receive_buffer_size(8 * 1024));
        peer.connect(acceptor.local_endpoint());
        auto socket = acceptor.accept();
        socket.set_option(asio::socket_base::send_buffer_size(1 << 20));
        pump = std::make_shared<byte_stream_pump<answer>>(std::move(socket), answer{bytes},
                                                          pump_hooks{{}, [this](error_code) { ended = true; }}, limits);
        pump->start();
    }
    // A piece, and a byte the other way as HTTP/2 gives credit, and a while until the next.
    void read_slowly() {
        pause.expires_after(2ms);
        pause.async_wait([this](error_code) {
            peer.async_read_some(asio::buffer(piece), [this](error_code error, std::size_t n) {
                got += n;
                failed = error;
                if (error) return;
                asio::write(peer, asio::buffer("!", 1), failed);
                if (!failed) read_slowly();
            });
        });
    }
    void run_until(const std::function<bool()>& done) {
        const auto deadline = std::chrono::steady_clock::now() + 20s;
        while (!done() && std::chrono::steady_clock::now() < deadline) io.run_one_until(deadline);
        ASSERT_TRUE(done());
    }

    asio::io_context io{1};
    tcp::socket peer{io};
    asio::steady_timer pause{io};
    std::array<char, 4096> piece;
    std::shared_ptr<byte_stream_pump<answer>> pump;
    std::size_t got = 0;
    error_code failed;
    bool ended = false;
};

TEST_F(Lingering, SlowReadersAreNotReset) {
    constexpr std::size_t size = 300'000;
    serve(size, {10s, 1ms});
    read_slowly();
    run_until([&] { return failed.failed(); });
    EXPECT_EQ(failed, asio::error::eof);
    EXPECT_EQ(got, size);
    peer.close();
    run_until([&] { return ended; });
}

TEST_F(Lingering, WhoDoesNotReadIsNotWaitedFor) {
    serve(300'000, {20ms, 10s});
    run_until([&] { return ended; });
}

TEST_F(Lingering, WhoGoesOnTalkingIsNotWaitedForLong) {
    serve(0, {10s, 20ms});
    std::function<void()> talk = [&] {
        asio::async_write(peer, asio::buffer(piece), [&](error_code error, std::size_t) {
            if (!error && !ended) talk();
        });
    };
    talk();
    run_until([&] { return ended; });
    EXPECT_EQ(pump->engine().received, 0u);
}

}  // namespace
}  // namespace tandem::net
