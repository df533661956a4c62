// What `tandem sockets` prints of a TCP stack: its sockets as `ss -tin` does, its counters as `nstat` does, and in plain words
// what is wrong with them.
#pragma once

#include <string>
#include <vector>

#include <tandem/net/tcp_snapshot.hpp>

namespace tandem::apps {

std::string socket_text(const net::tcp_snapshot&);
std::string socket_json(const net::tcp_snapshot&);

// One sentence each: sockets that the program forgot to close, ports that run out, connections that nobody accepts.
std::vector<std::string> socket_warnings(const net::tcp_snapshot&);

}  // namespace tandem::apps
