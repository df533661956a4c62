// Packets that came before the keys to open them (RFC 9001 5.7), kept until the keys are there.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <span>
#include <utility>
#include <vector>

#include <tandem/bytes/datagram.hpp>
#include <tandem/quic/types.hpp>

namespace tandem::quic {

struct undecryptable_packet {
    encryption_level level{};
    ecn mark = ecn::not_ect;
    std::vector<std::uint8_t> bytes;  // one packet
};

class undecryptable_packets {
public:
    // A server's first flight of 1-RTT data is about an initial window; what is dropped beyond is sent again.
    static constexpr std::size_t max_packets = 10;

    // False if the queue is full.
    bool push(encryption_level level, ecn mark, std::span<const std::uint8_t> packet) {
        if (packets_.size() >= max_packets) return false;
        packets_.push_back({level, mark, {packet.begin(), packet.end()}});
        return true;
    }
    std::vector<undecryptable_packet> take(encryption_level level) {
        std::vector<undecryptable_packet> taken;
        const auto kept =
            std::stable_partition(packets_.begin(), packets_.end(), [&](const auto& p) { return p.level != level; });
        std::move(kept, packets_.end(), std::back_inserter(taken));
        packets_.erase(kept, packets_.end());
        return taken;
    }
    void clear() { packets_ = {}; }
    std::size_t size() const { return packets_.size(); }

private:
    std::vector<undecryptable_packet> packets_;
};

}  // namespace tandem::quic
