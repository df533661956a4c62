#include <tandem/net/directory_page.hpp>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <tuple>

#include <tandem/http/date.hpp>
#include <tandem/http/url.hpp>

namespace tandem::net {

namespace {

constexpr std::string_view style =
    "body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem;color:#222;background:#fff}"
    "table{border-collapse:collapse;width:100%}td{padding:.15rem .5rem;border-bottom:1px solid #eee}"
    "td.n{text-align:right;white-space:nowrap;color:#666}a{text-decoration:none;color:#05c}a:hover{text-decoration:underline}"
    "@media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}td{border-color:#333}a{color:#7af}}";

std::string size_text(std::uint64_t size) {
    const char* units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    auto value = static_cast<double>(size);
    std::size_t unit = 0;
    while (value >= 1024 && unit + 1 < std::size(units)) value /= 1024, ++unit;
    char out[32];
    std::snprintf(out, sizeof out, unit == 0 ? "%.0f %s" : "%.1f %s", value, units[unit]);
    return out;
}

}  // namespace

std::vector<directory_entry> list_directory(int descriptor, bool& truncated) {
    std::vector<directory_entry> out;
    truncated = false;
    DIR* directory = ::fdopendir(descriptor);
    if (directory == nullptr) {
        ::close(descriptor);
        return out;
    }
    while (dirent* entry = ::readdir(directory)) {
        if (entry->d_name[0] == '.') continue;
        struct stat status {};
        if (::fstatat(descriptor, entry->d_name, &status, 0) != 0 || !(S_ISREG(status.st_mode) || S_ISDIR(status.st_mode)))
            continue;
        if (out.size() == max_listed_entries) {
            truncated = true;
            break;
        }
        out.push_back(
            {entry->d_name, S_ISDIR(status.st_mode), static_cast<std::uint64_t>(status.st_size), status.st_mtim.tv_sec});
    }
    ::closedir(directory);
    std::sort(out.begin(), out.end(), [](const directory_entry& a, const directory_entry& b) {
        return std::tie(b.directory, a.name) < std::tie(a.directory, b.name);
    });
    return out;
}

std::string escape_html(std::string_view text) {
    std::string out;
    for (char c : text) {
        switch (c) {
            case '&':
                out += "&amp;";
                break;
            case '<':
                out += "&lt;";
                break;
            case '>':
                out += "&gt;";
                break;
            case '"':
                out += "&quot;";
                break;
            case '\'':
                out += "&#39;";
                break;
            default:
                out += c;
        }
    }
    return out;
}

std::string directory_page(std::string_view path, const std::vector<directory_entry>& entries, bool truncated) {
    auto title = escape_html(path);
    std::string out = "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>" + title +
                      "</title><meta name=\"viewport\" content=\"width=device-width\"><style>" + std::string(style) +
                      "</style></head>\n<body><h1>" + title + "</h1>\n<table>\n";
    if (path != "/") out += "<tr><td><a href=\"../\">../</a></td><td class=\"n\"></td><td class=\"n\"></td></tr>\n";
    for (const auto& e : entries) {
        const char* slash = e.directory ? "/" : "";
        // "./" keeps a name such as "a:b" from being read as a scheme.
        out += "<tr><td><a href=\"./" + http::percent_encode(e.name) + slash + "\">" + escape_html(e.name) + slash +
               "</a></td><td class=\"n\">" + (e.directory ? std::string() : size_text(e.size)) + "</td><td class=\"n\">" +
               http::format_date(e.modified) + "</td></tr>\n";
    }
    out += "</table>\n";
    if (truncated) out += "<p>Only the first " + std::to_string(max_listed_entries) + " entries are shown.</p>\n";
    return out + "</body></html>\n";
}

}  // namespace tandem::net
