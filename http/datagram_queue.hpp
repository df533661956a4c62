// HTTP datagrams that came and that nobody has taken yet: so many bytes of them, the oldest give way.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include <tandem/bytes/front_vector.hpp>

namespace tandem::http {

class datagram_queue {
public:
    // What one counts besides its bytes, so that empty ones are not held without end.
    static constexpr std::size_t cost = 64;

    explicit datagram_queue(std::size_t capacity) : capacity_(capacity) {}

    // The oldest make room for it; one that is larger than the whole queue is dropped itself.
    void push(std::vector<std::uint8_t> datagram);
    // Nothing is dropped for it: for who stops when the queue is full. It may then hold one more than there is room for.
    void append(std::vector<std::uint8_t> datagram);
    std::optional<std::vector<std::uint8_t>> pop();
    bool empty() const { return held_.empty(); }
    std::size_t bytes() const { return bytes_; }  // held, costs included
    bool full() const { return bytes_ >= capacity_; }
    void clear();
    std::uint64_t dropped() const { return dropped_; }

private:
    std::size_t capacity_;
    std::size_t bytes_ = 0;
    std::uint64_t dropped_ = 0;
    front_vector<std::vector<std::uint8_t>> held_;
};

}  // namespace tandem::http
