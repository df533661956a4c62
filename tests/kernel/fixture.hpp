// What the tests of our TCP against the kernel's have in common: a stack on a TUN device, sockets of the kernel's, and bytes that
// say where they belong.
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <tandem/bytes/random.hpp>
#include <tandem/net/tcp_acceptor.hpp>
#include <tandem/net/tun_device.hpp>

#include "seed.hpp"

namespace tandem::net {

namespace asio = boost::asio;
using asio::redirect_error;
using asio::use_awaitable;
using boost::system::error_code;

inline const ip_address ours = ip_address::v4(10, 77, 0, 2), kernels = ip_address::v4(10, 77, 0, 1);
inline constexpr std::uint16_t our_port = 5001;
inline constexpr int patience = 20'000;  // milliseconds; a test that needs them has failed

// What connection `key` sends: the bytes of one random block from a place of its own on.
class contents {
public:
    contents() : block_(1 << 20) { random_source(tandem::test::seed()).fill(block_); }
    std::span<const std::uint8_t> at(std::uint64_t key, std::uint64_t offset, std::uint64_t limit) const {
        const auto begin = (key * 7919 + offset) % block_.size();
        return std::span(block_).subspan(begin, std::min<std::uint64_t>(block_.size() - begin, limit - offset));
    }
    // Whether `got` is what `key` sends at `offset`.
    bool check(std::uint64_t key, std::uint64_t offset, std::span<const std::uint8_t> got) const {
        while (!got.empty()) {
            const auto want = at(key, offset, offset + got.size());
            if (std::memcmp(want.data(), got.data(), want.size()) != 0) return false;
            offset += want.size();
            got = got.subspan(want.size());
        }
        return true;
    }

private:
    std::vector<std::uint8_t> block_;
};
inline const contents& data() {
    static const contents one;
    return one;
}

// A socket of the kernel's. Blocking, with patience.
class kernel_socket {
public:
    explicit kernel_socket(int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) : fd_(fd) {
        const timeval limit{patience / 1000, 0};
        ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        ::setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    }
    kernel_socket(kernel_socket&& o) noexcept : fd_(std::exchange(o.fd_, -1)) {}
    kernel_socket& operator=(kernel_socket&&) = delete;
    ~kernel_socket() { close(); }
    void close() {
        if (fd_ >= 0) ::close(std::exchange(fd_, -1));
    }
    int fd() const { return fd_; }

    // 0 or an errno.
    int connect(std::uint16_t port) {
        const auto to = name(ours, port);
        return ::connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0 ? 0 : errno;
    }
    std::uint16_t listen() {
        auto at = name(kernels, 0);
        socklen_t size = sizeof at;
        EXPECT_EQ(::bind(fd_, reinterpret_cast<const sockaddr*>(&at), size), 0);
        EXPECT_EQ(::listen(fd_, 1024), 0);
        ::getsockname(fd_, reinterpret_cast<sockaddr*>(&at), &size);
        return ntohs(at.sin_port);
    }
    kernel_socket accept() const { return kernel_socket(::accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC)); }
    // `port`: the peer's.
    kernel_socket accept(std::uint16_t& port) const {
        sockaddr_in from{};
        socklen_t size = sizeof from;
        kernel_socket out(::accept4(fd_, reinterpret_cast<sockaddr*>(&from), &size, SOCK_CLOEXEC));
        port = ntohs(from.sin_port);
        return out;
    }
    // Does not wait: EINPROGRESS, and error() tells when it is writable.
    int connect_later(std::uint16_t port, std::uint16_t from) const {
        ::fcntl(fd_, F_SETFL, O_NONBLOCK);
        const auto local = name(kernels, from), to = name(ours, port);
        if (::bind(fd_, reinterpret_cast<const sockaddr*>(&local), sizeof local) != 0) return errno;
        return ::connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0 ? 0 : errno;
    }
    int error() const {
        int out = 0;
        socklen_t size = sizeof out;
        ::getsockopt(fd_, SOL_SOCKET, SO_ERROR, &out, &size);
        return out;
    }
    void limit_receive_buffer(int bytes) const { ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes); }
    // Keep-alive after a second of silence.
    void set_alive_check() const {
        const int on = 1, second = 1;
        ::setsockopt(fd_, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
        ::setsockopt(fd_, IPPROTO_TCP, TCP_KEEPIDLE, &second, sizeof second);
        ::setsockopt(fd_, IPPROTO_TCP, TCP_KEEPINTVL, &second, sizeof second);
    }
    bool send(std::uint64_t key, std::uint64_t size) const {
        for (std::uint64_t sent = 0; sent < size;) {
            const auto piece = data().at(key, sent, size);
            const auto n = ::send(fd_, piece.data(), piece.size(), MSG_NOSIGNAL);
            if (n <= 0) return false;
            sent += static_cast<std::uint64_t>(n);
        }
        return true;
    }
    // Reads to the end; whether it was exactly that.
    bool expect(std::uint64_t key, std::uint64_t size) const {
        std::vector<std::uint8_t> buffer(256 * 1024);
        for (std::uint64_t received = 0;;) {
            const auto n = ::recv(fd_, buffer.data(), buffer.size(), 0);
            if (n < 0) return false;
            if (n == 0) return received == size;
            if (!data().check(key, received, {buffer.data(), static_cast<std::size_t>(n)})) return false;
            received += static_cast<std::uint64_t>(n);
        }
    }
    int read_error() const {
        char byte;
        return ::recv(fd_, &byte, 1, 0) < 0 ? errno : 0;
    }
    void end_sending() const { ::shutdown(fd_, SHUT_WR); }
    void abort() {
        const linger at_once{1, 0};
        ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        close();
    }

private:
    static sockaddr_in name(const ip_address& a, std::uint16_t port) {
        sockaddr_in out{};
        out.sin_family = AF_INET;
        out.sin_port = htons(port);
        std::memcpy(&out.sin_addr, a.bytes.data(), 4);
        return out;
    }
    int fd_;
};

