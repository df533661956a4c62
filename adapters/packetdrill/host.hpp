// The stack on a virtual clock: time passes only when packetdrill waits, and then jumps from timer to timer. Calls that block run
// on packetdrill's second thread and really sleep; everything happens under one lock.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include <tandem/tcp/endpoint.hpp>

#include "settings.hpp"
#include "stack_socket.hpp"

namespace tandem::packetdrill {

class host {
public:
    using lock_type = std::unique_lock<std::mutex>;

    explicit host(const char* flags);

    lock_type lock() { return lock_type(mutex_); }
    const settings& defaults() const { return settings_; }
    tcp::endpoint& endpoint() { return endpoint_; }
    tandem::time_point now() const { return now_; }
    tcp::connection* connection(const stack_socket& s) { return endpoint_.find(s.connection); }

    // Runs the stack until it has nothing to say: packets into the queue, events to their sockets, sleepers woken.
    void run();
    void receive(std::span<const std::uint8_t> packet);
    // Waits until ready(), or until the deadline; false: it is not ready, and never may be. On packetdrill's main thread waiting
    // moves the clock; on another it sleeps until the main thread has moved it.
    bool wait(lock_type& l, const std::function<bool()>& ready, std::optional<tandem::time_point> deadline = {});

    // The clock's verbs, as the interface has them.
    std::int64_t read_clock(lock_type& l);  // microseconds; each reading takes one
    void sleep(lock_type& l, tandem::duration d);
    struct sent_packet {
        std::vector<std::uint8_t> bytes;
        std::int64_t at = 0;  // microseconds
    };
    std::optional<sent_packet> next_sent(lock_type& l);
    std::size_t pending() const { return sent_.size(); }

    // Events of this connection are this socket's from now on.
    void own(const socket_pointer& s);
    void forget(const stack_socket& s);
    void add_listener(const socket_pointer& s);
    void remove_listener(stack_socket& s);
    // Room in the accept queue as the endpoint is to see it.
    void update_backlog(const stack_socket& s);
    const std::vector<socket_pointer>& listeners() const { return listeners_; }

private:
    struct sleeper {
        const std::function<bool()>* ready;
        std::optional<tandem::time_point> deadline;
        bool woken = false;
    };
    using key = std::pair<std::uint32_t, std::uint32_t>;

    bool collect();
    bool dispatch();
    void accepted(const tcp::endpoint_event& e);
    void tell(stack_socket& s, tcp::event e);
    void wake_sleepers();
    void pay_reading();
    void settle(lock_type& l);
    void advance(lock_type& l, tandem::time_point to);
    std::optional<tandem::time_point> next_time();
    std::vector<ip_endpoint> addresses_of(const stack_socket& s) const;

    settings settings_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::thread::id main_thread_;
    tandem::time_point now_;
    tcp::endpoint endpoint_;
    std::vector<std::uint8_t> buffer_;
    std::deque<sent_packet> sent_;
    std::map<key, socket_pointer> owners_;
    std::vector<socket_pointer> listeners_;
    std::list<sleeper> sleepers_;
    int readings_owed_ = 0;  // threads that were woken and did not look at the clock yet
};

}  // namespace tandem::packetdrill
