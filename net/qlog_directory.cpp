#include <tandem/net/qlog_directory.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <ctime>

namespace tandem::net {
namespace {

constexpr std::size_t buffer_size = 32 * 1024;
constexpr unsigned max_namesakes = 1000;  // connections of one name, as TCP's with the same addresses and ports

}  // namespace

// Connections may live on several threads.
struct qlog_directory::shared {
    std::string path;
    std::atomic<std::uint64_t> bytes_left{0};
    std::atomic<std::uint64_t> files_left{0};

    static bool take(std::atomic<std::uint64_t>& from, std::uint64_t n) {
        auto left = from.load();
        while (left >= n) {
            if (from.compare_exchange_weak(left, left - n)) return true;
        }
        return false;
    }
};

class qlog_directory::file final : public qlog::sink {
public:
    file(int descriptor, std::shared_ptr<shared> s) : descriptor_(descriptor), shared_(std::move(s)) {
        buffer_.reserve(buffer_size);
    }
    ~file() override {
        flush();
        ::close(descriptor_);
    }
    file(const file&) = delete;
    file& operator=(const file&) = delete;

    // Whole records or nothing: a log that had to end is still one.
    void write(std::string_view records) override {
        if (full_ || !shared::take(shared_->bytes_left, records.size())) {
            full_ = true;
            return;
        }
        if (buffer_.size() + records.size() > buffer_size) flush();
        buffer_ += records;
    }

private:
    void flush() {
        for (std::string_view rest = buffer_; !rest.empty();) {
            const auto n = ::write(descriptor_, rest.data(), rest.size());
            if (n < 0 && errno == EINTR) continue;
            if (n <= 0) {
                full_ = true;  // the disk is full, say: connections go on without their logs
                break;
            }
            rest.remove_prefix(static_cast<std::size_t>(n));
        }
        buffer_.clear();
    }

    int descriptor_;
    std::shared_ptr<shared> shared_;
    std::string buffer_;
    bool full_ = false;
};

std::shared_ptr<qlog_directory> qlog_directory::open(const std::string& path, std::string& why, qlog_directory_limits limits) {
    if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
        why = path + ": " + std::strerror(errno);
        return nullptr;
    }
    struct stat found {};
    if (::stat(path.c_str(), &found) != 0 || !S_ISDIR(found.st_mode)) {
        why = path + ": " + std::strerror(ENOTDIR);
        return nullptr;
    }
    if (::access(path.c_str(), W_OK | X_OK) != 0) {
        why = path + ": " + std::strerror(errno);
        return nullptr;
    }
    auto s = std::make_shared<shared>();
    s->path = path;
    s->bytes_left = limits.bytes;
    s->files_left = limits.files;
    return std::shared_ptr<qlog_directory>(new qlog_directory(std::move(s)));
}

std::unique_ptr<qlog::sink> qlog_directory::open(std::string_view name) {
    if (shared_->bytes_left.load() == 0 || !shared::take(shared_->files_left, 1)) return nullptr;
    const auto stem = shared_->path + "/" + std::string(name);
    for (unsigned i = 1; i <= max_namesakes; ++i) {
        const auto path = stem + (i == 1 ? "" : "-" + std::to_string(i)) + ".sqlog";
        const int descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (descriptor >= 0) return std::make_unique<file>(descriptor, shared_);
        if (errno != EEXIST) return nullptr;
    }
    return nullptr;
}

std::string qlog_directory::wall_clock() {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
    const auto seconds = static_cast<std::time_t>(milliseconds / 1000);
    std::tm parts{};
    ::gmtime_r(&seconds, &parts);
    char text[40];
    const auto n = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
    const auto fraction = std::to_string(1000 + milliseconds % 1000);
    return std::string(text, n) + "." + fraction.substr(1) + "Z";
}

}  // namespace tandem::net
