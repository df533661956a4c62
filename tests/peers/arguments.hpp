// The command line of the test programs here: `--name value` pairs, then the rest.
#pragma once

#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <tandem/net/qlog_directory.hpp>
#include <tandem/quic/qlog.hpp>

namespace tandem::test {

class arguments {
public:
    arguments(int argc, char** argv) {
        for (int i = 1; i < argc; ++i) {
            const std::string word = argv[i];
            if (!word.starts_with("--")) {
                rest_.push_back(word);
            } else if (i + 1 < argc) {
                options_[word.substr(2)] = argv[++i];
            } else {
                throw std::runtime_error(word + " has no value");
            }
        }
    }

    std::string text(const std::string& name, const std::string& otherwise = {}) const {
        const auto found = options_.find(name);
        return found == options_.end() ? otherwise : found->second;
    }
    std::uint64_t number(const std::string& name, std::uint64_t otherwise = 0) const {
        const auto value = text(name);
        return value.empty() ? otherwise : std::stoull(value);
    }
    const std::vector<std::string>& rest() const { return rest_; }

    // Writes logs to the directory of --qlog-dir; null without the option.
    std::shared_ptr<quic::connection_tracer> tracer() const {
        const auto path = text("qlog-dir");
        if (path.empty()) return nullptr;
        std::string why;
        auto directory = net::qlog_directory::open(path, why);
        if (!directory) throw std::runtime_error(why);
        return quic::make_qlog_tracer(std::move(directory));
    }

private:
    std::map<std::string, std::string> options_;
    std::vector<std::string> rest_;
};

}  // namespace tandem::test
