#include "control_path.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

namespace tandem::apps {

namespace {

constexpr const char* prefix = "tandem-serve-";
constexpr const char* suffix = ".sock";

}  // namespace

std::string control_directory() {
    if (const char* runtime = std::getenv("XDG_RUNTIME_DIR"); runtime != nullptr && *runtime == '/') return runtime;
    return ::geteuid() == 0 ? "/run" : "";
}

std::string control_path(std::uint16_t port) {
    const auto directory = control_directory();
    return directory.empty() ? "" : directory + "/" + prefix + std::to_string(port) + suffix;
}

std::vector<std::string> control_paths() {
    std::vector<std::string> out;
    std::error_code error;
    const auto directory = control_directory();
    if (directory.empty()) return out;
    for (std::filesystem::directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) {
        const auto name = it->path().filename().string();
        if (name.starts_with(prefix) && name.ends_with(suffix)) out.push_back(it->path().string());
    }
    std::sort(out.begin(), out.end());
    return out;
}

}  // namespace tandem::apps
