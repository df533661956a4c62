// What a connection did and what held it back, in one line for people; the same for QUIC and for TCP.
#pragma once

#include <string>

#include <tandem/recovery/statistics.hpp>

namespace tandem::net {

// "sent 12 packets (9.1 kB), received 80 (101.0 kB), 1 lost, 0 timeouts; RTT 20.1 ms (least 20.0), window 14600 bytes; limited by
// application 95% (1200 ms), congestion window 5% (63 ms)"
std::string summary_line(const recovery::connection_statistics& s);

}  // namespace tandem::net
