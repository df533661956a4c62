#include <tandem/net/static_files.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <span>
#include <utility>

#include <tandem/http/date.hpp>
#include <tandem/http/range.hpp>
#include <tandem/http/url.hpp>
#include <tandem/net/beneath.hpp>
#include <tandem/net/directory_page.hpp>
#include <tandem/net/file_body.hpp>
#include <tandem/net/mime_types.hpp>

namespace tandem::net {

namespace {

// What a file is known by to caches: changes when the file does.
struct validators {
    std::string etag;
    std::int64_t modified = 0;
};

validators validators_of(const struct stat& status) {
    char etag[64];
    char* at = etag;
    const auto hex = [&at, &etag](char before, std::uint64_t number) {
        *at++ = before;
        at = std::to_chars(at, etag + sizeof etag, number, 16).ptr;
    };
    hex('"', static_cast<std::uint64_t>(status.st_mtim.tv_sec));
    hex('.', static_cast<std::uint64_t>(status.st_mtim.tv_nsec));
    hex('-', static_cast<std::uint64_t>(status.st_size));
    *at++ = '"';
    return {{etag, at}, status.st_mtim.tv_sec < 0 ? 0 : status.st_mtim.tv_sec};
}

// RFC 9110 8.8.3: whether a list of entity tags (or "*") names this one; weak comparison ignores the W/ mark.
bool lists_etag(std::string_view list, std::string_view etag, bool weak) {
    while (!list.empty()) {
        auto begin = list.find_first_not_of(" \t,");
        if (begin == std::string_view::npos) return false;
        list.remove_prefix(begin);
        if (list.front() == '*') return true;
        bool marked = list.starts_with("W/");
        auto tag = marked ? list.substr(2) : list;
        if (!tag.starts_with('"')) return false;
        auto end = tag.find('"', 1);
        if (end == std::string_view::npos) return false;
        if (tag.substr(0, end + 1) == etag && (weak || !marked)) return true;
        list = tag.substr(end + 1);
    }
    return false;
}

// RFC 9110 13.2.2: the status that the conditions demand instead of the answer; 0: go on.
int conditional_status(const http::fields& fields, const validators& file, std::int64_t now) {
    if (fields.contains("if-match")) {
        if (!lists_etag(fields.joined("if-match"), file.etag, false)) return 412;
    } else if (auto value = fields.find("if-unmodified-since")) {
        if (auto date = http::parse_date(*value, now); date && file.modified > *date) return 412;
    }
    if (fields.contains("if-none-match")) {
        if (lists_etag(fields.joined("if-none-match"), file.etag, true)) return 304;
    } else if (auto value = fields.find("if-modified-since")) {
        if (auto date = http::parse_date(*value, now); date && file.modified <= *date) return 304;
    }
    return 0;
}

// RFC 9110 13.1.5: a range counts only if the client's part belongs to the same file.
bool range_applies(const http::fields& fields, const validators& file, std::int64_t now) {
    auto value = fields.find("if-range");
    if (!value) return true;
    if (value->starts_with('"')) return *value == file.etag;
    if (value->starts_with("W/")) return false;
    // A date is a strong validator only if it is old enough that the file cannot have changed twice within it (8.8.2.2).
    auto date = http::parse_date(*value, now);
    return date && *date == file.modified && now - file.modified >= 60;
}

// RFC 9110 12.5.3: whether an Accept-Encoding list takes a coding by its name, with a weight above zero.
bool accepts_coding(std::string_view list, std::string_view coding) {
    while (!list.empty()) {
        auto end = std::min(list.find(','), list.size());
        auto item = list.substr(0, end);
        list.remove_prefix(std::min(end + 1, list.size()));
        item.remove_prefix(std::min(item.find_first_not_of(" \t"), item.size()));
        auto name = item.substr(0, item.find_first_of("; \t"));
        if (!http::equals_ignoring_case(name, coding)) continue;
        auto weight = item.find("q=");
        return weight == std::string_view::npos || item.substr(weight + 2).find_first_of("123456789") != std::string_view::npos;
    }
    return false;
}

struct coded_file {
    const char* coding;
    const char* suffix;
};
constexpr coded_file coded_files[] = {{"zstd", ".zst"}, {"br", ".br"}, {"gzip", ".gz"}};

// What may be answered with a part of, or not at all: a descriptor, or contents that are held.
struct found_file {
    int descriptor = -1;
    std::shared_ptr<const detail::small_file> held;

