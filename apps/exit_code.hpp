// What the program's exit codes mean. Where curl has a code for the same, it is curl's.
#pragma once

#include <tandem/net/http_error.hpp>

namespace tandem::apps {

namespace exit_code {
constexpr int ok = 0;
constexpr int internal = 1;
constexpr int usage = 2;
constexpr int url = 3;
constexpr int unsupported = 4;  // options that do not go together in this program, though each is right
constexpr int resolve = 6;
constexpr int refused = 7;
constexpr int http = 22;
constexpr int write = 23;
constexpr int read = 26;
constexpr int timed_out = 28;
constexpr int tls = 35;
constexpr int redirects = 47;
constexpr int coding = 61;
constexpr int too_large = 63;  // --max-filesize
constexpr int protocol = 56;   // or the connection was lost
constexpr int own_certificate = 58;
constexpr int certificate = 60;
constexpr int roots = 77;
constexpr int address_in_use = 98;
constexpr int address_unusable = 99;
constexpr int unreachable = 101;
constexpr int interrupted = 130;
}  // namespace exit_code

// For --help.
constexpr const char* get_exit_codes =
    "Exit codes:\n"
    "  0 all transfers complete      2 wrong usage                3 bad URL\n"
    "  6 host not found              7 connection refused        22 HTTP error (with --fail)\n"
    " 23 cannot write a file        26 cannot read a file        28 timed out\n"
    " 35 TLS handshake failed       47 too many redirections    56 protocol error or connection lost\n"
    " 58 --cert or --key not usable 60 certificate not accepted 61 content coding broken\n"
    " 63 larger than --max-filesize 77 --cacert not usable     101 network unreachable\n"
    "With several transfers it is the code of the first that failed.";
constexpr const char* serve_exit_codes =
    "Exit codes:\n"
    "  0 stopped by SIGINT or SIGTERM   2 wrong usage              4 --threads with --tcp=tun or --tcp=udp\n"
    " 23 cannot write a file           26 directory not readable  58 certificate or key not usable\n"
    " 98 address or port in use        99 address not usable here";

constexpr int exit_code_of(net::failure_class kind) {
    switch (kind) {
        case net::failure_class::resolve:
            return exit_code::resolve;
        case net::failure_class::refused:
            return exit_code::refused;
        case net::failure_class::unreachable:
            return exit_code::unreachable;
        case net::failure_class::timed_out:
            return exit_code::timed_out;
        case net::failure_class::tls:
            return exit_code::tls;
        case net::failure_class::certificate:
            return exit_code::certificate;
        case net::failure_class::redirects:
            return exit_code::redirects;
        case net::failure_class::coding:
            return exit_code::coding;
        default:
            return exit_code::protocol;
    }
}

}  // namespace tandem::apps
