#include "calls.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <regex>
#include <sstream>

#include "values.hpp"

namespace tandem::packetdrill {
namespace {

// Byte i of what is written is i % 251, as in what arrives.
std::vector<std::uint8_t> some_bytes(std::size_t n) {
    std::vector<std::uint8_t> out(n);
    for (std::size_t i = 0; i < n; ++i) out[i] = static_cast<std::uint8_t>(i % 251);
    return out;
}

// The value of name= in {a=1, b=2}.
std::string member_of(const std::string& text, const std::string& name) {
    std::smatch m;
    if (!std::regex_search(text, m, std::regex("\\b" + name + "\\s*=\\s*([^,}]*)"))) return "";
    return m[1];
}

std::string inside(const std::string& text, char open, char close) {
    const auto from = text.find(open);
    const auto to = text.rfind(close);
    if (from == std::string::npos || to == std::string::npos) return text;
    return text.substr(from + 1, to - from - 1);
}

}  // namespace

call_runner::call_runner(live_stack& live, bool v6, std::uint16_t port) : live_(live), v6_(v6), port_(port) {
    worker_ = std::thread([this] { work(); });
    std::unique_lock l(mutex_);
    changed_.wait(l, [this] { return worker_id_ != 0; });
}

// A worker that sleeps in the library for ever cannot be joined; the program ends with it.
call_runner::~call_runner() {
    {
        const std::lock_guard l(mutex_);
        stop_ = true;
    }
    changed_.notify_all();
    if (sleeping_) {
        worker_.detach();
    } else {
        worker_.join();
    }
}

void call_runner::work() {
    std::unique_lock l(mutex_);
    worker_id_ = ::syscall(SYS_gettid);
    changed_.notify_all();
    while (true) {
        changed_.wait(l, [this] { return stop_ || job_; });
        if (stop_) return;
        const auto* job = std::exchange(job_, nullptr);
        running_ = true;
        l.unlock();
        auto o = invoke(*job);
        o.at = live_.now();
        l.lock();
        running_ = false;
        done_ = o;
        changed_.notify_all();
    }
}

bool call_runner::worker_sleeps() const {
    std::ifstream in("/proc/self/task/" + std::to_string(worker_id_) + "/stat");
    std::string text;
    std::getline(in, text);
    const auto paren = text.rfind(')');
    return paren != std::string::npos && paren + 2 < text.size() && text[paren + 2] == 'S';
}

std::int64_t call_runner::number(const std::string& text) const {
    const auto value = evaluate(text);
    if (!value) throw std::runtime_error("what is " + text);
    return *value;
}

std::int64_t call_runner::argument(const system_call& c, std::size_t i) const {
    if (i >= c.arguments.size()) throw std::runtime_error(c.name + ": too few arguments");
    return number(c.arguments[i]);
}

int call_runner::descriptor(const std::string& text) const {
    const auto script = static_cast<int>(number(text));
    const auto it = descriptors_.find(script);
    return it == descriptors_.end() ? -1 : it->second;
}

call_runner::outcome call_runner::transfer(const system_call& c) {
    auto& i = live_.calls();
    auto* u = live_.user();
    const int fd = descriptor(c.arguments.at(0));
    outcome o;
    const bool vectors = c.name == "readv" || c.name == "writev" || c.name == "recvmsg" || c.name == "sendmsg";
    const bool sends = c.name == "write" || c.name == "send" || c.name == "sendto" || c.name == "writev" || c.name == "sendmsg";
    std::vector<std::vector<std::uint8_t>> pieces;
    if (vectors) {  // [{..., 100}, {..., 200}], also within a message
        static const std::regex piece(R"(\{\s*\.\.\.\s*,\s*(\d+)\s*\})");
        const auto& text = c.arguments.at(1);
        for (auto it = std::sregex_iterator(text.begin(), text.end(), piece); it != std::sregex_iterator(); ++it) {
            pieces.push_back(some_bytes(std::stoul((*it)[1])));
        }
    } else {
        pieces.push_back(some_bytes(static_cast<std::size_t>(argument(c, 2))));
    }
    std::vector<iovec> vector;
    for (auto& p : pieces) vector.push_back({p.data(), p.size()});
    const int flags = c.name == "recvmsg" || c.name == "sendmsg" ? static_cast<int>(argument(c, 2))
                      : !vectors && c.arguments.size() > 3       ? static_cast<int>(argument(c, 3))
                                                                 : 0;
    msghdr message{};
    message.msg_iov = vector.data();
    message.msg_iovlen = vector.size();
    errno = 0;
    auto* data = pieces.empty() ? nullptr : pieces[0].data();
    const auto size = pieces.empty() ? 0 : pieces[0].size();
    if (c.name == "read") o.result = i.read(u, fd, data, size);
    if (c.name == "recv") o.result = i.recv(u, fd, data, size, flags);
    if (c.name == "recvfrom") o.result = i.recvfrom(u, fd, data, size, flags, nullptr, nullptr);
    if (c.name == "readv") o.result = i.readv(u, fd, vector.data(), static_cast<int>(vector.size()));
    if (c.name == "recvmsg") o.result = i.recvmsg(u, fd, &message, flags);
    if (c.name == "write") o.result = i.write(u, fd, data, size);
    if (c.name == "send") o.result = i.send(u, fd, data, size, flags);
    if (c.name == "sendto") o.result = i.sendto(u, fd, data, size, flags, nullptr, 0);
    if (c.name == "writev") o.result = i.writev(u, fd, vector.data(), static_cast<int>(vector.size()));
    if (c.name == "sendmsg") o.result = i.sendmsg(u, fd, &message, flags);
    o.error = errno;
    (void)sends;
    return o;
}

call_runner::outcome call_runner::socket_option(const system_call& c) {
    auto& i = live_.calls();
    const int fd = descriptor(c.arguments.at(0));
    const auto level = static_cast<int>(argument(c, 1));
    const auto name = static_cast<int>(argument(c, 2));
    const auto& text = c.arguments.at(3);
    outcome o;
    std::vector<std::uint8_t> value(256);
    if (name == SO_LINGER && level == SOL_SOCKET) {
        linger l{static_cast<int>(number(member_of(text, "onoff"))), static_cast<int>(number(member_of(text, "linger")))};
        std::memcpy(value.data(), &l, sizeof l);
    } else if (text.find('"') != std::string::npos) {
        const auto word = inside(text, '"', '"');
        std::copy(word.begin(), word.end(), value.begin());
    } else {
        const auto n = static_cast<std::int32_t>(number(inside(text, '[', ']')));
        std::memcpy(value.data(), &n, sizeof n);
    }
    errno = 0;
    if (c.name == "setsockopt") {
        const auto size = static_cast<socklen_t>(argument(c, 4));
        o.result = i.setsockopt(live_.user(), fd, level, name, value.data(), size);
        o.error = errno;
        return o;
    }
    auto size = static_cast<socklen_t>(number(inside(c.arguments.at(4), '[', ']')));
    std::vector<std::uint8_t> got(256);
    o.result = i.getsockopt(live_.user(), fd, level, name, got.data(), &size);
    o.error = errno;
    if (o.result == 0 && std::memcmp(got.data(), value.data(), size) != 0) {
        std::int32_t n = 0;
        std::memcpy(&n, got.data(), sizeof n);
        o.mismatch = "the option is " + std::to_string(n);
    }
    return o;
}

call_runner::outcome call_runner::poll(const system_call& c) {
    static const std::regex one(R"(\{([^}]*)\})");
    std::vector<pollfd> fds;
    std::vector<short> expected;
    const auto& text = c.arguments.at(0);
    for (auto it = std::sregex_iterator(text.begin(), text.end(), one); it != std::sregex_iterator(); ++it) {
        const auto fields = (*it)[1].str();
        fds.push_back({descriptor(member_of(fields, "fd")), static_cast<short>(number(member_of(fields, "events"))), 0});
        const auto revents = member_of(fields, "revents");
        expected.push_back(revents.empty() ? static_cast<short>(0) : static_cast<short>(number(revents)));
    }
    outcome o;
    errno = 0;
    o.result = live_.calls().poll(live_.user(), fds.data(), fds.size(), static_cast<int>(argument(c, 2)));
    o.error = errno;
    for (std::size_t i = 0; i < fds.size(); ++i) {
        if (fds[i].revents != expected[i])
            o.mismatch = "revents of " + std::to_string(i) + " are " + std::to_string(fds[i].revents);
    }
    return o;
}

call_runner::outcome call_runner::epoll(const system_call& c) {
    auto& i = live_.calls();
    outcome o;
    errno = 0;
    if (c.name == "epoll_create") {
        o.result = i.epoll_create(live_.user(), static_cast<int>(argument(c, 0)));
    } else if (c.name == "epoll_ctl") {
        epoll_event e{};
        const auto& text = c.arguments.at(3);
        e.events = static_cast<std::uint32_t>(number(member_of(text, "events")));
        const auto fd = member_of(text, "fd");
        if (!fd.empty()) e.data.fd = descriptor(fd);
        o.result = i.epoll_ctl(live_.user(), descriptor(c.arguments[0]), static_cast<int>(argument(c, 1)),
                               descriptor(c.arguments[2]), &e);
    } else {
        epoll_event e{};
        o.result = i.epoll_wait(live_.user(), descriptor(c.arguments.at(0)), &e, static_cast<int>(argument(c, 2)),
                                static_cast<int>(argument(c, 3)));
        const auto want = static_cast<std::uint32_t>(number(member_of(c.arguments[1], "events")));
        if (e.events != want) o.mismatch = "events are " + std::to_string(e.events);
    }
    o.error = errno;
    return o;
}

// fcntl and ioctl.
call_runner::outcome call_runner::control(const system_call& c) {
    auto& i = live_.calls();
    const int fd = descriptor(c.arguments.at(0));
    outcome o;
    errno = 0;
    if (c.name == "fcntl") {
        const auto value = c.arguments.size() > 2 ? argument(c, 2) : 0;
        o.result = i.fcntl(live_.user(), fd, static_cast<int>(argument(c, 1)), value);
    } else {
        const auto expected = static_cast<int>(number(inside(c.arguments.at(2), '[', ']')));
        int value = expected;
        o.result = i.ioctl(live_.user(), fd, static_cast<unsigned long>(argument(c, 1)), &value);
        if (value != expected) o.mismatch = "the value is " + std::to_string(value);
    }
    o.error = errno;
    return o;
}

call_runner::outcome call_runner::invoke(const system_call& c) {
    auto& i = live_.calls();
    auto* u = live_.user();
    outcome o;
    try {
        if (c.name == "getsockopt" || c.name == "setsockopt") return socket_option(c);
        if (c.name == "poll") return poll(c);
        if (c.name.starts_with("epoll_")) return epoll(c);
        if (c.name == "fcntl" || c.name == "ioctl") return control(c);
        if (c.name.starts_with("read") || c.name.starts_with("recv") || c.name.starts_with("write") || c.name.starts_with("send"))
            return transfer(c);
        sockaddr_storage address{};
        socklen_t size = v6_ ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
        const bool connects = c.name == "connect";
        const auto port = htons(connects ? remote_port_ : port_);
        if (v6_) {
            auto& a = reinterpret_cast<sockaddr_in6&>(address);
            a.sin6_family = AF_INET6;
            a.sin6_port = port;
            inet_pton(AF_INET6, connects ? "2001:db8::1" : "fd3d:0a0b:17d6::1", &a.sin6_addr);
        } else {
            auto& a = reinterpret_cast<sockaddr_in&>(address);
            a.sin_family = AF_INET;
            a.sin_port = port;
            inet_pton(AF_INET, connects ? "192.0.2.1" : "192.168.0.1", &a.sin_addr);
        }
        auto* at = reinterpret_cast<sockaddr*>(&address);
        errno = 0;
        if (c.name == "socket") {
            const auto domain = c.arguments.at(0) == "..." ? (v6_ ? AF_INET6 : AF_INET) : static_cast<int>(argument(c, 0));
            o.result = i.socket(u, domain, static_cast<int>(argument(c, 1)), static_cast<int>(argument(c, 2)));
        } else if (c.name == "bind") {
            o.result = i.bind(u, descriptor(c.arguments.at(0)), at, size);
        } else if (c.name == "listen") {
            o.result = i.listen(u, descriptor(c.arguments.at(0)), static_cast<int>(argument(c, 1)));
        } else if (c.name == "accept") {
            size = sizeof address;
            o.result = i.accept(u, descriptor(c.arguments.at(0)), at, &size);
        } else if (connects) {
            o.result = i.connect(u, descriptor(c.arguments.at(0)), at, size);
        } else if (c.name == "shutdown") {
            o.result = i.shutdown(u, descriptor(c.arguments.at(0)), static_cast<int>(argument(c, 1)));
        } else if (c.name == "close") {
            o.result = i.close(u, descriptor(c.arguments.at(0)));
        } else {
            throw std::runtime_error("unknown call " + c.name);
        }
        o.error = errno;
    } catch (const std::exception& e) {
        o.mismatch = e.what();
    }
    return o;
}

std::string call_runner::check(const system_call& c, const outcome& o) {
    if (!o.mismatch.empty()) return c.name + ": " + o.mismatch;
    if (c.result == "...") return "";
    const auto want = number(c.result);
    // New descriptors have numbers of their own here.
    const bool makes = want >= 0 && (c.name == "socket" || c.name == "accept" || c.name == "epoll_create");
    if (makes ? o.result < 0 : o.result != want) {
        return c.name + " returned " + std::to_string(o.result) +
               (o.result < 0 ? std::string(" ") + strerrorname_np(o.error) : "");
    }
    if (want == -1 && !c.error.empty() && number(c.error) != o.error) return c.name + " failed with " + strerrorname_np(o.error);
    return "";
}

void call_runner::adopt(const system_call& c, const outcome& o) {
    if (o.result >= 0 && (c.name == "socket" || c.name == "accept" || c.name == "epoll_create") && c.result != "...") {
        descriptors_[static_cast<int>(number(c.result))] = static_cast<int>(o.result);
        if (c.name != "epoll_create") newest_ = static_cast<int>(o.result);
    }
    if (c.name == "close" && o.result == 0) descriptors_.erase(static_cast<int>(argument(c, 0)));
}

std::string call_runner::run(const system_call& c, std::int64_t start_usecs, std::int64_t tolerance) {
    tolerance_ = tolerance;
    if (!c.end_usecs) {
        const auto o = invoke(c);
        const auto error = check(c, o);
        if (error.empty()) adopt(c, o);
        return error;
    }
    if (sleeping_) return "another call still sleeps";
    std::unique_lock l(mutex_);
    sleeping_ = c;
    sleeping_start_ = start_usecs;
    done_.reset();
    job_ = &*sleeping_;
    changed_.notify_all();
    while (!done_) {
        changed_.wait_for(l, std::chrono::milliseconds(1));
        if (!done_ && running_ && worker_sleeps()) break;
    }
    return "";
}

std::string call_runner::settle(bool final, std::int64_t now_usecs) {
    if (!sleeping_) return "";
    std::unique_lock l(mutex_);
    const bool due = now_usecs > sleeping_start_ + *sleeping_->end_usecs + tolerance_;
    if ((final || due) && !done_) changed_.wait_for(l, std::chrono::seconds(1), [this] { return done_.has_value(); });
    if (!done_) return final ? sleeping_->name + " has not returned" : "";
    const auto c = *sleeping_;
    sleeping_.reset();
    auto error = check(c, *done_);
    if (!error.empty()) return error;
    adopt(c, *done_);
    const auto late = done_->at - *c.end_usecs - sleeping_start_;
    if (std::llabs(late) > tolerance_) return c.name + " returned " + std::to_string(late) + " us from its time";
    return "";
}

std::vector<std::uint8_t> call_runner::information() {
    std::vector<std::uint8_t> out(512);
    auto size = static_cast<socklen_t>(out.size());
    if (live_.calls().getsockopt(live_.user(), newest_, IPPROTO_TCP, TCP_INFO, out.data(), &size) != 0) size = 0;
    out.resize(size);
    return out;
}

}  // namespace tandem::packetdrill
