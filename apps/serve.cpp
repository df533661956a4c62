// `tandem serve`.
#include "serve_options.hpp"

#include <sys/resource.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <fstream>
#include <iterator>

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>

#include <tandem/net/control_server.hpp>
#include <tandem/http/url.hpp>
#include <tandem/net/http_router.hpp>
#include <tandem/net/http_server.hpp>
#include <tandem/net/http_server_threads.hpp>
#include <tandem/net/key_log_file.hpp>
#include <tandem/net/qlog_directory.hpp>
#include <tandem/net/reverse_proxy.hpp>
#include <tandem/net/static_files.hpp>
#include <tandem/net/tcp_stack.hpp>
#include <tandem/quic/qlog.hpp>
#include <tandem/tls/context.hpp>
#include <tandem/tls/fingerprint.hpp>

#include "control_path.hpp"
#include "exit_code.hpp"
#include "metrics.hpp"
#include "output_file.hpp"
#include "qlog_option.hpp"
#include "socket_report.hpp"

namespace tandem::apps {

namespace {

int fail(int code, const std::string& text) {
    std::fprintf(stderr, "tandem: %s\n", text.c_str());
    return code;
}

std::int64_t wall_clock() {
    return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

duration seconds(double s) { return std::chrono::duration_cast<duration>(std::chrono::duration<double>(s)); }

// Our own TCP goes with the program: so long its connections may take to end in order.
constexpr auto last_words = std::chrono::seconds(1);

// To one --proxy server: connections over HTTP/1.1, and requests at a time; more wait.
constexpr std::size_t proxy_connections = 64;
constexpr std::size_t proxy_requests = 1000;

// Every connection takes a descriptor; the soft limit is often 1024 where the hard one is far higher.
void raise_descriptor_limit() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
}

// The certificate of the files, or one made now. Nothing on error.
std::optional<tls::certificate> find_certificate(const serve_options& o, std::vector<std::string>& names, tls::error& why) {
    if (!o.cert.empty()) return tls::load_certificate(o.cert, o.key, why);
    constexpr std::int64_t day = 86400;
    tls::self_signed_options self;
    self.names.insert(self.names.end(), o.names.begin(), o.names.end());
    self.not_before = wall_clock() - day;  // clocks differ
    self.not_after = wall_clock() + 90 * day;
    self.serial = static_cast<std::uint64_t>(wall_clock());
    names = self.names;
    return tls::self_signed(self, why);
}

bool save(const std::string& path, const std::string& contents, std::string& why) {
    output_file file;
    return file.open(path, false, why) && file.write({reinterpret_cast<const std::uint8_t*>(contents.data()), contents.size()}, why) &&
           file.finish(why);
}

bool find_addresses(const serve_options& o, std::vector<ip_address>& out, std::string& why) {
    for (const auto& text : o.bind) {
        if (text == "*") {
            out.push_back(ip_address::v4(0, 0, 0, 0));
            out.push_back(*ip_address::parse("::"));
            continue;
        }
        auto address = ip_address::parse(text == "localhost" ? "127.0.0.1" : text);
        if (!address) return why = "--bind " + text + ": not an IP address", false;
        out.push_back(*address);
    }
    if (o.bind.empty()) out = {ip_address::v4(127, 0, 0, 1), *ip_address::parse("::1")};
    return true;
}

void log_access(const net::access_record& r) {
    auto bytes = r.bytes ? std::to_string(*r.bytes) : "-";
    std::fprintf(stderr, "%s \"%s %s %.*s\" %d %s %.1f ms%s\n", r.source.remote.to_string().c_str(), r.request.method.c_str(),
                 r.request.path.c_str(), static_cast<int>(r.source.protocol.size()), r.source.protocol.data(), r.status, bytes.c_str(),
                 std::chrono::duration<double, std::milli>(r.took).count(), r.complete ? "" : " (incomplete)");
}

std::string url_of(const ip_endpoint& e) {
    auto address = e.address.to_string();
    bool any = address == "0.0.0.0" || address == "::";
    return "https://" + (any ? "localhost:" + std::to_string(e.port) : e.to_string()) + "/";
}

template <class Server>
void announce(const serve_options& o, const Server& server, const tls::certificate& certificate,
              const std::vector<std::string>& names) {
    for (const auto& warning : server.warnings()) std::fprintf(stderr, "tandem: %s\n", warning.c_str());
    if (o.quiet) return;
    const char* protocols = o.no_quic || o.tcp.own() ? "HTTP/2, HTTP/1.1, HTTP/3 over QMux" : o.no_tcp ? "HTTP/3" : "HTTP/3, HTTP/2, HTTP/1.1, HTTP/3 over QMux";
    const char* words = "listening on";
    for (const auto& e : server.endpoints()) {
        std::printf("%s %s (%s)\n", words, url_of(e).c_str(), protocols);
        words = "and on";
    }
    if (!names.empty()) {
        std::string list;
        for (const auto& name : names) list += (list.empty() ? "" : ", ") + name;
        std::printf("self-signed certificate for %s, SHA-256 %s\n", list.c_str(), tls::fingerprint(certificate).c_str());
    }
    std::fflush(stdout);
}

net::http_server_options server_options(const serve_options& o, std::shared_ptr<const tls::server_context> context,
                                        std::vector<ip_address> addresses) {
    net::http_server_options out;
    out.addresses = std::move(addresses);
    out.port = o.port;
    out.quic = !o.no_quic && !o.tcp.own();
    out.tcp = !o.no_tcp;
    out.tls = std::move(context);
    auto& quic = out.quic_config;
    if (const auto kind = recovery::parse_controller(o.congestion)) quic.accepted.controller = *kind;
    quic.accepted.max_datagram_size = o.max_datagram_size;
    quic.accepted.mtu_discovery = o.mtu_discovery;
    quic.accepted.max_idle_timeout = seconds(o.idle_timeout);
    quic.accepted.early_data = o.early_data && o.proxies.empty();  // the server behind would have to be told (RFC 8470 5.1)
    quic.retry = o.retry ? quic::retry_policy::always : quic::retry_policy::when_busy;
    out.requests.idle_timeout = seconds(o.idle_timeout);
    if (o.log) {
        out.access = log_access;
        out.log = [](std::string_view line) { std::fprintf(stderr, "%.*s\n", static_cast<int>(line.size()), line.data()); };
    }
    return out;
}

// What a start may fail with; 0: none.
int listen_exit_code(const net::listen_error& error) {
    if (error.code == boost::system::errc::address_in_use) return exit_code::address_in_use;
    return exit_code::address_unusable;
}

// [PATH=]URL of --proxy.
bool parse_proxy(const std::string& text, std::string& path, http::url& origin, std::string& why) {
    auto equals = text.starts_with('/') ? text.find('=') : std::string::npos;
    path = equals == std::string::npos ? "" : text.substr(0, equals);
    if (path == "/") path.clear();
    if (path.ends_with('/')) path.pop_back();
    auto parsed = http::parse_url(equals == std::string::npos ? text : text.substr(equals + 1), why);
    if (!parsed) return why = "--proxy " + text + ": " + why, false;
    origin = std::move(*parsed);
    return true;
}

std::shared_ptr<const tls::server_context> make_context(const serve_options& o, const tls::certificate& certificate, std::string& text, int& code) {
    tls::server_options options;
    options.certificate = certificate;
    auto keylog = o.keylog;
    if (const char* environment = std::getenv("SSLKEYLOGFILE"); keylog.empty() && environment != nullptr) keylog = environment;
    code = exit_code::write;
    if (!keylog.empty() && !(options.key_log = net::key_log_file(keylog, text))) return text = "key log: " + text, nullptr;
    code = exit_code::roots;
    if (!o.client_ca.empty()) {
        std::ifstream in(o.client_ca);
        options.client_ca_pem.assign(std::istreambuf_iterator<char>(in), {});
        if (options.client_ca_pem.empty()) return text = "cannot read " + o.client_ca, nullptr;
    }
    code = exit_code::own_certificate;
    tls::error why;
    auto out = tls::server_context::create(options, why);
    if (!out) text = why.text;
    return out;
}

// On SIGHUP: what is broken leaves everything as it is.
void renew_certificate(const serve_options& o, net::http_server& server) {
    tls::error why;
    std::string text;
    int code = 0;
    auto certificate = tls::load_certificate(o.cert, o.key, why);
    auto context = certificate ? make_context(o, *certificate, text, code) : nullptr;
    if (!context) {
        std::fprintf(stderr, "tandem: the certificate stays as it is: %s\n", (certificate ? text : why.text).c_str());
        return;
    }
    server.set_tls(std::move(context));
    if (o.quiet) return;
    std::printf("certificate renewed, SHA-256 %s\n", tls::fingerprint(*certificate).c_str());
    std::fflush(stdout);
}

// What answers requests. Files alone are answered at once; with proxies or metrics a router comes before them.
struct site {
    const net::static_files& files;
    std::optional<net::http_router> router;
    metrics counted;

