// What `tandem serve` tells Prometheus (text format 0.0.4). Each thread has its own; they are added up when somebody asks.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include <tandem/net/http_server.hpp>

namespace tandem::apps {

class metrics {
public:
    // For every exchange that is over.
    void record(const net::access_record& record);
    void add(const metrics& other);
    std::string text(const net::http_server::counters& server) const;

private:
    struct by_protocol {
        std::uint64_t complete[6] = {};  // by the first digit of the status; 0: none
        std::uint64_t incomplete = 0;
        std::uint64_t bytes = 0;  // of bodies whose length was known
        double seconds = 0;       // of all exchanges
        std::uint64_t count = 0;
    };
    std::map<std::string, by_protocol, std::less<>> protocols_;
};

}  // namespace tandem::apps
