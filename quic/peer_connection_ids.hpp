// The connection IDs that the peer issued to us: what our packets are addressed to (RFC 9000 5.1).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include <tandem/quic/error.hpp>
#include <tandem/quic/frame_writer.hpp>
#include <tandem/quic/sent_frames.hpp>
#include <tandem/quic/types.hpp>

namespace tandem::quic {

class peer_connection_ids {
public:
    // limit: the active_connection_id_limit that we declare. first: the destination of our first packets.
    peer_connection_ids(const connection_id& first, std::uint64_t limit);

    const connection_id& current() const { return ids_[current_].id; }

    // Another one that was not used yet, for another path (RFC 9000 9.5); null if the peer gave none. advance() will use it.
    const connection_id* spare() const;
    // Retires the one in use and goes on to the spare one; false if there is none.
    bool advance();

    // The spare one was shown on a path that did not work: it is not used elsewhere (RFC 9000 9.5).
    void retire_spare();

    // Client, during the handshake: the server (or its Retry) chose another (RFC 9000 7.2).
    void replace_first(const connection_id& id) { ids_[0].id = id; }
    // From the transport parameters: belongs to the ID of the handshake.
    void set_first_token(const stateless_reset_token& token);

    // RFC 9000 19.15. PROTOCOL_VIOLATION for contradictions; CONNECTION_ID_LIMIT_ERROR for more than we declared, or if the peer
    // retires faster than it acknowledges the retirements.
    std::optional<connection_error> on_new(const new_connection_id_frame&);

    bool wants_to_send() const { return !unsent_.empty(); }
    void write_frames(frame_writer& out, sent_frames& sent);
    void lost(retire_connection_id_token token);
    void acknowledged(retire_connection_id_token token);
    std::size_t pending_retirements() const { return retiring_.size(); }

    // Whether a datagram ends with the reset token of an ID that we use (RFC 9000 10.3.1).
    bool is_reset(std::span<const std::uint8_t> datagram) const;
    // The reset token of the ID in use; changes with it.
    const std::optional<stateless_reset_token>& current_token() const { return ids_[current_].token; }
    // For whoever finds connections by token: whether it may be another one than when poll_token gave it last.
    bool token_changed() const { return token_changed_; }
    const std::optional<stateless_reset_token>& poll_token() {
        token_changed_ = false;
        return current_token();
    }

private:
    struct entry {
        std::uint64_t sequence = 0;
        connection_id id;
        std::optional<stateless_reset_token> token;
    };
    bool retire(std::uint64_t sequence);
    bool retire_below(std::uint64_t limit);

    std::vector<entry> ids_;   // not retired
    std::size_t current_ = 0;  // index of the one in use
    bool token_changed_ = true;
    std::uint64_t limit_;
    std::uint64_t retired_below_ = 0;
    std::vector<std::uint64_t> retiring_;  // RETIRE_CONNECTION_ID owed or not acknowledged yet
    std::vector<std::uint64_t> unsent_;    // of those, to be sent
};

}  // namespace tandem::quic
