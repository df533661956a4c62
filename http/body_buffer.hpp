// Body bytes that came and that the application has not read yet, and since when they wait for it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <tandem/bytes/front_vector.hpp>
#include <tandem/bytes/time.hpp>
#include <tandem/bytes/wait_ledger.hpp>

namespace tandem::http {

class body_buffer {
public:
    void append(std::span<const std::uint8_t> data, time_point now);
    // Copies bytes out; what they waited here is added to `ledger` as the application's doing, and to its total.
    std::size_t read(std::span<std::uint8_t> out, time_point now, wait_ledger& ledger);
    std::size_t size() const { return bytes_.size() - at_; }
    bool empty() const { return size() == 0; }
    void clear();

private:
    struct run {
        std::size_t bytes = 0;
        time_point since;
    };
    std::vector<std::uint8_t> bytes_;
    std::size_t at_ = 0;
    front_vector<run> runs_;
};

}  // namespace tandem::http
