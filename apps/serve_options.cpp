#include "serve_options.hpp"

#include <CLI/CLI.hpp>

#include <memory>

#include "command.hpp"
#include "exit_code.hpp"

namespace tandem::apps {

namespace {

const std::string footer =
    std::string(
        "Clients on this machine only can connect, unless --bind says more. Without --cert a certificate for localhost that\n"
        "signs itself is made at every start; --save-cert writes it for a client's --cacert.\n"
        "The first line of output is `listening on URL (protocols)`, once clients can connect.\n"
        "On SIGHUP --cert and --key are read again; connections there are stay as they are. On SIGTERM and SIGINT requests under "
        "way\n"
        "are ended in good order.\n"
        "SSLKEYLOGFILE names a file for TLS secrets (Wireshark decrypts with it), as --keylog does; QLOGDIR a directory\n"
        "for logs of connections, as --qlog-dir does.\n"
        "\n"
        "Examples:\n"
        "  tandem serve                            # this directory, https://localhost:4433/\n"
        "  tandem serve site --port 0              # a free port; the first line says which\n"
        "  tandem serve site --bind '*' --port 443 --cert chain.pem --key key.pem\n"
        "  tandem serve site --save-cert cert.pem  # then: tandem get --http3 --cacert cert.pem https://localhost:4433/\n"
        "  tandem serve --config serve.toml        # port = 443, bind = [\"*\"], cert = \"chain.pem\", key = \"key.pem\", ...\n"
        "  tandem serve site --proxy /api=http://127.0.0.1:8080  # the application there, files from here\n"
        "  tandem serve site --threads 0 --bind 192.0.2.1 --preferred-address 198.51.100.7  # QUIC clients go on to an address "
        "of this machine's own\n"
        "  tandem serve site --tcp=tun --tun-address 10.7.0.2/24  # our own TCP at 10.7.0.2; this machine is 10.7.0.1 there\n"
        "  tandem serve site --tcp=udp             # for: tandem get --tcp=udp; no HTTP/3, its UDP port is taken\n"
        "\n") +
    serve_exit_codes;

}  // namespace

void add_serve(CLI::App& app, command& chosen) {
    auto* sub = app.add_subcommand(
        "serve", "Serve a directory over HTTP/3 (QUIC) and HTTP/2, HTTP/1.1 and HTTP/3 (TCP and TLS) on one port number");
    auto o = std::make_shared<serve_options>();
    sub->add_option("--directory,DIR", o->directory, "The directory; nothing outside of it is served")
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast)
        ->capture_default_str();
    sub->add_option("--config", o->config, "Take further options from this file: lines `name = value` for --name, TOML");
    sub->add_option("-p,--port", o->port, "UDP and TCP port; 0 takes a free one")->capture_default_str();
    sub->add_option("-b,--bind", o->bind,
                    "Address to listen on, more than once if wanted; '*' is every address (default: 127.0.0.1 and ::1)")
        ->take_all()
        ->allow_extra_args(false);
    sub->add_option(
           "--preferred-address", o->preferred,
           "ADDR[:PORT]: listen there too, and ask QUIC clients to go there after the handshake (RFC 9000 9.6), so that\n"
           "--bind's address may be one that many servers share; once for IPv4 and once for IPv6")
        ->take_all()
        ->allow_extra_args(false);
    sub->add_option("--cert", o->cert, "PEM file with the certificate chain, leaf first");
    sub->add_option("--key", o->key, "PEM file with the certificate's private key");
    sub->add_option("--client-ca", o->client_ca,
                    "PEM file of authorities: only clients with a certificate from one of them are let in");
    sub->add_option("--name", o->names, "Further host name or address for the self-signed certificate")
        ->take_all()
        ->allow_extra_args(false);
    sub->add_option("--save-cert", o->save_cert, "Write the certificate in use to this PEM file");
    sub->add_option("--cc", o->congestion, "Congestion control of QUIC and of our own TCP: cubic, newreno, bbr")
        ->check(CLI::IsMember({"cubic", "newreno", "bbr"}))
        ->capture_default_str();
    sub->add_flag("--mtu-discovery,!--no-mtu-discovery", o->mtu_discovery,
                  "Try larger datagrams, as large as the interface takes (on unless switched off)");
    sub->add_option("--max-datagram-size", o->max_datagram_size, "UDP payload, in bytes, that is sent without having been tried")
        ->check(CLI::Range(1200, 65487))
        ->capture_default_str();
    sub->add_option("--threads", o->threads,
                    "Threads, each with sockets of its own on the same port (SO_REUSEPORT); 0: as many as there are processors.\n"
                    "Not with --tcp=tun and --tcp=udp")
        ->check(CLI::Range(0, 256))
        ->capture_default_str();
    sub->add_flag("--retry", o->retry, "Have every QUIC client prove its address first (Retry packets)");
    sub->add_flag("--early-data,!--no-early-data", o->early_data,
                  "Answer requests that come before the handshake is complete (0-RTT), each ticket's\n"
                  "once; other methods than GET, HEAD and OPTIONS wait (on unless switched off, or with --proxy)");
    sub->add_flag("--no-quic", o->no_quic, "TCP only");
    sub->add_flag("--no-tcp", o->no_tcp, "QUIC only");
    sub->add_flag("--no-listing", o->no_listing, "Answer 403 for a directory without index.html, instead of listing it");
    sub->add_flag("--precompressed", o->precompressed,
                  "Where FILE.zst, FILE.br or FILE.gz lies beside FILE, give it to clients that take it");
    sub->add_flag("--hidden", o->hidden, "Serve files whose names begin with '.' too; those of /.well-known always are");
    sub->add_option(
        "--fallback", o->fallback,
        "File of the directory to answer with where there is none (status 200), for applications of one page: index.html");
    sub->add_option("--header", o->headers, "Field line 'Name: value' for every response; once more for each further one")
        ->take_all()
        ->allow_extra_args(false);
    sub->add_option("--host", o->hosts,
                    "Answer 421 to requests for another host than this; more than once if wanted (default: any host)")
        ->take_all()
        ->allow_extra_args(false);
    sub->add_option("--max-body", o->max_body, "Answer 413 to requests for --proxy with a longer body: 1MB, 1GiB")
        ->capture_default_str();
    sub->add_option("--proxy", o->proxies,
                    "[PATH=]URL: pass requests below PATH (default: all) on to that HTTP server; more than once if wanted")
        ->take_all()
        ->allow_extra_args(false);
    sub->add_flag("--proxy-insecure", o->proxy_insecure, "Accept any certificate of a --proxy server");
    sub->add_flag("--udp-proxy", o->udp_proxy,
                  "Carry clients' UDP to other hosts (connect-udp, RFC 9298) at /.well-known/masque/udp/HOST/PORT/; to public\n"
                  "addresses, unless --udp-proxy-allow says to which. Who may ask: see --client-ca and --bind");
    sub->add_option("--udp-proxy-allow", o->udp_proxy_allow,
                    "ADDR[/BITS][:PORT[-PORT]]: carry UDP there and nowhere else; IPv6 as [ADDR]; more than once if wanted")
        ->take_all()
        ->allow_extra_args(false);
    sub->add_option("--metrics", o->metrics, "Path at which to tell Prometheus how things go, for example /metrics");
    sub->add_option("--idle-timeout", o->idle_timeout, "End connections without a request after this many seconds")
        ->check(CLI::Range(0.1, 86400.0))
        ->capture_default_str();
    sub->add_option("--drain", o->drain, "When stopped, let requests under way go on for at most this many seconds")
        ->check(CLI::Range(0.0, 86400.0))
        ->capture_default_str();
    sub->add_option("--keylog", o->keylog, "Append TLS secrets to this file");
    sub->add_option("--qlog-dir", o->qlog_dir,
                    "Write a log of each connection (QUIC, and TCP with --tcp=tun and --tcp=udp) to this directory, as qlog: at "
                    "most 64 MiB each, "
                    "1 GiB and 10000 files in all");
    sub->add_flag("-q,--quiet", o->quiet, "Print nothing but errors");
    sub->add_flag("-l,--log", o->log, "Print a line for every request and every connection that ends");
    sub->add_option(
           "--log-format", o->log_format,
           "Of the lines for requests: plain, which --log prints; combined, as Apache and nginx write it, or json: these are "
           "printed without --log too, and none for connections")
        ->check(CLI::IsMember({"plain", "combined", "json"}))
        ->capture_default_str();
    add_tcp_options(*sub, o->tcp, "Our own TCP");
    sub->add_option("--control", o->control,
                    "Socket for `tandem sockets` with --tcp=tun and --tcp=udp; 'none' for none "
                    "(default: tandem-serve-PORT.sock in $XDG_RUNTIME_DIR, or in /run for root)")
        ->group("Our own TCP");
    sub->footer(footer);
    sub->callback([o, &chosen] { chosen.run = [o] { return run_serve(*o); }; });
}

}  // namespace tandem::apps
