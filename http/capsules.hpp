// Capsules (RFC 9297 3.2): what the stream of a request consists of that speaks the Capsule Protocol. A type, a length and as
// many bytes, one after another.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace tandem::http {

namespace capsule_type {
constexpr std::uint64_t datagram = 0x00;  // RFC 9297 3.5: its payload is one HTTP datagram
}

// Finds the datagrams in a stream that comes in pieces of any size. Capsules of other types are passed over and so are datagrams
// larger than the reader takes, both without being held. Memory goes by what came, not by the length that is announced.
class capsule_reader {
public:
    struct progress {
        std::size_t taken = 0;  // of the bytes given; all of them, or up to the end of `datagram`
        std::optional<std::vector<std::uint8_t>> datagram;
    };

    explicit capsule_reader(std::size_t largest_datagram) : largest_(largest_datagram) {}

    progress receive(std::span<const std::uint8_t> bytes);
    // In the middle of a capsule: a stream that ends here is malformed (RFC 9297 3.3).
    bool within() const { return at_ != stage::type || held_count_ > 0; }
    std::uint64_t skipped() const { return skipped_; }      // capsules of types that are not known
    std::uint64_t too_large() const { return too_large_; }  // datagrams passed over

private:
    enum class stage : std::uint8_t { type, length, payload, passed_over };

    std::optional<std::uint64_t> integer(std::span<const std::uint8_t>& bytes);
    void begin_payload();

    std::size_t largest_;
    stage at_ = stage::type;
    std::array<std::uint8_t, 8> held_{};  // of a variable-length integer
    std::size_t held_count_ = 0;
    std::uint64_t type_ = 0;
    std::uint64_t left_ = 0;  // bytes of the payload that are to come
    std::vector<std::uint8_t> payload_;
    std::uint64_t skipped_ = 0;
    std::uint64_t too_large_ = 0;
};

// Appends a capsule with this payload, of at most 2^62-1 bytes.
void append_capsule(std::vector<std::uint8_t>& out, std::uint64_t type, std::span<const std::uint8_t> payload);

}  // namespace tandem::http
