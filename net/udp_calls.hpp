// The system calls a UDP socket makes for datagrams, as a seam: tests put errors in.
#pragma once

#include <sys/socket.h>

namespace tandem::net {

class udp_calls {
public:
    virtual ~udp_calls() = default;
    virtual ssize_t sendmsg(int fd, const msghdr& message, int flags) { return ::sendmsg(fd, &message, flags); }
    virtual int recvmmsg(int fd, mmsghdr* messages, unsigned count, int flags) {
        return ::recvmmsg(fd, messages, count, flags, nullptr);
    }

    // The real ones.
    static udp_calls& system();
};

}  // namespace tandem::net
