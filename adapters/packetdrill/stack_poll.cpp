// What is ready: poll and epoll.
#include <sys/eventfd.h>

#include <algorithm>
#include <cerrno>

#include "stack.hpp"

namespace tandem::packetdrill {

using phase = stack_socket::phase;

namespace {

std::optional<time_point> deadline_of(int timeout_ms, time_point now) {
    if (timeout_ms < 0) return std::nullopt;
    return now + std::chrono::milliseconds(timeout_ms);
}

}  // namespace

// POLL* and EPOLL* have the same values.
short stack::ready_for(stack_socket& s) {
    int out = 0;
    switch (s.now) {
        case phase::fresh:
            return POLLOUT | POLLWRNORM | POLLHUP;
        case phase::listening:
            return s.queue.empty() ? 0 : POLLIN | POLLRDNORM;
        case phase::connecting:
            return 0;
        case phase::over:
            out = POLLHUP | POLLIN | POLLRDNORM | POLLRDHUP | POLLOUT | POLLWRNORM;
            break;
        case phase::connected: {
            const auto* c = host_.connection(s);
            const bool ended = s.peer_closed || s.read_shut;
            if (ended) out |= POLLIN | POLLRDNORM | POLLRDHUP;
            if (c && c->readable() >= static_cast<std::size_t>(s.read_low_water)) out |= POLLIN | POLLRDNORM;
            const auto room = send_room(s);
            const bool writable = room > 0 && room >= s.send_buffer / 3 && c->unsent() < s.unsent_low_water;
            if (s.write_shut || writable) out |= POLLOUT | POLLWRNORM;
            if (ended && s.write_shut) out |= POLLHUP;
            break;
        }
    }
    if (s.error != 0) out |= POLLERR;
    return static_cast<short>(out);
}

int stack::poll(pollfd* fds, nfds_t count, int timeout_ms) {
    auto l = host_.lock();
    int ready = 0;
    const auto look = [&] {
        ready = 0;
        for (nfds_t i = 0; i < count; ++i) {
            auto& one = fds[i];
            one.revents = 0;
            if (one.fd < 0) continue;
            const auto s = find(one.fd);
            one.revents = s ? static_cast<short>(ready_for(*s) & (one.events | POLLERR | POLLHUP)) : static_cast<short>(POLLNVAL);
            ready += one.revents != 0;
        }
        return ready > 0;
    };
    if (!look() && timeout_ms != 0) host_.wait(l, look, deadline_of(timeout_ms, host_.now()));
    look();
    return ready;
}

int stack::epoll_create() {
    const auto l = host_.lock();
    const int fd = ::eventfd(0, EFD_CLOEXEC);
    if (fd < 0) return -errno;
    epolls_[fd] = {};
    return fd;
}

int stack::epoll_control(int epoll_fd, int operation, int fd, const epoll_event* event) {
    const auto l = host_.lock();
    const auto it = epolls_.find(epoll_fd);
    const auto s = find(fd);
    if (it == epolls_.end() || !s) return -EBADF;
    auto& all = it->second.sockets;
    const auto at = std::find_if(all.begin(), all.end(), [fd](const auto& one) { return one.first == fd; });
    if (operation == EPOLL_CTL_DEL) {
        if (at == all.end()) return -ENOENT;
        all.erase(at);
        return 0;
    }
    if (!event) return -EFAULT;
    watched w{.socket = s, .event = *event};
    if (operation == EPOLL_CTL_ADD) {
        if (at != all.end()) return -EEXIST;
        all.emplace_back(fd, w);
        return 0;
    }
    if (operation != EPOLL_CTL_MOD) return -EINVAL;
    if (at == all.end()) return -ENOENT;
    at->second = w;
    return 0;
}

// What epoll_wait() is to tell of a socket now.
std::uint32_t stack::due(watched& w) {
    auto& s = *w.socket;
    if (w.disabled) return 0;
    const auto ready = static_cast<std::uint16_t>(ready_for(s));
    if (s.write_failed && (ready & EPOLLOUT) != 0) {
        s.write_failed = false;
        ++s.write_news;
    }
    const auto wanted = ready & (w.event.events | EPOLLERR | EPOLLHUP);
    if ((w.event.events & EPOLLET) == 0 || wanted == 0) return wanted;
    const bool news = !w.told || s.read_news != w.read_news_told || s.write_news != w.write_news_told;
    return news ? wanted : 0;
}

int stack::epoll_wait(int epoll_fd, epoll_event* events, int max_events, int timeout_ms) {
    auto l = host_.lock();
    const auto it = epolls_.find(epoll_fd);
    if (it == epolls_.end()) return -EBADF;
    if (max_events <= 0) return -EINVAL;
    auto& all = it->second.sockets;
    const auto any = [&] { return std::any_of(all.begin(), all.end(), [this](auto& one) { return due(one.second) != 0; }); };
    if (!any() && timeout_ms != 0) host_.wait(l, any, deadline_of(timeout_ms, host_.now()));
    int count = 0;
    for (auto& [fd, w] : all) {
        if (count == max_events) break;
        const auto what = due(w);
        if (what == 0) continue;
        events[count] = w.event;
        events[count].events = what;
        ++count;
        w.told = true;
        w.read_news_told = w.socket->read_news;
        w.write_news_told = w.socket->write_news;
        if ((w.event.events & EPOLLONESHOT) != 0) w.disabled = true;
    }
    return count;
}

}  // namespace tandem::packetdrill
