// tandem: one program with subcommands.
#include <csignal>
#include <cstdio>
#include <exception>

#include <CLI/CLI.hpp>

#include "command.hpp"
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
    CLI::App app("QUIC and TCP in tandem: serve files over HTTP/3, HTTP/2 and HTTP/1.1, fetch them, compare transports.", "tandem");
    app.set_version_flag("-V,--version", std::string("tandem ") + tandem::apps::version);
    app.require_subcommand(1);
    app.footer(footer);
    tandem::apps::command chosen;
    tandem::apps::add_serve(app, chosen);
    tandem::apps::add_get(app, chosen);
    tandem::apps::add_sockets(app, chosen);
    tandem::apps::add_compare(app, chosen);
    try {
        app.parse(argc, argv);
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
