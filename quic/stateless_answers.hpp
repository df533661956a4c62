// Datagrams that an endpoint sends without a connection: Version Negotiation, Retry, refusals, stateless resets. They wait here
// for the next transmit, and no longer queue or faster rate than said here can be provoked.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include <tandem/bytes/address.hpp>
#include <tandem/bytes/datagram.hpp>
#include <tandem/bytes/time.hpp>

namespace tandem::quic {

class stateless_answers {
public:
    static constexpr std::size_t max_queued = 64;            // between two transmits; more are dropped, their peers try again
    static constexpr std::size_t max_size = 600;             // the longest: Version Negotiation with two IDs of 255 bytes
    static constexpr std::uint64_t resets_per_second = 100;  // RFC 9000 10.3: resets are limited

    // Room for one more answer, to be filled and then queued; empty if the queue is full.
    std::span<std::uint8_t> room() { return count_ == max_queued ? std::span<std::uint8_t>() : std::span(slot(count_).bytes); }
    void queue(const ip_path& path, std::size_t size) {
        if (size == 0 || count_ == max_queued) return;
        slot(count_).path = path;
        slot(count_).size = size;
        ++count_;
    }

    // Whether one more stateless reset may be sent now. If so, it counts.
    bool take_reset_permit(time_point now) {
        constexpr auto interval = duration(std::chrono::seconds(1)) / resets_per_second;
        // A bucket of one second's worth, kept as the time up to which it is used up.
        resets_until_ = std::max(resets_until_, now - std::chrono::seconds(1));
        if (resets_until_ + interval > now) return false;
        resets_until_ += interval;
        return true;
    }

    bool transmit(train& out) {
        if (count_ == 0 || out.buffer.size() < slot(0).size) return false;
        const auto& first = slot(0);
        std::copy_n(first.bytes.begin(), first.size, out.buffer.begin());
        out.size = out.segment_size = first.size;
        out.path = first.path;
        out.mark = ecn::not_ect;
        first_ = (first_ + 1) % max_queued;
        --count_;
        return true;
    }

private:
    struct answer {
        ip_path path;
        std::size_t size = 0;
        std::array<std::uint8_t, max_size> bytes;
    };
    answer& slot(std::size_t i) { return answers_[(first_ + i) % max_queued]; }

    std::array<answer, max_queued> answers_;
    std::size_t first_ = 0;
    std::size_t count_ = 0;
    time_point resets_until_ = time_point::min() + std::chrono::hours(1);
};

}  // namespace tandem::quic
