// Validation of ECN on a path (RFC 9000 13.4.2, Appendix A.4): whether marks survive, and what the peer's counts say of
// congestion.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include <tandem/bytes/datagram.hpp>
#include <tandem/quic/frame.hpp>
#include <tandem/quic/types.hpp>

namespace tandem::quic {

class ecn_validation {
public:
    enum class state : std::uint8_t {
        testing,  // the first packets are marked
        unknown,  // enough were marked; waiting for the first of them to be acknowledged
        capable,
        failed,  // the path or the peer does not do ECN; nothing is marked any more
    };

    explicit ecn_validation(bool enabled) : state_(enabled ? state::testing : state::failed) {}

    // Another path: begins to test it. The peer's counts go on from those of the path before, whose packets still arrive.
    void go_on_from(const ecn_validation& before);

    state current() const { return state_; }
    // The mark of the next datagram.
    ecn mark() const { return state_ == state::testing || state_ == state::capable ? ecn::ect0 : ecn::not_ect; }

    // A packet was sent with mark().
    void on_sent(packet_space_id, ecn mark);
    // Marked packets of this path were declared lost. If all the marked ones are lost while testing, the path may drop marked
    // packets.
    void on_lost(std::uint64_t marked);
    // An ACK that raised the largest acknowledged number; `marked`: how many packets it newly acknowledges were sent as ECT(0)
    // on this path; `counts`: its ECN counts, if any. True if new CE marks are reported: a congestion event (RFC 9002 7.1).
    bool on_ack(packet_space_id, std::uint64_t marked, const std::optional<ecn_counts>& counts);

private:
    static constexpr std::uint64_t testing_packets = 10;  // RFC 9000 A.4

    state state_;
    std::uint64_t sent_in_all_ = 0;  // marked packets, on this path
    std::uint64_t lost_ = 0;
    std::array<std::uint64_t, packet_space_count> sent_{};  // marked packets, on all paths: the peer counts so
    std::array<ecn_counts, packet_space_count> reported_{};
};

}  // namespace tandem::quic
