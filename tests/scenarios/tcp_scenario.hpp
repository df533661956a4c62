// A TCP connection that carries data both ways over a bad path.
#pragma once

#include "path_scenarios.hpp"

namespace tandem::tcp::test {

// Reports what goes wrong as a test failure.
void play_once(const tandem::test::path_scenario& s, const tandem::test::link_kind& kind, std::uint64_t seed);

}  // namespace tandem::tcp::test
