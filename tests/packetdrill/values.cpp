#include "values.hpp"

#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <map>
#include <regex>

#include <linux/tcp.h>

namespace tandem::packetdrill {
namespace {

#define NAMED(x) \
    { #x, static_cast < std::int64_t>(x) }

const std::map<std::string, std::int64_t>& constants() {
    static const std::map<std::string, std::int64_t> all{NAMED(AF_INET),
                                                         NAMED(AF_INET6),
                                                         NAMED(AF_UNSPEC),
                                                         NAMED(SOCK_STREAM),
                                                         NAMED(SOCK_DGRAM),
                                                         NAMED(SOCK_NONBLOCK),
                                                         NAMED(SOCK_CLOEXEC),
                                                         NAMED(IPPROTO_TCP),
                                                         NAMED(IPPROTO_UDP),
                                                         NAMED(IPPROTO_IP),
                                                         NAMED(IPPROTO_IPV6),
                                                         NAMED(SOL_SOCKET),
                                                         {"SOL_TCP", IPPROTO_TCP},
                                                         {"SOL_IP", IPPROTO_IP},
                                                         {"SOL_IPV6", IPPROTO_IPV6},
                                                         NAMED(SO_REUSEADDR),
                                                         NAMED(SO_REUSEPORT),
                                                         NAMED(SO_KEEPALIVE),
                                                         NAMED(SO_LINGER),
                                                         NAMED(SO_ERROR),
                                                         NAMED(SO_SNDBUF),
                                                         NAMED(SO_RCVBUF),
                                                         NAMED(SO_RCVLOWAT),
                                                         NAMED(SO_TYPE),
                                                         NAMED(SO_ACCEPTCONN),
                                                         NAMED(SO_PRIORITY),
                                                         NAMED(SO_TIMESTAMP),
                                                         NAMED(TCP_NODELAY),
                                                         NAMED(TCP_MAXSEG),
                                                         NAMED(TCP_CORK),
                                                         NAMED(TCP_KEEPIDLE),
                                                         NAMED(TCP_KEEPINTVL),
                                                         NAMED(TCP_KEEPCNT),
                                                         NAMED(TCP_SYNCNT),
                                                         NAMED(TCP_LINGER2),
                                                         NAMED(TCP_DEFER_ACCEPT),
                                                         NAMED(TCP_WINDOW_CLAMP),
                                                         NAMED(TCP_INFO),
                                                         NAMED(TCP_QUICKACK),
                                                         NAMED(TCP_CONGESTION),
                                                         NAMED(TCP_USER_TIMEOUT),
                                                         NAMED(TCP_NOTSENT_LOWAT),
                                                         NAMED(TCP_CC_INFO),
                                                         NAMED(TCP_FASTOPEN),
                                                         NAMED(TCP_INQ),
                                                         NAMED(IP_TOS),
                                                         NAMED(IP_TTL),
                                                         NAMED(IPV6_V6ONLY),
                                                         NAMED(IP_MTU_DISCOVER),
                                                         NAMED(MSG_DONTWAIT),
                                                         NAMED(MSG_PEEK),
                                                         NAMED(MSG_WAITALL),
                                                         NAMED(MSG_TRUNC),
                                                         NAMED(MSG_MORE),
                                                         NAMED(MSG_NOSIGNAL),
                                                         NAMED(MSG_ERRQUEUE),
                                                         NAMED(MSG_FASTOPEN),
                                                         NAMED(MSG_OOB),
                                                         NAMED(SHUT_RD),
                                                         NAMED(SHUT_WR),
                                                         NAMED(SHUT_RDWR),
                                                         NAMED(F_GETFL),
                                                         NAMED(F_SETFL),
                                                         NAMED(F_GETFD),
                                                         NAMED(F_SETFD),
                                                         NAMED(O_RDWR),
                                                         NAMED(O_NONBLOCK),
                                                         NAMED(FIONREAD),
                                                         NAMED(FIONBIO),
                                                         NAMED(SIOCINQ),
                                                         NAMED(SIOCOUTQ),
                                                         NAMED(SIOCOUTQNSD),
                                                         NAMED(POLLIN),
                                                         NAMED(POLLOUT),
                                                         NAMED(POLLERR),
                                                         NAMED(POLLHUP),
                                                         NAMED(POLLRDHUP),
                                                         NAMED(POLLPRI),
                                                         NAMED(POLLNVAL),
                                                         NAMED(EPOLLIN),
                                                         NAMED(EPOLLOUT),
                                                         NAMED(EPOLLERR),
                                                         NAMED(EPOLLHUP),
                                                         NAMED(EPOLLRDHUP),
                                                         NAMED(EPOLLET),
                                                         NAMED(EPOLLONESHOT),
                                                         NAMED(EPOLL_CTL_ADD),
                                                         NAMED(EPOLL_CTL_MOD),
                                                         NAMED(EPOLL_CTL_DEL),
                                                         NAMED(SPLICE_F_NONBLOCK),
                                                         NAMED(SPLICE_F_MOVE),
                                                         NAMED(EAGAIN),
                                                         NAMED(EWOULDBLOCK),
                                                         NAMED(EINPROGRESS),
                                                         NAMED(EALREADY),
                                                         NAMED(EISCONN),
                                                         NAMED(ENOTCONN),
                                                         NAMED(ECONNREFUSED),
                                                         NAMED(ECONNRESET),
                                                         NAMED(EPIPE),
                                                         NAMED(ETIMEDOUT),
                                                         NAMED(EINVAL),
                                                         NAMED(EBADF),
                                                         NAMED(EADDRINUSE),
                                                         NAMED(EADDRNOTAVAIL),
                                                         NAMED(EHOSTUNREACH),
                                                         NAMED(ENETUNREACH),
                                                         NAMED(EAFNOSUPPORT),
                                                         NAMED(EOPNOTSUPP),
                                                         NAMED(ENOPROTOOPT),
                                                         NAMED(EFAULT),
                                                         NAMED(ENOENT),
                                                         NAMED(EEXIST),
                                                         NAMED(ESOCKTNOSUPPORT),
                                                         NAMED(EPROTONOSUPPORT),
                                                         NAMED(ENETDOWN),
                                                         {"TCP_ESTABLISHED", 1},
                                                         {"TCP_SYN_SENT", 2},
                                                         {"TCP_SYN_RECV", 3},
                                                         {"TCP_FIN_WAIT1", 4},
                                                         {"TCP_FIN_WAIT2", 5},
                                                         {"TCP_TIME_WAIT", 6},
                                                         {"TCP_CLOSE", 7},
                                                         {"TCP_CLOSE_WAIT", 8},
                                                         {"TCP_LAST_ACK", 9},
                                                         {"TCP_LISTEN", 10},
                                                         {"TCP_CLOSING", 11},
                                                         {"TCP_CA_Open", 0},
                                                         {"TCP_CA_Disorder", 1},
                                                         {"TCP_CA_CWR", 2},
                                                         {"TCP_CA_Recovery", 3},
                                                         {"TCP_CA_Loss", 4}};
    return all;
}

struct member {
    std::size_t offset;
    std::size_t size;
};

#define MEMBER(x)                                          \
    {                                                      \
#x, { offsetof(tcp_info, x), sizeof(tcp_info::x) } \
    }

const std::map<std::string, member>& members() {
    static const std::map<std::string, member> all{MEMBER(tcpi_state),
                                                   MEMBER(tcpi_ca_state),
                                                   MEMBER(tcpi_retransmits),
                                                   MEMBER(tcpi_probes),
                                                   MEMBER(tcpi_backoff),
                                                   MEMBER(tcpi_options),
                                                   MEMBER(tcpi_rto),
                                                   MEMBER(tcpi_ato),
                                                   MEMBER(tcpi_snd_mss),
                                                   MEMBER(tcpi_rcv_mss),
                                                   MEMBER(tcpi_unacked),
                                                   MEMBER(tcpi_sacked),
                                                   MEMBER(tcpi_lost),
                                                   MEMBER(tcpi_retrans),
                                                   MEMBER(tcpi_pmtu),
                                                   MEMBER(tcpi_rtt),
                                                   MEMBER(tcpi_rttvar),
                                                   MEMBER(tcpi_snd_ssthresh),
                                                   MEMBER(tcpi_snd_cwnd),
                                                   MEMBER(tcpi_advmss),
                                                   MEMBER(tcpi_reordering),
                                                   MEMBER(tcpi_total_retrans),
                                                   MEMBER(tcpi_bytes_received),
                                                   MEMBER(tcpi_bytes_sent),
                                                   MEMBER(tcpi_notsent_bytes),
                                                   MEMBER(tcpi_min_rtt),
                                                   MEMBER(tcpi_segs_out),
                                                   MEMBER(tcpi_segs_in),
                                                   MEMBER(tcpi_dsack_dups)};
    return all;
}

std::optional<std::int64_t> one(const std::string& text) {
    if (const auto it = constants().find(text); it != constants().end()) return it->second;
    std::size_t used = 0;
    try {
        const auto value = std::stoll(text, &used, 0);
        if (used == text.size()) return value;
    } catch (const std::exception&) {
    }
    return std::nullopt;
}

std::string without_blanks(const std::string& s) {
    std::string out;
    for (const char c : s) {
        if (c != ' ' && c != '\t' && c != '\n') out += c;
    }
    return out;
}

std::optional<std::int64_t> operand(const std::string& text, const std::vector<std::uint8_t>& information) {
    const auto it = members().find(text);
    if (it == members().end()) return evaluate(text);
    std::uint64_t value = 0;
    if (it->second.offset + it->second.size > information.size()) return std::nullopt;
    std::memcpy(&value, information.data() + it->second.offset, it->second.size);
    return static_cast<std::int64_t>(value);
}

bool compare(std::int64_t a, const std::string& op, std::int64_t b) {
    if (op == "==") return a == b;
    if (op == "!=") return a != b;
    if (op == "<=") return a <= b;
    if (op == ">=") return a >= b;
    return op == "<" ? a < b : a > b;
}

}  // namespace

std::optional<std::int64_t> evaluate(const std::string& text) {
    const auto plain = without_blanks(text);
    std::int64_t out = 0;
    std::size_t from = 0;
    while (true) {
        const auto bar = plain.find('|', from);
        const auto value = one(plain.substr(from, bar == std::string::npos ? bar : bar - from));
        if (!value) return std::nullopt;
        out |= *value;
        if (bar == std::string::npos) return out;
        from = bar + 1;
    }
}

bool holds(const std::string& assertion, const std::vector<std::uint8_t>& information, std::string& why) {
    static const std::regex condition(R"((\w+)\s*(==|!=|<=|>=|<|>)\s*(-?\w+))");
    int found = 0;
    for (auto it = std::sregex_iterator(assertion.begin(), assertion.end(), condition); it != std::sregex_iterator(); ++it) {
        const auto& m = *it;
        const auto a = operand(m[1], information);
        const auto b = operand(m[3], information);
        ++found;
        if (!a || !b) {
            why = "unknown name in: " + m.str();
            return false;
        }
        if (!compare(*a, m[2], *b)) {
            why = m.str() + ", but it is " + std::to_string(*a);
            return false;
        }
    }
    why = "no condition in: " + assertion;
    return found > 0;
}

}  // namespace tandem::packetdrill
