// What a packet remembers of the stream frames it carries, to tell `streams` when it is acknowledged or lost.
#pragma once

#include <cstdint>
#include <type_traits>
#include <variant>

#include <tandem/bytes/small_vector.hpp>
#include <tandem/quic/types.hpp>

namespace tandem::quic {

struct stream_data_token {
    stream_id id;
    std::uint64_t offset = 0;
    std::uint32_t length = 0;
    bool fin = false;
};
struct reset_stream_token {
    stream_id id;
    std::uint64_t reliable = 0;  // RESET_STREAM_AT: what it promised; only the latest promise counts
};
struct stop_sending_token {
    stream_id id;
};
// The limits that the frames named: a lost frame is sent again only if no later one went out (RFC 9000 13.3).
struct max_data_token {
    std::uint64_t maximum = 0;
};
struct max_stream_data_token {
    stream_id id;
    std::uint64_t maximum = 0;
};
struct max_streams_token {
    std::uint64_t maximum = 0;
    direction kind = direction::bidirectional;
};
struct data_blocked_token {
    std::uint64_t limit = 0;
};
struct stream_data_blocked_token {
    stream_id id;
    std::uint64_t limit = 0;
};
struct streams_blocked_token {
    std::uint64_t limit = 0;
    direction kind = direction::bidirectional;
};

using stream_token =
    std::variant<stream_data_token, reset_stream_token, stop_sending_token, max_data_token, max_stream_data_token,
                 max_streams_token, data_blocked_token, stream_data_blocked_token, streams_blocked_token>;
static_assert(std::is_trivially_copyable_v<stream_token> && sizeof(stream_token) <= 32);

// Tokens of one packet; most packets carry one or two.
using stream_tokens = small_vector<stream_token, 4>;

}  // namespace tandem::quic
