// A bounded cursor over received bytes. A read past the end fails the reader for good and yields zero, so that a
// parser reads all its fields and asks once whether they were there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace tandem {

class reader {
public:
    explicit reader(std::span<const std::uint8_t> in) : in_(in) {}

    bool ok() const { return ok_; }
    std::size_t remaining() const { return in_.size() - at_; }
    bool empty() const { return remaining() == 0; }
    std::size_t offset() const { return at_; }

    std::uint8_t u8();
    std::uint16_t u16();
    std::uint32_t u24();
    std::uint32_t u32();
    std::uint64_t u64();
    std::uint64_t varint();  // RFC 9000 16; any of the four lengths, shortest or not
    std::span<const std::uint8_t> bytes(std::uint64_t count);
    std::span<const std::uint8_t> rest() { return bytes(remaining()); }
    void skip(std::uint64_t count) { bytes(count); }
    std::span<const std::uint8_t> ahead() const { return in_.subspan(at_); }  // what is left, not read
    std::uint8_t peek() const { return empty() ? 0 : in_[at_]; }
    void fail() {
        ok_ = false;
        at_ = in_.size();
    }

private:
    std::uint64_t big_endian(std::size_t count);

    std::span<const std::uint8_t> in_;
    std::size_t at_ = 0;
    bool ok_ = true;
};

}  // namespace tandem
