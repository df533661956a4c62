// What a run of one cell gave: plain data for statistics and reports.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include <tandem/bytes/time.hpp>
#include <tandem/bytes/wait_ledger.hpp>
#include <tandem/sim/congestion_log.hpp>

#include "compare_scenario.hpp"

namespace tandem::compare {

// What the page's bytes waited for, in byte-nanoseconds, of one run or summed over many.
struct waiting {
    std::array<wait_sum, wait_cause_count> causes{};
    wait_sum total = 0;

    wait_sum of(wait_cause c) const { return causes[static_cast<std::size_t>(c)]; }
    wait_sum sum() const;
    void add(const wait_ledger& ledger);
    void add(wait_cause cause, wait_sum amount);  // counts for the total, too
    void add(const waiting& other);
    friend bool operator==(const waiting&, const waiting&) = default;
};

// Times count from the moment the client began to connect.
struct object_result {
    std::uint64_t bytes = 0;
    duration start{};       // its request could be sent
    duration first_byte{};  // of the body, at the application
    duration finish{};
    waiting ledger;
    std::vector<wait_interval> stalls;  // when some of its bytes waited, and for what
};

struct run_result {
    std::uint64_t seed = 0;
    std::string failure;                 // empty: the whole page came, and every byte was right
    duration page{};                     // when the last object was finished
    std::vector<object_result> objects;  // in page order
    waiting ledger;
    std::vector<sim::congestion_point> congestion;  // of the server
    duration first_response{};                      // when the server began to answer the first request
    std::uint64_t packets = 0;                      // put on the link, both directions
    std::uint64_t server_packets = 0;               // of these, by the server
    std::uint64_t lost = 0;                         // of all, for whatever reason

    bool complete() const { return failure.empty(); }
};

struct cell_result {
    cell which{};
    std::vector<run_result> runs;  // run i has the same seed, and so the same weather, in every cell
};

}  // namespace tandem::compare
