// Where a transfer's bytes go: a file that appears under its name only when it is whole, or a stream.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace tandem::apps {

class output_file {
public:
    output_file() = default;
    ~output_file();  // what is not finished is removed
    output_file(const output_file&) = delete;
    output_file& operator=(const output_file&) = delete;

    // "-" or empty: standard output. Devices and pipes are written to directly. On error returns false and says why.
    bool open(const std::string& path, bool create_directories, std::string& why);
    // Instead of open(): what arrives is kept in PATH.part, whose first `kept` bytes are there from an earlier time; discard()
    // leaves it, so that another transfer can go on.
    bool open_partial(const std::string& path, std::uint64_t kept, bool create_directories, std::string& why);
    bool write(std::span<const std::uint8_t> bytes, std::string& why);
    // Gives the file its name.
    bool finish(std::string& why);
    // Throws away what was written (as far as it can be).
    void discard();
    bool is_open() const { return descriptor_ >= 0; }
    // discard() leaves nothing of it to be seen.
    bool can_be_undone() const { return !temporary_.empty(); }

private:
    int descriptor_ = -1;
    std::string path_;
    std::string temporary_;  // empty: written directly
    bool owned_ = false;
    bool partial_ = false;
};

// What an earlier transfer left of a file, beside it: PATH.part, and PATH.part.of with the validator that says of which version
// (RFC 9110 8.8).
struct partial_file {
    std::uint64_t size = 0;
    std::string validator;  // for If-Range: a strong entity tag or a date; empty: cannot go on
};
partial_file find_partial(const std::string& path);
// False if it cannot be written.
bool remember_validator(const std::string& path, const std::string& validator);
void forget_partial(const std::string& path);

// What a URL's last segment makes as a file name: decoded, without '/'. Empty if it makes none.
std::string safe_file_name(std::string_view segment);

}  // namespace tandem::apps
