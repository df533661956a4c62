#include "get_report.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>

#include <tandem/http/redirect.hpp>

#include "exit_code.hpp"
#include "json_writer.hpp"

namespace tandem::apps {

namespace {

using net::transfer_info;

double seconds_between(time_point from, time_point to) { return std::max(0.0, std::chrono::duration<double>(to - from).count()); }

// Since the transfer was begun; 0 for what did not happen, or had happened before (a connection that was there already).
double since_start(const transfer_info& info, const std::optional<time_point>& t) {
    return t ? seconds_between(info.queued, *t) : 0;
}

double connection_time(const transfer_info& info, const std::optional<time_point>& t) {
    return info.reused_connection ? 0 : since_start(info, t);
}

struct timing {
    const char* name;
    double value;
};

std::vector<timing> timings(const transfer_info& info) {
    const auto& c = info.connection;
    return {{"time_namelookup", connection_time(info, c.resolved)},
            {"time_connect", connection_time(info, c.connected ? c.connected : c.secured)},
            {"time_appconnect", connection_time(info, c.secured)},
            {"time_pretransfer", since_start(info, info.submitted)},
            {"time_starttransfer", since_start(info, info.first_byte)},
            {"time_total", since_start(info, info.finished)}};
}

std::string fixed(double value, int digits) {
    char out[48];
    std::snprintf(out, sizeof out, "%.*f", digits, value);
    return out;
}

std::string field_of(const get_result& r, std::string_view name) {
    auto value = r.response ? r.response->fields.find(name) : std::nullopt;
    return value ? std::string(*value) : std::string();
}

double speed(const transfer_info& info) {
    auto total = since_start(info, info.finished);
    return total > 0 ? static_cast<double>(info.body_bytes) / total : 0;
}

std::string variable(std::string_view name, const get_result& r) {
    const auto& info = r.info;
    if (name == "http_code" || name == "response_code") {
        char out[16];
        std::snprintf(out, sizeof out, "%03d", r.response ? r.response->status : 0);
        return out;
    }
    if (name == "http_version") return r.response ? std::string(version_text(info.protocol)) : "0";
    if (name == "size_download") return std::to_string(info.body_bytes);
    if (name == "speed_download") return fixed(speed(info), 0);
    if (name == "url") return r.job->url.to_string();
    if (name == "url_effective") return (r.info.url.host.empty() ? r.job->url : r.info.url).to_string();
    if (name == "num_redirects") return std::to_string(r.info.redirects);
    if (name == "filename_effective") return r.job->output;
    if (name == "content_type") return field_of(r, "content-type");
    if (name == "method") return r.method;
    if (name == "scheme") return (r.info.url.host.empty() ? r.job->url : r.info.url).scheme;
    if (name == "size_header") return std::to_string(r.header_bytes);
    if (name == "redirect_url") {  // where -L would have gone
        const auto to = r.response ? http::redirection_of(r.info.url, r.method, *r.response) : std::nullopt;
        return to ? to->to.to_string() : std::string();
    }
    if (name.starts_with("header{") && r.response) return r.response->fields.joined(http::to_lower(name.substr(7)));
    if (name.starts_with("header{")) return {};
    if (name == "remote_ip") return info.remote.port == 0 ? std::string() : info.remote.address.to_string();
    if (name == "remote_port") return std::to_string(info.remote.port);
    if (name == "num_connects") return info.attempts > 0 && !info.reused_connection ? "1" : "0";
    if (name == "exitcode") return std::to_string(r.exit_code);
    if (name == "errormsg") return r.error;
    for (const auto& t : timings(info)) {
        if (name == t.name) return fixed(t.value, 6);
    }
    return "%{" + std::string(name) + "}";
}

}  // namespace

std::string write_out(std::string_view format, const get_result& result) {
    std::string out;
    for (std::size_t i = 0; i < format.size(); ++i) {
        auto rest = format.substr(i);
        if (rest.starts_with("%{")) {
            const bool nested = rest.starts_with("%{header{");
            auto close = rest.find(nested ? "}}" : "}");
            if (close != std::string_view::npos) {
                out += variable(rest.substr(2, close - 2), result);
                i += close + (nested ? 1 : 0);
                continue;
            }
        }
        if (rest.starts_with("%%")) {
            out += '%';
            ++i;
        } else if (rest.starts_with("\\n") || rest.starts_with("\\t") || rest.starts_with("\\r")) {
            out += rest[1] == 'n' ? '\n' : rest[1] == 't' ? '\t' : '\r';
            ++i;
        } else {
            out += rest.front();
        }
    }
    return out;
}

std::string json_report(const std::vector<get_result>& results, int exit_code) {
    compare::json_writer json(2);
    json.begin_object().key("transfers").begin_array();
    for (const auto& r : results) {
        json.begin_object();
        json.key("url").value(r.job->url.to_string());
        json.key("method").value(r.method);
        json.key("status").value(static_cast<std::uint64_t>(r.response ? r.response->status : 0));
        json.key("http_version").value(r.response ? version_text(r.info.protocol) : "");
        json.key("protocol").value(r.response ? net::to_string(r.info.protocol) : "");
        json.key("bytes").value(r.info.body_bytes);
        json.key("file").value(r.job->output);
        json.key("remote").value(r.info.remote.port == 0 ? std::string() : r.info.remote.to_string());
        json.key("reused_connection").value(r.info.reused_connection);
        for (const auto& t : timings(r.info)) json.key(t.name).number(fixed(t.value, 6));
        json.key("exit_code").value(static_cast<std::uint64_t>(r.exit_code));
        json.key("error").value(r.error);
        json.end_object();
    }
    json.end_array().key("exit_code").value(static_cast<std::uint64_t>(exit_code)).end_object();
    return json.text() + "\n";
}

}  // namespace tandem::apps
