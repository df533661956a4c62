#include "apps/get_report.hpp"

#include <gtest/gtest.h>

#include "apps/get_progress.hpp"

namespace tandem::apps {
namespace {

class GetReport : public testing::Test {
protected:
    GetReport() {
        job.url = {"https", "h", 443, "/f"};
        job.output = "out";
        result.job = &job;
        result.method = "GET";
        result.response = http::response{206, {{"content-type", "text/plain"}}};
        auto at = [](int ms) { return time_point(std::chrono::milliseconds(1000 + ms)); };
        result.info.queued = at(0);
        result.info.connection = {at(0), at(1), at(2), at(5)};
        result.info.submitted = at(6);
        result.info.first_byte = at(10);
        result.info.finished = at(500);
        result.info.body_bytes = 1000;
        result.info.protocol = net::http_protocol::http3;
        result.info.remote = {ip_address::v4(192, 0, 2, 1), 443};
        result.info.attempts = 1;
    }
    get_job job;
    get_result result;
};

TEST_F(GetReport, WriteOutVariables) {
    EXPECT_EQ(write_out("%{http_code} %{http_version} %{size_download} %{speed_download}\\n", result), "206 3 1000 2000\n");
    EXPECT_EQ(write_out("%{time_namelookup} %{time_connect} %{time_appconnect}", result), "0.001000 0.002000 0.005000");
    EXPECT_EQ(write_out("%{time_pretransfer} %{time_starttransfer} %{time_total}", result), "0.006000 0.010000 0.500000");
    EXPECT_EQ(write_out("%{url} %{filename_effective} %{content_type} %{method}", result), "https://h/f out text/plain GET");
    EXPECT_EQ(write_out("%{remote_ip} %{remote_port} %{num_connects} %{exitcode}", result), "192.0.2.1 443 1 0");
    EXPECT_EQ(write_out("100%% \\t%{unknown} %{open", result), "100% \t%{unknown} %{open");
}

TEST_F(GetReport, ReusedConnectionsTakeNoTimeToConnect) {
    result.info.reused_connection = true;
    EXPECT_EQ(write_out("%{time_connect} %{time_appconnect} %{num_connects}", result), "0.000000 0.000000 0");
}

TEST_F(GetReport, TransfersThatNeverConnected) {
    result.response.reset();
    result.info = {};
    result.exit_code = 7;
    result.error = "refused";
    EXPECT_EQ(write_out("%{http_code} %{http_version} %{time_total} %{exitcode} %{errormsg}", result),
              "000 0 0.000000 7 refused");
}

TEST_F(GetReport, Json) {
    auto text = json_report({result}, 0);
    for (auto part : {"\"url\": \"https://h/f\"", "\"status\": 206", "\"http_version\": \"3\"", "\"bytes\": 1000",
                      "\"time_total\": 0.500000", "\"exit_code\": 0"}) {
        EXPECT_NE(text.find(part), std::string::npos) << part << " in " << text;
    }
}

TEST_F(GetReport, ProgressOfOneTransfer) {
    using lines = std::vector<std::string>;
    progress_state one{0, 1, 5'000'000, 2, {{"f", 5'000'000, 10'000'000}}};
    EXPECT_EQ(progress_lines(one, 200, 8), lines{"5.0 MB of 10.0 MB  50 %  [============            ]  2 s left  2.5 MB/s"});
    EXPECT_EQ(progress_lines(one, 10, 8), lines{"5.0 MB of "});
    one.transfers[0].expected.reset();
    EXPECT_EQ(progress_lines(one, 200, 8), lines{"5.0 MB  2.5 MB/s"});
}

TEST_F(GetReport, ProgressOfSeveralTransfers) {
    using lines = std::vector<std::string>;
    const progress_state several{
        3, 10, 1500, 1, {{"a", 250, 1000}, {"https://host/a/rather/long/name", 1000, {}}, {"c", 250, 250}}};
    EXPECT_EQ(progress_lines(several, 200, 2),
              (lines{"a" + std::string(29, ' ') + "250 B of 1.0 kB  25 %  [======                  ]",
                     "...//host/a/rather/long/name  1.0 kB", "3/10 files  1 more under way  1.5 kB  1.5 kB/s"}));
    EXPECT_EQ(progress_lines(several, 200, 0), lines{"3/10 files  3 more under way  1.5 kB  1.5 kB/s"});
}

}  // namespace
}  // namespace tandem::apps
