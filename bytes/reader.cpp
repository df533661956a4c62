#include <tandem/bytes/reader.hpp>

namespace tandem {

std::span<const std::uint8_t> reader::bytes(std::uint64_t count) {
    if (count > remaining()) {
        fail();
        return {};
    }
    const auto out = in_.subspan(at_, static_cast<std::size_t>(count));
    at_ += out.size();
    return out;
}

std::uint64_t reader::big_endian(std::size_t count) {
    std::uint64_t value = 0;
    for (const auto byte : bytes(count)) value = value << 8 | byte;
    return value;
}

std::uint8_t reader::u8() { return static_cast<std::uint8_t>(big_endian(1)); }
std::uint16_t reader::u16() { return static_cast<std::uint16_t>(big_endian(2)); }
std::uint32_t reader::u24() { return static_cast<std::uint32_t>(big_endian(3)); }
std::uint32_t reader::u32() { return static_cast<std::uint32_t>(big_endian(4)); }
std::uint64_t reader::u64() { return big_endian(8); }

// RFC 9000 16: the two most significant bits of the first byte are the base-2 logarithm of the length.
std::uint64_t reader::varint() {
    const std::size_t length = std::size_t{1} << (peek() >> 6);
    const auto value = big_endian(length);
    return value & ((std::uint64_t{1} << (8 * length - 2)) - 1);
}

}  // namespace tandem
