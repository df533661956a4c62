#include "get_plan.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>
#include <utility>

#include "exit_code.hpp"
#include "glob.hpp"
#include "output_file.hpp"
#include "quantities.hpp"
#include "version.hpp"

namespace tandem::apps {

namespace {

bool read_all(const std::string& file, std::string& out, get_failure& why) {
    std::ostringstream text;
    if (file == "-") {
        text << std::cin.rdbuf();
    } else {
        errno = 0;
        std::ifstream in(file, std::ios::binary);
        if (in && in.peek() != std::ifstream::traits_type::eof()) text << in.rdbuf();
        if (!in.is_open() || in.bad() || errno == EISDIR) {
            why = {exit_code::read, "cannot read " + file + ": " + std::strerror(errno)};
            return false;
        }
    }
    out = text.str();
    return true;
}

std::string trimmed(std::string_view text) {
    auto begin = text.find_first_not_of(" \t\r");
    if (begin == std::string_view::npos) return {};
    return std::string(text.substr(begin, text.find_last_not_of(" \t\r") - begin + 1));
}

bool collect_urls(const get_options& o, std::vector<std::string>& urls, get_failure& why) {
    urls = o.urls;
    if (!o.from_file.empty()) {
        std::string text;
        if (!read_all(o.from_file, text, why)) return false;
        std::istringstream lines(text);
        for (std::string line; std::getline(lines, line);) {
            auto url = trimmed(line);
            if (!url.empty() && url.front() != '#') urls.push_back(url);
        }
    }
    if (!urls.empty()) return true;
    why = {exit_code::usage, "no URL given (see tandem get --help)"};
    return false;
}

// RFC 4648 4, for RFC 7617.
std::string base64(std::string_view text) {
    constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string out;
    for (std::size_t i = 0; i < text.size(); i += 3) {
        std::uint32_t bits = 0;
        const auto n = std::min<std::size_t>(3, text.size() - i);
        for (std::size_t k = 0; k < 3; ++k) bits = bits << 8 | (k < n ? static_cast<unsigned char>(text[i + k]) : 0U);
        for (std::size_t k = 0; k < 4; ++k) out += k <= n ? digits[bits >> (18 - 6 * k) & 63] : '=';
    }
    return out;
}

// Fields that the program writes itself, as the version of HTTP has it.
bool is_own_field(std::string_view name) { return http::is_connection_specific(name) || name == "content-length"; }

bool make_fields(const get_options& o, get_plan& plan, get_failure& why) {
    plan.fields.append("user-agent", o.user_agent.empty() ? std::string("tandem/") + version : o.user_agent);
    plan.fields.append("accept", "*/*");
    if (!o.range.empty()) plan.fields.append("range", "bytes=" + o.range);
    if (!o.referer.empty()) plan.fields.append("referer", o.referer);
    if (!o.user.empty()) {
        const auto credentials = o.user.find(':') == std::string::npos ? o.user + ':' : o.user;
        plan.fields.append("authorization", "Basic " + base64(credentials));
    }
    if (plan.has_body) plan.fields.append("content-type", "application/x-www-form-urlencoded");
    for (const auto& line : o.headers) {
        auto colon = line.find(':');
        auto name = http::to_lower(trimmed(std::string_view(line).substr(0, colon)));
        auto value = colon == std::string::npos ? std::string() : trimmed(std::string_view(line).substr(colon + 1));
        if (colon == std::string::npos || !http::is_token(name) || !http::is_field_value(value)) {
            why = {exit_code::usage, "-H '" + line + "' is not 'Name: value'"};
            return false;
        }
        if (is_own_field(name)) {
            why = {exit_code::usage, "-H '" + line + "': the connection's own fields are not for the caller to set"};
            return false;
        }
        if (name == "host") {
            if (!http::is_authority(value)) return why = {exit_code::usage, "-H '" + line + "' names no host"}, false;
            plan.host = value;
            continue;
        }
        for (auto own : {"user-agent", "accept", "range", "content-type", "authorization", "referer"}) {
            if (name == own) plan.fields.erase(name);
        }
        if (!value.empty()) plan.fields.append(name, value);
    }
    return true;
}

bool make_body(const get_options& o, get_plan& plan, get_failure& why) {
    const auto add = [&plan](const std::string& part) {
        if (plan.has_body) plan.body += '&';
        plan.body += part;
        plan.has_body = true;
    };
    for (const auto& data : o.data) {
        std::string part = data;
        if (data.starts_with('@') && !read_all(data.substr(1), part, why)) return false;
        add(part);
    }
    for (const auto& data : o.raw_data) add(data);
    for (const auto& data : o.urlencode_data) {  // "text", "=text", "name=text", "@file", "name@file"
        const auto mark = data.find_first_of("=@");
        const auto name = mark == std::string::npos ? std::string() : data.substr(0, mark);
        auto text = mark == std::string::npos ? data : data.substr(mark + 1);
        if (mark != std::string::npos && data[mark] == '@' && !read_all(std::string(text), text, why)) return false;
        add((name.empty() ? name : name + '=') + http::percent_encode(text));
    }
    return true;
}

bool make_limits(const get_options& o, get_plan& plan, get_failure& why) {
    if (!o.max_filesize.empty()) {
        const auto size = compare::parse_bytes(o.max_filesize);
        if (!size) return why = {exit_code::usage, "--max-filesize " + o.max_filesize + " is no size"}, false;
        plan.max_size = *size;
    }
    if (!o.limit_rate.empty()) {
        const auto rate = compare::parse_bytes(o.limit_rate);
        if (!rate || *rate == 0) return why = {exit_code::usage, "--limit-rate " + o.limit_rate + " is no size"}, false;
        plan.rate = *rate;
    }
    return true;
}

bool name_output(const get_options& o, std::size_t index, const globbed_url& globbed, get_job& job, get_failure& why) {
    std::string name;
    if (index < o.outputs.size()) {
        name = fill_in_parts(o.outputs[index], globbed.parts);
        if (name == "-") return true;
    } else if (o.remote_name) {
        name = safe_file_name(job.url.file_name());
        if (name.empty()) {
            why = {exit_code::url, "the URL ends without a file name for -O: " + job.url.to_string()};
            return false;
        }
    } else {
        job.drop = o.json;
        return true;
    }
    job.output = (std::filesystem::path(o.output_dir) / name).string();
    return true;
}

}  // namespace

bool make_plan(const get_options& o, get_plan& plan, get_failure& why) {
    std::vector<std::string> urls;
    if (!collect_urls(o, urls, why) || !make_body(o, plan, why) || !make_limits(o, plan, why)) return false;
    std::string query;
    if (o.data_in_url) {
        query = std::exchange(plan.body, {});
        plan.has_body = false;
    }
    if (!make_fields(o, plan, why)) return false;
    plan.upload = o.upload;
    if (!plan.upload.empty() && plan.has_body) return why = {exit_code::usage, "-T and -d contradict each other"}, false;
    if (!o.upload.empty() && o.method.empty()) {
        plan.method = "PUT";
    } else if (!o.method.empty()) {
        plan.method = o.method;
    } else {
        plan.method = o.head ? "HEAD" : plan.has_body ? "POST" : "GET";
    }
    if (!http::is_token(plan.method)) return why = {exit_code::usage, "-X '" + plan.method + "' is no method"}, false;
    std::string text;
    for (std::size_t i = 0; i < urls.size(); ++i) {
        std::vector<globbed_url> all{{urls[i], {}}};
        if (!o.globoff) {
            auto expanded = expand_globs(urls[i], text);
            if (!expanded) return why = {exit_code::url, "bad URL " + urls[i] + ": " + text}, false;
            all = std::move(*expanded);
        }
        for (const auto& globbed : all) {
            auto url = http::parse_url(globbed.url, text);
            if (!url) return why = {exit_code::url, "bad URL " + globbed.url + ": " + text}, false;
            if (!query.empty()) url->path += (url->path.find('?') == std::string::npos ? '?' : '&') + query;
            if (!plan.upload.empty() && plan.upload != "-" && url->path.ends_with('/')) {
                url->path += http::percent_encode(std::filesystem::path(plan.upload).filename().string());
            }
            get_job job{std::move(*url), {}, false};
            if (!name_output(o, i, globbed, job, why)) return false;
            if (o.http3_only && job.url.scheme == "http") {
                return why = {exit_code::url, "HTTP/3 needs an https: URL, not " + globbed.url}, false;
            }
            plan.jobs.push_back(std::move(job));
        }
    }
    if (plan.upload == "-" && plan.jobs.size() > 1) {
        return why = {exit_code::usage, "-T - can be sent to one URL only"}, false;
    }
    bool to_stdout = false;
    for (const auto& job : plan.jobs) to_stdout = to_stdout || (job.output.empty() && !job.drop);
    if (to_stdout && o.parallel && plan.jobs.size() > 1) {
        return why = {exit_code::usage,
                      "several URLs to standard output at a time would be mixed up: give -o or -O with --parallel"},
               false;
    }
    return true;
}

}  // namespace tandem::apps
