#include <tandem/net/file_body.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace tandem::net {

namespace {

constexpr std::uint64_t read_ahead = 128 * 1024;  // what the kernel reads ahead anyway: less is not worth a call

}  // namespace

file_body::file_body(int descriptor, range bytes) : descriptor_(descriptor), left_(bytes), length_(bytes.size()) {
    if (length_ <= read_ahead) return;
    ::posix_fadvise(descriptor_, static_cast<off_t>(bytes.begin), static_cast<off_t>(bytes.size()), POSIX_FADV_SEQUENTIAL);
}

file_body::~file_body() { ::close(descriptor_); }

http::body_source::result file_body::read(std::span<std::uint8_t> out) {
    auto wanted = std::min<std::uint64_t>(out.size(), left_.size());
    if (wanted == 0) return {0, left_.empty(), false};
    ssize_t n = 0;
    do {
        n = ::pread(descriptor_, out.data(), wanted, static_cast<off_t>(left_.begin));
    } while (n < 0 && errno == EINTR);
    if (n <= 0) return {0, false, true};
    left_.begin += static_cast<std::uint64_t>(n);
    return {static_cast<std::size_t>(n), left_.empty(), false};
}

}  // namespace tandem::net
