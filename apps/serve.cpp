// `tandem serve`.
#include "serve_options.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <thread>

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>

#include <tandem/http/udp_proxying.hpp>
#include <tandem/net/clock.hpp>
#include <tandem/net/control_server.hpp>
#include <tandem/net/http_server.hpp>
#include <tandem/net/http_server_threads.hpp>
#include <tandem/net/qlog_directory.hpp>
#include <tandem/net/static_files.hpp>
#include <tandem/net/tcp_stack.hpp>
#include <tandem/quic/qlog.hpp>
#include <tandem/tls/context.hpp>
#include <tandem/tls/fingerprint.hpp>

#include "access_log.hpp"
#include "command.hpp"
#include "control_path.hpp"
#include "exit_code.hpp"
#include "metrics.hpp"
#include "output_file.hpp"
#include "qlog_option.hpp"
#include "quantities.hpp"
#include "serve_certificate.hpp"
#include "serve_site.hpp"
#include "socket_report.hpp"

namespace tandem::apps {

namespace {

constexpr std::size_t udp_proxy_buffer = 128 * 1024;  // bytes of a tunnel's datagrams that came and wait for their socket

// Every connection takes a descriptor; the soft limit is often 1024 where the hard one is far higher.
void raise_descriptor_limit() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
}

bool save(const std::string& path, const std::string& contents, std::string& why) {
    output_file file;
    return file.open(path, false, why) &&
           file.write({reinterpret_cast<const std::uint8_t*>(contents.data()), contents.size()}, why) && file.finish(why);
}

net::static_files_options files_options(const serve_options& o) {
    net::static_files_options out;
    out.listings = !o.no_listing;
    out.precompressed = o.precompressed;
    out.hidden = o.hidden;
    out.fallback = o.fallback;
    return out;
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

// "192.0.2.1", "192.0.2.1:443", "2001:db8::1" or "[2001:db8::1]:443"; without a port it is 0.
std::optional<ip_endpoint> parse_endpoint(std::string_view text) {
    if (const auto address = ip_address::parse(text)) return ip_endpoint{*address, 0};
    const auto colon = text.rfind(':');
    if (colon == std::string_view::npos) return std::nullopt;
    auto host = text.substr(0, colon);
    const auto port = text.substr(colon + 1);
    const bool bracketed = host.starts_with('[') && host.ends_with(']');
    if (bracketed) host = host.substr(1, host.size() - 2);
    const auto address = ip_address::parse(host);
    ip_endpoint out;
    const auto number = std::from_chars(port.data(), port.data() + port.size(), out.port);
    if (!address || address->is_v6 != bracketed || port.empty() || number.ec != std::errc{} ||
        number.ptr != port.data() + port.size())
        return std::nullopt;
    out.address = *address;
    return out;
}

bool find_preferred(const serve_options& o, std::vector<ip_endpoint>& out, std::string& why) {
    for (const auto& text : o.preferred) {
        const auto where = parse_endpoint(text);
        if (!where) return why = "--preferred-address " + text + ": not ADDR, ADDR:PORT or [ADDR]:PORT", false;
        if (std::any_of(out.begin(), out.end(), [&](const auto& e) { return e.address.is_v6 == where->address.is_v6; })) {
            return why = "--preferred-address " + text + ": one of each family at most", false;
        }
        out.push_back(*where);
    }
    return true;
}

// Whole lines, whichever thread they come from.
void print_line(std::string line) {
    line += '\n';
    std::fwrite(line.data(), 1, line.size(), stderr);
}

net::access_log make_access_log(const std::string& format) {
    if (format == "combined") return [](const net::access_record& r) { print_line(combined_line(r, net::wall_seconds())); };
    if (format == "json") return [](const net::access_record& r) { print_line(json_line(r, net::wall_seconds())); };
    return [](const net::access_record& r) { print_line(plain_line(r)); };
}

// Lines of --header, and what --host and --max-body say.
bool find_answers(const serve_options& o, net::http_server_options& out, std::string& why) {
    for (const auto& line : o.headers) {
        const auto colon = std::min(line.find(':'), line.size());
        const auto name = http::to_lower(line.substr(0, colon));
        const auto begin = line.find_first_not_of(" \t", colon + 1);
        const auto value =
            begin == std::string::npos ? std::string() : line.substr(begin, line.find_last_not_of(" \t") - begin + 1);
        out.fields.append(name, value);
        if (colon == line.size() || name == "content-length" || !http::invalid_reason(out.fields).empty())
            return why = "--header '" + line + "' is not 'Name: value' of a response", false;
    }
    for (const auto& host : o.hosts) {
        if (!http::is_authority(host)) return why = "--host " + host + ": not the name of a host", false;
        out.requests.hosts.push_back(http::to_lower(host));
    }
    const auto most = compare::parse_bytes(o.max_body);
    if (!most) return why = "--max-body " + o.max_body + ": not a size", false;
    out.requests.largest_body = *most;
    return true;
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
    const char* protocols = o.no_quic || o.tcp.own() ? "HTTP/2, HTTP/1.1, HTTP/3 over QMux"
                            : o.no_tcp               ? "HTTP/3"
                                                     : "HTTP/3, HTTP/2, HTTP/1.1, HTTP/3 over QMux";
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
    if (o.udp_proxy) {
        out.limits.tunnel_protocols = out.limits.datagram_protocols = {std::string(http::connect_udp_protocol)};
        out.limits.datagram_buffer = udp_proxy_buffer;
    }
    if (o.log || o.log_format != "plain") {
        out.access = make_access_log(o.log_format);
        if (o.log_format == "plain") out.log = [](std::string_view line) { print_line(std::string(line)); };
    }
    return out;
}

// A machine without IPv6, where nobody said on which addresses to listen: the other loopback address will do.
bool without_ipv6(const serve_options& o, const net::listen_error& error, net::http_server_options& options) {
    if (!error || !o.bind.empty() || options.addresses.size() < 2 || error.code == boost::system::errc::address_in_use)
        return false;
    options.addresses.resize(1);
    return true;
}

int cannot_listen(const net::listen_error& error) {
    const auto code = error.code == boost::system::errc::address_in_use ? exit_code::address_in_use : exit_code::address_unusable;
    return fail(code, "cannot listen on " + error.what + ": " + error.code.message());
}

// What signals ask for, on `io`.
class signals {
public:
    explicit signals(boost::asio::io_context& io) : end_(io, SIGINT, SIGTERM), hangup_(io) {}

    // The second time too, which is to stop at once.
    void on_end(std::function<void()> act) {
        end_.async_wait([this, act = std::move(act)](const boost::system::error_code& aborted, int) {
            if (aborted) return;
            act();
            on_end(act);
        });
    }
    void on_hangup(std::function<void()> act) {
        boost::system::error_code ignored;
        hangup_.add(SIGHUP, ignored);
        hangup_.async_wait([this, act = std::move(act)](const boost::system::error_code& aborted, int) {
            if (aborted) return;
            act();
            on_hangup(act);
        });
    }

private:
    boost::asio::signal_set end_, hangup_;
};

int serve(const serve_options& o, const site& here, const tls::certificate& certificate, const std::vector<std::string>& names,
          const net::http_server_options& wanted, const std::shared_ptr<net::qlog_directory>& logs) {
    boost::asio::io_context io(1);
    auto options = wanted;  // they hold our own TCP, which goes before `io`
    if (o.tcp.own()) {
        auto tcp = make_tcp(io.get_executor(), o.tcp, o.congestion, logs);
        if (!tcp.stack) return fail(tcp.exit_code, tcp.error);
        options.tcp_stack = std::move(tcp.stack);
        if (!tcp.addresses.empty()) options.addresses = std::move(tcp.addresses);
    }
    metrics counted;
    std::unique_ptr<net::http_server> server;
    const auto start = [&] {
        auto own = options;
        auto handlers = here.handlers(
            io.get_executor(), counted, [&](const auto& tell) { tell(counted, server->statistics()); }, own.access);
        server = std::make_unique<net::http_server>(io.get_executor(), std::move(own), std::move(handlers));
        return server->start();
    };
    auto error = start();
    if (without_ipv6(o, error, options)) error = start();
    if (error) return cannot_listen(error);

    signals told(io);
    told.on_end([&] {
        server->stop(seconds(o.drain), [&] {
            if (!options.tcp_stack) return io.stop();
            options.tcp_stack->drain(tcp_last_words, [&] { io.stop(); });
        });
    });
    if (!o.cert.empty()) {
        told.on_hangup([&] { renew_certificate(o, [&](auto context) { server->set_tls(std::move(context)); }); });
    }
    net::control_server control(io.get_executor(), [&](std::string_view question) -> std::string {
        if (question == "sockets json") return socket_json(options.tcp_stack->snapshot());
        return question == "sockets text" ? socket_text(options.tcp_stack->snapshot()) : "unknown question\n";
    });
    if (const auto path = o.control.empty() ? control_path(server->port()) : o.control;
        options.tcp_stack && !path.empty() && path != "none") {
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
        std::fprintf(stderr, "thread %zu: %llu requests, %llu QUIC and %llu TCP connections\n", i,
                     static_cast<unsigned long long>(c.each[i].requests),
                     static_cast<unsigned long long>(c.each[i].quic_connections),
                     static_cast<unsigned long long>(c.each[i].tcp_connections));
    }
    std::fprintf(stderr,
                 "in all: %llu requests, %llu QUIC and %llu TCP connections; %llu datagrams steered to their thread, %llu of "
                 "them dropped\n",
                 static_cast<unsigned long long>(c.sum.requests), static_cast<unsigned long long>(c.sum.quic_connections),
                 static_cast<unsigned long long>(c.sum.tcp_connections), static_cast<unsigned long long>(c.steering.handed_over),
                 static_cast<unsigned long long>(c.steering.dropped));
}

// On several threads, each with everything of its own; this one waits for signals.
int serve_threads(const serve_options& o, const site& here, std::size_t threads, const tls::certificate& certificate,
                  const std::vector<std::string>& names, net::http_server_options options) {
    boost::asio::io_context io(1);
    std::vector<metrics> counted(threads);  // each is touched by its own thread only
    std::unique_ptr<net::http_server_threads> server;
    const site::totals add_up = [&](const auto& tell) {
        struct sums {
            std::vector<metrics> counted;
            std::vector<net::http_server::counters> servers;
        };
        auto s = std::make_shared<sums>();
        s->counted.resize(threads);
        s->servers.resize(threads);
        const auto take = [s, &counted](std::size_t i, net::http_server& one) {
            s->counted[i] = counted[i];
            s->servers[i] = one.statistics();
        };
        server->visit(take, [s, tell] {
            for (std::size_t i = 1; i < s->counted.size(); ++i) {
                s->counted[0].add(s->counted[i]);
                s->servers[0] += s->servers[i];
            }
            tell(s->counted[0], s->servers[0]);
        });
    };
    const net::http_server_threads::thread_setup setup = [&](std::size_t i, const boost::asio::any_io_executor& executor,
                                                             net::http_server_options& own) {
        return here.handlers(executor, counted[i], add_up, own.access);
    };
    const auto start = [&] {
        server = std::make_unique<net::http_server_threads>(threads, options, setup);
        return server->start();
    };
    auto error = start();
    if (without_ipv6(o, error, options)) error = start();
    if (error) return cannot_listen(error);

    signals told(io);
    told.on_end([&] { server->stop(seconds(o.drain), [&] { io.stop(); }); });
    if (!o.cert.empty()) {
        told.on_hangup([&] { renew_certificate(o, [&](auto context) { server->set_tls(std::move(context)); }); });
    }
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
    if (o.tcp.tcp == "tun" && !o.bind.empty())
        return fail(exit_code::usage, "with --tcp=tun the address is that of --tun-address, not of --bind");
    if (o.threads != 1 && o.tcp.own()) {
        return fail(exit_code::unsupported,
                    "--tcp=" + o.tcp.tcp + " has one device and one stack, which one thread runs: not with --threads");
    }
    if (o.no_quic && o.no_tcp) return fail(exit_code::usage, "--no-quic and --no-tcp leave nothing to serve over");
    if (!o.preferred.empty() && (o.no_quic || o.tcp.own()))
        return fail(exit_code::usage, "--preferred-address is for QUIC, which is not served");
    std::vector<ip_address> addresses;
    std::vector<ip_endpoint> preferred;
    std::string text;
    if (!find_addresses(o, addresses, text) || !find_preferred(o, preferred, text)) return fail(exit_code::usage, text);

    boost::system::error_code error;
    auto files = net::static_files::open(o.directory, files_options(o), error);
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
    const auto here = site::make(o, *files, threads, text);
    if (!here) return fail(exit_code::usage, text);
    auto options = server_options(o, std::move(context), std::move(addresses));
    options.preferred = std::move(preferred);
    if (!find_answers(o, options, text)) return fail(exit_code::usage, text);
    if (logs) options.quic_config.accepted.tracer = quic::make_qlog_tracer(logs);
    if (threads > 1) return serve_threads(o, *here, threads, *certificate, names, std::move(options));
    return serve(o, *here, *certificate, names, options, logs);
}

}  // namespace tandem::apps
