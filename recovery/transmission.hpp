// One thing sent, and what became of it.
#pragma once

#include <cstdint>

#include <tandem/bytes/time.hpp>

namespace tandem::recovery {

// State of the path when a transmission left: draft-ietf-ccwg-bbr 4.1.2.1.2.
struct delivery_snapshot {
    std::uint64_t delivered = 0;
    time_point delivered_at;
    time_point first_sent;
    std::uint64_t lost = 0;       // bytes declared lost until then
    std::uint64_t in_flight = 0;  // bytes in flight after this one was sent
    bool app_limited = false;
};

enum class fate : std::uint8_t { outstanding, lost, acknowledged, forgotten };

// number: a transmission number, never reused: QUIC's packet number, TCP's private count. "Sent before" is `<`.
// Contents is what the protocol needs to know when this is acknowledged or lost; recovery never looks inside.
template <class Contents>
struct transmission {
    std::uint64_t number = 0;
    time_point sent;
    std::uint32_t bytes = 0;  // counted against the congestion window if in_flight
    bool ack_eliciting = false;
    bool in_flight = false;  // RFC 9002 2
    bool left_path = false;  // sent on another path than the one in use: says nothing about that
    fate state = fate::outstanding;
    time_point lost_at;          // when it was declared lost, if it was
    delivery_snapshot snapshot;  // filled by loss_recovery::on_sent
    Contents contents{};
};

}  // namespace tandem::recovery
