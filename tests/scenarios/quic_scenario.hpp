// A QUIC connection that carries data both ways over a bad path.
#pragma once

#include <functional>

#include "bad_path.hpp"
#include "path_scenarios.hpp"

namespace tandem::quic::test {

struct scenario {
    std::function<void(pipe::options&)> prepare = [](auto&) {};
    std::function<void(bad_path&)> begin = [](auto&) {};
    // After each step; `progress` goes from 0 to 1 with the bytes that arrived.
    std::function<void(pipe&, bad_path&, double progress)> step = [](auto&, auto&, double) {};
};

// Reports what goes wrong as a test failure.
void play_once(const scenario& s, const tandem::test::link_kind& kind, std::uint64_t seed);
void play_once(const tandem::test::path_scenario& s, const tandem::test::link_kind& kind, std::uint64_t seed);

}  // namespace tandem::quic::test
