// When a segment that is not full may leave: Nagle's algorithm in Minshall's variant (RFC 9293 3.7.4) and the sender's half of
// silly-window avoidance (RFC 9293 3.8.6.2.1).
#pragma once

#include <cstdint>

namespace tandem::tcp {

class nagle {
public:
    explicit nagle(bool on) : on_(on) {}
    void set(bool on) { on_ = on; }
    // Nothing but full segments, however long they wait (TCP_CORK).
    void cork(bool on) { corked_ = on; }

    struct candidate {
        std::uint64_t bytes = 0;   // what would be sent
        std::uint64_t unsent = 0;  // what waits; more than `bytes` if the window or the MSS cuts it
        std::uint64_t mss = 0;
        std::uint64_t largest_window = 0;  // the largest the peer ever offered
        bool last = false;                 // FIN follows right behind: nothing will join it
    };

    bool may_send(const candidate& c, std::uint64_t first_unacknowledged) const {
        if (c.bytes >= c.mss) return true;
        if (c.bytes == c.unsent && corked_) return c.last;
        if (c.bytes == c.unsent)
            return !on_ || c.last || first_unacknowledged >= small_end_;  // at most one small segment in flight
        return c.bytes >= (c.largest_window + 1) / 2;                     // Fs = 1/2
    }
    void on_sent(std::uint64_t end, std::uint64_t bytes, std::uint64_t mss) {
        if (bytes < mss) small_end_ = end;
    }

private:
    bool on_;
    bool corked_ = false;
    std::uint64_t small_end_ = 0;  // sequence number behind the last small segment sent
};

}  // namespace tandem::tcp
