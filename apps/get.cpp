// `tandem get`.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <set>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>

#include <tandem/http/race.hpp>
#include <tandem/net/clock.hpp>
#include <tandem/net/key_log_file.hpp>
#include <tandem/net/qlog_directory.hpp>
#include <tandem/net/tcp_stack.hpp>
#include <tandem/quic/qlog.hpp>
#include <tandem/tls/context.hpp>

#include "command.hpp"
#include "exit_code.hpp"
#include "get_progress.hpp"
#include "get_report.hpp"
#include "get_upload.hpp"
#include "known_origins.hpp"
#include "qlog_option.hpp"
#include "session_file.hpp"

namespace tandem::apps {

namespace {

constexpr auto progress_interval = std::chrono::milliseconds(200);
constexpr auto first_retry_delay = std::chrono::seconds(1);  // doubles
constexpr auto longest_retry_after = std::chrono::minutes(10);
constexpr auto rate_interval = std::chrono::milliseconds(20);

// HOST:PORT:ADDRESS[,ADDRESS]; addresses may be in brackets.
std::optional<net::address_override> parse_override(const std::string& text) {
    auto first = text.find(':'), second = text.find(':', first == std::string::npos ? first : first + 1);
    if (second == std::string::npos) return std::nullopt;
    net::address_override out;
    out.host = http::to_lower(text.substr(0, first));
    auto port = std::strtoul(text.substr(first + 1, second - first - 1).c_str(), nullptr, 10);
    if (port == 0 || port > 65535) return std::nullopt;
    out.port = static_cast<std::uint16_t>(port);
    for (std::size_t begin = second + 1; begin <= text.size();) {
        auto end = std::min(text.find(',', begin), text.size());
        auto address = text.substr(begin, end - begin);
        if (address.size() > 2 && address.front() == '[' && address.back() == ']')
            address = address.substr(1, address.size() - 2);
        auto parsed = ip_address::parse(address);
        if (!parsed) return std::nullopt;
        out.addresses.push_back(*parsed);
        begin = end + 1;
    }
    if (out.addresses.empty()) return std::nullopt;
    return out;
}

class getter {
public:
    // `tcp`: our own, on `io`; null for the kernel's.
    getter(boost::asio::io_context& io, std::shared_ptr<net::tcp_stack> tcp, const get_options& options, const get_plan& plan,
           net::http_client_options client_options);
    int run();

private:
    struct running {
        std::shared_ptr<get_transfer> sink;
        unsigned retries = 0;
        net::http_client::request_handle handle = 0;
    };

    void submit_more();
    void submit(std::size_t index, unsigned retries);
    void done(std::size_t index, const get_result& result);
    bool retry(std::size_t index, const get_result& result);
    void limit_rate();
    void tell(const get_result& result);
    void show_progress();
    void trace(std::string_view text, char mark) const;

