// Options of a subcommand from a file: `--config FILE`.
#pragma once

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace tandem::apps {

// If the command line of `sub` (what stands after its name) has --config, puts the file's lines there as options; what was given
// on the command line stays as it is. The file is TOML or INI: `name = value` for `--name value`, without sections; lists for
// options that may be given several times; true and false for flags. Throws CLI::ParseError: a file that cannot be read, a name
// that is no option, a broken line.
void add_config_file(const CLI::App& sub, std::vector<std::string>& arguments);

}  // namespace tandem::apps
