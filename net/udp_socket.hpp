// A UDP socket as QUIC wants it: batches in (recvmmsg, GRO), trains out (GSO), ECN marks and local addresses both ways,
// no fragmentation, and everything that a kernel may lack fails soft.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/system/error_code.hpp>

#include <tandem/bytes/datagram.hpp>
#include <tandem/net/port_sharing.hpp>
#include <tandem/net/udp_calls.hpp>

namespace tandem::net {

struct udp_options {
    // Bytes asked of the kernel. At 1 Gbit/s 8 MiB is 67 ms of a process that does not run.
    std::size_t receive_buffer = 8 << 20;
    std::size_t send_buffer = 4 << 20;
    bool segmentation_offload = true;  // UDP_SEGMENT
    bool receive_offload = true;       // UDP_GRO
    // Tell the owner of ICMP errors (a client learns "connection refused" at once). Off for servers: anybody can send ICMP.
    bool report_errors = false;
    port_sharing sharing = port_sharing::alone;
};

struct udp_statistics {
    std::uint64_t datagrams_sent = 0;
    std::uint64_t datagrams_received = 0;
    std::uint64_t bytes_sent = 0;
    std::uint64_t bytes_received = 0;
    std::uint64_t sends = 0;             // system calls
    std::uint64_t receives = 0;          // system calls
    std::uint64_t too_large = 0;         // EMSGSIZE: datagrams larger than the path or the interface takes
    std::uint64_t send_errors = 0;       // other datagrams the kernel refused
    std::uint64_t truncated = 0;         // received datagrams larger than the buffer, dropped
    std::uint64_t kernel_drops = 0;      // SO_RXQ_OVFL: the receive buffer was full
    std::uint64_t offload_failures = 0;  // times segmentation was turned off
};

// A buffer that is smaller than what was asked for, and the setting that would change it.
struct buffer_shortfall {
    const char* sysctl;  // "net.core.rmem_max" or "net.core.wmem_max"
    std::size_t wanted = 0;
    std::size_t got = 0;

    std::string to_string() const;  // one line for a log
};

// An error the network reported for datagrams to `remote` (ICMP, or the kernel's routing).
struct udp_error {
    ip_endpoint remote;
    boost::system::error_code code;
};

class udp_socket {
public:
    static constexpr std::size_t max_segments = 64;        // UDP_MAX_SEGMENTS of the oldest kernels with GSO
    static constexpr std::size_t max_train_bytes = 65487;  // of one GSO send, over IPv6: 65535 - 40 - 8

    explicit udp_socket(boost::asio::any_io_executor executor, udp_calls& calls = udp_calls::system());
    udp_socket(udp_socket&&) noexcept;
    udp_socket& operator=(udp_socket&&) noexcept;
    ~udp_socket();

    // Opens, sets up and binds. Port 0 takes a free one. An IPv6 socket is for IPv6 only.
    boost::system::error_code open(const ip_endpoint& local, const udp_options& options = {});
    void close();
    bool is_open() const;

    ip_endpoint local_endpoint() const;
    boost::asio::ip::udp::socket& native();  // for waiting; reading and writing go through the functions below
    boost::asio::any_io_executor get_executor();

    enum class send_result : std::uint8_t {
        done,         // all of it went to the kernel, or was refused in a way that only loss recovery can answer
        would_block,  // wait until writable, then send the same train again: what went out is not sent twice
    };
    // Sends what is left of a train: [progress, train.size). Advances progress.
    send_result send(const train& t, std::size_t& progress);

    // Reads one batch and hands each datagram to sink(received_datagram&). Returns how many there were; 0: nothing to read.
    template <class Sink>
    std::size_t receive(Sink&& sink);

    // The next error that the network reported, if options.report_errors.
    std::optional<udp_error> poll_error();

    bool segmentation_offload() const { return segmentation_offload_; }
    const udp_statistics& statistics() const { return statistics_; }
    const std::vector<buffer_shortfall>& shortfalls() const { return shortfalls_; }

private:
    struct receive_batch;
    struct piece {
        std::span<std::uint8_t> bytes;
        std::size_t segment_size = 0;
        ip_path path;
        ecn mark = ecn::not_ect;
    };

    void set_up(int fd, bool v6, const udp_options& options);
    void set_buffer(int fd, bool receive, std::size_t wanted);
    int send_once(const train& t, std::size_t offset, std::size_t size, bool segmented);  // an errno, 0 for success
    send_result send_singly(const train& t, std::size_t& progress, std::size_t end, bool& too_large);
    void refused(const train& t, std::size_t datagrams, int error);
    std::size_t fill_batch();
    piece take(std::size_t index);
    void drain_error_queue();

    udp_calls* calls_;
    boost::asio::ip::udp::socket socket_;
    ip_endpoint local_;
    bool segmentation_offload_ = false;
    bool report_errors_ = false;
    std::vector<udp_error> errors_;
    std::vector<buffer_shortfall> shortfalls_;
    udp_statistics statistics_;
};

template <class Sink>
std::size_t udp_socket::receive(Sink&& sink) {
    auto messages = fill_batch();
    for (std::size_t i = 0; i < messages; ++i) {
        piece p = take(i);
        while (!p.bytes.empty()) {
            auto size = p.segment_size < p.bytes.size() ? p.segment_size : p.bytes.size();
            received_datagram datagram{p.bytes.first(size), p.path, p.mark};
            sink(datagram);
            p.bytes = p.bytes.subspan(size);
        }
    }
    return messages;
}

}  // namespace tandem::net
