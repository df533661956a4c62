#include <tandem/net/udp_socket.hpp>

#include <linux/errqueue.h>
#include <netinet/in.h>
#include <netinet/udp.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include <tandem/net/address.hpp>

namespace tandem::net {

namespace {

constexpr std::size_t batch_messages = 8;  // each up to 64 KiB of coalesced datagrams
constexpr std::size_t message_bytes = 65536;
constexpr std::size_t control_bytes = 256;       // pktinfo, TOS, GRO size, drop counter: 4 small messages
constexpr std::size_t max_reported_errors = 64;  // anybody can provoke ICMP; the owner needs the newest only to give up

// Appends ancillary data to a message whose msg_control points at a large enough buffer.
template <class Value>
void add_control(msghdr& message, int level, int type, const Value& value) {
    auto* header = reinterpret_cast<cmsghdr*>(static_cast<char*>(message.msg_control) + message.msg_controllen);
    header->cmsg_level = level;
    header->cmsg_type = type;
    header->cmsg_len = CMSG_LEN(sizeof value);
    std::memcpy(CMSG_DATA(header), &value, sizeof value);
    message.msg_controllen += CMSG_SPACE(sizeof value);
}

template <class Value>
Value control_value(const cmsghdr* header) {
    Value value{};
    std::memcpy(&value, CMSG_DATA(header), std::min<std::size_t>(sizeof value, header->cmsg_len - CMSG_LEN(0)));
    return value;
}

bool unspecified(const ip_address& a) {
    return std::all_of(a.bytes.begin(), a.bytes.end(), [](std::uint8_t b) { return b == 0; });
}

void add_source_address(msghdr& message, const ip_address& source) {
    if (source.is_v6) {
        in6_pktinfo info{};
        std::memcpy(&info.ipi6_addr, source.bytes.data(), 16);
        add_control(message, IPPROTO_IPV6, IPV6_PKTINFO, info);
    } else {
        in_pktinfo info{};
        std::memcpy(&info.ipi_spec_dst, source.bytes.data(), 4);
        add_control(message, IPPROTO_IP, IP_PKTINFO, info);
    }
}

void add_mark(msghdr& message, bool v6, ecn mark) {
    int value = static_cast<int>(mark);
    if (v6) {
        add_control(message, IPPROTO_IPV6, IPV6_TCLASS, value);
    } else {
        add_control(message, IPPROTO_IP, IP_TOS, value);
    }
}

// Errors of the path, which the kernel may also report for an earlier datagram (and another destination).
bool is_path_error(int error) {
    return error == ECONNREFUSED || error == EHOSTUNREACH || error == ENETUNREACH || error == EHOSTDOWN || error == ENETDOWN;
}

}  // namespace

udp_calls& udp_calls::system() {
    static udp_calls calls;
    return calls;
}

// One for all sockets of a thread: it is in use only within receive().
struct udp_socket::receive_batch {
    static receive_batch& of_thread() {
        static thread_local receive_batch batch;
        return batch;
    }

