// Answers requests with the files of a directory (RFC 9110: GET, HEAD, ranges, conditional requests).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <boost/system/error_code.hpp>

#include <tandem/http/body.hpp>
#include <tandem/http/message.hpp>
#include <tandem/net/detail/small_file_cache.hpp>

namespace tandem::net {

// A response and its body (none if null).
struct http_answer {
    http::response head;
    std::unique_ptr<http::body_source> body;
};

// A short page for a person that says what went wrong.
http_answer status_page(int status);

struct static_files_options {
    bool listings = true;        // a page that lists a directory which has no index.html; without: 403
    bool precompressed = false;  // FILE.zst, FILE.br and FILE.gz stand for FILE, for clients that take them (RFC 9110 12.5.3)
    bool hidden = false;         // files and directories whose names begin with '.' too; /.well-known (RFC 8615) is always there
    std::string fallback;        // a file for paths of which there is none, with status 200; empty: 404
};

// Nothing outside the directory can be reached: paths are resolved beneath it by the kernel (openat2), symbolic links that lead
// out of it included; where the kernel cannot do that, no symbolic link is followed. Only regular files are served. Contents of
// small ones are held for a second at most, and told only while the path leads to the same file, unchanged
// (detail/small_file_cache.hpp); not with precompressed copies. Thread-safe.
class static_files {
public:
    static std::unique_ptr<static_files> open(const std::string& directory, const static_files_options&,
                                              boost::system::error_code&);
    ~static_files();
    static_files(const static_files&) = delete;
    static_files& operator=(const static_files&) = delete;

    // `now`: seconds since 1970, for dates in conditional requests.
    http_answer respond(const http::request&, std::int64_t now) const;

private:
    static_files(int root, const static_files_options& options) : root_(root), options_(options) {}
    http_answer missing(const http::request&, std::int64_t now) const;
    http_answer file(const http::request&, const std::string& path, int descriptor, const struct stat&, std::int64_t now) const;
    http_answer directory(const http::request&, const std::string& path, std::string_view url_path, int descriptor,
                          std::int64_t now) const;

    int root_;
    static_files_options options_;
    mutable detail::small_file_cache held_;
};

}  // namespace tandem::net
