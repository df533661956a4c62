#include <tandem/bytes/address.hpp>

#include <arpa/inet.h>  // inet_pton and inet_ntop only: pure functions on text

#include <tandem/bytes/random.hpp>

namespace tandem {

std::optional<ip_address> ip_address::parse(std::string_view text) {
    const std::string terminated(text);
    if (terminated.find(char{0}) != std::string::npos) return std::nullopt;
    ip_address out;
    if (inet_pton(AF_INET, terminated.c_str(), out.bytes.data()) == 1) return out;
    out.is_v6 = true;
    if (inet_pton(AF_INET6, terminated.c_str(), out.bytes.data()) == 1) return out;
    return std::nullopt;
}

std::string ip_address::to_string() const {
    std::array<char, INET6_ADDRSTRLEN> text{};
    inet_ntop(is_v6 ? AF_INET6 : AF_INET, bytes.data(), text.data(), text.size());
    return text.data();
}

std::string ip_endpoint::to_string() const {
    const auto host = address.is_v6 ? "[" + address.to_string() + "]" : address.to_string();
    return host + ":" + std::to_string(port);
}

static std::uint64_t mix(std::uint64_t hash, std::uint64_t value) {
    hash ^= value;
    return splitmix64(hash);
}

static std::uint64_t mix(std::uint64_t hash, const ip_endpoint& e) {
    std::array<std::uint64_t, 2> words{};
    for (std::size_t i = 0; i < e.address.bytes.size(); ++i) words[i / 8] = words[i / 8] << 8 | e.address.bytes[i];
    hash = mix(hash, words[0]);
    if (e.address.is_v6) hash = mix(hash, words[1]);
    return mix(hash, std::uint64_t{e.port} << 1 | (e.address.is_v6 ? 1 : 0));
}

std::size_t hash_value(const ip_endpoint& e) noexcept { return mix(0, e); }
std::size_t hash_value(const ip_path& p) noexcept { return mix(mix(0, p.local), p.remote); }

}  // namespace tandem
