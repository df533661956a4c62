// Socket options: those that change what the stack does, those that tell about it, and those that only have to be remembered.
#include <netinet/in.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "stack.hpp"

#include <linux/tcp.h>

namespace tandem::packetdrill {
namespace {

using phase = stack_socket::phase;
using std::chrono::seconds;

constexpr int least_mss = 88;  // as Linux has it
constexpr int largest_mss = 32767;
constexpr int least_receive_buffer = 2304;
constexpr int least_send_buffer = 4608;

void put(std::vector<std::uint8_t>& out, const void* value, std::size_t size) {
    out.resize(size);
    std::memcpy(out.data(), value, size);
}

void put_int(std::vector<std::uint8_t>& out, std::int64_t value) {
    const int narrow = static_cast<int>(value);
    put(out, &narrow, sizeof narrow);
}

int remembered(const stack_socket& s, int level, int name, int fallback = 0) {
    const auto it = s.options.find({level, name});
    return it == s.options.end() ? fallback : it->second;
}

bool is_flag(int name) {
    switch (name) {
        case SO_REUSEADDR:
        case SO_REUSEPORT:
        case SO_KEEPALIVE:
        case SO_OOBINLINE:
        case SO_DONTROUTE:
        case SO_BROADCAST:
        case SO_TIMESTAMP:
        case SO_TIMESTAMPNS:
        case SO_ZEROCOPY:
        case SO_NO_CHECK:
            return true;
        default:
            return false;
    }
}

}  // namespace

int stack::get_socket_option(stack_socket& s, int name, std::vector<std::uint8_t>& out) {
    if (is_flag(name)) {
        put_int(out, remembered(s, SOL_SOCKET, name));
        return 0;
    }
    switch (name) {
        case SO_ERROR:
            put_int(out, std::exchange(s.error, 0));
            return 0;
        case SO_TYPE:
            put_int(out, SOCK_STREAM);
            return 0;
        case SO_PROTOCOL:
            put_int(out, IPPROTO_TCP);
            return 0;
        case SO_DOMAIN:
            put_int(out, s.v6 ? AF_INET6 : AF_INET);
            return 0;
        case SO_ACCEPTCONN:
            put_int(out, s.now == phase::listening ? 1 : 0);
            return 0;
        case SO_LINGER:
            put(out, &s.lingering, sizeof s.lingering);
            return 0;
        case SO_SNDBUF:
            put_int(out, static_cast<std::int64_t>(s.send_buffer));
            return 0;
        case SO_RCVBUF:
            put_int(out, static_cast<std::int64_t>(s.config.receive_window * 2));
            return 0;
        case SO_RCVLOWAT:
            put_int(out, s.read_low_water);
            return 0;
        case SO_MEMINFO: {
            const std::uint32_t none[9] = {};
            put(out, none, sizeof none);
            return 0;
        }
        case SO_PRIORITY:
        case SO_MARK:
        case SO_INCOMING_CPU:
        case SO_MAX_PACING_RATE:
        case SO_BUSY_POLL:
        case SO_TIMESTAMPING:
            put_int(out, remembered(s, SOL_SOCKET, name, name == SO_MAX_PACING_RATE ? -1 : 0));
            return 0;
        default:
            return -ENOPROTOOPT;
    }
}

int stack::get_tcp_option(stack_socket& s, int name, std::vector<std::uint8_t>& out) {
    const auto* c = host_.connection(s);
    const auto keepalive = s.config.keepalive.value_or(tcp::keepalive_config{});
    switch (name) {
        case TCP_INFO:
            out = tcp_information(s);
            return 0;
        case TCP_CC_INFO:
            out.clear();
            return 0;
        case TCP_NODELAY:
            put_int(out, s.config.nagle ? 0 : 1);
            return 0;
        case TCP_CORK:
            put_int(out, s.corked ? 1 : 0);
            return 0;
        case TCP_MAXSEG:
            put_int(out, c && s.now == phase::connected ? c->send_mss() : s.config.mss_limit != 0 ? s.config.mss_limit : 536);
            return 0;
        case TCP_KEEPIDLE:
            put_int(out, remembered(s, IPPROTO_TCP, name, static_cast<int>(keepalive.idle / seconds(1))));
            return 0;
        case TCP_KEEPINTVL:
            put_int(out, remembered(s, IPPROTO_TCP, name, static_cast<int>(keepalive.interval / seconds(1))));
            return 0;
        case TCP_KEEPCNT:
            put_int(out, remembered(s, IPPROTO_TCP, name, static_cast<int>(keepalive.probes)));
            return 0;
        case TCP_SYNCNT:
            put_int(out, remembered(s, IPPROTO_TCP, name, static_cast<int>(host_.defaults().number("tcp_syn_retries", 6))));
            return 0;
        case TCP_LINGER2:
            put_int(out, s.config.fin_wait_2_timeout / seconds(1));
            return 0;
        case TCP_QUICKACK:
            put_int(out, remembered(s, IPPROTO_TCP, name, s.config.quick_acks > 0 ? 1 : 0));
            return 0;
        case TCP_USER_TIMEOUT:
        case TCP_DEFER_ACCEPT:
        case TCP_WINDOW_CLAMP:
        case TCP_REPAIR:
        case TCP_FASTOPEN:
        case TCP_FASTOPEN_CONNECT:
        case TCP_SAVE_SYN:
        case TCP_INQ:
        case TCP_THIN_LINEAR_TIMEOUTS:
            put_int(out, remembered(s, IPPROTO_TCP, name));
            return 0;
        case TCP_NOTSENT_LOWAT:
            put_int(out, static_cast<std::int64_t>(s.unsent_low_water));
            return 0;
        case TCP_TIMESTAMP: {
            const auto ms = host_.now().time_since_epoch() / std::chrono::milliseconds(1);
            put_int(out, ms);
            return 0;
        }
        case TCP_CONGESTION: {
            char text[16] = {};
            const bool reno = s.config.controller.kind == recovery::controller_kind::new_reno;
            std::strcpy(text, reno ? "reno" : "cubic");
            put(out, text, sizeof text);
            return 0;
        }
        default:
            return -ENOPROTOOPT;
    }
}

int stack::get_option(int fd, int level, int name, void* value, socklen_t* size) {
    const auto l = host_.lock();
    const auto s = find(fd);
    if (!s) return -EBADF;
    if (!size) return -EFAULT;
    std::vector<std::uint8_t> out;
    int result = 0;
    if (level == SOL_SOCKET) {
        result = get_socket_option(*s, name, out);
    } else if (level == IPPROTO_TCP) {
        result = get_tcp_option(*s, name, out);
    } else if (level == IPPROTO_IP || level == IPPROTO_IPV6) {
        put_int(out, remembered(*s, level, name));
    } else {
        result = -EOPNOTSUPP;
    }
    if (result < 0) return result;
    *size = static_cast<socklen_t>(std::min<std::size_t>(*size, out.size()));
    if (*size > 0) std::memcpy(value, out.data(), *size);
    return 0;
}

int stack::set_socket_option(stack_socket& s, int name, int value, const void* raw, socklen_t size) {
    switch (name) {
        case SO_LINGER:
            if (size < sizeof s.lingering) return -EINVAL;
            std::memcpy(&s.lingering, raw, sizeof s.lingering);
            return 0;
        case SO_SNDBUF:
        case SO_SNDBUFFORCE:
            s.send_buffer = static_cast<std::size_t>(std::max(2 * value, least_send_buffer));
            s.options[{SOL_SOCKET, SO_SNDBUF}] = value;
            return 0;
        case SO_RCVBUF:
        case SO_RCVBUFFORCE:
            s.config.receive_window = s.config.max_receive_window =
                static_cast<std::size_t>(std::max(2 * value, least_receive_buffer)) / 2;
            return 0;
        case SO_RCVLOWAT:
            s.read_low_water = value < 0 ? 0x7fffffff : std::max(value, 1);
            return 0;
        case SO_ERROR:
        case SO_TYPE:
        case SO_PROTOCOL:
        case SO_DOMAIN:
        case SO_ACCEPTCONN:
            return -ENOPROTOOPT;
        default:
            s.options[{SOL_SOCKET, name}] = is_flag(name) ? value != 0 : value;
            if (is_flag(name) && value == 0) s.options.erase({SOL_SOCKET, name});
            if (name == SO_KEEPALIVE) apply(s, name);
            return 0;
    }
}

// Brings options that make one thing together to the connection.
void stack::apply(stack_socket& s, int name) {
    auto* c = host_.connection(s);
    if (name == SO_KEEPALIVE) {
        tcp::keepalive_config k;
        k.idle = seconds(remembered(s, IPPROTO_TCP, TCP_KEEPIDLE, static_cast<int>(k.idle / seconds(1))));
        k.interval = seconds(remembered(s, IPPROTO_TCP, TCP_KEEPINTVL, static_cast<int>(k.interval / seconds(1))));
        k.probes = static_cast<unsigned>(remembered(s, IPPROTO_TCP, TCP_KEEPCNT, static_cast<int>(k.probes)));
        const bool on = remembered(s, SOL_SOCKET, SO_KEEPALIVE) != 0;
        s.config.keepalive = on ? std::optional(k) : std::nullopt;
        if (c) c->set_keepalive(s.config.keepalive);
    }
}

int stack::set_tcp_option(stack_socket& s, int name, int value, const void* raw, socklen_t size) {
    auto* c = host_.connection(s);
    switch (name) {
        case TCP_NODELAY:
            s.config.nagle = value == 0;
            if (c) c->set_nagle(s.config.nagle);
            return 0;
        case TCP_CORK:
            s.corked = value != 0;
            if (c) c->set_cork(s.corked);
            return 0;
        case TCP_MAXSEG:
            if (value != 0 && (value < least_mss || value > largest_mss)) return -EINVAL;
            s.config.mss_limit = static_cast<std::uint16_t>(value);
            return 0;
        case TCP_KEEPIDLE:
        case TCP_KEEPINTVL:
            if (value < 1 || value > 32767) return -EINVAL;
            break;
        case TCP_KEEPCNT:
            if (value < 1 || value > 127) return -EINVAL;
            break;
        case TCP_SYNCNT:
            if (value < 1 || value > 127) return -EINVAL;
            s.config.handshake_timeout = seconds((2ll << std::min(value, 20)) - 1);
            break;
        case TCP_LINGER2:
            s.config.fin_wait_2_timeout = seconds(std::max(value, 0));
            return 0;
        case TCP_QUICKACK:
            if (c) c->set_quick_ack(value != 0 ? 16 : 0);
            s.config.quick_acks = value != 0 ? 16 : 0;
            break;
        case TCP_USER_TIMEOUT:
            if (value < 0) return -EINVAL;
            if (value > 0) s.config.user_timeout = std::chrono::milliseconds(value);
            if (c && value > 0) c->set_user_timeout(s.config.user_timeout);
            break;
        case TCP_NOTSENT_LOWAT:
            s.unsent_low_water = static_cast<std::uint32_t>(value);
            return 0;
        case TCP_CONGESTION: {
            const std::string_view text(static_cast<const char*>(raw), strnlen(static_cast<const char*>(raw), size));
            if (text == "reno") {
                s.config.controller.kind = recovery::controller_kind::new_reno;
            } else if (text == "cubic") {
                s.config.controller.kind = recovery::controller_kind::cubic;
            } else {
                return -ENOENT;
            }
            return 0;
        }
        case TCP_INFO:
        case TCP_CC_INFO:
            return -ENOPROTOOPT;
        default:
            break;
    }
    s.options[{IPPROTO_TCP, name}] = value;
    if (name == TCP_KEEPIDLE || name == TCP_KEEPINTVL || name == TCP_KEEPCNT) apply(s, SO_KEEPALIVE);
    return 0;
}

int stack::set_option(int fd, int level, int name, const void* value, socklen_t size) {
    const auto l = host_.lock();
    const auto s = find(fd);
    if (!s) return -EBADF;
    if (!value) return -EFAULT;
    int number = 0;
    std::memcpy(&number, value, std::min<std::size_t>(size, sizeof number));
    int result = 0;
    if (level == SOL_SOCKET) {
        result = set_socket_option(*s, name, number, value, size);
    } else if (level == IPPROTO_TCP) {
        if (size < sizeof(int) && name != TCP_CONGESTION) return -EINVAL;
        result = set_tcp_option(*s, name, number, value, size);
    } else if (level == IPPROTO_IP || level == IPPROTO_IPV6) {
        s->options[{level, name}] = number;
        if (level == IPPROTO_IPV6 && name == IPV6_V6ONLY) s->v6_only = number != 0;
        if (level == IPPROTO_IP && name == IP_TTL) s->config.hop_limit = static_cast<std::uint8_t>(number);
        if ((level == IPPROTO_IP && name == IP_TOS) || (level == IPPROTO_IPV6 && name == IPV6_TCLASS)) {
            s->config.dscp = static_cast<std::uint8_t>((number & 0xff) >> 2);
        }
    } else {
        result = -ENOPROTOOPT;
    }
    if (s->now == phase::listening && result == 0) {  // those to come inherit it
        host_.remove_listener(*s);
        host_.add_listener(s);
    }
    host_.run();
    return result;
}

}  // namespace tandem::packetdrill
