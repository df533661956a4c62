// When to acknowledge (RFC 9293 3.8.6.3, RFC 5681 4.2): every second segment with data, at once when something is out of order,
// and never later than the configured delay. Asked once per batch of received segments, so that a batch costs one ACK.
#pragma once

#include <cstdint>
#include <optional>

#include <tandem/bytes/time.hpp>

namespace tandem::tcp {

class delayed_ack {
public:
    static constexpr unsigned threshold = 2;  // RFC 9293 SHLD-19

    explicit delayed_ack(duration delay, std::uint16_t quick = 0) : delay_(delay), quick_(quick) {}

    void on_data(unsigned segments, time_point now) {
        if (pending_ == 0) deadline_ = now + delay_;
        pending_ += segments;
        if (pending_ >= threshold || quick_ > 0) immediate_ = true;
        quick_ = segments < quick_ ? static_cast<std::uint16_t>(quick_ - segments) : std::uint16_t{0};
    }
    // The next so many segments are acknowledged at once; 0: from now on acknowledgments are delayed.
    void set_quick(std::uint16_t segments) {
        quick_ = segments;
        if (quick_ > 0 && pending_ > 0) immediate_ = true;
    }
    // Data of ours carry an acknowledgment of data that wait for one: the peer's requests are answered, so that waiting pays.
    void on_answer() {
        if (pending_ > 0) quick_ = 0;
    }
    void at_once() { immediate_ = true; }
    void on_timeout(time_point now) {
        if (pending_ > 0 && now >= deadline_) immediate_ = true;
    }
    void on_sent() {
        pending_ = 0;
        immediate_ = false;
    }

    bool due() const { return immediate_; }
    std::optional<time_point> deadline() const { return pending_ > 0 && !immediate_ ? std::optional(deadline_) : std::nullopt; }

private:
    duration delay_;
    time_point deadline_;
    unsigned pending_ = 0;
    std::uint16_t quick_;
    bool immediate_ = false;
};

}  // namespace tandem::tcp
