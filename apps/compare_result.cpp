#include "compare_result.hpp"

namespace tandem::compare {

wait_sum waiting::sum() const {
    wait_sum s = 0;
    for (const auto c : causes) s += c;
    return s;
}

void waiting::add(const wait_ledger& ledger) {
    for (std::size_t i = 0; i < wait_cause_count; ++i) causes[i] += ledger.byte_nanoseconds(static_cast<wait_cause>(i));
    total += ledger.total();
}

void waiting::add(wait_cause cause, wait_sum amount) {
    causes[static_cast<std::size_t>(cause)] += amount;
    total += amount;
}

void waiting::add(const waiting& other) {
    for (std::size_t i = 0; i < wait_cause_count; ++i) causes[i] += other.causes[i];
    total += other.total;
}

}  // namespace tandem::compare
