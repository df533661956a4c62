// Contents of small files that are asked for again and again, so that an answer costs one system call instead of five.
#pragma once

#include <sys/stat.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include <tandem/bytes/recycled.hpp>
#include <tandem/http/message.hpp>

namespace tandem::net::detail {

// A regular file as it was at one time, whole.
struct small_file {
    struct stat status {};
    recycled::bytes contents;  // status.st_size of them
    std::int64_t read_at = 0;  // seconds since 1970
    http::fields fields;       // of a response with all of it; its owner's
};

// Never tells what is not so: the path is looked at each time, and must lead to a file with the same identity, size and times of
// change as when the contents were read. A file that changed so short a time before that another change could leave the same
// times is not held. What escapes this (writers through mmap, file systems whose clocks are others') is seen within a second,
// because nothing is held for longer. Thread-safe.
class small_file_cache {
public:
    static constexpr std::size_t largest = 16 * 1024;   // bytes of a file
    static constexpr std::size_t most_bytes = 4 << 20;  // of all together
    static constexpr std::size_t most_files = 1024;     // also of empty ones
    static constexpr std::int64_t settled_after = 3;    // seconds; the coarsest times of files in use count two (FAT)

    using file = std::shared_ptr<const small_file>;

    // The file that `path` leads to from the directory `root`, if it is held and still the same; `now`: seconds since 1970.
    file find(int root, const std::string& path, std::int64_t now);
    // Reads a file that was just opened, and holds it if it may. `describe` is given the status, and makes `fields`. Null: it is
    // large, or fresh, or changes while it is read.
    template <class Describe>
    file take(const std::string& path, int descriptor, const struct stat& status, std::int64_t now, Describe describe) {
        auto read = read_whole(descriptor, status, now);
        if (!read) return nullptr;
        read->fields = describe(status);
        keep(path, read, now);
        return read;
    }

private:
    static std::shared_ptr<small_file> read_whole(int descriptor, const struct stat& status, std::int64_t now);
    void keep(const std::string& path, file read, std::int64_t now);
    void forget(const std::string& path);

    std::mutex mutex_;
    std::unordered_map<std::string, file> files_;
    std::size_t bytes_ = 0;
};

}  // namespace tandem::net::detail
