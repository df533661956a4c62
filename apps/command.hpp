// What the subcommands of `tandem` share: each has a function that adds it to the command line.
#pragma once

#include <chrono>
#include <cstdio>
#include <functional>
#include <string>

#include <tandem/bytes/time.hpp>

namespace CLI {
class App;
}

namespace tandem::apps {

// The subcommand that was chosen. `run` is set when the command line is parsed, called afterwards, and returns the exit code.
struct command {
    std::function<int()> run;
};

// Says in one line why the program ends with this exit code.
inline int fail(int code, const std::string& text) {
    std::fprintf(stderr, "tandem: %s\n", text.c_str());
    return code;
}

// What an option in seconds says.
inline duration seconds(double s) { return std::chrono::duration_cast<duration>(std::chrono::duration<double>(s)); }

void add_serve(CLI::App& app, command& chosen);
void add_get(CLI::App& app, command& chosen);
void add_sockets(CLI::App& app, command& chosen);
void add_compare(CLI::App& app, command& chosen);

}  // namespace tandem::apps
