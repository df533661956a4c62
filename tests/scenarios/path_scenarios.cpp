#include "path_scenarios.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <optional>
#include <string>

#include "seed.hpp"

namespace tandem::test {

using namespace std::chrono_literals;

namespace {

using story = path_scenario::story;

const story uneventful = [](weather&, time_point, double) {};

// Sets something for the whole connection.
template <class Change>
std::function<story(weather&)> always(Change change) {
    return [change](weather& w) {
        change(w);
        return uneventful;
    };
}

// Sets something for the handshake alone.
template <class Change>
std::function<story(weather&)> in_the_handshake(Change change) {
    return [change](weather& w) {
        change(w, true);
        return [change](weather& now, time_point, double) { change(now, false); };
    };
}

// Sets something for a time, once so much has arrived.
template <class Change>
std::function<story(weather&)> for_a_while(double progress, duration how_long, Change change) {
    return [=](weather&) {
        return [=, until = std::optional<time_point>()](weather& w, time_point now, double at) mutable {
            if (at > progress && !until) until = now + how_long;
            change(w, until && now < *until);
        };
    };
}

}  // namespace

const std::vector<path_scenario>& path_scenarios() {
    static const std::vector<path_scenario> all{
        {.name = "Plain", .begin = always([](auto&) {})},
        {.name = "BlackHoleOf3Seconds", .begin = for_a_while(0.3, 3s, [](weather& w, bool on) { w.hole_up = w.hole_down = on; })},
        {.name = "OnlyOneWayIsOpenFor3Seconds", .begin = for_a_while(0.3, 3s, [](weather& w, bool on) { w.hole_up = on; })},
        // Not in step with timeouts, which end up 60 s apart.
        {.name = "OutagesAgainAndAgain", .begin = always([](weather& w) { w.outage_every = 1100ms, w.outage = 300ms; })},
        {.name = "PathThatBecomesNarrower",
         .find_mtu = true,
         .begin =
             [](weather& w) {
                 w.largest = 1480;
                 return [](weather& now, time_point, double progress) {
                     if (progress > 0.4) now.largest = 1228;
                 };
             }},
        {.name = "CongestionMarks", .ask_ecn = true, .begin = always([](weather& w) { w.marked = 0.1; })},
        {.name = "EveryPacketMarked", .ask_ecn = true, .begin = always([](weather& w) { w.marked = 1; })},
        {.name = "LossInTheHandshake", .begin = in_the_handshake([](weather& w, bool on) { w.lost = on ? 0.3 : 0; })},
        {.name = "DamageInTheHandshake", .begin = in_the_handshake([](weather& w, bool on) { w.damaged = on ? 0.3 : 0; })},
        {.name = "EveryEighthPacketIsLost", .begin = always([](weather& w) { w.lost = 0.125; })},
        {.name = "EveryEighthPacketIsDamaged", .begin = always([](weather& w) { w.damaged = 0.125; })},
        {.name = "EveryPacketTwice", .begin = always([](weather& w) { w.doubled = 1; })},
        {.name = "TinyWindows", .small_window = true, .begin = always([](auto&) {})},
        {.name = "ReadersThatSleepWithTinyWindows",
         .small_window = true,
         .begin = for_a_while(0.3, 5s, [](weather& w, bool on) { w.asleep = on; })},
        {.name = "TinyWindowsAndLoss", .small_window = true, .begin = always([](weather& w) { w.lost = 0.05; })},
    };
    return all;
}

std::uint64_t seeds() {
#ifdef NDEBUG
    constexpr std::uint64_t usual = 100;
#else
    constexpr std::uint64_t usual = 2;
#endif
    const char* given = std::getenv("TANDEM_SEEDS");
    return given != nullptr ? std::strtoull(given, nullptr, 10) : usual;
}

void over_all_links(const std::function<void(const link_kind&, std::uint64_t)>& f) {
    for (const auto& kind : all_links()) {
        for (std::uint64_t n = 0; n < seeds(); ++n) {
            SCOPED_TRACE(std::string(kind.name) + ", TANDEM_SEED=" + std::to_string(seed() + n));
            f(kind, seed() + n);
            if (testing::Test::HasFailure()) return;
        }
    }
}

}  // namespace tandem::test
