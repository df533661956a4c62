// Sockets come, connect and go.
#include "stack.hpp"

#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace tandem::packetdrill {

using phase = stack_socket::phase;

stack::~stack() = default;

bool stack::has(int fd) {
    const auto l = host_.lock();
    return sockets_.contains(fd);
}

socket_pointer stack::find(int fd) {
    const auto it = sockets_.find(fd);
    return it == sockets_.end() ? nullptr : it->second;
}

// A real descriptor makes numbers unique, and can be closed behind our back, as packetdrill does at its end.
int stack::add(const socket_pointer& s) {
    s->fd = ::eventfd(0, EFD_CLOEXEC);
    if (s->fd < 0) return -errno;
    sockets_[s->fd] = s;
    return s->fd;
}

int stack::socket(int domain, int type, int protocol) {
    const auto l = host_.lock();
    if (domain != AF_INET && domain != AF_INET6) return -EAFNOSUPPORT;
    if ((type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC)) != SOCK_STREAM) return -ESOCKTNOSUPPORT;
    if (protocol != 0 && protocol != IPPROTO_TCP) return -EPROTONOSUPPORT;
    auto s = std::make_shared<stack_socket>();
    s->v6 = domain == AF_INET6;
    s->local.address.is_v6 = s->v6;
    s->nonblocking = (type & SOCK_NONBLOCK) != 0;
    s->config = host_.defaults().connection();
    s->send_buffer = host_.defaults().default_send_buffer();
    return add(s);
}

bool stack::port_taken(const stack_socket& s, const ip_endpoint& at) const {
    return std::any_of(sockets_.begin(), sockets_.end(), [&](const auto& one) {
        const auto& o = *one.second;
        if (&o == &s || !o.bound || o.local.port != at.port || o.local.address.is_v6 != at.address.is_v6) return false;
        const ip_address any{{}, at.address.is_v6};
        if (o.local.address != at.address && o.local.address != any && at.address != any) return false;
        const bool shared = s.options.contains({SOL_SOCKET, SO_REUSEADDR}) && o.options.contains({SOL_SOCKET, SO_REUSEADDR});
        return o.now == phase::listening || !shared;
    });
}

std::uint16_t stack::free_port(const ip_address& at) const {
    const stack_socket nobody;
    for (std::uint16_t port = 32768; port < 61000; ++port) {
        if (!port_taken(nobody, {at, port})) return port;
    }
    return 0;
}

int stack::bind(int fd, const sockaddr* address, socklen_t size) {
    const auto l = host_.lock();
    const auto s = find(fd);
    if (!s) return -EBADF;
    ip_endpoint at;
    if (!from_sockaddr(address, size, s->v6, at)) return -EAFNOSUPPORT;
    if (s->bound || s->now != phase::fresh) return -EINVAL;
    if (at.port == 0) at.port = free_port(at.address);
    if (port_taken(*s, at)) return -EADDRINUSE;
    s->bound = true;
    s->local = at;
    return 0;
}

int stack::listen(int fd, int backlog) {
    const auto l = host_.lock();
    const auto s = find(fd);
    if (!s) return -EBADF;
    if (s->now == phase::listening) {
        s->backlog = backlog;
        host_.update_backlog(*s);
        return 0;
    }
    if (s->now != phase::fresh) return -EINVAL;
    if (!s->bound) s->local.port = free_port(s->local.address);
    for (const auto& other : host_.listeners()) {
        if (other->local == s->local) return -EADDRINUSE;
    }
    s->bound = true;
    s->now = phase::listening;
    s->backlog = backlog;
    host_.add_listener(s);
    return 0;
}

int stack::accept(int fd, sockaddr* address, socklen_t* size) {
    auto l = host_.lock();
    const auto s = find(fd);
    if (!s) return -EBADF;
    if (s->now != phase::listening) return -EINVAL;
    if (s->queue.empty()) {
        if (s->nonblocking) return -EAGAIN;
        if (!host_.wait(l, [&] { return !s->queue.empty() || s->now != phase::listening; })) return -EAGAIN;
        if (s->now != phase::listening) return -EINVAL;
    }
    const auto accepted = s->queue.front();
    s->queue.pop_front();
    host_.update_backlog(*s);
    to_sockaddr(accepted->remote, accepted->v6, address, size);
    return add(accepted);
}

int stack::begin_connect(stack_socket& s, const socket_pointer& pointer, const ip_endpoint& to) {
    auto from = s.local;
    const ip_address unspecified{{}, from.address.is_v6};
    if (!s.bound || from.address == unspecified) from.address = host_.defaults().local(to.address.is_v6);
    tcp::connect_error why;
    const auto handle = host_.endpoint().connect(from, to, s.config, host_.now(), &why);
    if (!handle) return why == tcp::connect_error::bad_address ? -ENETUNREACH : -EADDRNOTAVAIL;
    s.now = phase::connecting;
    s.connection = handle;
    s.remote = to;
    s.local = host_.connection(s)->path().local;
    s.bound = true;
    s.error = 0;
    s.peer_closed = s.told_connected = false;
    host_.own(pointer);
    host_.run();
    return 0;
}

// What became of an attempt. A failed one leaves a socket that may try again.
int stack::finish_connect(lock_type& l, stack_socket& s) {
    if (s.now == phase::connecting) {
        std::optional<time_point> deadline;
        host_.wait(
            l, [&] { return s.now != phase::connecting; }, deadline);
        if (s.now == phase::connecting) return -EINPROGRESS;
    }
    s.told_connected = true;
    if (s.error == 0) return 0;
    const auto why = std::exchange(s.error, 0);
    disconnect(s);
    return -why;
}

