#include <tandem/net/udp_encapsulation.hpp>

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include <boost/asio/error.hpp>

#include <tandem/net/address.hpp>
#include <tandem/tcp/ip.hpp>

namespace tandem::net {

namespace {

constexpr std::size_t checksum_at = 16;  // in the TCP header
constexpr int max_batches = 4;           // of one socket in one turn

boost::system::error_code last_error() { return {errno, boost::system::system_category()}; }

// The address that the system would send from to get there; nothing is sent.
boost::system::error_code source_towards(const ip_endpoint& remote, ip_address& out) {
    const int fd = ::socket(remote.address.is_v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return last_error();
    sockaddr_storage name{};
    auto size = to_sockaddr(remote, name);
    boost::system::error_code error;
    if (::connect(fd, reinterpret_cast<sockaddr*>(&name), size) != 0) {
        error = last_error();
    } else {
        size = sizeof name;
        ::getsockname(fd, reinterpret_cast<sockaddr*>(&name), &size);
        out = from_sockaddr(name).address;
    }
    ::close(fd);
    return error;
}

}  // namespace

struct udp_encapsulation::shared {
    carrier_hooks hooks;
    std::vector<std::shared_ptr<port>> ready;  // to be read
    bool started = false;
    bool closed = false;
};

udp_encapsulation::udp_encapsulation(boost::asio::any_io_executor executor, udp_encapsulation_options options)
    : executor_(std::move(executor)), options_(options), shared_(std::make_shared<shared>()), buffer_(65536) {
    options_.mtu = std::max<std::uint16_t>(options_.mtu, tcp::min_mtu_v4 + udp_header_size);
    options_.udp.report_errors = true;
}

udp_encapsulation::~udp_encapsulation() { udp_encapsulation::close(); }

void udp_encapsulation::start(carrier_hooks hooks) {
    shared_->hooks = std::move(hooks);
    shared_->started = true;
    for (auto& [local, p] : ports_) wait_readable(p);
}

void udp_encapsulation::close() {
    shared_->closed = true;
    for (auto& [local, p] : ports_) {
        p->closed = true;
        p->socket.close();
    }
    ports_.clear();
}

boost::system::error_code udp_encapsulation::open(const ip_endpoint& local, ip_endpoint& bound) {
    auto p = std::make_shared<port>(executor_);
    if (auto error = p->socket.open(local, options_.udp)) return error;
    bound = p->socket.local_endpoint();
    ports_[bound] = p;
    if (shared_->started) wait_readable(p);
    return {};
}

boost::system::error_code udp_encapsulation::open_local(const ip_endpoint& remote, ip_endpoint& local) {
    if (local.address == ip_address{{}, remote.address.is_v6}) {
        if (auto error = source_towards(remote, local.address)) return error;
    }
    return open(local, local);
}

boost::system::error_code udp_encapsulation::open_listener(ip_endpoint& local) { return open(local, local); }

void udp_encapsulation::close_local(const ip_endpoint& local) {
    const auto it = ports_.find(local);
    if (it == ports_.end()) return;
    it->second->closed = true;
    it->second->socket.close();
    ports_.erase(it);
}

void udp_encapsulation::wait_readable(const std::shared_ptr<port>& p) {
    p->socket.native().async_wait(boost::asio::socket_base::wait_read,
                                  [this, p, s = shared_](const boost::system::error_code& error) {
                                      if (error || p->closed || s->closed) return;
                                      s->ready.push_back(p);
                                      s->hooks.readable();
                                      if (!s->closed && !p->closed) wait_readable(p);
                                  });
}

void udp_encapsulation::wait_writable(const std::shared_ptr<port>& p) {
    if (std::exchange(p->waiting_writable, true)) return;
    p->socket.native().async_wait(boost::asio::socket_base::wait_write, [p, s = shared_](const boost::system::error_code& error) {
        p->waiting_writable = false;
        if (!error && !s->closed) s->hooks.writable();
    });
}

std::size_t udp_encapsulation::receive(tcp::endpoint& to, time_point now) {
    const auto before = statistics_.packets_received;
    for (const auto& p : std::exchange(shared_->ready, {})) {
        if (!p->closed) receive(*p, to, now);
    }
    return statistics_.packets_received - before;
}

void udp_encapsulation::receive(port& p, tcp::endpoint& to, time_point now) {
    for (int i = 0; i < max_batches; ++i) {
        ++statistics_.receives;
        const auto messages = p.socket.receive([&](received_datagram& d) {
            ++statistics_.packets_received;
            statistics_.bytes_received += d.payload.size();
            const auto segment = tcp::parse_segment(d.payload);
            if (!segment) return;
            tcp::packet in;
            in.source = d.path.remote.address;
            in.destination = d.path.local.address;
            in.mark = d.mark;
            in.tcp = *segment;
            in.tcp.source_port = d.path.remote.port;
            in.tcp.destination_port = d.path.local.port;
            to.receive(in, now);
        });
        if (messages == 0) break;
    }
    report_errors(p);
}

void udp_encapsulation::report_errors(port& p) {
    while (auto error = p.socket.poll_error()) {
        const auto kind = error->code == boost::asio::error::connection_refused ? tcp::icmp_error::kind::refused
                                                                                : tcp::icmp_error::kind::unreachable;
        if (shared_->hooks.error) shared_->hooks.error({p.socket.local_endpoint(), error->remote}, kind, 0);
    }
}

// A listener may be bound to every address.
udp_encapsulation::port* udp_encapsulation::find(const ip_endpoint& local) {
    for (const auto& candidate : {local, ip_endpoint{{{}, local.address.is_v6}, local.port}}) {
        if (const auto it = ports_.find(candidate); it != ports_.end()) return it->second.get();
    }
    return nullptr;
}

// The segments of the train without their IP headers, in a train for the socket. What is not TCP (ICMP) stays here: the system's
// own ICMP is the one that means something to others.
void udp_encapsulation::encapsulate(const train& t) {
    outgoing_ = train{};
    outgoing_.buffer = buffer_;
    outgoing_.path = t.path;
    outgoing_.mark = t.mark;
    outgoing_progress_ = 0;
    const bool v6 = t.path.remote.address.is_v6;
    const auto header = tcp::ip_header_size(v6);
    if (t.size < header || t.buffer[v6 ? 6 : 9] != tcp::protocol::tcp) return;
    outgoing_.segment_size = t.segment_size - header;
    for (std::size_t i = 0; i < t.count(); ++i) {
        const auto segment = t.datagram(i).subspan(header);
        auto* out = buffer_.data() + outgoing_.size;
        std::memcpy(out, segment.data(), segment.size());
        out[checksum_at] = out[checksum_at + 1] = 0;
        outgoing_.size += segment.size();
    }
}

packet_carrier::send_result udp_encapsulation::send(const train& t, std::size_t& progress) {
    auto* p = find(t.path.local);
    if (p == nullptr || shared_->closed) {
        progress = t.size;
        return send_result::done;
    }
    if (progress == 0) encapsulate(t);
    const auto before = p->socket.statistics();
    const auto result = p->socket.send(outgoing_, outgoing_progress_);
    const auto& after = p->socket.statistics();
    statistics_.sends += after.sends - before.sends;
    statistics_.packets_sent += after.datagrams_sent - before.datagrams_sent;
    statistics_.bytes_sent += after.bytes_sent - before.bytes_sent;
    statistics_.send_errors += after.send_errors - before.send_errors;
    if (after.too_large > before.too_large && shared_->hooks.error) {
        shared_->hooks.error(t.path, tcp::icmp_error::kind::packet_too_big, fallback_mtu - udp_header_size);
    }
    if (result == udp_socket::send_result::would_block) {
        progress = std::max<std::size_t>(outgoing_progress_, 1);  // begun: not to be encapsulated again
        for (auto& [local, held] : ports_) {
            if (held.get() == p) wait_writable(held);
        }
        return send_result::would_block;
    }
    progress = t.size;
    report_errors(*p);
    return send_result::done;
}

}  // namespace tandem::net