    std::unique_ptr<http::body_source> body(range bytes) && {
        if (!held) return std::make_unique<file_body>(std::exchange(descriptor, -1), bytes);
        const std::span<const std::uint8_t> all(held->contents.get(), held->contents.size());
        return std::make_unique<http::memory_body>(held, all.subspan(bytes.begin, bytes.size()));
    }
    found_file(int d) : descriptor(d) {}                                             // NOLINT: takes it over
    found_file(std::shared_ptr<const detail::small_file> h) : held(std::move(h)) {}  // NOLINT
    found_file(found_file&& other) noexcept : descriptor(std::exchange(other.descriptor, -1)), held(std::move(other.held)) {}
    found_file& operator=(found_file&&) = delete;
    ~found_file() {
        if (descriptor >= 0) ::close(descriptor);
    }
};

http::fields fields_of(const validators& file) {
    return {{"last-modified", http::format_date(file.modified)}, {"etag", file.etag}, {"accept-ranges", "bytes"}};
}

void describe_contents(http::fields& fields, std::string_view name, const char* coding) {
    if (coding != nullptr) fields.append("content-encoding", coding);
    fields.append("content-type", mime_type(name));
    fields.append("x-content-type-options", "nosniff");
}

http_answer serve_file(const http::request& request, std::string_view name, found_file found, const struct stat& status,
                       std::int64_t now, const char* coding = nullptr) {
    auto file = validators_of(status);
    if (coding != nullptr) file.etag.insert(file.etag.size() - 1, std::string("-") + coding);
    auto size = static_cast<std::uint64_t>(status.st_size);
    http_answer out;
    auto& fields = out.head.fields;
    fields = fields_of(file);
    if (int conditional = conditional_status(request.fields, file, now); conditional != 0) {
        if (conditional != 304) return status_page(conditional);
        out.head.status = conditional;
        return out;
    }
    range bytes{0, size};
    auto wanted = request.fields.find("range");
    if (wanted && request.method == "GET" && range_applies(request.fields, file, now)) {
        auto asked = http::parse_range(*wanted, size);
        if (asked.what == http::range_request::kind::unsatisfiable) {
            auto page = status_page(416);
            page.head.fields.append("content-range", http::content_range_unsatisfied(size));
            return page;
        }
        if (asked.what == http::range_request::kind::part) {
            bytes = asked.bytes;
            out.head.status = 206;
            fields.append("content-range", http::content_range(bytes, size));
        }
    }
    describe_contents(fields, name, coding);
    out.body = std::move(found).body(bytes);
    return out;
}

// Whether a request may be answered with something else than the whole file.
bool has_conditions(const http::fields& fields) {
    return std::any_of(fields.begin(), fields.end(),
                       [](const auto& f) { return f.name == "range" || std::string_view(f.name).starts_with("if-"); });
}

// The answer from contents that are held: mostly made already.
http_answer serve_held(const http::request& request, std::string_view name, std::shared_ptr<const detail::small_file> held,
                       std::int64_t now) {
    if (has_conditions(request.fields)) {
        const auto status = held->status;
        return serve_file(request, name, std::move(held), status, now);
    }
    http_answer out;
    out.head.fields = held->fields;
    const range all{0, held->contents.size()};
    out.body = found_file(std::move(held)).body(all);
    return out;
}

// A segment of a relative path begins with a dot.
bool is_hidden(std::string_view path) {
    if (path == ".well-known" || path.starts_with(".well-known/")) path.remove_prefix(1);
    return path.starts_with('.') || path.find("/.") != std::string_view::npos;
}

std::string index_of(const std::string& directory) { return directory.empty() ? "index.html" : directory + "/index.html"; }

int status_of_errno(int error) {
    switch (error) {
        case EACCES:
        case EPERM:
        case EXDEV:  // the path leads out of the directory
        case ELOOP:
            return 403;
        case EMFILE:
        case ENFILE:
        case ENOMEM:
            return 503;
        case ENAMETOOLONG:
            return 414;
        case ENOENT:
        case ENOTDIR:
        case ENXIO:
            return 404;
        default:
            return 500;
    }
}

}  // namespace

http_answer status_page(int status) {
    auto title = std::to_string(status) + " " + std::string(http::reason_phrase(status));
    http_answer out;
    out.head.status = status;
    out.head.fields.append("content-type", "text/html; charset=utf-8");
    out.body = std::make_unique<http::memory_body>("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>" +
                                                   title + "</title></head>\n<body><h1>" + title + "</h1></body></html>\n");
    return out;
}

std::unique_ptr<static_files> static_files::open(const std::string& directory, const static_files_options& options,
                                                 boost::system::error_code& error) {
    int root = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root < 0) {
        error.assign(errno, boost::system::system_category());
        return nullptr;
    }
    error.clear();
    return std::unique_ptr<static_files>(new static_files(root, options));
}

static_files::~static_files() { ::close(root_); }

