#include "get_options.hpp"

#include <CLI/CLI.hpp>

#include <memory>
#include <tuple>

#include "command.hpp"
#include "exit_code.hpp"

namespace tandem::apps {

namespace {

const std::string footer =
    std::string(
        "Without a protocol option https: URLs are fetched over HTTP/3 where QUIC works and over HTTP/2 or HTTP/1.1 where it "
        "does not:\n"
        "QUIC is tried first, TCP 125 to 250 ms later or at once when QUIC fails, over IPv6 and IPv4 in turn, and whichever "
        "completes its\n"
        "handshake first is used. HTTPS records say for which protocols, ports and hosts that holds; they are waited for 50 ms. "
        "With --alt-svc the\n"
        "next run begins with what this one learnt. What QUIC leaves unfinished when its path dies goes on over TCP, and that "
        "is\n"
        "said. --race shows how it went. http: URLs are always fetched over HTTP/1.1.\n"
        "URLs may hold [1-100], [001-100], [a-z] and {one,two}; #1 in -o stands for what the first of these is.\n"
        "A file appears under its name when it is complete, never before. SSLKEYLOGFILE names a file for TLS secrets, QLOGDIR a "
        "directory for\n"
        "logs of connections, as --qlog-dir does.\n"
        "\n"
        "-w prints after each transfer, with \\n and \\t: %{http_code} %{http_version} %{size_download} %{speed_download}\n"
        "  %{time_namelookup} %{time_connect} %{time_appconnect} %{time_pretransfer} %{time_starttransfer} %{time_total}\n"
        "  %{url} %{url_effective} %{num_redirects} %{filename_effective} %{content_type} %{remote_ip} %{remote_port} "
        "%{num_connects} %{exitcode} %{errormsg}\n"
        "  %{scheme} %{method} %{redirect_url} %{size_header} %{header{NAME}}\n"
        "\n"
        "Examples:\n"
        "  tandem get --http3 https://example.org/\n"
        "  tandem get --http3-only -k -o /dev/null -w '%{time_total}\\n' https://localhost:4433/big.bin\n"
        "  tandem get --http3-only --parallel -O --output-dir copies 'https://localhost:4433/file[1-100].txt'\n"
        "  tandem get --parallel -O --from-file urls.txt\n"
        "  tandem get -L --compressed -C --retry 5 -O https://example.org/archive.tar\n"
        "  tandem get -X POST -d @form.txt -H 'Content-Type: text/plain' https://example.org/upload\n"
        "\n") +
    get_exit_codes;

void add_output_options(CLI::App& sub, get_options& o) {
    auto group = "Output";
    sub.add_option("-o,--output", o.outputs,
                   "Write to this file; given several times, for the URLs in their order. '-' is standard output")
        ->take_all()
        ->allow_extra_args(false)
        ->group(group);
    sub.add_flag("-O,--remote-name", o.remote_name, "Write to a file named as the last part of the URL")->group(group);
    sub.add_option("--output-dir", o.output_dir, "Directory for the files of -o and -O")->group(group);
    sub.add_flag("--create-dirs", o.create_dirs, "Make directories that are missing")->group(group);
    sub.add_flag("-i,--include", o.include_headers,
                 "Write the response's header section, after those of interim responses (1xx), before the body")
        ->group(group);
    sub.add_flag("-I,--head", o.head, "Ask for the header section only (HEAD), and print it")->group(group);
    sub.add_flag("-f,--fail", o.fail, "Treat status 400 and above as an error: write nothing, exit code 22")->group(group);
    sub.add_option("-w,--write-out", o.write_out, "Print this after each transfer, see below")->group(group);
    sub.add_flag("--json", o.json, "Print one JSON document about all transfers; bodies are dropped unless -o or -O say where to")
        ->group(group);
    sub.add_flag("-v,--verbose", o.verbose, "Tell each step, with header sections, and what limited each connection")
        ->group(group);
    sub.add_flag("-s,--silent", o.silent, "No progress bar. Errors are still told")->group(group);
    sub.add_flag("-S,--show-error", o.show_error, "Accepted for curl's sake: errors are always told")->group(group);
}

void add_request_options(CLI::App& sub, get_options& o) {
    auto group = "Request";
    sub.add_option("-X,--request", o.method, "Method (default: GET, POST with -d, HEAD with -I)")->group(group);
    sub.add_option("-H,--header", o.headers, "Field line 'Name: value'; once more for each further one")
        ->take_all()
        ->allow_extra_args(false)
        ->group(group);
    sub.add_option("-d,--data,--data-binary", o.data,
                   "Body; @FILE takes it from a file, as it is, @- from standard input; several are joined with '&'")
        ->take_all()
        ->allow_extra_args(false)
        ->group(group);
    sub.add_option("--data-raw", o.raw_data, "The same, without a meaning for '@'; comes after -d")
        ->take_all()
        ->allow_extra_args(false)
        ->group(group);
    sub.add_option("--data-urlencode", o.urlencode_data,
                   "TEXT, NAME=TEXT, @FILE or NAME@FILE, percent-encoded; comes after these")
        ->take_all()
        ->allow_extra_args(false)
        ->group(group);
    sub.add_flag("-G,--get", o.data_in_url, "Put what -d and the like say behind the URL's '?', and ask with GET")->group(group);
    sub.add_option("-u,--user", o.user, "NAME:PASSWORD for Basic authentication")->group(group);
    sub.add_option("-e,--referer", o.referer, "Referer field")->group(group);
    sub.add_option("-r,--range", o.range, "Bytes to ask for, for example 0-99 or -500")->group(group);
    sub.add_option("-T,--upload-file", o.upload,
                   "Send this file with PUT, as it is read; '-' is standard input, as it comes. To a URL that ends in '/' its "
                   "name is added")
        ->group(group);
    sub.add_flag("-L,--location", o.location, "Follow redirections; Authorization and Cookie stay with their origin")
        ->group(group);
    sub.add_option("--max-redirs", o.max_redirects, "At most so many, with -L")
        ->check(CLI::Range(0, 1000))
        ->capture_default_str()
        ->group(group);
    auto* compressed =
        sub.add_flag("--compressed", o.compressed, "Ask for zstd, br, gzip or deflate, and decode it")->group(group);
    sub.add_flag("-C,--continue", o.resume,
                 "Keep what arrived of a file when a transfer fails (FILE.part), and go on with it the next time, "
                 "if the server still has the same version")
        ->excludes(compressed)
        ->group(group);
    sub.add_option("-A,--user-agent", o.user_agent, "User-Agent field")->group(group);
    sub.add_option("--from-file", o.from_file, "Take URLs from this file too, one per line; '-' is standard input")->group(group);
    sub.add_flag("-g,--globoff", o.globoff, "Take [ ] { } in URLs as they are")->group(group);
}

void add_connection_options(CLI::App& sub, get_options& o) {
    auto group = "Connection";
    auto* http1 = sub.add_flag("--http1.1", o.http1, "HTTP/1.1 over TLS over TCP")->group(group);
    auto* http2 =
        sub.add_flag("--http2", o.http2, "HTTP/2 over TLS over TCP, HTTP/1.1 where the server does not speak it")->group(group);
    auto* http3 = sub.add_flag("--http3", o.http3, "HTTP/3 over QUIC, HTTP/2 or HTTP/1.1 where that cannot be had (the default)")
                      ->group(group);
    auto* only = sub.add_flag("--http3-only", o.http3_only, "HTTP/3 over QUIC, or fail")->group(group);
    auto* qmux = sub.add_flag("--qmux", o.qmux, "HTTP/3 over QMux over TLS over TCP (tandem serve speaks it)")->group(group);
    http1->excludes(http2)->excludes(http3)->excludes(only)->excludes(qmux);
    http2->excludes(http3)->excludes(only)->excludes(qmux);
    http3->excludes(qmux);
    only->excludes(qmux);
    auto* ipv4 = sub.add_flag("-4,--ipv4", o.ipv4, "Use IPv4 addresses only")->group(group);
    sub.add_flag("-6,--ipv6", o.ipv6, "Use IPv6 addresses only")->excludes(ipv4)->group(group);
    sub.add_flag("--race", o.race, "Show the connection attempts on a time line, from where QUIC was known, and why one won")
        ->group(group);
    sub.add_flag("--https-records,!--no-https-records", o.https_records,
                 "Ask DNS for HTTPS records (RFC 9460) beside the addresses (on unless switched off; not with --resolve)")
        ->group(group);
    sub.add_option("--dns-server", o.dns_server,
                   "ADDRESS[:PORT] of the name server to ask for HTTPS records of any host, instead of the system's")
        ->group(group);
    sub.add_option("--alt-svc", o.alt_svc,
                   "File that keeps what servers say of alternatives (RFC 7838), round trips, and where QUIC did not work")
        ->group(group);
    sub.add_option("--session", o.session,
                   "File (mode 0600) that keeps TLS sessions and address tokens between runs: the next run resumes")
        ->group(group);
    sub.add_flag("--early-data", o.early_data,
                 "With --session and one way to the server (--http3-only): send GET, HEAD and OPTIONS before the\n"
                 "handshake is complete (0-RTT). Whoever sees them can send the server a copy")
        ->group(group);
    sub.add_flag("-k,--insecure", o.insecure, "Accept any certificate: anybody can pretend to be the server")->group(group);
    sub.add_option("--cacert", o.cacert, "PEM file of the certificates to trust, instead of the system's")->group(group);
    sub.add_option("-E,--cert", o.cert, "PEM file of the client's certificate chain, for servers that ask for one")->group(group);
    sub.add_option("--key", o.key, "PEM file of its private key (default: the file of --cert)")->group(group);
    sub.add_option("--resolve", o.resolve, "HOST:PORT:ADDRESS[,ADDRESS]: connect there instead of asking DNS")
        ->take_all()
        ->allow_extra_args(false)
        ->group(group);
    sub.add_option("--connect-timeout", o.connect_timeout, "Seconds to resolve, connect and finish TLS")
        ->check(CLI::Range(0.001, 86400.0))
        ->capture_default_str()
        ->group(group);
    for (auto [name, value, text] : {std::tuple{"--resolve-timeout", &o.resolve_timeout, "Seconds to resolve a name"},
                                     std::tuple{"--tcp-timeout", &o.tcp_timeout, "Seconds to connect to one address over TCP"},
                                     std::tuple{"--tls-timeout", &o.tls_timeout, "Seconds for one handshake of TLS or QUIC"}}) {
        sub.add_option(name, *value, text)->check(CLI::Range(0.001, 86400.0))->group(group);
    }
    sub.add_option("-m,--max-time", o.max_time, "Seconds for each transfer in all")->check(CLI::Range(0.001, 1e7))->group(group);
    sub.add_option("--first-byte-timeout", o.first_byte_timeout, "Seconds for the response to begin, once the request was sent")
        ->check(CLI::Range(0.001, 86400.0))
        ->group(group);
    sub.add_option("--stall-timeout", o.stall_timeout, "Seconds without a byte of a response that has begun")
        ->check(CLI::Range(0.001, 86400.0))
        ->group(group);
    sub.add_option(
           "--retry", o.retry,
           "Try again this often after a failure that may pass (timeouts, lost connections, 408, 429, 5xx), after 1, 2, 4 ...\n"
           "seconds or as Retry-After says; POST and others that change something only where the server cannot have acted")
        ->check(CLI::Range(0, 100))
        ->group(group);
    sub.add_option("--limit-rate", o.limit_rate, "Receive at most so many bytes a second from each transfer: 100KB, 1MB")
        ->group(group);
    sub.add_option("--max-filesize", o.max_filesize, "Refuse bodies longer than this (after decoding): 100KB, 1MB")->group(group);
    sub.add_flag("-Z,--parallel", o.parallel,
                 "Transfer several URLs at a time: HTTP/2 and HTTP/3 on one connection, HTTP/1.1 on up to six")
        ->group(group);
    sub.add_option("--parallel-max", o.parallel_max, "Transfers at a time with --parallel")
        ->check(CLI::Range(1, 10000))
        ->capture_default_str()
        ->group(group);
    sub.add_option("--cc", o.congestion, "Congestion control of what is sent over QUIC and our own TCP: cubic, newreno, bbr")
        ->check(CLI::IsMember({"cubic", "newreno", "bbr"}))
        ->capture_default_str()
        ->group(group);
    sub.add_option("--quic-version", o.quic_version, "Version of QUIC to begin with: v1 or v2 (RFC 9369)")
        ->check(CLI::IsMember({"v1", "v2"}))
        ->capture_default_str()
        ->group(group);
    sub.add_flag("--migrate,!--no-migrate", o.migrate,
                 "Take QUIC connections along when this machine's addresses change (on unless switched off)")
        ->group(group);
    sub.add_flag("--preferred-address,!--no-preferred-address", o.preferred_address,
                 "Go on at the address that a QUIC server prefers, if it answers there (on unless switched off)")
        ->group(group);
    sub.add_flag("--mtu-discovery,!--no-mtu-discovery", o.mtu_discovery,
                 "Try larger datagrams, as large as the interface takes (on unless switched off)")
        ->group(group);
    sub.add_option("--max-datagram-size", o.max_datagram_size, "UDP payload, in bytes, that is sent without having been tried")
        ->check(CLI::Range(1200, 65487))
        ->capture_default_str()
        ->group(group);
    sub.add_option("--qlog-dir", o.qlog_dir,
                   "Write a log of each connection (QUIC, and TCP with --tcp=tun and --tcp=udp) to this directory, as qlog")
        ->group(group);
    add_tcp_options(sub, o.tcp, group);
}

}  // namespace

void add_get(CLI::App& app, command& chosen) {
    auto* sub =
        app.add_subcommand("get", "Fetch URLs over HTTP/3, HTTP/2 or HTTP/1.1; its options are curl's where curl has them");
    auto o = std::make_shared<get_options>();
    sub->add_option("URL", o->urls, "What to fetch; https:// may be left out");
    add_output_options(*sub, *o);
    add_request_options(*sub, *o);
    add_connection_options(*sub, *o);
    sub->footer(footer);
    sub->callback([o, &chosen] { chosen.run = [o] { return run_get(*o); }; });
}

}  // namespace tandem::apps
