// The file of --session: TLS sessions and address tokens, from one run of `tandem get` to the next.
#pragma once

#include <memory>
#include <string>

#include <tandem/tls/session_cache.hpp>

namespace tandem::apps {

class session_file {
public:
    // A file that is not there yet is an empty one. One that others can read or write, or that is something else, is refused:
    // what it holds is secret. On error returns false and says why.
    bool load(const std::string& path, std::string& why);
    // Writes it back with mode 0600, whole or not at all.
    bool save(std::string& why) const;

    // Never null.
    const std::shared_ptr<tls::session_cache>& cache() const { return cache_; }

private:
    std::string path_;
    std::shared_ptr<tls::session_cache> cache_ = std::make_shared<tls::session_cache>();
};

}  // namespace tandem::apps
