// tandem: one program with subcommands.
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "command.hpp"
#include "config_file.hpp"
#include "exit_code.hpp"
#include "version.hpp"

namespace {

constexpr const char* footer =
    "Examples:\n"
    "  tandem serve ./site --save-cert cert.pem\n"
    "  tandem get --http3-only --cacert cert.pem https://localhost:4433/index.html\n"
    "  tandem compare --loss 1% --report report.html\n"
    "\n"
    "`tandem COMMAND --help` explains a command.";

}  // namespace

int main(int argc, char** argv) {
    std::signal(SIGPIPE, SIG_IGN);  // a reader that went away is an error of writing
    CLI::App app("QUIC and TCP in tandem: serve files over HTTP/3, HTTP/2 and HTTP/1.1, fetch them, compare transports.",
                 "tandem");
    app.set_version_flag("-V,--version", std::string("tandem ") + tandem::apps::version);
    app.require_subcommand(1);
    app.footer(footer);
    tandem::apps::command chosen;
    tandem::apps::add_serve(app, chosen);
    tandem::apps::add_get(app, chosen);
    tandem::apps::add_sockets(app, chosen);
    tandem::apps::add_compare(app, chosen);
    try {
        std::vector<std::string> arguments(argv + 1, argv + argc);
        if (!arguments.empty() && arguments.front() == "serve") {
            std::vector<std::string> rest(arguments.begin() + 1, arguments.end());
            tandem::apps::add_config_file(*app.get_subcommand("serve"), rest);
            arguments.assign(1, "serve");
            arguments.insert(arguments.end(), rest.begin(), rest.end());
        }
        std::reverse(arguments.begin(), arguments.end());  // as CLI11 takes them
        app.parse(std::move(arguments));
    } catch (const CLI::Success& request) {  // --help, --version
        return app.exit(request);
    } catch (const CLI::ParseError& error) {
        std::fprintf(stderr, "tandem: %s (see --help)\n", error.what());
        return tandem::apps::exit_code::usage;
    }
    try {
        return chosen.run();
    } catch (const std::exception& error) {
        std::fprintf(stderr, "tandem: %s\n", error.what());
        return tandem::apps::exit_code::internal;
    }
}
