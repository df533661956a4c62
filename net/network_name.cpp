#include <tandem/net/network_name.hpp>

#include <algorithm>

#include <tandem/net/route.hpp>

namespace tandem::net {

std::string network_name(const ip_address& remote) {
    auto source = source_address({remote, 443});  // nothing is sent: any port will do
    if (!source) return {};
    const std::size_t kept = source->is_v6 ? 8 : 3;
    std::fill(source->bytes.begin() + static_cast<std::ptrdiff_t>(kept), source->bytes.end(), std::uint8_t{0});
    return source->to_string() + (source->is_v6 ? "/64" : "/24");
}

}  // namespace tandem::net
