// Runs the cells of a comparison in the simulator.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include <tandem/bytes/qlog.hpp>
#include <tandem/sim/credentials.hpp>
#include <tandem/sim/page.hpp>
#include <tandem/sim/pcapng.hpp>

#include "compare_result.hpp"
#include "compare_scenario.hpp"

namespace tandem::compare {

// What every run shares: certificates, contexts, the bytes of the page.
class laboratory {
public:
    static std::optional<laboratory> make(const scenario& what, tls::error& why, tls::key_log key_log = {});

    // One run. With a recorder, the packets go there; with a store, the logs of both ends' connections. A run that has not
    // finished after `time_limit` of virtual time has failed.
    run_result run(cell which, std::uint64_t run_seed, sim::packet_recorder* recorder = nullptr,
                   const std::shared_ptr<qlog::store>& logs = nullptr) const;
    // The seed of the i-th run, from 0.
    std::uint64_t run_seed(std::size_t i) const;
    const scenario& what() const { return scenario_; }

    static constexpr duration time_limit = std::chrono::minutes(10);

private:
    laboratory(const scenario& what, sim::credentials identity);

    scenario scenario_;
    sim::credentials identity_;
    sim::page_bytes contents_;
};

// All runs of all cells of a scenario. `progress(done, of)` is called after each run; it may be empty.
std::vector<cell_result> run_all(const laboratory& lab, const std::function<void(std::size_t, std::size_t)>& progress = {});

}  // namespace tandem::compare
