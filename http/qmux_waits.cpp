#include <tandem/http/qmux_waits.hpp>

#include <algorithm>

namespace tandem::http::qmux {

void input_times::append(std::span<const tls::record_times> times, std::size_t bytes, time_point now) {
    if (times.empty()) runs_.push_back({bytes, now, now, now});
    for (const auto& run : times) runs_.push_back(run);
}

void input_times::drop(std::uint64_t bytes) {
    while (bytes > 0 && !runs_.empty()) {
        auto& run = runs_.front();
        const auto part = std::min(bytes, run.bytes);
        bytes -= part;
        run.bytes -= part;
        if (run.bytes == 0) runs_.pop_front();
    }
}

void stream_waits::note(const tls::record_times& r, time_point record_complete) {
    latest_arrival_ = std::max(latest_arrival_, r.arrived);
    run next{r.bytes, r.arrived, latest_arrival_, r.readable, record_complete};
    next.readable = std::max(next.readable, next.own_ready);
    next.complete = std::max({next.complete, r.complete, next.readable});
    if (!runs_.empty()) {
        auto& last = runs_.back();
        const bool same = last.arrived == next.arrived && last.own_ready == next.own_ready && last.readable == next.readable &&
                          last.complete == next.complete;
        if (same || runs_.size() >= max_runs) {
            last.bytes += next.bytes;
            return;
        }
    }
    runs_.push_back(next);
}

void stream_waits::charge(std::uint64_t n, time_point now, std::span<wait_ledger* const> ledgers) {
    while (n > 0 && !runs_.empty()) {
        auto& first = runs_.front();
        const auto part = std::min(n, first.bytes);
        for (auto* ledger : ledgers) {
            if (!ledger) continue;
            ledger->add(wait_cause::own_stream_hole, part, first.arrived, first.own_ready);
            ledger->add(wait_cause::other_stream_hole, part, first.own_ready, first.readable);
            ledger->add(wait_cause::tls_record, part, first.readable, first.complete);
            ledger->add(wait_cause::application, part, first.complete, now);
            ledger->add_total(part, now - first.arrived);
        }
        n -= part;
        first.bytes -= part;
        if (first.bytes == 0) runs_.pop_front();
    }
}

}  // namespace tandem::http::qmux
