// Runs a script's system calls on the interface, blocking ones in a second thread as packetdrill does.
#pragma once

#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "live.hpp"
#include "script.hpp"

namespace tandem::packetdrill {

class call_runner {
public:
    call_runner(live_stack& live, bool v6, std::uint16_t port);
    ~call_runner();

    // Runs it; if it has an end time, until it returns or sleeps. The error, if there is one.
    std::string run(const system_call& c, std::int64_t start_usecs, std::int64_t tolerance);
    // A call that slept must have returned by now if `final`, or if it should have by its time.
    std::string settle(bool final, std::int64_t now_usecs);

    void remote_port(std::uint16_t port) { remote_port_ = port; }
    const std::map<int, int>& descriptors() const { return descriptors_; }  // of the script, live
    int newest() const { return newest_; }                                  // live; of the newest connection
    std::vector<std::uint8_t> information();                                // its TCP_INFO

private:
    struct outcome {
        std::int64_t result = 0;
        int error = 0;
        std::int64_t at = 0;   // microseconds, when it returned
        std::string mismatch;  // of what it filled in
    };

    outcome invoke(const system_call& c);
    outcome transfer(const system_call& c);
    outcome socket_option(const system_call& c);
    outcome poll(const system_call& c);
    outcome epoll(const system_call& c);
    outcome control(const system_call& c);
    std::string check(const system_call& c, const outcome& o);
    void adopt(const system_call& c, const outcome& o);
    std::int64_t number(const std::string& text) const;
    std::int64_t argument(const system_call& c, std::size_t i) const;
    int descriptor(const std::string& text) const;
    bool worker_sleeps() const;
    void work();

    live_stack& live_;
    bool v6_;
    std::uint16_t port_;
    std::uint16_t remote_port_ = 8080;
    std::map<int, int> descriptors_;
    int newest_ = -1;

    std::thread worker_;
    std::mutex mutex_;
    std::condition_variable changed_;
    long worker_id_ = 0;
    const system_call* job_ = nullptr;
    bool running_ = false;
    bool stop_ = false;
    std::optional<outcome> done_;
    std::optional<system_call> sleeping_;
    std::int64_t sleeping_start_ = 0;
    std::int64_t tolerance_ = 0;
};

}  // namespace tandem::packetdrill
