// One flow between our TCP, on a TUN device, and the kernel's. Prints one line: Gbit/s, and CPU nanoseconds per kilobyte of our
// side.
//   tun_throughput send|receive SECONDS [no-offload]
// `send`: we send. To be run in a network namespace of its own.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <tandem/net/tcp_acceptor.hpp>
#include <tandem/net/tun_device.hpp>

namespace {

using namespace tandem;
namespace asio = boost::asio;

constexpr std::uint16_t port = 5201;

double cpu_seconds(int who) {
    rusage u{};
    ::getrusage(who, &u);
    const auto seconds = [](const timeval& t) { return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6; };
    return seconds(u.ru_utime) + seconds(u.ru_stime);
}

// The kernel's end, on a thread of its own: until the connection ends. Returns what it received.
std::uint64_t kernel_end(bool sends, std::chrono::steady_clock::time_point until) {
    const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    ::inet_pton(AF_INET, "10.76.0.2", &to.sin_addr);
    if (::connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) return std::perror("connect"), 0;
    std::vector<char> buffer(128 * 1024);
    std::uint64_t bytes = 0;
    while (true) {
        const auto n =
            sends ? ::send(fd, buffer.data(), buffer.size(), MSG_NOSIGNAL) : ::recv(fd, buffer.data(), buffer.size(), 0);
        if (n <= 0) break;
        bytes += static_cast<std::uint64_t>(n);
        if (sends && std::chrono::steady_clock::now() > until) break;
    }
    ::close(fd);
    return bytes;
}

asio::awaitable<void> our_end(net::tcp_stack& stack, bool sends, std::chrono::steady_clock::time_point until,
                              std::uint64_t& bytes) {
    net::tcp_acceptor acceptor(stack);
    if (auto error = acceptor.listen({ip_address::v4(10, 76, 0, 2), port})) throw boost::system::system_error(error);
    auto s = co_await acceptor.async_accept(asio::use_awaitable);
    std::vector<char> buffer(256 * 1024);
    boost::system::error_code error;
    while (!error && (!sends || std::chrono::steady_clock::now() < until)) {
        std::size_t n = 0;
        if (sends) {
            n = co_await s.async_write_some(asio::buffer(buffer), asio::redirect_error(asio::use_awaitable, error));
        } else {
            n = co_await s.async_read_some(asio::buffer(buffer), asio::redirect_error(asio::use_awaitable, error));
        }
        bytes += n;
    }
    if (sends) s.abort();
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 3) return std::fprintf(stderr, "usage: tun_throughput send|receive SECONDS [no-offload]\n"), 2;
    const bool sends = std::strcmp(argv[1], "send") == 0;
    const auto seconds = std::atof(argv[2]);
    asio::io_context io(1);
    net::tun_options options;
    options.addresses = {*net::parse_tun_address("10.76.0.2/24")};
    options.offloads = argc < 4 || std::strcmp(argv[3], "no-offload") != 0;
    net::tun_error why;
    auto device = net::tun_device::open(io.get_executor(), options, why);
    if (!device) return std::fprintf(stderr, "%s: %s\n", why.what.c_str(), why.code.message().c_str()), 1;
    net::tcp_stack stack(io.get_executor(), std::move(device));
    const auto begin = std::chrono::steady_clock::now();
    const auto until =
        begin + std::chrono::duration_cast<std::chrono::steady_clock::duration>(std::chrono::duration<double>(seconds));
    std::uint64_t ours = 0, kernels = 0;
    asio::co_spawn(io, our_end(stack, sends, until, ours), [&io](std::exception_ptr) { io.stop(); });
    std::thread kernel([&] { kernels = kernel_end(!sends, until); });
    io.run();
    const auto took = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    const auto cpu = cpu_seconds(RUSAGE_THREAD);
    const auto seen = stack.snapshot();
    io.restart();
    io.run_for(std::chrono::milliseconds(100));  // the reset goes out
    kernel.join();
    const auto bytes = static_cast<double>(sends ? kernels : ours);
    std::printf(
        "%.2f Gbit/s, %.0f ns of CPU per kB, %.1f packets sent per call, %.0f bytes received per packet, %llu retransmissions\n",
        bytes * 8e-9 / took, cpu * 1e9 / (bytes / 1000),
        static_cast<double>(seen.packets.packets_sent) / static_cast<double>(seen.packets.sends),
        static_cast<double>(seen.packets.bytes_received) / static_cast<double>(seen.packets.packets_received),
        static_cast<unsigned long long>(seen.totals.retransmissions));
    return 0;
}
