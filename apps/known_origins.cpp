#include "known_origins.hpp"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <tandem/net/clock.hpp>

#include "output_file.hpp"

namespace tandem::apps {

bool known_origins::load(const std::string& path, std::string& why) {
    path_ = path;
    std::error_code error;
    if (!std::filesystem::exists(path, error) && !error) return true;
    if (std::filesystem::is_directory(path, error)) {
        why = path + " is a directory";
        return false;
    }
    std::ifstream in(path, std::ios::binary);
    std::ostringstream text;
    text << in.rdbuf();
    if (!in) {
        why = "could not read " + path + ": " + std::strerror(errno);
        return false;
    }
    cache_->load(text.str(), net::wall_seconds());
    return true;
}

bool known_origins::save(std::string& why) const {
    if (path_.empty()) return true;
    const auto text = cache_->save();
    output_file file;
    return file.open(path_, false, why) && file.write({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}, why) &&
           file.finish(why);
}

}  // namespace tandem::apps
