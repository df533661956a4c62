// How many ACKs a connection sends in answer to segments that may be forged (RFC 5961 7). Per connection and random, since a
// limit that all connections share, or that is known, tells an attacker whether its guesses hit (CVE-2016-5696).
#pragma once

#include <tandem/bytes/random.hpp>
#include <tandem/bytes/time.hpp>

namespace tandem::tcp {

class challenge_budget {
public:
    static constexpr duration interval = std::chrono::seconds(1);
    static constexpr unsigned least = 6;    // per interval: enough for a peer that is out of step to get back into step
    static constexpr unsigned spread = 10;  // ... and up to this many more

    explicit challenge_budget(std::uint64_t seed) : state_(seed) {}

    bool take(time_point now) {
        if (left_ == 0 && !started_) refill(now);
        if (now - since_ >= interval) refill(now);
        if (left_ == 0) return false;
        --left_;
        return true;
    }

private:
    void refill(time_point now) {
        since_ = now;
        started_ = true;
        left_ = least + static_cast<unsigned>(splitmix64(state_) % (spread + 1));
    }

    std::uint64_t state_;
    time_point since_;
    unsigned left_ = 0;
    bool started_ = false;
};

}  // namespace tandem::tcp
