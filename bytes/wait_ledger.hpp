// The head-of-line ledger: how long bytes waited between their arrival and their delivery, by cause.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

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

// The total is accumulated on its own, end to end, by who knows when a byte came and when it was delivered: that the causes sum to
// it is a check, not an identity.
class wait_ledger {
public:
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
    friend bool operator==(const wait_ledger&, const wait_ledger&) = default;

private:
    static std::size_t index(wait_cause cause) { return static_cast<std::size_t>(cause); }
    static wait_sum product(std::uint64_t bytes, duration waited) {
        return waited.count() <= 0 ? 0 : wait_sum{bytes} * static_cast<std::uint64_t>(waited.count());
    }

    std::array<wait_sum, wait_cause_count> causes_{};
    wait_sum total_ = 0;
};

}  // namespace tandem
