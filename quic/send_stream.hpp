// The sending part of one stream (RFC 9000 3.1).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include <tandem/bytes/send_buffer.hpp>
#include <tandem/quic/flow_control.hpp>
#include <tandem/quic/frame_writer.hpp>
#include <tandem/quic/stream_token.hpp>
#include <tandem/quic/types.hpp>
#include <tandem/recovery/statistics.hpp>

namespace tandem::quic {

// RFC 9000 3.1 Figure 2.
enum class send_state : std::uint8_t { ready, send, data_sent, data_received, reset_sent, reset_received };

class send_stream {
public:
    explicit send_stream(std::uint64_t credit) { credit_.raise(credit); }

    send_state state() const { return state_; }
    bool is_over() const { return state_ == send_state::data_received || state_ == send_state::reset_received; }

    // Takes what the cap on unsent bytes leaves room for; fin counts only if all was taken. Takes nothing after FIN or reset.
    std::size_t write(std::span<const std::uint8_t> data, bool fin, std::size_t max_unsent);
    bool writable() const { return (state_ == send_state::ready || state_ == send_state::send) && !fin_written_; }
    std::size_t room(std::size_t max_unsent) const;

    // RESET_STREAM is due; what is unsent never existed, what is sent is not sent again. No effect once all arrived or it was
    // reset.
    void reset(std::uint64_t code);
    // RESET_STREAM_AT with bytes below `reliable` sent and sent again until they arrive (draft-ietf-quic-reliable-stream-reset);
    // the frame follows when they have all been sent once, so that its final size is within the credit. May be repeated with
    // less; false if that would be more than was promised, or if it is too late.
    bool reset_at(std::uint64_t code, std::uint64_t reliable);
    bool was_reset() const { return state_ == send_state::reset_sent || state_ == send_state::reset_received || reliable_; }
    std::uint64_t reset_code() const { return reset_code_; }

    // Something to send that costs no new credit: lost bytes, or a FIN after bytes that all went.
    bool can_send_free() const { return buffer_.has_lost() || fin_due(); }
    bool can_send_new() const { return buffer_.unsent() > 0 && credit_.available() > 0; }
    std::uint64_t unsent() const { return buffer_.unsent(); }
    bool credit_used_up() const { return buffer_.unsent() > 0 && credit_.available() == 0; }

    // Writes one STREAM frame as large as fits, with new bytes worth at most connection_credit. Lost bytes go first.
    // new_bytes: what it cost of both credits. Nothing if nothing fits or nothing may go.
    std::optional<stream_data_token> write_frame(stream_id id, frame_writer& out, std::uint64_t connection_credit,
                                                 std::uint64_t& new_bytes);
    bool write_reset(stream_id id, frame_writer& out);
    bool reset_due() const { return reset_due_ && buffer_.unsent() == 0; }
    std::uint64_t reliable_size() const { return reliable_.value_or(0); }

    void acknowledged(const stream_data_token&);
    void lost(const stream_data_token&);
    // The peer took nothing of what was sent so far (0-RTT was rejected): all of it is to be sent again, by new credit.
    void rewind();
    void reset_acknowledged(const reset_stream_token&);
    void reset_lost(const reset_stream_token&);

    send_credit& credit() { return credit_; }
    const send_credit& credit() const { return credit_; }

    void describe(recovery::stream_statistics& out) const {
        out.written = buffer_.end_offset();
        out.unsent = buffer_.unsent();
        out.acknowledged = buffer_.begin_offset();
        out.send_limit = credit_.limit();
    }

private:
    void finish_if_done();
    bool fin_due() const { return fin_written_ && !fin_sent_ && buffer_.unsent() == 0 && !buffer_.has_lost(); }

    send_buffer buffer_;
    send_credit credit_;
    send_state state_ = send_state::ready;
    bool fin_written_ = false;
    bool fin_sent_ = false;  // in flight or acknowledged
    bool fin_acknowledged_ = false;
    bool reset_due_ = false;
    bool reset_acknowledged_ = false;
    std::optional<std::uint64_t> reliable_;  // RESET_STREAM_AT: what it promises
    std::uint64_t reset_code_ = 0;
};

}  // namespace tandem::quic
