// Where a server's control socket is.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace tandem::apps {

// The folder that only this user can write to: $XDG_RUNTIME_DIR, or /run for root; empty if there is none.
std::string control_directory();
// The default path of a server on this port; empty without such a folder.
std::string control_path(std::uint16_t port);
// Those there are, by name.
std::vector<std::string> control_paths();

}  // namespace tandem::apps
