// The connection IDs that we issued to the peer: what packets to us are addressed to (RFC 9000 5.1).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include <tandem/quic/connection_id_source.hpp>
#include <tandem/quic/error.hpp>
#include <tandem/quic/frame_writer.hpp>
#include <tandem/quic/sent_frames.hpp>
#include <tandem/quic/types.hpp>

namespace tandem::quic {

class local_connection_ids {
public:
    // IDs that the peer may hold at one time even if it would store more: enough for a migration while a retirement is under way.
    static constexpr std::size_t max_issued = 4;

    // first: the Source Connection ID of the handshake, sequence number 0. The source must outlive this.
    local_connection_ids(const connection_id& first, connection_id_source& source);

    const connection_id& first() const { return first_; }

    // Server: the ID of the preferred address, which the transport parameters tell: sequence number 1 (RFC 9000 5.1.1). Before
    // any other.
    void add_preferred(const connection_id& id);
    // The peer's active_connection_id_limit: issues as many.
    void set_peer_limit(std::uint64_t limit);
    // RFC 9000 19.16; arrived_on: the destination of the packet with the frame. Issues another in place of the retired.
    std::optional<connection_error> on_retire(std::uint64_t sequence, const connection_id& arrived_on);

    bool wants_to_send() const { return unsent_ > 0; }
    void write_frames(frame_writer& out, sent_frames& sent);
    void lost(new_connection_id_token token);

    // What changed since it was last asked, for whoever finds connections by ID.
    struct change {
        connection_id id;
        bool added = false;
    };
    std::optional<change> poll_change();
    bool changed() const { return !changes_.empty(); }

private:
    struct entry {
        std::uint64_t sequence = 0;
        connection_id id;
        bool unsent = false;
    };
    void issue();

    connection_id first_;
    connection_id_source* source_;
    std::vector<entry> issued_;
    std::vector<change> changes_;
    std::uint64_t next_sequence_ = 1;
    std::uint64_t sent_below_ = 1;  // the peer was told of those with lower numbers
    std::size_t limit_ = 1;
    std::size_t unsent_ = 0;
};

}  // namespace tandem::quic
