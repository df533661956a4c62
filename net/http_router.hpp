// Finds the handler of a request by its method and path.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <tandem/net/http_exchange.hpp>

namespace tandem::net {

class http_router {
public:
    // `pattern`: a path ("/a/b"), or the beginning of paths ("/files/*"). The longest pattern that fits wins, a whole path before
    // a beginning. `method`: "GET" (HEAD too, unless it has a handler of its own), ..., or "*" for all.
    void add(std::string_view method, std::string_view pattern, http_handler handler);

    // 404 where no pattern fits, 405 with Allow where no method does (RFC 9110 15.5.6), 204 with Allow to OPTIONS,
    // and 204 to "OPTIONS *".
    void operator()(std::shared_ptr<http_exchange> exchange) const;

private:
    struct route {
        std::string method;
        std::string path;
        bool beginning = false;
        http_handler handler;
        bool fits(std::string_view asked) const { return beginning ? asked.starts_with(path) : asked == path; }
    };
    std::vector<route> routes_;  // the one that wins first
};

}  // namespace tandem::net
