// Our TCP against the kernel's, over a TUN device in a network namespace of this process's own: it vanishes with the process.
#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <fstream>
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
namespace {

namespace asio = boost::asio;
using asio::redirect_error;
using asio::use_awaitable;
using boost::system::error_code;

const ip_address ours = ip_address::v4(10, 77, 0, 2), kernels = ip_address::v4(10, 77, 0, 1);
constexpr std::uint16_t our_port = 5001;
constexpr int patience = 20'000;  // milliseconds; a test that needs them has failed

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
const contents& data() {
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
std::size_t kernel_sockets() {
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

asio::awaitable<bool> send(tcp_stream& s, std::uint64_t key, std::uint64_t size) {
    for (std::uint64_t sent = 0; sent < size;) {
        error_code e;
        const auto piece = data().at(key, sent, size);
        sent += co_await s.async_write_some(asio::buffer(piece.data(), piece.size()), redirect_error(use_awaitable, e));
        if (e) co_return false;
    }
    co_return true;
}

asio::awaitable<bool> expect(tcp_stream& s, std::uint64_t key, std::uint64_t size) {
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
std::vector<std::uint64_t> random_sizes(std::size_t count, std::uint64_t largest = 50'000'000) {
    random_source random(tandem::test::seed() + count);
    std::vector<std::uint64_t> out;
    for (std::size_t i = 0; i < count; ++i) {
        const std::uint64_t limit = i % 50 == 7 ? 3'000'000 : i % 8 == 3 ? 200'000 : 10'000;
        out.push_back(random.below(std::min(limit, largest) + 1));
    }
    out[count / 2] = largest;
    return out;
}

class Kernel : public testing::Test {
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

    void from_the_kernel(const std::vector<std::uint64_t>& sizes, std::size_t at_once);
    void to_the_kernel(const std::vector<std::uint64_t>& sizes, std::size_t at_once);

    asio::io_context io{1};
    asio::executor_work_guard<asio::io_context::executor_type> work = asio::make_work_guard(io);
    tun_device* tun = nullptr;
    std::unique_ptr<tcp_stack> stack;
    std::thread runner;
    std::atomic<int> running = 0, good = 0;
};

std::uint64_t answer_size(std::uint64_t size) { return size / 3; }

// The kernel connects and sends, ends its half, and reads an answer to the end. Which connection is which, its first eight bytes
// say.
void Kernel::from_the_kernel(const std::vector<std::uint64_t>& sizes, std::size_t at_once) {
    std::atomic<bool> listening = false;
    spawn([&]() -> asio::awaitable<void> {
        tcp_acceptor acceptor(*stack);
        EXPECT_FALSE(acceptor.listen({ours, our_port}));
        listening = true;
        for (std::size_t i = 0; i < sizes.size(); ++i) {
            auto s = std::make_shared<tcp_stream>(co_await acceptor.async_accept(use_awaitable));
            spawn([this, s, &sizes]() -> asio::awaitable<void> {
                std::uint64_t key = 0;
                error_code e;
                std::size_t n = 0;
                while (n < 8 && !e) {
                    n += co_await s->async_read_some(asio::buffer(reinterpret_cast<char*>(&key) + n, 8 - n),
                                                     redirect_error(use_awaitable, e));
                }
                if (e || key >= sizes.size()) co_return;
                const bool all = co_await expect(*s, key, sizes[key]);
                if (all && co_await send(*s, key, answer_size(sizes[key]))) ++good;
            });
        }
    });
    ASSERT_TRUE(wait_for([&] { return listening.load(); }));
    std::atomic<std::size_t> next = 0, kernel_good = 0;
    std::vector<std::thread> threads;
    for (std::size_t t = 0; t < at_once; ++t) {
        threads.emplace_back([&] {
            for (std::uint64_t key; (key = next++) < sizes.size();) {
                kernel_socket s;
                if (s.connect(our_port) != 0 || ::send(s.fd(), &key, 8, MSG_NOSIGNAL) != 8 || !s.send(key, sizes[key])) continue;
                s.end_sending();
                if (s.expect(key, answer_size(sizes[key]))) ++kernel_good;
            }
        });
    }
    for (auto& t : threads) t.join();
    EXPECT_EQ(kernel_good, sizes.size());
    wait();
    EXPECT_EQ(static_cast<std::size_t>(good), sizes.size());
}

// We connect and send, end our half, and read an answer to the end.
void Kernel::to_the_kernel(const std::vector<std::uint64_t>& sizes, std::size_t at_once) {
    kernel_socket listener;
    const auto port = listener.listen();
    std::atomic<std::size_t> kernel_good = 0;
    std::vector<std::thread> threads;
    auto next = std::make_shared<std::size_t>(0);
    for (std::size_t t = 0; t < at_once; ++t) {
        spawn([&, next]() -> asio::awaitable<void> {
            for (std::uint64_t key; (key = (*next)++) < sizes.size();) {
                tcp_stream s(*stack);
                error_code e;
                co_await s.async_connect({kernels, port}, redirect_error(use_awaitable, e));
                EXPECT_FALSE(e) << e.message();
                if (e) continue;
                const auto bytes = std::span(reinterpret_cast<const char*>(&key), 8);
                co_await s.async_write_some(asio::buffer(bytes.data(), 8), redirect_error(use_awaitable, e));
                if (e || !co_await send(s, key, sizes[key])) continue;
                s.shutdown(asio::socket_base::shutdown_send, e);
                if (co_await expect(s, key, answer_size(sizes[key]))) ++good;
            }
        });
    }
    for (std::size_t i = 0; i < sizes.size(); ++i) {
        threads.emplace_back([&, s = std::make_shared<kernel_socket>(listener.accept())] {
            std::uint64_t key = 0;
            if (::recv(s->fd(), &key, 8, MSG_WAITALL) != 8 || key >= sizes.size()) return;
            if (s->expect(key, sizes[key]) && s->send(key, answer_size(sizes[key]))) ++kernel_good;
        });
    }
    for (auto& t : threads) t.join();
    EXPECT_EQ(kernel_good, sizes.size());
    wait();
    EXPECT_EQ(static_cast<std::size_t>(good), sizes.size());
}

TEST_F(Kernel, TwoHundredConnectionsFromTheKernel) {
    open();
    from_the_kernel(random_sizes(200), 40);
    expect_nothing_left();
}

TEST_F(Kernel, TwoHundredConnectionsToTheKernel) {
    open();
    to_the_kernel(random_sizes(200), 40);
    expect_nothing_left();
}

TEST_F(Kernel, PacketByPacketWithoutOffloads) {
    open({}, false);
    EXPECT_FALSE(tun->enabled().checksum);
    from_the_kernel(random_sizes(20, 3'000'000), 10);
    good = 0;
    to_the_kernel(random_sizes(20, 3'000'000), 10);
    expect_nothing_left();
}

TEST_F(Kernel, EveryTwentiethPacketIsLostInEitherDirection) {
    auto random = std::make_shared<random_source>(tandem::test::seed());
    open([random](bool) { return random->below(20) == 0; }, false);
    from_the_kernel(random_sizes(20, 500'000), 20);
    good = 0;
    to_the_kernel(random_sizes(20, 500'000), 20);
    EXPECT_GT(look().totals.retransmissions, 0U);
    expect_nothing_left();
}

TEST_F(Kernel, LossAmongSuperSegments) {
    auto random = std::make_shared<random_source>(tandem::test::seed());
    open([random](bool) { return random->below(50) == 0; });
    from_the_kernel(random_sizes(20, 3'000'000), 20);
    good = 0;
    to_the_kernel(random_sizes(20, 3'000'000), 20);
    expect_nothing_left();
}

TEST_F(Kernel, BothOffloadsAreInUse) {
    open();
    ASSERT_TRUE(tun->enabled().segmentation);
    std::vector<std::uint64_t> sizes{20'000'000};
    from_the_kernel(sizes, 1);
    good = 0;
    to_the_kernel(sizes, 1);
    const auto seen = look();
    EXPECT_LT(seen.packets.sends * 5, seen.packets.packets_sent);  // what we send goes out in super-segments
    EXPECT_LT(seen.packets.packets_received * 1448 * 2, seen.packets.bytes_received * 2 - 1448);
    expect_nothing_left();
}

TEST_F(Kernel, AbortsAreResetsToTheOtherSide) {
    open();
    kernel_socket listener;
    const auto port = listener.listen();
    std::atomic<int> stage = 0;
    error_code ours_saw;
    spawn([&]() -> asio::awaitable<void> {
        tcp_stream first(*stack), second(*stack);
        co_await first.async_connect({kernels, port}, use_awaitable);
        char byte;
        co_await first.async_read_some(asio::buffer(&byte, 1), redirect_error(use_awaitable, ours_saw));
        co_await second.async_connect({kernels, port}, use_awaitable);
        second.abort();
    });
    auto first = listener.accept();
    first.abort();
    auto second = listener.accept();
    EXPECT_EQ(second.read_error(), ECONNRESET);
    wait();
    EXPECT_EQ(ours_saw, asio::error::connection_reset);
    second.close();
    expect_nothing_left();
}

TEST_F(Kernel, NobodyListens) {
    open();
    kernel_socket s;
    EXPECT_EQ(s.connect(6001), ECONNREFUSED);
    error_code refused, unreachable;
    spawn([&]() -> asio::awaitable<void> {
        tcp_stream a(*stack), b(*stack);
        co_await a.async_connect({kernels, 6002}, redirect_error(use_awaitable, refused));
        co_await b.async_connect({ip_address::v4(203, 0, 113, 1), 80}, redirect_error(use_awaitable, unreachable));
    });
    wait();
    EXPECT_EQ(refused, asio::error::connection_refused);
    EXPECT_EQ(unreachable, asio::error::host_unreachable);  // the kernel, a router here, has no way there: ICMP
    s.close();
    expect_nothing_left();
}

TEST_F(Kernel, PingIsAnswered) {
    open();
    kernel_socket raw(::socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP));
    sockaddr_in to{};
    to.sin_family = AF_INET;
    std::memcpy(&to.sin_addr, ours.bytes.data(), 4);
    // Echo request, identifier 0x1234, number 1; the sum is 0x0800 + 0x1234 + 0x0001, inverted.
    const std::array<std::uint8_t, 8> request{8, 0, 0xe5, 0xca, 0x12, 0x34, 0, 1};
    ASSERT_EQ(::sendto(raw.fd(), request.data(), request.size(), 0, reinterpret_cast<const sockaddr*>(&to), sizeof to), 8);
    std::array<std::uint8_t, 100> reply{};
    ASSERT_EQ(::recv(raw.fd(), reply.data(), reply.size(), 0), 28);
    EXPECT_EQ(reply[20], 0);  // echo reply
    EXPECT_EQ(reply[24], 0x12);
    EXPECT_EQ(reply[27], 1);
}

TEST_F(Kernel, ReadersThatPauseCloseTheWindowAndOpenItAgain) {
    open();
    constexpr std::uint64_t size = 12'000'000;  // more than all buffers on the way
    kernel_socket listener;
    const auto port = listener.listen();
    const int small = 32 * 1024;
    ::setsockopt(listener.fd(), SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    std::atomic<bool> sent = false;
    spawn([&]() -> asio::awaitable<void> {
        tcp_stream s(*stack);
        co_await s.async_connect({kernels, port}, use_awaitable);
        EXPECT_TRUE(co_await send(s, 1, size));
        error_code e;
        s.shutdown(asio::socket_base::shutdown_send, e);
        sent = true;
        asio::steady_timer pause(io, std::chrono::milliseconds(400));
        co_await pause.async_wait(use_awaitable);
        EXPECT_TRUE(co_await expect(s, 2, size));
    });
    auto s = listener.accept();
    ::poll(nullptr, 0, 600);  // our probes ask for the window
    EXPECT_FALSE(sent);
    EXPECT_GT(look().totals.window_probes, 0U);
    EXPECT_TRUE(s.expect(1, size));
    EXPECT_TRUE(s.send(2, size));  // while nobody reads at first
    s.close();
    wait();
    expect_nothing_left();
}

}  // namespace
}  // namespace tandem::net

namespace {

// A namespace of our own with the loopback device up, where packets are forwarded (so that there is somebody to say
// "unreachable").
bool make_namespace() {
    if (::unshare(CLONE_NEWNET) != 0) {
        std::fprintf(stderr, "these tests need root, to make a network namespace: %s\n", std::strerror(errno));
        return false;
    }
    struct stat there;
    if (::stat("/dev/net/tun", &there) != 0) {
        ::mkdir("/dev/net", 0755);
        if (::mknod("/dev/net/tun", S_IFCHR | 0600, ::makedev(10, 200)) != 0) {
            std::fprintf(stderr, "there is no /dev/net/tun, and it cannot be made: %s\n", std::strerror(errno));
            return false;
        }
    }
    const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ifreq request{};
    std::strcpy(request.ifr_name, "lo");
    request.ifr_flags = IFF_UP | IFF_RUNNING;
    const bool up = ::ioctl(fd, SIOCSIFFLAGS, &request) == 0;
    ::close(fd);
    std::ofstream("/proc/sys/net/ipv4/ip_forward") << "1\n";
    return up;
}

}  // namespace

int main(int argc, char** argv) {
    testing::InitGoogleTest(&argc, argv);
    const bool listing = testing::GTEST_FLAG(list_tests);
    if (!listing && !make_namespace()) return 1;
    return RUN_ALL_TESTS();
}
