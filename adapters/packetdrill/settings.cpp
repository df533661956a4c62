#include "settings.hpp"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>

namespace tandem::packetdrill {

settings::settings(const char* flags) {
    std::istringstream in(flags ? flags : "");
    std::string one;
    while (std::getline(in, one, ',')) {
        const auto equals = one.find('=');
        if (equals == std::string::npos) continue;
        given_[one.substr(0, equals)] = one.substr(equals + 1);
    }
    linux_ = given_["profile"] != "rfc";
    read_sysctls_ = linux_ && given_["sysctl"] != "off";
    mtu_ = static_cast<std::uint16_t>(number("mtu", 1500));
    if (const auto address = ip_address::parse(given_["local"])) (address->is_v6 ? local_v6_ : local_v4_) = *address;
}

std::optional<std::string> settings::sysctl(const std::string& name) const {
    if (const auto it = given_.find(name); it != given_.end()) {
        auto value = it->second;
        std::replace(value.begin(), value.end(), '/', ' ');
        return value;
    }
    if (!read_sysctls_ || !name.starts_with("tcp_")) return std::nullopt;
    std::ifstream in("/proc/sys/net/ipv4/" + name);
    std::string line;
    if (!std::getline(in, line)) return std::nullopt;
    return line;
}

std::uint64_t settings::number(const std::string& name, std::uint64_t fallback) const {
    const auto text = sysctl(name);
    if (!text) return fallback;
    char* end = nullptr;
    const auto value = std::strtoull(text->c_str(), &end, 10);
    return end == text->c_str() ? fallback : value;
}

std::array<std::uint64_t, 3> settings::memory(const std::string& name, std::array<std::uint64_t, 3> out) const {
    if (const auto text = sysctl(name)) {
        std::istringstream in(*text);
        for (auto& one : out) in >> one;
    }
    return out;
}

tcp::config settings::connection() const {
    tcp::config c;
    c.mtu = mtu_;
    c.pacing = false;  // the scripts' times are those of an unpaced sender
    c.controller.hystart = false;
    c.sack = number("tcp_sack", 1) != 0;
    c.timestamps = number("tcp_timestamps", 1) != 0;
    c.window_scale = number("tcp_window_scaling", 1) != 0;
    const auto ecn = number("tcp_ecn", 2);  // 0: never, 1: always, 2: when asked
    c.ecn = ecn == 0 ? tcp::ecn_use::never : ecn == 1 ? tcp::ecn_use::always : tcp::ecn_use::when_asked;
    const auto probing = number("tcp_mtu_probing", 0);  // 0: never, 1: after a black hole, 2: always
    c.probing = probing == 0   ? tcp::mtu_probing::never
                : probing == 1 ? tcp::mtu_probing::after_black_hole
                               : tcp::mtu_probing::always;
    // Room for what a write hands over is bounded by the socket (SO_SNDBUF), which counts what is in flight, too.
    c.send_buffer = 64 * 1024 * 1024;
    if (linux_) {
        apply_linux(c);
    } else {
        apply_rfc(c);
    }
    return c;
}

void settings::apply_linux(tcp::config& c) const {
    using namespace std::chrono_literals;
    const auto name = sysctl("tcp_congestion_control").value_or("cubic");
    c.controller.kind = name == "reno" ? recovery::controller_kind::new_reno : recovery::controller_kind::cubic;
    c.quick_acks = 16;
    c.push_trains = true;
    c.ack_delay = 40ms;
    c.peer_ack_delay = 200ms;
    c.min_rto = 200ms;
    c.min_rto_variation = 200ms;
    c.max_rto = 120s;
    c.max_receive_window = memory("tcp_rmem", {4096, 131072, 6291456})[2];
    c.receive_window = std::min<std::size_t>(default_receive_buffer() / 2, c.max_receive_window);
    c.fin_wait_2_timeout = std::chrono::seconds(number("tcp_fin_timeout", 60));
    // Retries are what Linux counts; their times are 1, 2, 4... s.
    c.handshake_timeout = std::chrono::seconds((2ull << std::min<std::uint64_t>(number("tcp_syn_retries", 6), 20)) - 1);
    c.user_timeout = 924s;  // tcp_retries2 of 15
}

void settings::apply_rfc(tcp::config& c) const {
    using namespace std::chrono_literals;
    c.controller.kind = recovery::controller_kind::new_reno;
    c.ack_delay = 100ms;
    c.peer_ack_delay = 200ms;
    c.min_rto = 1s;  // RFC 6298 2.4
    c.receive_window = 65535;
    c.max_receive_window = std::uint64_t{65535} << 6;
}

}  // namespace tandem::packetdrill
