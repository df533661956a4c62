#include <tandem/net/detail/tun_setup.hpp>

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>

#include <tandem/net/address.hpp>

namespace tandem::net {

namespace {

// <linux/ipv6.h>'s, which cannot be included beside <netinet/in.h>.
struct in6_ifreq {
    in6_addr address;
    std::uint32_t prefix;
    int index;
};

class descriptor {
public:
    explicit descriptor(int fd) : fd_(fd) {}
    ~descriptor() {
        if (fd_ >= 0) ::close(fd_);
    }
    descriptor(const descriptor&) = delete;
    descriptor& operator=(const descriptor&) = delete;
    int get() const { return fd_; }

private:
    int fd_;
};

bool fail(tun_error& why, std::string what) {
    why.code = {errno, boost::system::system_category()};
    why.what = std::move(what);
    if (errno == EPERM || errno == EACCES) why.what += " (needs root or CAP_NET_ADMIN)";
    return false;
}

ifreq request_for(const std::string& name) {
    ifreq out{};
    std::copy_n(name.begin(), std::min<std::size_t>(name.size(), IFNAMSIZ - 1), out.ifr_name);
    return out;
}

bool set_v4(int fd, const std::string& name, const tun_options::address& a) {
    auto request = request_for(name);
    auto* in = reinterpret_cast<sockaddr_in*>(&request.ifr_addr);
    in->sin_family = AF_INET;
    std::memcpy(&in->sin_addr, detail::kernel_address(a).bytes.data(), 4);
    if (::ioctl(fd, SIOCSIFADDR, &request) != 0) return false;
    in->sin_addr.s_addr = htonl(a.prefix == 0 ? 0 : ~std::uint32_t{0} << (32 - a.prefix));
    return ::ioctl(fd, SIOCSIFNETMASK, &request) == 0;
}

bool set_v6(const std::string& name, const tun_options::address& a) {
    const descriptor fd(::socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    in6_ifreq request{};
    std::memcpy(&request.address, detail::kernel_address(a).bytes.data(), 16);
    request.prefix = a.prefix;
    request.index = static_cast<int>(::if_nametoindex(name.c_str()));
    return fd.get() >= 0 && (::ioctl(fd.get(), SIOCSIFADDR, &request) == 0 || errno == EEXIST);
}

}  // namespace

namespace detail {

int attach_tun(std::string& name, bool& made, tun_error& why) {
    if (name.empty() || name.size() >= IFNAMSIZ) {
        errno = EINVAL;
        return fail(why, "\"" + name + "\" is no name for a network device"), -1;
    }
    made = ::if_nametoindex(name.c_str()) == 0;
    const int fd = ::open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) return fail(why, "cannot open /dev/net/tun"), -1;
    auto request = request_for(name);
    request.ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR;
    if (::ioctl(fd, TUNSETIFF, &request) != 0) {
        fail(why, made ? "cannot make the TUN device " + name : "cannot use the TUN device " + name);
        ::close(fd);
        return -1;
    }
    name = request.ifr_name;
    return fd;
}

ip_address kernel_address(const tun_options::address& a) {
    if (a.kernel) return *a.kernel;
    auto out = a.ours;
    for (std::size_t bit = a.prefix; bit < a.ours.size() * 8; ++bit) {
        out.bytes[bit / 8] &= static_cast<std::uint8_t>(~(0x80u >> bit % 8));
    }
    auto& last = out.bytes[a.ours.size() - 1];
    last |= 1;
    if (out == a.ours) last ^= 3;  // the second
    return out;
}

bool set_up_tun(const std::string& name, const tun_options& options, tun_error& why) {
    const descriptor fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (fd.get() < 0) return fail(why, "cannot set up " + name);
    auto request = request_for(name);
    request.ifr_mtu = options.mtu;
    if (::ioctl(fd.get(), SIOCSIFMTU, &request) != 0)
        return fail(why, "cannot set the MTU of " + name + " to " + std::to_string(options.mtu));
    request = request_for(name);
    request.ifr_qlen = 1000;  // packets, each up to 64 KiB; the default of 500 is as good, where this is refused
    ::ioctl(fd.get(), SIOCSIFTXQLEN, &request);
    request = request_for(name);
    if (::ioctl(fd.get(), SIOCGIFFLAGS, &request) == 0) {
        request.ifr_flags |= IFF_UP | IFF_RUNNING;
        if (::ioctl(fd.get(), SIOCSIFFLAGS, &request) != 0) return fail(why, "cannot bring " + name + " up");
    }
    for (const auto& a : options.addresses) {
        const bool done = a.ours.is_v6 ? set_v6(name, a) : set_v4(fd.get(), name, a);
        if (!done) return fail(why, "cannot give " + name + " the address " + kernel_address(a).to_string());
    }
    return true;
}

}  // namespace detail

std::optional<tun_options::address> parse_tun_address(std::string_view text) {
    tun_options::address out;
    if (const auto comma = text.find(','); comma != std::string_view::npos) {
        out.kernel = ip_address::parse(text.substr(comma + 1));
        if (!out.kernel) return std::nullopt;
        text = text.substr(0, comma);
    }
    const auto slash = text.find('/');
    const auto ours = ip_address::parse(text.substr(0, slash));
    if (!ours || (out.kernel && (out.kernel->is_v6 != ours->is_v6 || *out.kernel == *ours))) return std::nullopt;
    out.ours = *ours;
    const unsigned bits = ours->is_v6 ? 128 : 32;
    out.prefix = ours->is_v6 ? 64 : 24;
    if (slash != std::string_view::npos) {
        const auto digits = text.substr(slash + 1);
        const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), out.prefix);
        if (error != std::errc() || end != digits.data() + digits.size() || digits.empty()) return std::nullopt;
    }
    if (out.prefix == 0 || out.prefix > bits - 2) return std::nullopt;  // both ends need an address
    return out;
}

}  // namespace tandem::net
