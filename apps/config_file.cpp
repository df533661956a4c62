#include "config_file.hpp"

#include <algorithm>
#include <fstream>

#include <CLI/CLI.hpp>

namespace tandem::apps {

namespace {

constexpr std::string_view option_name = "--config";

std::string path_of(const std::vector<std::string>& arguments) {
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        if (arguments[i].starts_with("--config=")) return arguments[i].substr(option_name.size() + 1);
        if (arguments[i] == option_name) return i + 1 < arguments.size() ? arguments[i + 1] : std::string();
    }
    return {};
}

bool given(const CLI::Option& option, const std::vector<std::string>& arguments) {
    return std::any_of(arguments.begin(), arguments.end(), [&](const std::string& argument) {
        const auto name = argument.substr(0, argument.find('='));
        if (name.starts_with("--")) return option.check_lname(name.substr(2));
        return name.size() > 1 && name.front() == '-' && option.check_sname(name.substr(1, 1));
    });
}

}  // namespace

void add_config_file(const CLI::App& sub, std::vector<std::string>& arguments) {
    const auto path = path_of(arguments);
    if (path.empty()) return;
    std::ifstream in(path);
    if (!in) throw CLI::FileError::Missing(path);
    std::vector<std::string> out;
    for (const auto& item : CLI::ConfigTOML().from_config(in)) {
        if (item.name == "++" || item.name == "--") continue;  // where a section begins and ends
        const auto* option = item.parents.empty() ? sub.get_option_no_throw("--" + item.name) : nullptr;
        if (option == nullptr || "--" + item.name == option_name)
            throw CLI::ConfigError(path + ": no option has the name " + item.fullname());
        if (given(*option, arguments)) continue;
        for (const auto& value : item.inputs) out.push_back("--" + item.name + "=" + value);
    }
    arguments.insert(arguments.begin(), out.begin(), out.end());
}

}  // namespace tandem::apps
