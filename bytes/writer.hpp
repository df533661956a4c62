// A bounded cursor over a caller's buffer. A write past the end writes nothing and fails the writer for good.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace tandem {

constexpr std::uint64_t varint_max = (std::uint64_t{1} << 62) - 1;  // RFC 9000 16

// Bytes that `value` (at most varint_max) takes as a variable-length integer: 1, 2, 4 or 8.
constexpr std::size_t varint_size(std::uint64_t value) {
    return value < 0x40 ? 1 : value < 0x4000 ? 2 : value < 0x40000000 ? 4 : 8;
}

class writer {
public:
    explicit writer(std::span<std::uint8_t> out) : out_(out) {}

    bool ok() const { return ok_; }
    std::size_t size() const { return at_; }
    std::size_t remaining() const { return out_.size() - at_; }
    std::span<std::uint8_t> written() const { return out_.first(at_); }
    std::span<std::uint8_t> unwritten() const { return out_.subspan(at_); }

    void u8(std::uint8_t value);
    void u16(std::uint16_t value);
    void u24(std::uint32_t value);
    void u32(std::uint32_t value);
    void u64(std::uint64_t value);
    void varint(std::uint64_t value);
    void varint(std::uint64_t value, std::size_t size);  // exactly 1, 2, 4 or 8 bytes; the value must fit
    void bytes(std::span<const std::uint8_t> in);
    std::span<std::uint8_t> reserve(std::size_t count);  // room to fill in later; empty if it does not fit

private:
    void big_endian(std::uint64_t value, std::size_t count);

    std::span<std::uint8_t> out_;
    std::size_t at_ = 0;
    bool ok_ = true;
};

}  // namespace tandem
