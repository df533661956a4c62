// SHA-1, for protocols that use it where no secret depends on it (RFC 6455 4.2.2).
#pragma once

#include <array>
#include <cstdint>
#include <span>

namespace tandem::tls {

std::array<std::uint8_t, 20> sha1(std::span<const std::uint8_t> data);

}  // namespace tandem::tls
