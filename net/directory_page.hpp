// A page that lists a directory.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tandem::net {

struct directory_entry {
    std::string name;
    bool directory = false;
    std::uint64_t size = 0;     // bytes
    std::int64_t modified = 0;  // seconds since 1970
};

// The most entries a page shows: a directory with millions of files must not become an answer of hundreds of megabytes.
constexpr std::size_t max_listed_entries = 10000;

// Files and directories (no hidden ones, no links that lead nowhere), directories first, by name. Takes over the descriptor.
std::vector<directory_entry> list_directory(int descriptor, bool& truncated);

// HTML; `path` is the decoded path of the directory, beginning and ending with '/'.
std::string directory_page(std::string_view path, const std::vector<directory_entry>&, bool truncated);

// Text made safe to stand in HTML, in an attribute too.
std::string escape_html(std::string_view);

}  // namespace tandem::net
