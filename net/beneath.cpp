#include <tandem/net/beneath.hpp>

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include <tandem/http/url.hpp>

namespace tandem::net {

namespace {

// O_NONBLOCK: opening a FIFO must not wait for a writer.
constexpr int read_flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;

int open_without_links(int root, const std::string& path) {
    int at = ::openat(root, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    std::size_t begin = 0;
    while (at >= 0) {
        auto slash = path.find('/', begin);
        auto segment = path.substr(begin, slash == std::string::npos ? slash : slash - begin);
        bool last = slash == std::string::npos;
        int next = ::openat(at, segment.empty() ? "." : segment.c_str(),
                            last ? read_flags | O_NOFOLLOW : O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        int error = errno;
        ::close(at);
        errno = error;
        if (last) return next;
        at = next;
        begin = slash + 1;
    }
    return -1;
}

}  // namespace

std::optional<std::string> relative_path(std::string_view request_path) {
    request_path = request_path.substr(0, request_path.find('?'));
    if (!request_path.starts_with('/')) return std::nullopt;
    std::string out;
    while (!request_path.empty()) {
        request_path.remove_prefix(1);
        auto encoded = request_path.substr(0, request_path.find('/'));
        request_path.remove_prefix(encoded.size());
        auto segment = http::percent_decode(encoded);
        if (!segment || *segment == ".." || segment->find('/') != std::string::npos || segment->find('\0') != std::string::npos) {
            return std::nullopt;
        }
        if (segment->empty() || *segment == ".") continue;
        if (!out.empty()) out += '/';
        out += *segment;
    }
    return out;
}

int open_beneath(int root, const std::string& path) {
    open_how how{};
    how.flags = read_flags;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
    auto descriptor = static_cast<int>(::syscall(SYS_openat2, root, path.empty() ? "." : path.c_str(), &how, sizeof how));
    // ENOSYS: before Linux 5.6. EPERM: a container's filter that does not know the call.
    if (descriptor >= 0 || (errno != ENOSYS && errno != EPERM)) return descriptor;
    return open_without_links(root, path);
}

}  // namespace tandem::net
