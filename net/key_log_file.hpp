// The file that SSLKEYLOGFILE names: TLS secrets for Wireshark and its like.
#pragma once

#include <string>

#include <tandem/tls/context.hpp>

namespace tandem::net {

// A key log that appends to a file, readable by its owner only; safe to call from several threads. Empty if the file cannot be
// opened, then `why` says why.
tls::key_log key_log_file(const std::string& path, std::string& why);

}  // namespace tandem::net