// Sockets of the kernel's in this namespace that are not in TIME-WAIT and do not listen.
inline std::size_t kernel_sockets() {
    std::ifstream in("/proc/self/net/tcp");
    std::string line;
    std::size_t out = 0;
    std::getline(in, line);
    while (std::getline(in, line)) {
        unsigned state = 0;
        std::sscanf(line.c_str(), "%*d: %*s %*s %x", &state);
        if (state != 6 && state != 10) ++out;
    }
    return out;
}

inline asio::awaitable<bool> send(tcp_stream& s, std::uint64_t key, std::uint64_t size) {
    for (std::uint64_t sent = 0; sent < size;) {
        error_code e;
        const auto piece = data().at(key, sent, size);
        sent += co_await s.async_write_some(asio::buffer(piece.data(), piece.size()), redirect_error(use_awaitable, e));
        if (e) co_return false;
    }
    co_return true;
}

inline asio::awaitable<bool> expect(tcp_stream& s, std::uint64_t key, std::uint64_t size) {
    std::vector<std::uint8_t> buffer(256 * 1024);
    for (std::uint64_t received = 0;;) {
        error_code e;
        const auto n = co_await s.async_read_some(asio::buffer(buffer), redirect_error(use_awaitable, e));
        if (e) co_return e == asio::error::eof&& received == size;
        if (!data().check(key, received, {buffer.data(), n})) co_return false;
        received += n;
    }
}

// Mostly small, some large, one of 50 MB: what each side of each connection sends.
inline std::vector<std::uint64_t> random_sizes(std::size_t count, std::uint64_t largest = 50'000'000) {
    random_source random(tandem::test::seed() + count);
    std::vector<std::uint64_t> out;
    for (std::size_t i = 0; i < count; ++i) {
        const std::uint64_t limit = i % 50 == 7 ? 3'000'000 : i % 8 == 3 ? 200'000 : 10'000;
        out.push_back(random.below(std::min(limit, largest) + 1));
    }
    out[count / 2] = largest;
    return out;
}

class KernelTest : public testing::Test {
protected:
    // The stack runs on a thread of its own, the kernel's side on the test's.
    void open(const std::function<bool(bool)>& lose = {}, bool offloads = true) {
        tun_options options;
        options.addresses = {*parse_tun_address("10.77.0.2/24")};
        options.lose = lose;
        options.offloads = offloads;
        tun_error why;
        auto device = tun_device::open(io.get_executor(), options, why);
        ASSERT_TRUE(device) << why.what << ": " << why.code.message();
        tun = device.get();
        tcp_stack_options stack_options;
        stack_options.connection = settings;
        stack_options.connection.time_wait = std::chrono::milliseconds(200);
        stack = std::make_unique<tcp_stack>(io.get_executor(), std::move(device), stack_options);
        runner = std::thread([this] { io.run(); });
    }
    void TearDown() override {
        if (!runner.joinable()) return;
        asio::post(io, [this] { stack.reset(); });
        work.reset();
        runner.join();
    }
    // A coroutine on the stack's thread. Each counts itself out.
    template <class Function>
    void spawn(Function f) {
        ++running;
        asio::co_spawn(
            io,
            [this, f = std::move(f)]() -> asio::awaitable<void> {
                co_await f();
                --running;
            },
            asio::detached);
    }
    template <class Condition>
    bool wait_for(Condition done) const {
        const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(patience);
        while (!done()) {
            if (std::chrono::steady_clock::now() > deadline) return false;
            ::poll(nullptr, 0, 2);
        }
        return true;
    }
    void wait() {
        EXPECT_TRUE(wait_for([this] { return running == 0; })) << running << " of our side's tasks have not ended";
    }
    // TIME-WAIT is over on our side, and the kernel's has nothing but it.
    void expect_nothing_left() {
        EXPECT_TRUE(wait_for([] { return kernel_sockets() == 0; })) << kernel_sockets() << " sockets of the kernel's are left";
        EXPECT_TRUE(wait_for([this] { return sockets() == 0; })) << sockets() << " sockets of ours are left";
    }
    tcp_snapshot look() {
        tcp_snapshot out;
        std::atomic<bool> done = false;
        asio::post(io, [&] {
            out = stack->snapshot();
            done = true;
        });
        wait_for([&] { return done.load(); });
        return out;
    }
    std::size_t sockets() { return look().sockets.size(); }

    tcp::config settings;  // for open()
    asio::io_context io{1};
    asio::executor_work_guard<asio::io_context::executor_type> work = asio::make_work_guard(io);
    tun_device* tun = nullptr;
    std::unique_ptr<tcp_stack> stack;
    std::thread runner;
    std::atomic<int> running = 0;
};

}  // namespace tandem::net
