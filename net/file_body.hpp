// A message body that is (a part of) a file.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include <tandem/bytes/range_set.hpp>
#include <tandem/http/body.hpp>

namespace tandem::net {

// Reads with pread, so that it blocks for the disk where the page cache does not have the bytes.
class file_body final : public http::body_source {
public:
    // Takes over the file descriptor; `bytes` is the half-open part that is sent.
    file_body(int descriptor, range bytes);
    ~file_body() override;
    file_body(const file_body&) = delete;
    file_body& operator=(const file_body&) = delete;

    // Fails if the file has become shorter than it was.
    result read(std::span<std::uint8_t> out) override;
    std::optional<std::uint64_t> content_length() const override { return length_; }

private:
    int descriptor_;
    range left_;
    std::uint64_t length_;
};

}  // namespace tandem::net
