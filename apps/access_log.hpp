// The lines of `tandem serve --log`.
#pragma once

#include <cstdint>
#include <string>

#include <tandem/net/request_loop.hpp>

namespace tandem::apps {

// `unix_seconds`: when the exchange was over. What the client chose is escaped, so that a line is a line and a field a field.
// 127.0.0.1:4711 "GET / HTTP/3" 200 6 0.4 ms
std::string plain_line(const net::access_record&);
// As Apache's and nginx's "combined".
std::string combined_line(const net::access_record&, std::int64_t unix_seconds);
// One JSON object.
std::string json_line(const net::access_record&, std::int64_t unix_seconds);

}  // namespace tandem::apps
