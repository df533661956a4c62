// Bytes in and out.
#include <fcntl.h>
#include <netinet/in.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "stack.hpp"

#include <linux/tcp.h>

namespace tandem::packetdrill {
namespace {

using phase = stack_socket::phase;

std::size_t size_of(const msghdr& m) {
    std::size_t out = 0;
    for (std::size_t i = 0; i < m.msg_iovlen; ++i) out += m.msg_iov[i].iov_len;
    return out;
}

// Copies between a buffer and the pieces of a message, from `at` on.
template <class Copy>
void for_each_piece(const msghdr& m, std::size_t at, std::size_t n, Copy copy) {
    std::size_t done = 0;
    for (std::size_t i = 0; i < m.msg_iovlen && done < n; ++i) {
        auto* base = static_cast<std::uint8_t*>(m.msg_iov[i].iov_base);
        auto length = m.msg_iov[i].iov_len;
        if (at >= length) {
            at -= length;
            continue;
        }
        length = std::min(length - at, n - done);
        copy(base + at, done, length);
        done += length;
        at = 0;
    }
}

}  // namespace

std::size_t stack::take(stack_socket& s, msghdr& message, std::size_t already, int flags) {
    auto* c = host_.connection(s);
    const auto room = size_of(message) - already;
    if (!c || c->readable() == 0 || room == 0) return 0;
    std::vector<std::uint8_t> bytes(std::min(room, c->readable()));
    if ((flags & MSG_PEEK) != 0) {
        c->peek(bytes);
    } else {
        c->read(bytes, host_.now());
        host_.run();
    }
    if ((flags & MSG_TRUNC) == 0) {
        for_each_piece(message, already, bytes.size(),
                       [&](std::uint8_t* to, std::size_t from, std::size_t n) { std::memcpy(to, bytes.data() + from, n); });
    }
    return bytes.size();
}

void stack::describe(stack_socket& s, msghdr& message) {
    message.msg_flags = 0;
    const auto room = message.msg_controllen;
    message.msg_controllen = 0;
    const bool wanted = s.options.contains({IPPROTO_TCP, TCP_INQ}) && s.options[{IPPROTO_TCP, TCP_INQ}] != 0;
    if (!wanted || !message.msg_control || room < CMSG_SPACE(sizeof(int))) return;
    message.msg_controllen = room;
    auto* head = CMSG_FIRSTHDR(&message);
    head->cmsg_level = IPPROTO_TCP;
    head->cmsg_type = TCP_CM_INQ;
    head->cmsg_len = CMSG_LEN(sizeof(int));
    const auto* c = host_.connection(s);
    const int left = c ? static_cast<int>(c->readable()) : 0;
    std::memcpy(CMSG_DATA(head), &left, sizeof left);
    message.msg_controllen = CMSG_SPACE(sizeof(int));
}

ssize_t stack::receive(int fd, msghdr& message, int flags) {
    auto l = host_.lock();
    const auto s = find(fd);
    if (!s) return -EBADF;
    if ((flags & MSG_ERRQUEUE) != 0) return -EAGAIN;  // nothing is ever put there
    if ((flags & MSG_OOB) != 0) return -EINVAL;       // urgent data stay in line (RFC 6093)
    if (s->now == phase::fresh || s->now == phase::listening) return -ENOTCONN;
    const bool waits = !s->nonblocking && (flags & MSG_DONTWAIT) == 0;
    const auto wanted = size_of(message);
    const auto least =
        (flags & MSG_WAITALL) != 0 ? wanted : std::min<std::size_t>(wanted, static_cast<std::size_t>(s->read_low_water));
    std::size_t got = 0;
    const auto ready = [&] {
        auto* c = host_.connection(*s);
        return (c && c->readable() > 0) || s->error != 0 || s->peer_closed || s->read_shut;
    };
    while (true) {
        got += take(*s, message, got, flags);
        if (got >= std::max<std::size_t>(least, 1) || (got > 0 && ((flags & MSG_PEEK) != 0 || wanted == got))) break;
        if (wanted == 0 && s->error == 0) break;
        if (s->error != 0) {
            if (got > 0) break;
            return -std::exchange(s->error, 0);
        }
        if (s->peer_closed || s->read_shut) break;
        if (!waits || !host_.wait(l, ready)) {
            if (got > 0) break;
            return -EAGAIN;
        }
    }
    if (message.msg_name) to_sockaddr(s->remote, s->v6, static_cast<sockaddr*>(message.msg_name), &message.msg_namelen);
    describe(*s, message);
    return static_cast<ssize_t>(got);
}

// What SO_SNDBUF leaves: bytes under way count, too.
std::size_t stack::send_room(const stack_socket& s) {
    const auto* c = host_.connection(s);
    if (!c) return 0;
    const auto used = c->unacknowledged();
    // Unless the application chose it the buffer grows with the congestion window.
    const bool chosen = s.options.contains({SOL_SOCKET, SO_SNDBUF});
    const auto window = 2 * c->congestion(host_.now()).congestion_window;
    const auto buffer = chosen ? s.send_buffer : std::max<std::uint64_t>(s.send_buffer, window);
    const auto room = buffer > used ? static_cast<std::size_t>(buffer - used) : 0;
    return std::min(room, c->send_room());
}

ssize_t stack::send(int fd, const msghdr& message, int flags) {
    auto l = host_.lock();
    const auto s = find(fd);
    if (!s) return -EBADF;
    if ((flags & MSG_OOB) != 0) return -EOPNOTSUPP;
    if ((flags & MSG_FASTOPEN) != 0) return -EOPNOTSUPP;
    const bool waits = !s->nonblocking && (flags & MSG_DONTWAIT) == 0;
    const auto dead = [&] {
        return s->error != 0 || s->write_shut || (s->now != phase::connected && s->now != phase::connecting);
    };
    const auto wanted = size_of(message);
    std::size_t done = 0;
    while (true) {
        if (dead()) {
            if (done > 0) break;
            if (s->error != 0) return -std::exchange(s->error, 0);
            return -EPIPE;
        }
        auto* c = host_.connection(*s);
        const bool young = s->now == phase::connecting;
        auto room = young ? 0 : send_room(*s);
        // A write that finds room for nothing is refused; one that finds some of it takes as much as fits.
        const auto n = std::min(room, wanted - done);
        if (c && n > 0) {
            if ((flags & MSG_MORE) != 0) c->set_cork(true);
            for_each_piece(message, done, n, [&](std::uint8_t* from, std::size_t, std::size_t length) {
                c->write({from, length});
            });
            done += n;
            if ((flags & MSG_MORE) == 0) c->set_cork(s->corked);
            host_.run();
        }
        if (done == wanted) break;
        s->write_failed = true;
        const auto ready = [&] { return dead() || (s->now == phase::connected && send_room(*s) >= s->send_buffer / 3); };
        if (!waits || !host_.wait(l, ready)) {
            if (done > 0) break;
            return -EAGAIN;
        }
    }
    return static_cast<ssize_t>(done);
}

int stack::pipe(int fds[2]) { return ::pipe(fds) < 0 ? -errno : 0; }

// From a socket to a pipe, or from a pipe to a socket.
ssize_t stack::splice(int in, int out, size_t size, unsigned flags) {
    std::vector<std::uint8_t> bytes(std::min<std::size_t>(size, 65536));
    iovec piece{bytes.data(), bytes.size()};
    msghdr message{};
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    const int how = (flags & SPLICE_F_NONBLOCK) != 0 ? MSG_DONTWAIT : 0;
    if (has(in)) {
        const auto n = receive(in, message, how);
        if (n <= 0) return n;
        const auto written = ::write(out, bytes.data(), static_cast<std::size_t>(n));
        return written < 0 ? -errno : written;
    }
    if (!has(out)) return -EINVAL;
    const auto n = ::read(in, bytes.data(), bytes.size());
    if (n <= 0) return n < 0 ? -errno : 0;
    piece.iov_len = static_cast<std::size_t>(n);
    return send(out, message, how);
}

}  // namespace tandem::packetdrill
