// Logs of simulated pages over all four transports, with loss: as described, and the same each time.
#include <gtest/gtest.h>

#include "qlog/log_reader.hpp"
#include "scenarios/laboratory.hpp"

namespace tandem::test {
namespace {

TEST(compare_logs, every_cell_is_as_described_and_the_same_each_time) {
    auto s = quiet_scenario();
    s.page.objects.assign(3, 30'000);
    s.loss = 0.03;
    const auto lab = laboratory_for(s);
    for (const auto which : all_cells) {
        std::vector<std::map<std::string, std::string, std::less<>>> logs;
        for (int i = 0; i < 2; ++i) {
            auto store = std::make_shared<qlog::test::memory_store>();
            EXPECT_TRUE(lab.run(which, lab.run_seed(0), nullptr, store).complete());
            logs.push_back(store->logs);
        }
        EXPECT_EQ(logs[0] == logs[1], true) << compare::name(which);
        EXPECT_EQ(logs[0].size(), which == compare::cell::h1_6conn ? 6u : 2u) << "a log for each end of each connection";
        std::size_t lost = 0, sent = 0;
        for (const auto& [name, text] : logs[0]) {
            const auto log = qlog::test::read(text);
            lost += log.count("quic:packet_lost") + log.count("tcp:data_lost");
            sent += log.count("quic:packet_sent") + log.count("tcp:segment_sent");
        }
        EXPECT_GT(sent, 60u) << compare::name(which);
        EXPECT_GT(lost, 0u) << compare::name(which);
    }
}

}  // namespace
}  // namespace tandem::test
