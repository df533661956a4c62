#include "output_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>

#include <tandem/http/url.hpp>

namespace tandem::apps {

namespace {

std::string cannot_write(const std::string& path, int error) { return "cannot write " + path + ": " + std::strerror(error); }

mode_t creation_mask() {
    mode_t mask = ::umask(0);
    ::umask(mask);
    return mask;
}

}  // namespace

output_file::~output_file() { discard(); }

bool output_file::open(const std::string& path, bool create_directories, std::string& why) {
    if (path.empty() || path == "-") {
        descriptor_ = STDOUT_FILENO;
        path_ = "standard output";
        return true;
    }
    path_ = path;
    auto directory = std::filesystem::path(path).parent_path();
    if (create_directories && !directory.empty()) {
        std::error_code error;
        std::filesystem::create_directories(directory, error);
        if (error) return why = "cannot make " + directory.string() + ": " + error.message(), false;
    }
    struct stat status {};
    if (::stat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode)) {
        if (S_ISDIR(status.st_mode)) return why = cannot_write(path, EISDIR), false;
        descriptor_ = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
        owned_ = true;
        if (descriptor_ < 0) return why = cannot_write(path, errno), false;
        return true;
    }
    // Beside the target: a rename works only within one file system.
    temporary_ = (directory / ("." + std::filesystem::path(path).filename().string().substr(0, 200) + ".XXXXXX")).string();
    descriptor_ = ::mkostemp(temporary_.data(), O_CLOEXEC);
    owned_ = true;
    if (descriptor_ < 0) {
        int error = errno;
        temporary_.clear();
        return why = cannot_write(path, error), false;
    }
    return true;
}

bool output_file::open_partial(const std::string& path, std::uint64_t kept, bool create_directories, std::string& why) {
    path_ = path;
    auto directory = std::filesystem::path(path).parent_path();
    if (create_directories && !directory.empty()) {
        std::error_code error;
        std::filesystem::create_directories(directory, error);
        if (error) return why = "cannot make " + directory.string() + ": " + error.message(), false;
    }
    temporary_ = path + ".part";
    owned_ = partial_ = true;
    descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    const auto size = static_cast<off_t>(kept);
    if (descriptor_ < 0 || ::ftruncate(descriptor_, size) != 0 || ::lseek(descriptor_, size, SEEK_SET) != size) {
        return why = cannot_write(temporary_, errno), false;
    }
    return true;
}

bool output_file::write(std::span<const std::uint8_t> bytes, std::string& why) {
    while (!bytes.empty()) {
        auto n = ::write(descriptor_, bytes.data(), bytes.size());
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return why = cannot_write(path_, errno), false;
        bytes = bytes.subspan(static_cast<std::size_t>(n));
    }
    return true;
}

bool output_file::finish(std::string& why) {
    int descriptor = descriptor_;
    descriptor_ = -1;
    if (!owned_) return true;
    if (!temporary_.empty()) ::fchmod(descriptor, 0666 & ~creation_mask());
    // Some file systems tell of a full disk only now.
    if (::close(descriptor) != 0 || (!temporary_.empty() && ::rename(temporary_.c_str(), path_.c_str()) != 0)) {
        why = cannot_write(path_, errno);
        if (!temporary_.empty()) ::unlink(temporary_.c_str());
        return false;
    }
    if (partial_) forget_partial(path_);
    return true;
}

void output_file::discard() {
    if (descriptor_ < 0) return;
    if (owned_) ::close(descriptor_);
    if (!temporary_.empty() && !partial_) ::unlink(temporary_.c_str());
    descriptor_ = -1;
    temporary_.clear();
}

partial_file find_partial(const std::string& path) {
    partial_file out;
    struct stat status {};
    std::ifstream in(path + ".part.of");
    if (!in || !std::getline(in, out.validator) || ::lstat((path + ".part").c_str(), &status) != 0 || !S_ISREG(status.st_mode))
        return {};
    out.size = static_cast<std::uint64_t>(status.st_size);
    return out;
}

bool remember_validator(const std::string& path, const std::string& validator) {
    std::ofstream out(path + ".part.of", std::ios::trunc);
    out << validator << '\n';
    return static_cast<bool>(out.flush());
}

void forget_partial(const std::string& path) {
    ::unlink((path + ".part").c_str());
    ::unlink((path + ".part.of").c_str());
}

std::string safe_file_name(std::string_view segment) {
    auto name = http::percent_decode(segment);
    if (!name) name = std::string(segment);
    for (char& c : *name) {
        if (c == '/' || c == '\0' || static_cast<unsigned char>(c) < 0x20) c = '_';
    }
    if (*name == "." || *name == "..") return {};
    return *name;
}

}  // namespace tandem::apps