    const get_options& options_;
    const get_plan& plan_;
    boost::asio::io_context& io_;
    std::shared_ptr<net::tcp_stack> tcp_;
    net::http_client client_;
    boost::asio::signal_set signals_{io_, SIGINT, SIGTERM};
    boost::asio::steady_timer progress_timer_{io_};
    boost::asio::steady_timer rate_timer_{io_};
    transfer_options transfer_options_;
    std::map<std::size_t, running> running_;
    std::map<std::size_t, std::unique_ptr<boost::asio::steady_timer>> waiting_;  // to be tried again
    std::vector<get_result> results_;
    std::set<std::string> told_;
    std::size_t next_ = 0;
    std::uint64_t finished_bytes_ = 0;
    time_point begun_ = net::now();
    bool progress_ = false;
    progress_display display_;
    int exit_code_ = exit_code::ok;
};

getter::getter(boost::asio::io_context& io, std::shared_ptr<net::tcp_stack> tcp, const get_options& options, const get_plan& plan,
               net::http_client_options client_options)
    : options_(options), plan_(plan), io_(io), tcp_(std::move(tcp)), client_(io_.get_executor(), [&] {
          if (options.verbose) client_options.connection.trace = [this](std::string_view line) { trace(line, '*'); };
          return std::move(client_options);
      }()) {
    transfer_options_.include_headers = options.include_headers || options.head;
    transfer_options_.fail = options.fail;
    transfer_options_.create_dirs = options.create_dirs;
    transfer_options_.resume = options.resume;
    transfer_options_.decode = options.compressed;
    transfer_options_.max_size = plan.max_size;
    transfer_options_.rate = plan.rate;
    transfer_options_.note = [this](const std::string& text) {
        display_.clear();
        std::fprintf(stderr, "tandem: %s\n", text.c_str());
    };
    if (options.verbose) transfer_options_.trace = [this](std::string_view text) { trace(text, '<'); };
    bool to_terminal = plan.jobs.front().output.empty() && !plan.jobs.front().drop && ::isatty(STDOUT_FILENO);
    progress_ = !options.silent && !options.verbose && !to_terminal && ::isatty(STDERR_FILENO);
}

// Each line of `text` with a mark before it, as curl -v does.
void getter::trace(std::string_view text, char mark) const {
    while (!text.empty()) {
        auto end = text.find('\n');
        auto line = text.substr(0, end);
        if (line.ends_with('\r')) line.remove_suffix(1);
        std::fprintf(stderr, "%c %.*s\n", mark, static_cast<int>(line.size()), line.data());
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    }
}

int getter::run() {
    signals_.async_wait([this](const boost::system::error_code& error, int) {
        if (error) return;
        exit_code_ = exit_code::interrupted;
        display_.clear();
        fail(exit_code_, "interrupted");
        io_.stop();
    });
    submit_more();
    if (progress_) show_progress();
    if (plan_.rate > 0) limit_rate();
    io_.run();
    return exit_code_;
}

void getter::submit_more() {
    auto limit = options_.parallel ? options_.parallel_max : 1;
    while (next_ < plan_.jobs.size() && running_.size() + waiting_.size() < limit) submit(next_++, 0);
    if (!running_.empty() || !waiting_.empty() || next_ < plan_.jobs.size()) return;
    display_.clear();
    if (options_.json) std::fputs(json_report(results_, exit_code_).c_str(), stdout);
    std::fflush(stdout);
    if (!tcp_) return io_.stop();
    client_.close_idle();
    tcp_->drain(tcp_last_words, [this] { io_.stop(); });
}

void getter::submit(std::size_t index, unsigned retries) {
    const auto& job = plan_.jobs[index];
    net::http_request request;
    request.url = job.url;
    request.method = plan_.method;
    request.fields = plan_.fields;
    request.body = plan_.body;
    request.has_body = plan_.has_body;
    request.timeout = seconds(options_.max_time);
    request.first_byte_timeout = seconds(options_.first_byte_timeout);
    request.stall_timeout = seconds(options_.stall_timeout);
    request.max_redirects = options_.location ? options_.max_redirects : 0;
    request.decode = options_.compressed;
    if (plan_.upload == "-") {
        request.source = [this, index, used = false]() mutable -> std::unique_ptr<http::body_source> {
            if (std::exchange(used, true)) return nullptr;  // it came and went
            return open_standard_input(io_.get_executor(), [this, index] {
                if (auto it = running_.find(index); it != running_.end()) client_.resume(it->second.handle);
            });
        };
    } else if (!plan_.upload.empty()) {
        request.source = [file = plan_.upload] { return open_upload(file); };
    }
    if (!plan_.host.empty()) {
        request.prepare = [host = plan_.host, asked = job.url.authority()](http::request& r, net::http_protocol) {
            if (r.authority == asked) r.authority = host;  // not where a redirection leads
        };
    }
    if (options_.verbose) {
        std::string text =
            plan_.method + " " + job.url.path + "\nhost: " + (plan_.host.empty() ? job.url.authority() : plan_.host) + "\n";
        for (const auto& f : plan_.fields) text.append(f.name).append(": ").append(f.value).append("\n");
        trace(text, '>');
    }
    auto sink = std::make_shared<get_transfer>(job, plan_.method, transfer_options_,
                                               [this, index](const get_result& result) { done(index, result); });
    sink->prepare(request);
    running_[index] = {sink, retries, 0};
    running_[index].handle = client_.submit(std::move(request), sink);
}

void getter::done(std::size_t index, const get_result& result) {
    if (retry(index, result)) return;
    auto node = running_.extract(index);  // destroyed when this function ends, not under the caller's feet
    finished_bytes_ += result.info.body_bytes;
    tell(result);
    boost::asio::post(io_, [this, keep = std::move(node.mapped().sink)] { submit_more(); });
}

bool getter::retry(std::size_t index, const get_result& result) {
    auto retries = running_[index].retries;
    if (!result.transient || retries >= options_.retry || plan_.upload == "-") return false;
    auto delay = first_retry_delay * (1 << std::min(retries, 9U));
    if (result.response && result.response->status >= 400) {  // RFC 9110 10.2.3
        const auto after = http::parse_content_length(result.response->fields.find("retry-after").value_or(""));
        if (after && *after > static_cast<std::uint64_t>(std::chrono::seconds(longest_retry_after).count())) return false;
        if (after) delay = std::chrono::seconds(*after);
    }
    display_.clear();
    std::fprintf(stderr, "tandem: %s; trying again in %lld s\n",
                 result.error.empty()
                     ? (result.job->url.to_string() + " answered " + std::to_string(result.response->status)).c_str()
                     : result.error.c_str(),
                 static_cast<long long>(delay.count()));
    auto keep = running_.extract(index);
    auto& timer = waiting_[index];
    timer = std::make_unique<boost::asio::steady_timer>(io_, delay);
    timer->async_wait([this, index, retries, sink = std::move(keep.mapped().sink)](const boost::system::error_code& error) {
        if (error) return;
        waiting_.erase(index);
        submit(index, retries + 1);
    });
    return true;
}

// Transfers that have had their bytes for now are asked again soon.
void getter::limit_rate() {
    rate_timer_.expires_after(rate_interval);
    rate_timer_.async_wait([this](const boost::system::error_code& error) {
        if (error) return;
        std::vector<net::http_client::request_handle> handles;
        for (const auto& [index, r] : running_) handles.push_back(r.handle);
        for (const auto handle : handles) client_.resume(handle);
        limit_rate();
    });
}

void getter::tell(const get_result& result) {
    if (result.exit_code != 0) {
        if (exit_code_ == exit_code::ok) exit_code_ = result.exit_code;
        // A host that cannot be reached fails all its transfers with the same words: once is enough.
        if (told_.insert(result.error).second) {
            display_.clear();
            fail(result.exit_code, result.error);
        }
    }
    if (!options_.write_out.empty()) {
        display_.clear();
        std::fputs(write_out(options_.write_out, result).c_str(), stdout);
        std::fflush(stdout);
    }
    if (options_.json) results_.push_back(result);
}

void getter::show_progress() {
    progress_state state;
    state.total = plan_.jobs.size();
    state.done = next_ - running_.size() - waiting_.size();
    state.bytes = finished_bytes_;
    for (const auto& [index, r] : running_) {
        state.bytes += r.sink->received();
        const auto& job = plan_.jobs[index];
        state.transfers.push_back(
            {job.output.empty() ? job.url.to_string() : job.output, r.sink->received(), r.sink->expected()});
    }
    state.seconds = std::chrono::duration<double>(net::now() - begun_).count();
    display_.show(state);
    progress_timer_.expires_after(progress_interval);
    progress_timer_.async_wait([this](const boost::system::error_code& error) {
        if (!error) show_progress();
    });
}

std::vector<net::http_protocol> protocols(const get_options& o) {
    using net::http_protocol;
    if (o.http3_only) return {http_protocol::http3};
    if (o.qmux) return {http_protocol::http3_qmux};
    if (o.http1) return {http_protocol::http1};
    if (o.http2) return {http_protocol::http2};
    if (o.tcp.own()) return {http_protocol::http2};  // asked for that TCP: QUIC would win
    return {http_protocol::http3, http_protocol::http2};
}

// ADDRESS[:PORT]; an IPv6 address with a port is in brackets.
std::optional<ip_endpoint> parse_name_server(const std::string& text) {
    constexpr std::uint16_t dns_port = 53;
    if (auto alone = ip_address::parse(text)) return ip_endpoint{*alone, dns_port};
    const auto colon = text.rfind(':');
    if (colon == std::string::npos) return std::nullopt;
    auto host = text.substr(0, colon);
    if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
    const auto address = ip_address::parse(host);
    const auto port = http::parse_content_length(text.substr(colon + 1));
    if (!address || !port || *port == 0 || *port > 65535) return std::nullopt;
    return ip_endpoint{*address, static_cast<std::uint16_t>(*port)};
}

void show_race(const http::race& race) {
    std::string text = "QUIC known from: " + std::string(to_string(race.knowledge()));
    if (auto trip = race.round_trip()) text += "; round trip the last time: " + http::milliseconds_text(*trip);
    std::fprintf(stderr, "%s\n%s%s\n", text.c_str(), race.timeline().c_str(), race.verdict().c_str());
}

}  // namespace

int run_get(const get_options& o) {
    get_plan plan;
    get_failure why;
    if (!make_plan(o, plan, why)) return fail(why.code, why.text);

    net::http_client_options options;
    for (const auto& text : o.resolve) {
        auto parsed = parse_override(text);
        if (!parsed) return fail(exit_code::usage, "--resolve " + text + " is not HOST:PORT:ADDRESS");
        options.connection.overrides.push_back(std::move(*parsed));
    }
    options.connection.https_records = o.https_records;
    using family = net::http_connection_options::ip_family;
    options.connection.family = o.ipv4 ? family::v4 : o.ipv6 ? family::v6 : family::any;
    if (!o.dns_server.empty()) {
        const auto server = parse_name_server(o.dns_server);
        if (!server) return fail(exit_code::usage, "--dns-server " + o.dns_server + " is not ADDRESS[:PORT]");
        options.connection.name_servers = {*server};
    }
    tls::client_options tls_options;
    tls_options.verify = !o.insecure;
    tls_options.ca_file = o.cacert;
    tls::error tls_error;
    if (!o.cert.empty()) {
        auto own = tls::load_certificate(o.cert, o.key.empty() ? o.cert : o.key, tls_error);
        if (!own) return fail(exit_code::own_certificate, tls_error.text);
        tls_options.certificate = std::move(*own);
    } else if (!o.key.empty()) {
        return fail(exit_code::usage, "--key without --cert");
    }
    if (!plan.upload.empty() && plan.upload != "-" && !open_upload(plan.upload))
        return fail(exit_code::read, "cannot read " + plan.upload);
    if (const char* keylog = std::getenv("SSLKEYLOGFILE"); keylog != nullptr && *keylog != '\0') {
        std::string text;
        tls_options.key_log = net::key_log_file(keylog, text);
        if (!tls_options.key_log) return fail(exit_code::write, "SSLKEYLOGFILE: " + text);
    }
    std::shared_ptr<net::qlog_directory> logs;
    if (std::string text; !open_qlog(o.qlog_dir, logs, text)) return fail(exit_code::write, "logs: " + text);
    options.connection.tls = tls::client_context::create(tls_options, tls_error);
    if (!options.connection.tls) return fail(exit_code::roots, tls_error.text);
    options.connection.connect_timeout = seconds(o.connect_timeout);
    options.connection.resolve_timeout = seconds(o.resolve_timeout);
    options.connection.tcp_timeout = seconds(o.tcp_timeout);
    options.connection.tls_timeout = seconds(o.tls_timeout);
    options.connection.follow_addresses = o.migrate;
    auto& quic = options.connection.quic;
    if (const auto kind = recovery::parse_controller(o.congestion)) quic.controller = *kind;
    quic.max_datagram_size = o.max_datagram_size;
    quic.mtu_discovery = o.mtu_discovery;
    quic.use_preferred_address = o.preferred_address;
    quic.keep_alive = quic.max_idle_timeout / 2;  // RFC 9114 5.1: answers may take longer than silence may last
    if (logs) quic.tracer = tandem::quic::make_qlog_tracer(logs);
    if (o.quic_version == "v2") {
        quic.version = quic::version::v2;
        quic.versions = {quic::version::v2, quic::version::v1};  // a server that obeys the order does not move us away from it
    }
    options.protocols = protocols(o);
    known_origins known;
    std::string text;
    if (!o.alt_svc.empty() && !known.load(o.alt_svc, text)) return fail(exit_code::usage, "--alt-svc: " + text);
    options.known = known.cache();
    session_file sessions;
    if (!o.session.empty() && !sessions.load(o.session, text)) return fail(exit_code::usage, "--session: " + text);
    if (!o.session.empty()) options.connection.sessions = sessions.cache();
    options.connection.early_data = o.early_data;
    if (o.race) options.connection.decided = [](const http::race& race) { show_race(race); };
    if (!o.parallel) options.http1_connections = 1;
    options.concurrent_requests = o.parallel ? o.parallel_max : 1;

    boost::asio::io_context io(1);
    if (o.tcp.own()) {
        auto own = make_tcp(io.get_executor(), o.tcp, o.congestion, logs);
        if (!own.stack) return fail(own.exit_code, own.error);
        options.connection.tcp = std::move(own.stack);
    }
    const auto tcp = options.connection.tcp;
    getter get(io, tcp, o, plan, std::move(options));
    const auto code = get.run();
    if (!known.save(text)) return fail(exit_code::write, "--alt-svc: " + text);
    if (!sessions.save(text)) return fail(exit_code::write, "--session: " + text);
    return code;
}

}  // namespace tandem::apps
