#include <tandem/bytes/writer.hpp>

#include <bit>
#include <cstring>

namespace tandem {

std::span<std::uint8_t> writer::reserve(std::size_t count) {
    if (!ok_ || count > remaining()) {
        ok_ = false;
        return {};
    }
    const auto room = out_.subspan(at_, count);
    at_ += count;
    return room;
}

void writer::big_endian(std::uint64_t value, std::size_t count) {
    for (auto& byte : reserve(count)) byte = static_cast<std::uint8_t>(value >> (8 * --count));
}

void writer::u8(std::uint8_t value) { big_endian(value, 1); }
void writer::u16(std::uint16_t value) { big_endian(value, 2); }
void writer::u24(std::uint32_t value) { big_endian(value, 3); }
void writer::u32(std::uint32_t value) { big_endian(value, 4); }
void writer::u64(std::uint64_t value) { big_endian(value, 8); }

void writer::varint(std::uint64_t value) { varint(value, varint_size(value)); }

// RFC 9000 16: the two most significant bits of the first byte are the base-2 logarithm of the length.
void writer::varint(std::uint64_t value, std::size_t size) {
    if (value > varint_max || varint_size(value) > size) {
        ok_ = false;
        return;
    }
    const auto log2 = static_cast<std::uint64_t>(std::countr_zero(size));
    big_endian(value | log2 << (8 * size - 2), size);
}

void writer::bytes(std::span<const std::uint8_t> in) {
    const auto room = reserve(in.size());
    if (!room.empty()) std::memcpy(room.data(), in.data(), in.size());
}

}  // namespace tandem
