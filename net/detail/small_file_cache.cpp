#include <tandem/net/detail/small_file_cache.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace tandem::net::detail {

namespace {

bool same_time(const timespec& a, const timespec& b) { return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec; }

// Whatever is done to a file, its bytes, its permissions or its name, moves the time of change, which nobody can set.
bool unchanged(const struct stat& a, const struct stat& b) {
    return a.st_dev == b.st_dev && a.st_ino == b.st_ino && a.st_size == b.st_size && a.st_mode == b.st_mode &&
           same_time(a.st_mtim, b.st_mtim) && same_time(a.st_ctim, b.st_ctim);
}

}  // namespace

small_file_cache::file small_file_cache::find(int root, const std::string& path, std::int64_t now) {
    file found;
    {
        const std::lock_guard lock(mutex_);
        const auto it = files_.find(path);
        if (it == files_.end()) return nullptr;
        found = it->second;
    }
    struct stat status {};
    if (found->read_at == now && ::fstatat(root, path.c_str(), &status, 0) == 0 && unchanged(status, found->status)) return found;
    forget(path);
    return nullptr;
}

std::shared_ptr<small_file> small_file_cache::read_whole(int descriptor, const struct stat& status, std::int64_t now) {
    if (!S_ISREG(status.st_mode) || static_cast<std::uint64_t>(status.st_size) > largest) return nullptr;
    if (status.st_ctim.tv_sec > now - settled_after) return nullptr;
    auto out = std::make_shared<small_file>();
    out->status = status;
    out->contents = recycled::bytes(static_cast<std::size_t>(status.st_size));
    out->read_at = now;
    for (std::size_t have = 0; have < out->contents.size();) {
        const auto n = ::pread(descriptor, out->contents.get() + have, out->contents.size() - have, static_cast<off_t>(have));
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return nullptr;
        have += static_cast<std::size_t>(n);
    }
    struct stat after {};
    if (::fstat(descriptor, &after) != 0 || !unchanged(status, after)) return nullptr;
    return out;
}

// Where there is no room, what was read in an earlier second makes some; else the newcomer is not held.
void small_file_cache::keep(const std::string& path, file read, std::int64_t now) {
    const std::lock_guard lock(mutex_);
    const auto full = [&] { return files_.size() >= most_files || bytes_ + read->contents.size() > most_bytes; };
    if (full()) {
        std::erase_if(files_, [&](const auto& entry) {
            const bool old = entry.second->read_at != now;
            if (old) bytes_ -= entry.second->contents.size();
            return old;
        });
    }
    if (full()) return;
    const auto size = read->contents.size();
    if (files_.try_emplace(path, std::move(read)).second) bytes_ += size;
}

void small_file_cache::forget(const std::string& path) {
    const std::lock_guard lock(mutex_);
    const auto it = files_.find(path);
    if (it == files_.end()) return;
    bytes_ -= it->second->contents.size();
    files_.erase(it);
}

}  // namespace tandem::net::detail
