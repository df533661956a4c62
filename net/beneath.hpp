// Opening files by paths that strangers chose.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace tandem::net {

// The file a request's path means, relative to a root and without leading slash ("" is the root itself): the query is cut off,
// percent-encoding undone, empty and "." segments dropped. Nothing for a path with "..", an encoded slash, NUL or bad encoding.
std::optional<std::string> relative_path(std::string_view request_path);

// Opens a path for reading without ever leaving `root` (a directory's descriptor). Returns a descriptor, or -1 and errno:
// EXDEV where the path leads out (or, on kernels before 5.6, ELOOP where it has any symbolic link).
int open_beneath(int root, const std::string& path);

}  // namespace tandem::net