http_answer static_files::respond(const http::request& request, std::int64_t now) const {
    constexpr const char* methods = "GET, HEAD, OPTIONS";
    if (request.method == "OPTIONS") return {{204, {{"allow", methods}}}, nullptr};  // RFC 9110 9.3.7
    if (request.method != "GET" && request.method != "HEAD") {
        auto page = status_page(405);
        page.head.fields.append("allow", methods);
        return page;
    }
    auto path = relative_path(request.path);
    if (!path) return status_page(400);
    if (!options_.hidden && is_hidden(*path)) return missing(request, now);
    auto url_path = std::string_view(request.path).substr(0, request.path.find('?'));
    const bool of_directory = url_path.ends_with('/');
    if (of_directory) {
        const auto index = index_of(*path);
        if (auto held = held_.find(root_, index, now)) return serve_held(request, index, std::move(held), now);
    } else if (auto held = held_.find(root_, *path, now)) {
        return serve_held(request, *path, std::move(held), now);
    }
    int descriptor = open_beneath(root_, *path);
    if (descriptor < 0) {
        const int status = status_of_errno(errno);
        return status == 404 ? missing(request, now) : status_page(status);
    }
    struct stat status {};
    if (::fstat(descriptor, &status) != 0) {
        ::close(descriptor);
        return status_page(500);
    }
    if (S_ISDIR(status.st_mode)) return directory(request, *path, url_path, descriptor, now);
    if (!S_ISREG(status.st_mode) || of_directory) {
        ::close(descriptor);
        return missing(request, now);
    }
    return file(request, *path, descriptor, status, now);
}

http_answer static_files::missing(const http::request& request, std::int64_t now) const {
    const int descriptor = options_.fallback.empty() ? -1 : open_beneath(root_, options_.fallback);
    if (descriptor < 0) return status_page(404);
    struct stat status {};
    if (::fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode))
        return file(request, options_.fallback, descriptor, status, now);
    ::close(descriptor);
    return status_page(404);
}

// A compressed copy where there is one that is not older than the file and the client takes it.
http_answer static_files::file(const http::request& request, const std::string& path, int descriptor, const struct stat& status,
                               std::int64_t now) const {
    if (!options_.precompressed) {
        auto held = held_.take(path, descriptor, status, now, [&](const struct stat& s) {
            auto fields = fields_of(validators_of(s));
            describe_contents(fields, path, nullptr);
            return fields;
        });
        if (!held) return serve_file(request, path, descriptor, status, now);
        ::close(descriptor);
        return serve_held(request, path, std::move(held), now);
    }
    const auto accepted = request.fields.joined("accept-encoding");
    bool any = false;
    for (const auto& [coding, suffix] : coded_files) {
        const int coded = open_beneath(root_, path + suffix);
        if (coded < 0) continue;
        struct stat coded_status {};
        const bool usable = ::fstat(coded, &coded_status) == 0 && S_ISREG(coded_status.st_mode) &&
                            coded_status.st_mtim.tv_sec >= status.st_mtim.tv_sec;
        any = any || usable;
        if (usable && accepts_coding(accepted, coding)) {
            ::close(descriptor);
            auto out = serve_file(request, path, coded, coded_status, now, coding);
            out.head.fields.append("vary", "accept-encoding");
            return out;
        }
        ::close(coded);
    }
    auto out = serve_file(request, path, descriptor, status, now);
    if (any) out.head.fields.append("vary", "accept-encoding");
    return out;
}

http_answer static_files::directory(const http::request& request, const std::string& path, std::string_view url_path,
                                    int descriptor, std::int64_t now) const {
    if (!url_path.ends_with('/')) {  // relative links on the page need the slash
        ::close(descriptor);
        auto page = status_page(301);
        // Made of the segments, not of what the client sent: "//host" at the front would lead elsewhere.
        std::string location;
        for (std::size_t begin = 0; begin < path.size();) {
            auto end = std::min(path.find('/', begin), path.size());
            location += '/' + http::percent_encode(std::string_view(path).substr(begin, end - begin));
            begin = end + 1;
        }
        page.head.fields.append("location", location + '/');
        return page;
    }
    const auto index_path = index_of(path);
    int index = open_beneath(root_, index_path);
    struct stat status {};
    if (index >= 0 && ::fstat(index, &status) == 0 && S_ISREG(status.st_mode)) {
        ::close(descriptor);
        return file(request, index_path, index, status, now);
    }
    if (index >= 0) ::close(index);
    if (!options_.listings) {
        ::close(descriptor);
        return status_page(403);
    }
    bool truncated = false;
    auto entries = list_directory(descriptor, truncated);
    http_answer out;
    out.head.fields.append("content-type", "text/html; charset=utf-8");
    out.body = std::make_unique<http::memory_body>(directory_page(path.empty() ? "/" : '/' + path + '/', entries, truncated));
    return out;
}

}  // namespace tandem::net