int stack::connect(int fd, const sockaddr* address, socklen_t size) {
    auto l = host_.lock();
    const auto s = find(fd);
    if (!s) return -EBADF;
    if (address && size >= sizeof(sa_family_t) && address->sa_family == AF_UNSPEC) {
        if (s->now == phase::listening) stop_listening(*s);
        disconnect(*s);
        return 0;
    }
    ip_endpoint to;
    if (!from_sockaddr(address, size, s->v6, to)) return size < sizeof(sockaddr_in) ? -EINVAL : -EAFNOSUPPORT;
    if (s->now == phase::listening) return -EISCONN;
    if (s->now == phase::connected || s->now == phase::over) {
        if (s->told_connected) return -EISCONN;
        return finish_connect(l, *s);
    }
    if (s->now == phase::connecting) return s->nonblocking ? -EALREADY : finish_connect(l, *s);
    if (const auto failed = begin_connect(*s, s, to); failed != 0) return failed;
    if (!s->nonblocking) return finish_connect(l, *s);
    return -EINPROGRESS;
}

void stack::disconnect(stack_socket& s) {
    if (auto* c = host_.connection(s)) {
        c->abort();
        host_.endpoint().release(s.connection, host_.now());
    }
    host_.forget(s);
    s.connection = {};
    s.now = phase::fresh;
    s.error = 0;
    s.read_shut = s.write_shut = s.peer_closed = s.told_connected = false;
    host_.run();
}

// Whoever was not accepted is told that nobody is there.
int stack::stop_listening(stack_socket& s) {
    host_.remove_listener(s);
    s.now = phase::fresh;
    auto queue = std::move(s.queue);
    s.queue.clear();
    for (const auto& one : queue) disconnect(*one);
    ++s.read_news;
    host_.run();
    return 0;
}

int stack::shutdown(int fd, int how) {
    const auto l = host_.lock();
    const auto s = find(fd);
    if (!s) return -EBADF;
    if (how < SHUT_RD || how > SHUT_RDWR) return -EINVAL;
    const bool reading = how != SHUT_WR;
    const bool writing = how != SHUT_RD;
    switch (s->now) {
        case phase::fresh:
        case phase::over:
            return -ENOTCONN;
        case phase::listening:
            return reading ? stop_listening(*s) : 0;
        case phase::connecting:
            disconnect(*s);
            return 0;
        case phase::connected:
            break;
    }
    if (reading) s->read_shut = true;
    if (writing && !s->write_shut) {
        s->write_shut = true;
        if (auto* c = host_.connection(*s)) c->shutdown_send();
    }
    ++s->read_news;
    ++s->write_news;
    host_.run();
    return 0;
}

// SO_LINGER with a time: close() waits until everything was acknowledged.
int stack::linger(lock_type& l, stack_socket& s) {
    const auto deadline = host_.now() + std::chrono::seconds(s.lingering.l_linger);
    const auto done = [&] {
        const auto* c = host_.connection(s);
        return !c || (c->unacknowledged() == 0 && c->state() != tcp::state::fin_wait_1 && c->state() != tcp::state::last_ack &&
                      c->state() != tcp::state::closing);
    };
    host_.wait(l, done, deadline);
    return 0;
}

void stack::end(stack_socket& s) {
    auto* c = host_.connection(s);
    if (!c) return;
    if (s.lingering.l_onoff != 0 && s.lingering.l_linger == 0) c->abort();
    host_.endpoint().release(s.connection, host_.now());
    host_.forget(s);
}

int stack::close(int fd) {
    auto l = host_.lock();
    if (epolls_.erase(fd) > 0) return ::close(fd) < 0 ? -errno : 0;
    const auto s = find(fd);
    if (!s) return ::close(fd) < 0 ? -errno : 0;  // a pipe
    sockets_.erase(fd);
    for (auto& [epoll_fd, set] : epolls_) {
        std::erase_if(set.sockets, [fd](const auto& one) { return one.first == fd; });
    }
    if (s->now == phase::listening) stop_listening(*s);
    end(*s);
    host_.run();
    if (s->lingering.l_onoff != 0 && s->lingering.l_linger > 0) linger(l, *s);
    return ::close(fd) < 0 ? -errno : 0;
}

int stack::fcntl(int fd, int command, long argument) {
    const auto l = host_.lock();
    const auto s = find(fd);
    if (!s) return -EBADF;
    switch (command) {
        case F_GETFL:
            return O_RDWR | (s->nonblocking ? O_NONBLOCK : 0);
        case F_SETFL:
            s->nonblocking = (argument & O_NONBLOCK) != 0;
            return 0;
        case F_GETFD:
            return FD_CLOEXEC;
        case F_SETFD:
            return 0;
        default:
            return -EINVAL;
    }
}

int stack::ioctl(int fd, unsigned long request, int* out) {
    const auto l = host_.lock();
    const auto s = find(fd);
    if (!s) return -EBADF;
    if (!out) return -EFAULT;
    if (request == FIONBIO) {
        s->nonblocking = *out != 0;
        return 0;
    }
    if (s->now == phase::listening) return -EINVAL;
    const auto* c = host_.connection(*s);
    switch (request) {
        case SIOCINQ:
            *out = c ? static_cast<int>(c->readable()) : 0;
            return 0;
        case SIOCOUTQ:
            *out = c ? static_cast<int>(c->unacknowledged()) : 0;
            return 0;
        case SIOCOUTQNSD:
            *out = c ? static_cast<int>(c->unsent()) : 0;
            return 0;
        default:
            return -EINVAL;
    }
}

}  // namespace tandem::packetdrill
