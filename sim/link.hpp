// One direction of a link: what becomes of each packet that is put on it, and when.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include <tandem/bytes/time.hpp>
#include <tandem/sim/loss.hpp>

namespace tandem::sim {

// A time during which nothing gets through (a handover, a tunnel): [begin, end) counted from the start of virtual time.
struct outage {
    duration begin{};
    duration end{};
};

// What counts as one opportunity of the loss trace. Both are blind to contents and the same for every transport.
enum class loss_clock : std::uint8_t {
    // The n-th packet of its size class in this direction. Full packets (at least `full_packet` bytes) and small ones (bare ACKs)
    // have a trace each, so that a transport that sends more ACKs does not move the losses of the data.
    packet,
    // The slot of link time, `loss_slot` long, in which the packet leaves: the weather changes with time, not with traffic.
    time,
};

struct link_config {
    std::uint64_t rate = 0;  // bits per second; 0: no limit
    duration delay{};        // propagation, one way
    duration jitter{};       // extra delay, uniform over 0..jitter, each packet its own: packets may overtake each other
    bool jitter_keeps_order = false;
    std::uint64_t queue = 0;  // bytes that may wait for the link (one packet may always be on it); tail drop; 0: no limit
    std::size_t mtu = 1500;   // bytes of the largest IP packet
    loss_config loss;
    loss_clock loss_by = loss_clock::packet;
    duration loss_slot = std::chrono::milliseconds(1);  // for loss_clock::time
    std::vector<std::uint64_t> drop;                    // these packets are lost: the n-th put on this direction, counted from 1
    double reorder = 0;                                 // share of packets held back by reorder_delay while later ones pass
    duration reorder_delay = std::chrono::milliseconds(5);
    double duplicate = 0;  // share of packets that arrive twice
    double corrupt = 0;    // share of packets that arrive with one bit turned over
    std::vector<outage> outages;

    bool random() const { return loss.random() || jitter > duration::zero() || reorder > 0 || duplicate > 0 || corrupt > 0; }
};

enum class verdict : std::uint8_t {
    delivered,
    lost,        // by the loss trace
    listed,      // by a drop list or filter
    queue_full,  // tail drop: never was on the link
    too_big,     // larger than the MTU: never was on the link
    outage,
    no_route,  // no link leads to its destination
};
std::string_view to_string(verdict);

// What becomes of one packet.
struct passage {
    verdict result = verdict::no_route;
    std::uint64_t number = 0;                  // of the packet in this direction, from 1
    time_point departs;                        // its last bit left the sender (also of one that is lost on the way)
    time_point arrives;                        // at the far end; only if delivered
    std::optional<time_point> copy_arrives;    // of a duplicate
    std::optional<std::uint64_t> corrupt_bit;  // turn over this bit, modulo the packet's bits
    std::uint64_t waiting = 0;                 // bytes that were in the queue or on the link before it
    bool held_back = false;                    // chosen for reordering
};

// Knows sizes and times, no contents. Each kind of chance draws from its own stream: see derive_seed.
class link {
public:
    static constexpr std::size_t full_packet = 600;  // bytes: above every bare ACK, below every full-size segment or datagram

    link(const link_config& config, std::uint64_t seed);

    // Puts an IP packet of `size` bytes on the link. `drop` loses it on the way, as a drop list would. Times must not descend.
    passage send(time_point now, std::size_t size, bool drop = false);

    const link_config& config() const { return config_; }
    std::uint64_t waiting(time_point now) const;  // bytes in the queue and on the link

private:
    bool lost(time_point departs, std::size_t size);
    bool in_outage(time_point at) const;
    duration serialization(std::size_t size) const;

    link_config config_;
    loss_trace full_;
    loss_trace small_;
    random_source jitter_;
    random_source reorder_;
    random_source duplicate_;
    random_source corrupt_;
    std::uint64_t sent_ = 0;
    time_point busy_until_{};
    time_point last_arrival_{};
};

}  // namespace tandem::sim
