// One stream as the table holds it: its parts, its priority and the lists it is in.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include <tandem/bytes/recycled.hpp>
#include <tandem/quic/receive_stream.hpp>
#include <tandem/quic/send_stream.hpp>
#include <tandem/quic/types.hpp>

namespace tandem::quic {

enum class stream_side : std::uint8_t { sending, receiving };

struct stream;
class stream_list;

// Membership in one stream_list.
struct stream_hook {
    stream* previous = nullptr;
    stream* next = nullptr;
    stream_list* list = nullptr;
};

struct stream : recycled::object {
    explicit stream(stream_id i) : id(i) {}

    stream_id id;
    std::uint8_t urgency = 3;  // RFC 9218 4.1
    bool incremental = true;
    bool readable_told = false;       // a readable event waits to be taken
    bool early = false;               // 0-RTT packets brought data of it
    bool want_writable = false;       // a write was cut short
    std::array<bool, 2> told_over{};  // to a log: the sending part, the receiving part
    std::uint64_t blocked = 0;        // unsent bytes that only credit holds back
    stream_hook sending;              // in a ready list, or among those blocked by the connection's credit
    stream_hook control;              // has control frames to send
    std::optional<send_stream> out;
    std::optional<receive_stream> in;
};

}  // namespace tandem::quic
