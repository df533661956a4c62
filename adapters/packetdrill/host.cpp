#include "host.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>

namespace tandem::packetdrill {
namespace {

// Set in a thread that was woken, until it reads the clock.
thread_local bool owes_reading = false;

constexpr auto tick = std::chrono::microseconds(1);
// How long (of real time) the clock waits for a woken thread to read it.
constexpr auto patience = std::chrono::seconds(2);
// The stack draws its secrets from the same numbers in every run; packetdrill maps them to the script's.
constexpr std::uint64_t seed = 0x7461'6e64'656d;

int error_of(tcp::event e, bool had_fin) {
    switch (e) {
        case tcp::event::refused:
            return ECONNREFUSED;
        case tcp::event::reset:
            return had_fin ? EPIPE : ECONNRESET;
        case tcp::event::timed_out:
            return ETIMEDOUT;
        case tcp::event::unreachable:
            return EHOSTUNREACH;
        default:
            return 0;
    }
}

}  // namespace

host::host(const char* flags)
    : settings_(flags),
      main_thread_(std::this_thread::get_id()),
      now_(std::chrono::seconds(1'000'000)),
      endpoint_({.resets_per_second = 100'000}, random_source(seed)),
      buffer_(65536) {}

void host::own(const socket_pointer& s) { owners_[{s->connection.slot, s->connection.generation}] = s; }
void host::forget(const stack_socket& s) { owners_.erase({s.connection.slot, s.connection.generation}); }

// An IPv6 socket bound to no address also listens on IPv4, unless told not to.
std::vector<ip_endpoint> host::addresses_of(const stack_socket& s) const {
    std::vector<ip_endpoint> out{s.local};
    if (s.local.address == ip_address{{}, true} && !s.v6_only) out.push_back({{}, s.local.port});
    return out;
}

void host::add_listener(const socket_pointer& s) {
    listeners_.push_back(s);
    for (const auto& at : addresses_of(*s)) {
        tcp::listen_config c{.connection = s->config};
        c.max_half_open = static_cast<std::size_t>(settings_.number("tcp_max_syn_backlog", 4096));
        const auto cookies = settings_.number("tcp_syncookies", 1);
        c.syn_cookies = cookies == 0   ? tcp::cookie_use::never
                        : cookies == 1 ? tcp::cookie_use::when_full
                                       : tcp::cookie_use::always;
        endpoint_.close_listener(at);
        endpoint_.listen(at, c);
    }
    update_backlog(*s);
}

void host::remove_listener(stack_socket& s) {
    for (const auto& at : addresses_of(s)) endpoint_.close_listener(at);
    std::erase_if(listeners_, [&](const socket_pointer& p) { return p.get() == &s; });
}

// As on Linux, one more than asked for.
void host::update_backlog(const stack_socket& s) {
    const auto allowed = static_cast<std::size_t>(std::max(s.backlog, 0)) + 1;
    for (const auto& at : addresses_of(s)) endpoint_.set_backlog(at, allowed - std::min(allowed, s.queue.size()));
}

bool host::collect() {
    bool any = false;
    train out;
    out.buffer = buffer_;
    while (endpoint_.transmit(now_, out)) {
        any = true;
        for (std::size_t i = 0; i < out.count(); ++i) {
            const auto one = out.datagram(i);
            tcp::packet p;
            const auto why = tcp::parse_packet(one, p);
            if (why != tcp::drop_reason::none &&
                why != tcp::drop_reason::not_tcp) {  // packetdrill does not look at TCP's checksum
                std::fprintf(stderr, "tandem: a packet that cannot be parsed was sent\n");
                std::abort();
            }
            sent_.push_back({{one.begin(), one.end()}, now_.time_since_epoch() / tick});
        }
    }
    return any;
}

void host::accepted(const tcp::endpoint_event& e) {
    const auto it = std::find_if(listeners_.begin(), listeners_.end(), [&](const socket_pointer& p) {
        const auto all = addresses_of(*p);
        return std::find(all.begin(), all.end(), e.listener) != all.end();
    });
    auto* c = endpoint_.find(e.connection);
    if (!c) return;
    if (it == listeners_.end()) {  // nobody will accept it any more
        c->abort();
        endpoint_.release(e.connection, now_);
        return;
    }
    auto& l = **it;
    auto s = std::make_shared<stack_socket>();
    s->v6 = l.v6;
    s->now = stack_socket::phase::connected;
    s->told_connected = true;
    s->bound = true;
    s->local = c->path().local;
    s->remote = c->path().remote;
    s->connection = e.connection;
    s->config = l.config;
    s->options = l.options;
    s->lingering = l.lingering;
    s->send_buffer = l.send_buffer;
    s->unsent_low_water = l.unsent_low_water;
    s->read_low_water = l.read_low_water;
    own(s);
    l.queue.push_back(s);
    ++l.read_news;
    ++s->write_news;
    update_backlog(l);
}

void host::tell(stack_socket& s, tcp::event e) {
    ++s.read_news;
    if (e == tcp::event::readable) return;
    if (e == tcp::event::connected) {
        s.now = stack_socket::phase::connected;
        ++s.write_news;
    } else if (e == tcp::event::peer_closed) {
        s.peer_closed = true;
    } else if (tcp::is_final(e)) {
        s.error = error_of(e, s.peer_closed);
        s.peer_closed = true;
        s.now = stack_socket::phase::over;
        ++s.write_news;
    } else {
        --s.read_news;
    }
}

bool host::dispatch() {
    bool any = false;
    while (const auto e = endpoint_.poll_event()) {
        any = true;
        if (e->what == tcp::event::accepted) {
            accepted(*e);
            continue;
        }
        const auto it = owners_.find({e->connection.slot, e->connection.generation});
        if (it != owners_.end()) tell(*it->second, e->what);
    }
    return any;
}

void host::run() {
    for (bool more = true; more;) {
        const bool collected = collect();
        more = dispatch() || collected;
    }
    wake_sleepers();
}

void host::wake_sleepers() {
    for (auto& s : sleepers_) {
        if (s.woken || !((*s.ready)() || (s.deadline && *s.deadline <= now_))) continue;
        s.woken = true;
        ++readings_owed_;
        changed_.notify_all();
        return;  // one after the other: what the first does may change what the next waits for
    }
}

void host::receive(std::span<const std::uint8_t> packet) {
    std::vector<std::uint8_t> bytes(packet.begin(), packet.end());
    received_datagram in{.payload = bytes};
    endpoint_.receive(in, now_);
    run();
}

std::optional<tandem::time_point> host::next_time() {
    auto out = endpoint_.next_timeout();
    for (const auto& s : sleepers_) {
        if (!s.woken && s.deadline && (!out || *s.deadline < *out)) out = s.deadline;
    }
    return out;
}

// A thread that was woken takes note of the time before it does anything else; until then the clock stands.
void host::settle(lock_type& l) {
    if (readings_owed_ == 0 || owes_reading) return;
    changed_.wait_for(l, patience, [this] { return readings_owed_ == 0; });
}

void host::advance(lock_type& l, tandem::time_point to) {
    settle(l);
    while (const auto next = next_time()) {
        if (*next > to) break;
        now_ = std::max(now_, *next);
        endpoint_.on_timeout(now_);
        run();
        settle(l);
    }
    now_ = std::max(now_, to);
}

void host::pay_reading() {
    if (!owes_reading) return;
    owes_reading = false;
    --readings_owed_;
    wake_sleepers();
    changed_.notify_all();
}

bool host::wait(lock_type& l, const std::function<bool()>& ready, std::optional<tandem::time_point> deadline) {
    pay_reading();  // it sleeps again
    run();
    if (ready()) return true;
    if (std::this_thread::get_id() != main_thread_) {
        const auto me = sleepers_.insert(sleepers_.end(), {&ready, deadline});
        changed_.wait(l, [&] { return me->woken; });
        sleepers_.erase(me);
        owes_reading = true;
        return ready();
    }
    while (!ready()) {
        const auto next = next_time();
        if (!next || (deadline && *next > *deadline)) {
            if (deadline) advance(l, *deadline);
            return ready();
        }
        advance(l, *next);
    }
    return true;
}

std::int64_t host::read_clock(lock_type& l) {
    if (owes_reading) {
        const auto out = now_.time_since_epoch() / tick;
        pay_reading();
        return out;
    }
    advance(l, now_ + tick);
    return now_.time_since_epoch() / tick;
}

void host::sleep(lock_type& l, tandem::duration d) { advance(l, now_ + d); }

std::optional<host::sent_packet> host::next_sent(lock_type& l) {
    settle(l);
    while (sent_.empty()) {
        const auto next = next_time();
        if (!next) return std::nullopt;
        advance(l, *next);
    }
    auto out = std::move(sent_.front());
    sent_.pop_front();
    return out;
}

}  // namespace tandem::packetdrill
