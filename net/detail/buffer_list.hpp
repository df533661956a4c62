// The first buffers of a buffer sequence: an operation on "some" bytes needs no more.
#pragma once

#include <array>
#include <cstddef>

#include <boost/asio/buffer.hpp>

namespace tandem::net::detail {

template <class Buffer>
struct buffer_list {
    static constexpr std::size_t capacity = 8;
    std::array<Buffer, capacity> buffers;
    std::size_t count = 0;

    template <class Sequence>
    static buffer_list from(const Sequence& sequence) {
        buffer_list out;
        for (auto it = boost::asio::buffer_sequence_begin(sequence); it != boost::asio::buffer_sequence_end(sequence); ++it) {
            Buffer b(*it);
            if (b.size() == 0) continue;
            if (out.count == capacity) break;
            out.buffers[out.count++] = b;
        }
        return out;
    }
    bool empty() const { return count == 0; }
};
using read_buffers = buffer_list<boost::asio::mutable_buffer>;
using write_buffers = buffer_list<boost::asio::const_buffer>;

}  // namespace tandem::net::detail
