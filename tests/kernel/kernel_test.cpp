// Our TCP against the kernel's, over a TUN device in a network namespace of this process's own: it vanishes with the process.
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <array>

#include "fixture.hpp"

namespace tandem::net {
namespace {

std::uint64_t answer_size(std::uint64_t size) { return size / 3; }

class Kernel : public KernelTest {
protected:
    void from_the_kernel(const std::vector<std::uint64_t>& sizes, std::size_t at_once);
    void to_the_kernel(const std::vector<std::uint64_t>& sizes, std::size_t at_once);

    std::atomic<int> good = 0;
};

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
    listener.limit_receive_buffer(32 * 1024);
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
    std::ofstream("/proc/sys/net/ipv6/conf/default/disable_ipv6")
        << "1\n";  // no solicitations among the packets that are counted
    return up;
}

}  // namespace

int main(int argc, char** argv) {
    testing::InitGoogleTest(&argc, argv);
    const bool listing = testing::GTEST_FLAG(list_tests);
    if (!listing && !make_namespace()) return 1;
    return RUN_ALL_TESTS();
}
