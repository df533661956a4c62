#include <tandem/net/tun_device.hpp>

#include <fcntl.h>
#include <linux/if_tun.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include <boost/asio/error.hpp>

#include <tandem/net/detail/super_segment.hpp>
#include <tandem/net/detail/tun_setup.hpp>

namespace tandem::net {

namespace {

constexpr std::size_t max_reads = 64;  // of one batch, so that sending gets its turn

#ifndef TUN_F_USO4  // Linux 6.2
constexpr unsigned TUN_F_USO4 = 0x20, TUN_F_USO6 = 0x40;
#endif

}  // namespace

// The descriptor, and who wants to know of it. Held by the handlers that wait.
struct tun_device::waiter : std::enable_shared_from_this<waiter> {
    waiter(const boost::asio::any_io_executor& executor, int fd) : descriptor(executor, fd) {}

    void wait_readable() {
        descriptor.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                              [self = shared_from_this()](const boost::system::error_code& error) {
                                  if (error || self->closed) return;
                                  self->hooks.readable();
                                  if (!self->closed) self->wait_readable();
                              });
    }
    void wait_writable() {
        if (std::exchange(waiting_writable, true)) return;
        descriptor.async_wait(boost::asio::posix::stream_descriptor::wait_write,
                              [self = shared_from_this()](const boost::system::error_code& error) {
                                  self->waiting_writable = false;
                                  if (!error && !self->closed) self->hooks.writable();
                              });
    }

    boost::asio::posix::stream_descriptor descriptor;
    carrier_hooks hooks;
    bool waiting_writable = false;
    bool closed = false;
};

std::unique_ptr<tun_device> tun_device::open(const boost::asio::any_io_executor& executor, const tun_options& options,
                                             tun_error& why) {
    const auto invalid = [&why](std::string text) {
        why = {boost::asio::error::invalid_argument, std::move(text)};
        return nullptr;
    };
    bool families[2] = {};
    for (const auto& a : options.addresses) {
        if (std::exchange(families[a.ours.is_v6], true)) return invalid("a TUN device takes one address of a family");
        if (options.mtu < (a.ours.is_v6 ? tcp::min_mtu_v6 : tcp::min_mtu_v4)) {
            return invalid("an MTU of " + std::to_string(options.mtu) + " is too small");
        }
    }
    if (options.addresses.empty()) return invalid("a TUN device needs the address of our end");
    auto name = options.name;
    bool made = false;
    const int fd = detail::attach_tun(name, made, why);
    if (fd < 0) return nullptr;
    auto out = std::unique_ptr<tun_device>(new tun_device(executor, fd, name, options));
    if (made && !detail::set_up_tun(name, options, why)) return nullptr;
    return out;
}

tun_device::tun_device(const boost::asio::any_io_executor& executor, int fd, std::string name, const tun_options& options)
    : name_(std::move(name)),
      mtu_(options.mtu),
      lose_(options.lose),
      waiter_(std::make_shared<waiter>(executor, fd)),
      buffer_(detail::virtio_header_size + detail::max_super_segment + 64) {
    for (const auto& a : options.addresses) addresses_.push_back(a.ours);
    negotiate_offloads(fd, options.offloads);
}

tun_device::~tun_device() { tun_device::close(); }

// From the most to nothing: kernels know USO from 6.2 on, and only both families together.
void tun_device::negotiate_offloads(int fd, bool wanted) {
    int header = detail::virtio_header_size;
    ::ioctl(fd, TUNSETVNETHDRSZ, &header);
    constexpr unsigned checksum = TUN_F_CSUM, segmentation = TUN_F_TSO4 | TUN_F_TSO6, ecn = TUN_F_TSO_ECN,
                       udp = TUN_F_USO4 | TUN_F_USO6;
    for (const unsigned flags :
         {checksum | segmentation | ecn | udp, checksum | segmentation | ecn, checksum | segmentation, checksum}) {
        if (!wanted || ::ioctl(fd, TUNSETOFFLOAD, static_cast<unsigned long>(flags)) != 0) continue;
        offloads_ = {true, (flags & segmentation) != 0, (flags & udp) != 0};
        return;
    }
    ::ioctl(fd, TUNSETOFFLOAD, 0ul);
}

void tun_device::start(carrier_hooks hooks) {
    waiter_->hooks = std::move(hooks);
    waiter_->wait_readable();
}

void tun_device::close() {
    if (std::exchange(waiter_->closed, true)) return;
    boost::system::error_code ignored;
    waiter_->descriptor.close(ignored);
}

std::size_t tun_device::receive(tcp::endpoint& to, time_point now) {
    if (waiter_->closed) return 0;
    std::size_t count = 0;
    while (count < max_reads) {
        ++statistics_.receives;
        const auto n = ::read(waiter_->descriptor.native_handle(), buffer_.data(), buffer_.size());
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && errno == EBADFD) {  // somebody has deleted the device: it would be readable for ever
            close();
            break;
        }
        if (n <= static_cast<ssize_t>(detail::virtio_header_size)) break;  // EAGAIN, or EIO from a device that is down
        const auto how = detail::read_virtio_header(buffer_);
        received_datagram in;
        in.payload =
            std::span(buffer_).subspan(detail::virtio_header_size, static_cast<std::size_t>(n) - detail::virtio_header_size);
        ++count;
        ++statistics_.packets_received;
        statistics_.bytes_received += in.payload.size();
        if (lose_ && lose_(false)) continue;
        to.receive(in, now, {how.checksum_pending, how.gso_size});
    }
    return count;
}

packet_carrier::send_result tun_device::send(const train& t, std::size_t& progress) {
    if (waiter_->closed || t.segment_size == 0) {
        progress = t.size;
        return send_result::done;
    }
    detail::super_segment out;
    while (progress < t.size) {
        const auto covered = out.gather(t, progress, offloads_.segmentation && !lose_, offloads_.checksum);
        if (lose_ && lose_(true)) {
            progress += covered;
            continue;
        }
        ssize_t n;
        do {
            ++statistics_.sends;
            n = ::writev(waiter_->descriptor.native_handle(), out.pieces().data(), static_cast<int>(out.pieces().size()));
        } while (n < 0 && errno == EINTR);
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            waiter_->wait_writable();
            return send_result::would_block;
        }
        if (n < 0) {
            statistics_.send_errors += out.packets();  // ENOBUFS, EIO while the device is down: lost, as on any network
        } else {
            statistics_.packets_sent += out.packets();
            statistics_.bytes_sent += covered;
        }
        progress += covered;
    }
    return send_result::done;
}

boost::system::error_code tun_device::open_local(const ip_endpoint& remote, ip_endpoint& local) {
    for (const auto& a : addresses_) {
        if (a.is_v6 != remote.address.is_v6) continue;
        const ip_address any{{}, a.is_v6};
        if (local.address != any && local.address != a) return {EADDRNOTAVAIL, boost::system::system_category()};
        local.address = a;
        return {};
    }
    return boost::asio::error::network_unreachable;
}

boost::system::error_code tun_device::open_listener(ip_endpoint& local) {
    const ip_address any{{}, local.address.is_v6};
    for (const auto& a : addresses_) {
        if (a.is_v6 == local.address.is_v6 && (local.address == any || local.address == a)) return {};
    }
    return {EADDRNOTAVAIL, boost::system::system_category()};
}

}  // namespace tandem::net
