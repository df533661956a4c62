// When the bytes of a QMux session came, and what each waited for. A private part of qmux::session.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include <tandem/bytes/front_vector.hpp>
#include <tandem/bytes/time.hpp>
#include <tandem/bytes/wait_ledger.hpp>
#include <tandem/tls/record_session.hpp>

namespace tandem::http::qmux {

// Times of the plaintext that was received and not parsed yet.
class input_times {
public:
    // `times` of exactly `bytes` bytes, or empty: all came and were complete now.
    void append(std::span<const tls::record_times> times, std::size_t bytes, time_point now);
    // Calls f(run) for the parts of [begin, begin + bytes), counted from the first byte held.
    template <class F>
    void for_each(std::uint64_t begin, std::uint64_t bytes, F f) const;
    void drop(std::uint64_t bytes);  // from the front

private:
    front_vector<tls::record_times> runs_;
};

// Times of one stream's bytes that were received and not read yet, in stream order.
class stream_waits {
public:
    // Runs remembered of one stream. Past it neighbours share their times: the ledger gets coarser, memory does not grow.
    static constexpr std::size_t max_runs = 4096;

    // Bytes that came with these times, in a QMux record that was complete at record_complete.
    void note(const tls::record_times& run, time_point record_complete);
    // The application reads n of the bytes: charges what they waited for to each ledger that is not null.
    void charge(std::uint64_t n, time_point now, std::span<wait_ledger* const> ledgers);
    void clear() { runs_.clear(); }

private:
    struct run {  // arrived <= own_ready <= readable <= complete
        std::uint64_t bytes = 0;
        time_point arrived;    // came from the network
        time_point own_ready;  // so had all bytes of this stream before it
        time_point readable;   // so had all bytes of the connection before it
        time_point complete;   // its TLS record and its QMux record were whole
    };

    time_point latest_arrival_;
    front_vector<run> runs_;
};

template <class F>
void input_times::for_each(std::uint64_t begin, std::uint64_t bytes, F f) const {
    for (const auto* run = runs_.begin(); bytes > 0 && run != runs_.end(); ++run) {
        if (begin >= run->bytes) {
            begin -= run->bytes;
            continue;
        }
        auto part = *run;
        part.bytes = run->bytes - begin < bytes ? run->bytes - begin : bytes;
        begin = 0;
        bytes -= part.bytes;
        f(part);
    }
}

}  // namespace tandem::http::qmux
