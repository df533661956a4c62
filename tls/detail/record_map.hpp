// Private to tls/: finds the records in a stream of ciphertext, and the times of their bytes.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <vector>

#include <tandem/bytes/byte_times.hpp>
#include <tandem/bytes/range_set.hpp>
#include <tandem/tls/record_session.hpp>

namespace tandem::tls::detail {

constexpr std::size_t record_header_size = 5;  // type, version, length (RFC 8446 5.1)

class record_map {
public:
    // The next ciphertext of the stream, with the times of exactly these bytes.
    void add(std::span<const std::uint8_t> ciphertext, std::span<const byte_times> times);

    // The record that ends at this offset, header included; everything before it is forgotten.
    std::optional<range> record_ending_at(std::uint64_t offset);

    // Appends the times of `bytes` ciphertext bytes from `offset` on, of a record that ends at `record_end`.
    void times_of(std::uint64_t offset, std::uint64_t bytes, std::uint64_t record_end, std::vector<record_times>& out) const;

private:
    struct run {
        std::uint64_t end;
        time_point arrived;
        time_point readable;
    };
    void find_records(std::span<const std::uint8_t> ciphertext);
    std::deque<run>::const_iterator run_at(std::uint64_t offset) const;

    std::deque<range> records_;
    std::deque<run> runs_;
    std::uint64_t received_ = 0;
    std::uint64_t next_record_ = 0;  // where the header that is looked for begins
    std::array<std::uint8_t, record_header_size> header_{};
    std::size_t header_size_ = 0;  // of it, seen so far
};

}  // namespace tandem::tls::detail
