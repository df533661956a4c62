// A directory to serve, one to work in, and the program.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <regex>
#include <string>
#include <vector>

#include "net/temporary_directory.hpp"
#include "program.hpp"

namespace tandem::apps {

using test::program_result;
using test::run_tandem;
using test::serving;

// One line, and from us.
inline void expect_one_line(const program_result& r, int code, const std::string& pattern) {
    EXPECT_EQ(r.exit_code, code) << r.err;
    EXPECT_EQ(std::count(r.err.begin(), r.err.end(), '\n'), 1) << r.err;
    EXPECT_TRUE(std::regex_search(r.err, std::regex("^tandem: .*" + pattern))) << r.err;
}

class Program : public testing::Test {
protected:
    std::vector<std::string> serve_arguments(std::vector<std::string> more = {}) {
        std::vector<std::string> out{site.str(), "--bind", "127.0.0.1", "--save-cert", certificate()};
        out.insert(out.end(), more.begin(), more.end());
        return out;
    }
    std::string certificate() const { return (work.path() / "cert.pem").string(); }
    program_result get(std::vector<std::string> arguments) {
        arguments.insert(arguments.begin(), {"get", "--cacert", certificate()});
        return run_tandem(arguments);
    }

    test::temporary_directory site, work;
};

}  // namespace tandem::apps
