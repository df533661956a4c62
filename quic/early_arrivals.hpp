// 0-RTT packets that overtook the Initial they belong to (RFC 9000 5.2.2): kept for a moment, in case it comes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <utility>
#include <vector>

#include <tandem/bytes/datagram.hpp>
#include <tandem/bytes/time.hpp>
#include <tandem/quic/types.hpp>

namespace tandem::quic {

class early_arrivals {
public:
    static constexpr std::size_t max_datagrams = 32;  // of all clients; anybody can fill it, so it is small
    static constexpr std::size_t max_size = 1500;     // bytes of one; what came on other links than Ethernet comes again
    static constexpr duration max_age = std::chrono::milliseconds(200);

    struct kept {
        connection_id destination;
        time_point at;
        ip_path path;
        ecn mark = ecn::not_ect;
        std::vector<std::uint8_t> bytes;
    };

    // False if there is no room.
    bool push(const connection_id& destination, const received_datagram& datagram, time_point now) {
        while (!queue_.empty() && now - queue_.front().at > max_age) queue_.pop_front();
        if (queue_.size() >= max_datagrams || datagram.payload.size() > max_size) return false;
        queue_.push_back({destination, now, datagram.path, datagram.mark, {datagram.payload.begin(), datagram.payload.end()}});
        return true;
    }

    // Those for this destination from this address, in the order in which they came.
    std::vector<kept> take(const connection_id& destination, const ip_endpoint& remote) {
        std::vector<kept> found;
        std::deque<kept> others;
        for (auto& k : queue_) {
            const bool wanted = k.destination == destination && k.path.remote == remote;
            if (wanted)
                found.push_back(std::move(k));
            else
                others.push_back(std::move(k));
        }
        queue_ = std::move(others);
        return found;
    }
    bool empty() const { return queue_.empty(); }
    std::size_t size() const { return queue_.size(); }

private:
    std::deque<kept> queue_;  // oldest first
};

}  // namespace tandem::quic
