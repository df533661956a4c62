// Charges a ledger with the waiting of an HTTP/1.1 message's bytes. A private part of the sessions.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include <tandem/bytes/time.hpp>
#include <tandem/bytes/wait_ledger.hpp>
#include <tandem/tls/record_session.hpp>

namespace tandem::http {

// A cursor over the times of the bytes of one call to receive().
class http1_times {
public:
    explicit http1_times(std::span<const tls::record_times> runs) : runs_(runs) {}

    // The next n bytes belong to a message and are in the session's hands `now`. `own_ready` is when all bytes of the message so
    // far had arrived: what they wait beyond it is for bytes of another message on the connection.
    void charge(std::size_t n, time_point now, wait_ledger& ledger, time_point& own_ready) {
        while (n > 0 && at_ < runs_.size()) {
            const auto& run = runs_[at_];
            auto count = std::min<std::uint64_t>(n, run.bytes - used_);
            own_ready = std::max(own_ready, run.arrived);
            ledger.add(wait_cause::own_stream_hole, count, run.arrived, own_ready);
            ledger.add(wait_cause::other_stream_hole, count, own_ready, run.readable);
            ledger.add(wait_cause::tls_record, count, run.readable, run.complete);
            ledger.add(wait_cause::application, count, run.complete, now);
            ledger.add_total(count, now - run.arrived);
            n -= static_cast<std::size_t>(count);
            used_ += count;
            if (used_ == run.bytes) {
                ++at_;
                used_ = 0;
            }
        }
    }

private:
    std::span<const tls::record_times> runs_;
    std::size_t at_ = 0;
    std::uint64_t used_ = 0;
};

}  // namespace tandem::http