    net::http_answer file(const http::request& request) const { return files.respond(request, wall_clock()); }
};

bool make_routes(const serve_options& o, boost::asio::io_context& io, const std::unique_ptr<net::http_server>& server, site& s, std::string& why) {
    if (o.proxies.empty() && o.metrics.empty()) return true;
    auto& router = s.router.emplace();
    router.add("*", "/*", [&s](std::shared_ptr<net::http_exchange> exchange) {
        auto answer = s.file(exchange->request());
        exchange->respond(std::move(answer.head), std::move(answer.body));
    });
    for (const auto& text : o.proxies) {
        net::reverse_proxy_options options;
        if (!parse_proxy(text, options.strip, options.origin, why)) return false;
        tls::client_options trust;
        trust.verify = !o.proxy_insecure;
        tls::error error;
        if (options.origin.scheme == "https" && !(options.client.connection.tls = tls::client_context::create(trust, error))) {
            return why = "--proxy " + text + ": " + error.text, false;
        }
        options.client.http1_connections = proxy_connections;
        options.client.concurrent_requests = proxy_requests;
        auto pass = net::reverse_proxy(io.get_executor(), options);
        router.add("*", options.strip + "/*", pass);
        if (!options.strip.empty()) router.add("*", options.strip, pass);
    }
    if (!o.metrics.empty()) {
        if (!o.metrics.starts_with('/')) return why = "--metrics " + o.metrics + ": a path begins with '/'", false;
        router.add("GET", o.metrics, [&](std::shared_ptr<net::http_exchange> exchange) {
            exchange->respond(200, "text/plain; version=0.0.4; charset=utf-8", s.counted.text(server->statistics()));
        });
    }
    return true;
}

int serve(const serve_options& o, const net::static_files& files, const tls::certificate& certificate, const std::vector<std::string>& names,
          const net::http_server_options& wanted, const std::shared_ptr<net::qlog_directory>& logs) {
    boost::asio::io_context io(1);
    auto options = wanted;  // they hold our own TCP, which goes before `io`
    if (o.tcp.own()) {
        auto tcp = make_tcp(io.get_executor(), o.tcp, o.congestion, logs);
        if (!tcp.stack) return fail(tcp.exit_code, tcp.error);
        options.tcp_stack = std::move(tcp.stack);
        if (!tcp.addresses.empty()) options.addresses = std::move(tcp.addresses);
    }
    site here{files, {}, {}};
    std::unique_ptr<net::http_server> server;
    if (std::string why; !make_routes(o, io, server, here, why)) return fail(exit_code::usage, why);
    if (!o.metrics.empty()) {
        options.access = [&here, log = options.access](const net::access_record& record) {
            here.counted.record(record);
            if (log) log(record);
        };
    }
    const auto make_server = [&](const net::http_server_options& with) {
        if (here.router) return std::make_unique<net::http_server>(io.get_executor(), with, net::http_handler(*here.router));
        return std::make_unique<net::http_server>(io.get_executor(), with, [&here](const http::request& r, const net::request_source&) { return here.file(r); });
    };
    server = make_server(options);
    auto error = server->start();
    if (error && o.bind.empty() && options.addresses.size() > 1 && error.code != boost::system::errc::address_in_use) {
        // A machine without IPv6: the other loopback address will do.
        auto fewer = options;
        fewer.addresses.resize(1);
        server = make_server(fewer);
        error = server->start();
    }
    if (error) return fail(listen_exit_code(error), "cannot listen on " + error.what + ": " + error.code.message());

    boost::asio::signal_set signals(io, SIGINT, SIGTERM);
    std::function<void()> wait = [&] {
        signals.async_wait([&](const boost::system::error_code& aborted, int) {
            if (aborted) return;
            server->stop(seconds(o.drain), [&] {
                if (!options.tcp_stack) return io.stop();
                options.tcp_stack->drain(last_words, [&] { io.stop(); });
            });
            wait();  // a second signal stops at once
        });
    };
    wait();
    boost::asio::signal_set hangup(io, SIGHUP);
    std::function<void()> wait_hangup = [&] {
        hangup.async_wait([&](const boost::system::error_code& aborted, int) {
            if (aborted) return;
            renew_certificate(o, *server);
            wait_hangup();
        });
    };
    if (!o.cert.empty()) wait_hangup();
    net::control_server control(io.get_executor(), [&](std::string_view question) -> std::string {
        if (question == "sockets json") return socket_json(options.tcp_stack->snapshot());
        return question == "sockets text" ? socket_text(options.tcp_stack->snapshot()) : "unknown question\n";
    });
    if (const auto path = o.control.empty() ? control_path(server->port()) : o.control; options.tcp_stack && !path.empty() && path != "none") {
        if (auto why = control.listen(path)) {
            const auto text = "cannot listen on the control socket " + path + ": " + why.message();
            if (!o.control.empty()) return fail(exit_code::address_unusable, text);
            std::fprintf(stderr, "tandem: %s; `tandem sockets` will not work\n", text.c_str());
        }
    }
    announce(o, *server, certificate, names);  // who reads this may send a signal at once
    io.run();
    return exit_code::ok;
}

void log_counters(const net::http_server_threads::counters& c) {
    for (std::size_t i = 0; i < c.each.size(); ++i) {
        std::fprintf(stderr, "thread %zu: %llu requests, %llu QUIC and %llu TCP connections\n", i, static_cast<unsigned long long>(c.each[i].requests),
                     static_cast<unsigned long long>(c.each[i].quic_connections), static_cast<unsigned long long>(c.each[i].tcp_connections));
    }
    std::fprintf(stderr, "in all: %llu requests, %llu QUIC and %llu TCP connections; %llu datagrams steered to their thread, %llu of them dropped\n",
                 static_cast<unsigned long long>(c.sum.requests), static_cast<unsigned long long>(c.sum.quic_connections),
                 static_cast<unsigned long long>(c.sum.tcp_connections), static_cast<unsigned long long>(c.steering.handed_over),
                 static_cast<unsigned long long>(c.steering.dropped));
}

// On several threads, each with everything of its own; this one waits for signals.
int serve_threads(const serve_options& o, std::size_t threads, const net::static_files& files, const tls::certificate& certificate,
                  const std::vector<std::string>& names, net::http_server_options options) {
    boost::asio::io_context io(1);
    auto handler = [&files](const http::request& request, const net::request_source&) { return files.respond(request, wall_clock()); };
    auto server = std::make_unique<net::http_server_threads>(threads, options, handler);
    auto error = server->start();
    if (error && o.bind.empty() && options.addresses.size() > 1 && error.code != boost::system::errc::address_in_use) {
        options.addresses.resize(1);  // a machine without IPv6: the other loopback address will do
        server = std::make_unique<net::http_server_threads>(threads, options, handler);
        error = server->start();
    }
    if (error) return fail(listen_exit_code(error), "cannot listen on " + error.what + ": " + error.code.message());

    boost::asio::signal_set signals(io, SIGINT, SIGTERM);
    std::function<void()> wait = [&] {
        signals.async_wait([&](const boost::system::error_code& aborted, int) {
            if (aborted) return;
            server->stop(seconds(o.drain), [&] { io.stop(); });
            wait();  // a second signal stops at once
        });
    };
    wait();
    announce(o, *server, certificate, names);
    io.run();
    server->join();
    if (o.log) log_counters(server->statistics());
    return exit_code::ok;
}

}  // namespace

int run_serve(const serve_options& o) {
    if (o.cert.empty() != o.key.empty()) return fail(exit_code::usage, "--cert and --key belong together");
    if (o.tcp.own() && o.no_tcp) return fail(exit_code::usage, "--tcp=" + o.tcp.tcp + " and --no-tcp contradict each other");
    if (o.tcp.tcp == "tun" && !o.bind.empty()) return fail(exit_code::usage, "with --tcp=tun the address is that of --tun-address, not of --bind");
    if (o.threads != 1 && (o.tcp.own() || !o.proxies.empty() || !o.metrics.empty() || !o.qlog_dir.empty())) {
        return fail(exit_code::usage, "--threads serves files over the kernel's TCP and QUIC only: not with --tcp, --proxy, --metrics or --qlog-dir");
    }
    if (o.no_quic && o.no_tcp) return fail(exit_code::usage, "--no-quic and --no-tcp leave nothing to serve over");
    std::vector<ip_address> addresses;
    std::string text;
    if (!find_addresses(o, addresses, text)) return fail(exit_code::usage, text);

    boost::system::error_code error;
    auto files = net::static_files::open(o.directory, {!o.no_listing, o.precompressed}, error);
    if (!files) return fail(exit_code::read, "cannot serve " + o.directory + ": " + error.message());

    tls::error why;
    std::vector<std::string> names;
    auto certificate = find_certificate(o, names, why);
    if (!certificate) return fail(exit_code::own_certificate, why.text);
    int code = 0;
    auto context = make_context(o, *certificate, text, code);
    if (!context) return fail(code, text);
    if (!o.save_cert.empty() && !save(o.save_cert, certificate->chain_pem, text)) return fail(exit_code::write, text);

    std::shared_ptr<net::qlog_directory> logs;
    if (!open_qlog(o.qlog_dir, logs, text)) return fail(exit_code::write, "logs: " + text);
    raise_descriptor_limit();
    const auto threads = o.threads != 0 ? o.threads : std::max<std::size_t>(1, std::thread::hardware_concurrency());
    auto options = server_options(o, std::move(context), std::move(addresses));
    if (threads > 1) return serve_threads(o, threads, *files, *certificate, names, std::move(options));
    if (logs) options.quic_config.accepted.tracer = quic::make_qlog_tracer(logs);
    return serve(o, *files, *certificate, names, options, logs);
}

}  // namespace tandem::apps