    std::vector<std::uint8_t> memory = std::vector<std::uint8_t>(batch_messages * message_bytes);
    std::array<std::array<std::uint8_t, control_bytes>, batch_messages> control{};
    std::array<sockaddr_storage, batch_messages> names{};
    std::array<iovec, batch_messages> buffers{};
    std::array<mmsghdr, batch_messages> messages{};
};

udp_socket::udp_socket(boost::asio::any_io_executor executor, udp_calls& calls) : calls_(&calls), socket_(std::move(executor)) {}
udp_socket::udp_socket(udp_socket&&) noexcept = default;
udp_socket& udp_socket::operator=(udp_socket&&) noexcept = default;
udp_socket::~udp_socket() = default;

void udp_socket::close() {
    boost::system::error_code ignored;
    socket_.close(ignored);
}

bool udp_socket::is_open() const { return socket_.is_open(); }
ip_endpoint udp_socket::local_endpoint() const { return local_; }
boost::asio::ip::udp::socket& udp_socket::native() { return socket_; }
boost::asio::any_io_executor udp_socket::get_executor() { return socket_.get_executor(); }

int udp_socket::send_once(const train& t, std::size_t offset, std::size_t size, bool segmented) {
    alignas(cmsghdr) std::array<char, 128> control;
    sockaddr_storage name;
    iovec buffer{t.buffer.data() + offset, size};
    msghdr message{};
    message.msg_name = &name;
    message.msg_namelen = to_sockaddr(t.path.remote, name);
    message.msg_iov = &buffer;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    if (!unspecified(t.path.local.address)) add_source_address(message, t.path.local.address);
    if (t.mark != ecn::not_ect) add_mark(message, t.path.remote.address.is_v6, t.mark);
    if (segmented) add_control(message, SOL_UDP, UDP_SEGMENT, static_cast<std::uint16_t>(t.segment_size));

    bool path_error_drained = false;
    for (;;) {
        ++statistics_.sends;
        if (calls_->sendmsg(socket_.native_handle(), message, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) return 0;
        if (errno == EINTR) continue;
        int error = errno;
        if (!is_path_error(error) || path_error_drained) return error;
        // It may be the news of an earlier datagram: the error queue says whose; this one has not been tried yet.
        drain_error_queue();
        path_error_drained = true;
    }
}

void udp_socket::refused(const train& t, std::size_t datagrams, int error) {
    if (error == EMSGSIZE) {
        statistics_.too_large += datagrams;
    } else {
        statistics_.send_errors += datagrams;
    }
    if (report_errors_ && is_path_error(error) && errors_.size() < max_reported_errors) {
        errors_.push_back({t.path.remote, {error, boost::system::system_category()}});
    }
}

udp_socket::send_result udp_socket::send_singly(const train& t, std::size_t& progress, std::size_t end, bool& too_large) {
    while (progress < end) {
        auto size = std::min(t.segment_size, end - progress);
        int error = send_once(t, progress, size, false);
        if (error == EAGAIN || error == EWOULDBLOCK) return send_result::would_block;
        if (error == 0) {
            ++statistics_.datagrams_sent;
            statistics_.bytes_sent += size;
        } else {
            too_large = too_large || error == EMSGSIZE;
            refused(t, 1, error);
        }
        progress += size;
    }
    return send_result::done;
}

udp_socket::send_result udp_socket::send(const train& t, std::size_t& progress) {
    if (t.segment_size == 0) return send_result::done;
    bool too_large = false;
    while (progress < t.size) {
        auto segments = std::min({(t.size - progress + t.segment_size - 1) / t.segment_size, max_segments,
                                  std::max<std::size_t>(max_train_bytes / t.segment_size, 1)});
        auto end = std::min(t.size, progress + segments * t.segment_size);
        if (segments == 1 || !segmentation_offload_) {
            if (send_singly(t, progress, end, too_large) == send_result::would_block) return send_result::would_block;
            continue;
        }
        int error = send_once(t, progress, end - progress, true);
        if (error == EAGAIN || error == EWOULDBLOCK) return send_result::would_block;
        if (error == 0) {
            statistics_.datagrams_sent += segments;
            statistics_.bytes_sent += end - progress;
            progress = end;
        } else if (error == EIO || error == EINVAL) {
            // The device or the kernel cannot segment after all. The same segments go again at once, one by one. Kernels also
            // say EINVAL for segments larger than the path's MTU: then segmentation is not to blame.
            segmentation_offload_ = false;
            bool mtu = false;
            auto result = send_singly(t, progress, end, mtu);
            if (mtu) {
                segmentation_offload_ = true;
            } else {
                ++statistics_.offload_failures;
            }
            if (result == send_result::would_block) return result;
        } else {
            refused(t, segments, error);
            progress = end;
        }
    }
    return send_result::done;
}

std::size_t udp_socket::fill_batch() {
    auto& b = receive_batch::of_thread();
    for (std::size_t i = 0; i < batch_messages; ++i) {
        b.buffers[i] = {b.memory.data() + i * message_bytes, message_bytes};
        auto& header = b.messages[i].msg_hdr;
        header.msg_name = &b.names[i];
        header.msg_namelen = sizeof b.names[i];
        header.msg_iov = &b.buffers[i];
        header.msg_iovlen = 1;
        header.msg_control = b.control[i].data();
        header.msg_controllen = control_bytes;
        header.msg_flags = 0;
    }
    bool path_error_drained = false;
    for (;;) {
        ++statistics_.receives;
        int count = calls_->recvmmsg(socket_.native_handle(), b.messages.data(), batch_messages, MSG_DONTWAIT);
        if (count >= 0) return static_cast<std::size_t>(count);
        if (errno == EINTR) continue;
        if (!is_path_error(errno) || path_error_drained) break;
        drain_error_queue();  // an ICMP message, not data; the data behind it is still there
        path_error_drained = true;
    }
    if (report_errors_) drain_error_queue();
    return 0;
}

udp_socket::piece udp_socket::take(std::size_t index) {
    auto& b = receive_batch::of_thread();
    auto& header = b.messages[index].msg_hdr;
    piece out;
    if (header.msg_flags & MSG_TRUNC) {
        ++statistics_.truncated;
        return out;
    }
    out.bytes = {b.memory.data() + index * message_bytes, b.messages[index].msg_len};
    out.segment_size = out.bytes.size();
    out.path = {local_, from_sockaddr(b.names[index])};
    for (auto* c = CMSG_FIRSTHDR(&header); c != nullptr; c = CMSG_NXTHDR(&header, c)) {
        if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TOS) {
            out.mark = static_cast<ecn>(control_value<std::uint8_t>(c) & 3);
        } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_TCLASS) {
            out.mark = static_cast<ecn>(control_value<int>(c) & 3);
        } else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
            auto info = control_value<in_pktinfo>(c);
            std::memcpy(out.path.local.address.bytes.data(), &info.ipi_addr, 4);
        } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
            auto info = control_value<in6_pktinfo>(c);
            std::memcpy(out.path.local.address.bytes.data(), &info.ipi6_addr, 16);
        } else if (c->cmsg_level == SOL_UDP && c->cmsg_type == UDP_GRO) {
            if (auto size = control_value<int>(c); size > 0) out.segment_size = static_cast<std::size_t>(size);
        } else if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_RXQ_OVFL) {
            statistics_.kernel_drops = control_value<std::uint32_t>(c);
        }
    }
    if (!out.bytes.empty()) {
        statistics_.datagrams_received += (out.bytes.size() + out.segment_size - 1) / out.segment_size;
        statistics_.bytes_received += out.bytes.size();
    }
    return out;
}

void udp_socket::drain_error_queue() {
    for (;;) {
        std::array<std::uint8_t, control_bytes> control;
        sockaddr_storage name{};
        msghdr message{};
        message.msg_name = &name;
        message.msg_namelen = sizeof name;
        message.msg_control = control.data();
        message.msg_controllen = control.size();
        if (::recvmsg(socket_.native_handle(), &message, MSG_ERRQUEUE | MSG_DONTWAIT) < 0) return;
        for (auto* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) {
            bool v4 = c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR;
            bool v6 = c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR;
            if (!v4 && !v6) continue;
            auto error = control_value<sock_extended_err>(c);
            // EMSGSIZE is the kernel's or a router's word on the MTU: counted where the send fails.
            if (!is_path_error(static_cast<int>(error.ee_errno)) || errors_.size() >= max_reported_errors) continue;
            // The name is where the datagram that met the error was going.
            errors_.push_back({from_sockaddr(name), {static_cast<int>(error.ee_errno), boost::system::system_category()}});
        }
    }
}

std::optional<udp_error> udp_socket::poll_error() {
    if (errors_.empty()) return std::nullopt;
    auto error = errors_.front();
    errors_.erase(errors_.begin());
    return error;
}

}  // namespace tandem::net
