// What the subcommands of `tandem` share: each has a function that adds it to the command line.
#pragma once

#include <functional>

namespace CLI {
class App;
}

namespace tandem::apps {

// The subcommand that was chosen. `run` is set when the command line is parsed, called afterwards, and returns the exit code.
struct command {
    std::function<int()> run;
};

void add_serve(CLI::App& app, command& chosen);
void add_get(CLI::App& app, command& chosen);
void add_sockets(CLI::App& app, command& chosen);
void add_compare(CLI::App& app, command& chosen);

}  // namespace tandem::apps
