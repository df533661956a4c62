// Several sockets of one program on the same address and port (SO_REUSEPORT).
#pragma once

#include <cstdint>

namespace tandem::net {

enum class port_sharing : std::uint8_t {
    alone,
    first,    // to be opened before the others; fails where the port is taken, as if it were alone
    further,  // joins the first one, of the same user
};

}  // namespace tandem::net
