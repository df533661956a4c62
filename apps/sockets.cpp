// `tandem sockets`.
#include <cstdio>
#include <memory>
#include <string>

#include <CLI/CLI.hpp>

#include <tandem/net/control_server.hpp>

#include "command.hpp"
#include "control_path.hpp"
#include "exit_code.hpp"

namespace tandem::apps {

namespace {

constexpr int answer_seconds = 5;

struct sockets_options {
    std::string control;
    std::uint16_t port = 0;
    bool json = false;
};

// The server that was meant; empty with a reason.
std::string choose(const sockets_options& o, std::string& why) {
    if (!o.control.empty()) return o.control;
    if (o.port != 0) {
        auto path = control_path(o.port);
        if (path.empty()) why = "no folder for control sockets (XDG_RUNTIME_DIR is not set); name the socket with --control";
        return path;
    }
    const auto paths = control_paths();
    if (paths.size() == 1) return paths.front();
    why = paths.empty() ? "no server found: `tandem serve --tcp=tun` and `--tcp=udp` can be asked"
                        : "several servers run; choose one with --port:";
    for (const auto& path : paths) why += " " + path;
    return {};
}

int run_sockets(const sockets_options& o) {
    std::string text;
    const auto path = choose(o, text);
    if (path.empty()) return fail(exit_code::read, text);
    std::string answer;
    if (const auto error = net::ask_control_server(path, o.json ? "sockets json" : "sockets text", answer_seconds, answer)) {
        return fail(exit_code::read, "cannot ask the server at " + path + ": " + error.message());
    }
    if (std::fputs(answer.c_str(), stdout) < 0 || std::fflush(stdout) != 0)
        return fail(exit_code::write, "cannot write the answer");
    return exit_code::ok;
}

}  // namespace

void add_sockets(CLI::App& app, command& chosen) {
    auto* sub =
        app.add_subcommand("sockets", "Show the sockets of a running `tandem serve --tcp=tun` or `--tcp=udp`, as ss -tin does");
    auto o = std::make_shared<sockets_options>();
    sub->add_option("-p,--port", o->port, "The server on this port (needed if several run)");
    sub->add_option("--control", o->control, "The server's control socket, as its --control says")->excludes("--port");
    sub->add_flag("--json", o->json, "Machine-readable");
    sub->footer(
        "Below the sockets come the counters that are not zero, under the kernel's names (nstat) where it counts the same.\n"
        "Lines that begin with ! say in words what is wrong: sockets left in CLOSE-WAIT, ports that run out, full queues.\n"
        "\n"
        "Examples:\n"
        "  tandem sockets\n"
        "  watch -n 1 tandem sockets --port 443\n"
        "\n"
        "Exit codes:\n"
        "  0 shown                           2 wrong usage             26 no such server, or it does not answer");
    sub->callback([o, &chosen] { chosen.run = [o] { return run_sockets(*o); }; });
}

}  // namespace tandem::apps
