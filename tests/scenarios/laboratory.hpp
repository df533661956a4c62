// Scenarios for tests of `tandem compare`, and their runs.
#pragma once

#include <gtest/gtest.h>

#include <vector>

#include "compare_run.hpp"
#include "compare_summary.hpp"

namespace tandem::test {

inline constexpr compare::cell all_cells[] = {compare::cell::h1_1conn, compare::cell::h1_6conn, compare::cell::h3_tcp,
                                              compare::cell::h3_quic};
inline constexpr recovery::controller_kind all_controllers[] = {
    recovery::controller_kind::new_reno, recovery::controller_kind::cubic, recovery::controller_kind::fixed_window};

// 4 objects of 100 KB, 40 ms, 10 Mbit/s, nothing lost.
inline compare::scenario quiet_scenario() {
    compare::scenario s;
    s.page.objects.assign(4, 100'000);
    return s;
}

inline compare::laboratory laboratory_for(const compare::scenario& s, tls::key_log key_log = {}) {
    tls::error why;
    auto lab = compare::laboratory::make(s, why, std::move(key_log));
    EXPECT_TRUE(lab) << why.text;
    return std::move(*lab);
}

inline compare::run_result run(const compare::scenario& s, compare::cell which, std::size_t index = 0) {
    const auto lab = laboratory_for(s);
    auto result = lab.run(which, lab.run_seed(index));
    EXPECT_TRUE(result.complete()) << compare::name(which) << ": " << result.failure;
    return result;
}

}  // namespace tandem::test
