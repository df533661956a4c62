#include "qlog_option.hpp"

#include <cstdlib>

#include <tandem/net/qlog_directory.hpp>

namespace tandem::apps {

bool open_qlog(const std::string& option, std::shared_ptr<net::qlog_directory>& out, std::string& why) {
    auto path = option;
    const char* environment = std::getenv("QLOGDIR");
    if (path.empty() && environment != nullptr) path = environment;
    if (path.empty()) return true;
    while (path.size() > 1 && path.back() == '/') path.pop_back();
    out = net::qlog_directory::open(path, why);
    return out != nullptr;
}

}  // namespace tandem::apps
