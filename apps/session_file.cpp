#include "session_file.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <sstream>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <tandem/net/clock.hpp>

namespace tandem::apps {
namespace {

bool write_all(int descriptor, const std::vector<std::uint8_t>& bytes) {
    for (std::size_t done = 0; done < bytes.size();) {
        const auto n = ::write(descriptor, bytes.data() + done, bytes.size() - done);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return false;
        done += static_cast<std::size_t>(n);
    }
    return true;
}

}  // namespace

bool session_file::load(const std::string& path, std::string& why) {
    path_ = path;
    why.clear();
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) {
        if (errno == ENOENT) return true;
        why = "could not read " + path + ": " + std::strerror(errno);
        return false;
    }
    if (!S_ISREG(status.st_mode)) {
        why = path + " is not a file";
    } else if ((status.st_mode & 077) != 0) {
        why = path + " holds secrets, and others have access to it (chmod 600)";
    } else if (static_cast<std::uint64_t>(status.st_size) > tls::session_cache::max_file_size) {
        why = path + " is too large";
    }
    if (!why.empty()) return false;
    std::ifstream in(path, std::ios::binary);
    std::ostringstream text;
    text << in.rdbuf();
    if (!in) {
        why = "could not read " + path + ": " + std::strerror(errno);
        return false;
    }
    if (status.st_size == 0) return true;
    const auto read = text.str();
    if (cache_->load({reinterpret_cast<const std::uint8_t*>(read.data()), read.size()}, net::wall_seconds())) return true;
    why = path + " is not a file of sessions";
    return false;
}

bool session_file::save(std::string& why) const {
    if (path_.empty()) return true;
    // Beside the file and with a name of its own: nobody ever sees half of it, and it never has another mode.
    const auto temporary = path_ + "." + std::to_string(::getpid()) + ".part";
    const int descriptor = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    const bool written = descriptor >= 0 && write_all(descriptor, cache_->save());
    const bool closed = descriptor >= 0 && ::close(descriptor) == 0;
    if (written && closed && std::rename(temporary.c_str(), path_.c_str()) == 0) return true;
    why = "could not write " + path_ + ": " + std::strerror(errno);
    if (descriptor >= 0) ::unlink(temporary.c_str());
    return false;
}

}  // namespace tandem::apps
