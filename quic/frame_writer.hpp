// Writes frames into a packet (or a QMux record) that is being built in the caller's buffer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include <tandem/bytes/writer.hpp>
#include <tandem/quic/frame.hpp>

namespace tandem::quic {

// Each write puts a whole frame or, when it does not fit, nothing (and returns false).
class frame_writer {
public:
    explicit frame_writer(std::span<std::uint8_t> out) : out_(out) {}

    std::size_t size() const { return out_.size(); }
    std::size_t remaining() const { return out_.remaining(); }
    std::span<std::uint8_t> written() const { return out_.written(); }
    bool ack_eliciting() const { return ack_eliciting_; }  // anything written so far elicits an acknowledgment

    bool write(const frame& f);

    bool write(const padding_frame&);
    bool write(const ping_frame&);
    bool write(const ack_frame&);
    bool write(const reset_stream_frame&);
    bool write(const stop_sending_frame&);
    bool write(const crypto_frame&);
    bool write(const new_token_frame&);
    bool write(const stream_frame&);
    bool write(const max_data_frame&);
    bool write(const max_stream_data_frame&);
    bool write(const max_streams_frame&);
    bool write(const data_blocked_frame&);
    bool write(const stream_data_blocked_frame&);
    bool write(const streams_blocked_frame&);
    bool write(const new_connection_id_frame&);
    bool write(const retire_connection_id_frame&);
    bool write(const path_challenge_frame&);
    bool write(const path_response_frame&);
    bool write(const connection_close_frame&);  // a reason that does not fit is cut short
    bool write(const handshake_done_frame&);
    bool write(const datagram_frame&);  // with its length
    bool write(const reset_stream_at_frame&);
    bool write(const ack_frequency_frame&);
    bool write(const immediate_ack_frame&);

    // A STREAM or CRYPTO frame whose data the caller copies into the room that is returned (exactly `length` bytes), so that
    // data is copied once. Empty data span and `written` unchanged if it does not fit; a STREAM frame may have length 0 (a lone
    // FIN).
    struct data_room {
        bool ok = false;
        std::span<std::uint8_t> data;
    };
    data_room stream(stream_id id, std::uint64_t offset, std::size_t length, bool fin);
    data_room crypto(std::uint64_t offset, std::size_t length);
    // The most data that a STREAM or CRYPTO frame written now could carry; 0 if not one byte fits.
    std::size_t stream_capacity(stream_id id, std::uint64_t offset) const;
    std::size_t crypto_capacity(std::uint64_t offset) const;

private:
    template <class F>
    bool whole(std::uint64_t type, F body);

    writer out_;
    bool ack_eliciting_ = false;
};

}  // namespace tandem::quic
