// The file of --alt-svc: what is known of origins, from one run of `tandem get` to the next.
#pragma once

#include <memory>
#include <string>

#include <tandem/http/alt_svc.hpp>

namespace tandem::apps {

class known_origins {
public:
    // A file that is not there yet is an empty one. On error returns false and says why.
    bool load(const std::string& path, std::string& why);
    // Writes it back, whole or not at all.
    bool save(std::string& why) const;

    // Never null.
    const std::shared_ptr<http::alt_svc_cache>& cache() const { return cache_; }

private:
    std::string path_;
    std::shared_ptr<http::alt_svc_cache> cache_ = std::make_shared<http::alt_svc_cache>();
};

}  // namespace tandem::apps
