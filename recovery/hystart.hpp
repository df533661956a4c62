// HyStart++ (RFC 9406): leaves slow start when the round-trip time rises, before the queue overflows.
#pragma once

#include <cstdint>
#include <optional>

#include <tandem/bytes/time.hpp>

namespace tandem::recovery {

class hystart {
public:
    // RFC 9406 4.3. Its L (limit of growth per ACK) is infinite, as for every paced sender.
    static constexpr duration min_rtt_threshold = std::chrono::milliseconds(4);
    static constexpr duration max_rtt_threshold = std::chrono::milliseconds(16);
    static constexpr int min_rtt_divisor = 8;
    static constexpr int rtt_samples = 8;
    static constexpr std::uint64_t css_growth_divisor = 4;
    static constexpr int css_rounds = 5;

    // One acknowledgment during slow start. A round ends when something sent after it began is acknowledged; rtt is this ACK's
    // sample, if it gave one. Returns whether slow start is over.
    bool on_ack(time_point now, time_point newest_sent, std::optional<duration> rtt);

    // How much the window grows for so many bytes acknowledged: less in Conservative Slow Start.
    std::uint64_t growth(std::uint64_t acknowledged) const { return in_css() ? acknowledged / css_growth_divisor : acknowledged; }
    bool in_css() const { return css_baseline_.has_value(); }

private:
    bool start_round(time_point now);

    std::optional<time_point> round_began_;
    std::optional<duration> last_round_minimum_;
    std::optional<duration> round_minimum_;
    int round_samples_ = 0;
    std::optional<duration> css_baseline_;  // in Conservative Slow Start if set
    int css_rounds_done_ = 0;
};

}  // namespace tandem::recovery
