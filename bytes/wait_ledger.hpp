// The head-of-line ledger: how long bytes waited between their arrival and their delivery, by cause.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include <tandem/bytes/time.hpp>

namespace tandem {

enum class wait_cause : std::uint8_t {
    own_stream_hole,    // an earlier byte of the same stream was missing
    other_stream_hole,  // a byte of another stream was missing: transport head-of-line blocking, only over TCP
    tls_record,         // the rest of the TLS record was missing
    qpack,              // the field section waited for the dynamic table
    http_queue,         // HTTP/1.1: the request waited for its turn on the connection
    flow_control,       // the sender had bytes but no credit
    application,        // readable, but the application had not read yet
};
constexpr std::size_t wait_cause_count = 7;

constexpr std::string_view to_string(wait_cause cause) {
    constexpr std::array<std::string_view, wait_cause_count> names{"own_stream_hole", "other_stream_hole", "tls_record", "qpack",
                                                                   "http_queue",      "flow_control",      "application"};
    return names[static_cast<std::size_t>(cause)];
}

__extension__ using wait_sum = unsigned __int128;  // byte-nanoseconds; 64 bits would end after a gigabyte that waited 18 seconds

// A stretch of time during which some bytes waited for one reason: what a waterfall shades.
struct wait_interval {
    wait_cause cause{};
    time_point begin;
    time_point end;
    friend bool operator==(const wait_interval&, const wait_interval&) = default;
};

// The total is accumulated on its own, end to end, by who knows when a byte came and when it was delivered: that the causes sum
// to it is a check, not an identity.
class wait_ledger {
public:
    static constexpr std::size_t max_intervals = 4096;  // of one recording ledger; a peer that makes more holes is not drawn on

    // Bytes that waited from one time to another. This form also records the interval, if asked for.
    void add(wait_cause cause, std::uint64_t bytes, time_point from, time_point to) {
        add(cause, bytes, to - from);
        if (intervals_ && from < to && bytes != 0) record(cause, from, to);
    }
    // Negative waits count as none.
    void add(wait_cause cause, std::uint64_t bytes, duration waited) { causes_[index(cause)] += product(bytes, waited); }
    void add_total(std::uint64_t bytes, duration waited) { total_ += product(bytes, waited); }

    wait_sum byte_nanoseconds(wait_cause cause) const { return causes_[index(cause)]; }
    wait_sum total() const { return total_; }
    wait_sum sum() const {
        wait_sum sum = 0;
        for (auto waited : causes_) sum += waited;
        return sum;
    }
    static double byte_seconds(wait_sum waited) { return static_cast<double>(waited) / 1e9; }

    void merge(const wait_ledger& other) {
        for (std::size_t i = 0; i < wait_cause_count; ++i) causes_[i] += other.causes_[i];
        total_ += other.total_;
    }
    // From now on intervals are kept as well (for reports; costs memory). Copies of this ledger share them.
    void record_intervals() {
        if (!intervals_) intervals_ = std::make_shared<std::vector<wait_interval>>();
    }
    // Touching intervals of one cause are joined; empty unless recorded.
    std::vector<wait_interval> intervals() const { return intervals_ ? *intervals_ : std::vector<wait_interval>{}; }

    friend bool operator==(const wait_ledger& a, const wait_ledger& b) { return a.causes_ == b.causes_ && a.total_ == b.total_; }

private:
    void record(wait_cause cause, time_point from, time_point to) {
        for (auto it = intervals_->rbegin(); it != intervals_->rend(); ++it) {
            if (it->cause != cause || from > it->end || to < it->begin) continue;
            if (from < it->begin) it->begin = from;
            if (to > it->end) it->end = to;
            return;
        }
        if (intervals_->size() < max_intervals) intervals_->push_back({cause, from, to});
    }

    static std::size_t index(wait_cause cause) { return static_cast<std::size_t>(cause); }
    static wait_sum product(std::uint64_t bytes, duration waited) {
        return waited.count() <= 0 ? 0 : wait_sum{bytes} * static_cast<std::uint64_t>(waited.count());
    }

    std::array<wait_sum, wait_cause_count> causes_{};
    wait_sum total_ = 0;
    std::shared_ptr<std::vector<wait_interval>> intervals_;
};

}  // namespace tandem
