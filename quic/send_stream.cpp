#include <tandem/quic/send_stream.hpp>

#include <algorithm>
#include <utility>

namespace tandem::quic {

std::size_t send_stream::room(std::size_t max_unsent) const {
    if (!writable() || buffer_.unsent() >= max_unsent) return 0;
    return max_unsent - static_cast<std::size_t>(buffer_.unsent());
}

std::size_t send_stream::write(std::span<const std::uint8_t> data, bool fin, std::size_t max_unsent) {
    if (!writable()) return 0;
    const auto taken = std::min(data.size(), room(max_unsent));
    buffer_.append(data.first(taken));
    fin_written_ = fin && taken == data.size();
    return taken;
}

void send_stream::reset(std::uint64_t code) {
    if (is_over() || state_ == send_state::reset_sent) return;
    // RFC 9000 4.5: the final size is what was sent, and that is where the buffer ends now.
    buffer_.clear();
    state_ = send_state::reset_sent;
    // A RESET_STREAM_AT may have gone before: then the code stays (draft-ietf-quic-reliable-stream-reset 5.2).
    if (!std::exchange(reliable_, std::nullopt)) reset_code_ = code;
    reset_due_ = true;
    fin_written_ = false;
    credit_.stop();
}

bool send_stream::reset_at(std::uint64_t code, std::uint64_t reliable) {
    if (is_over() || state_ == send_state::reset_sent) return false;
    reliable = std::min(reliable, reliable_.value_or(buffer_.end_offset()));
    if (reliable == 0) {  // the same, and everybody understands it
        reset(code);
        return true;
    }
    if (!reliable_) reset_code_ = code;
    if (reliable_ == reliable) return true;
    reliable_ = reliable;
    buffer_.abandon_from(reliable);
    state_ = send_state::data_sent;
    reset_due_ = true;
    reset_acknowledged_ = false;
    fin_written_ = false;
    if (buffer_.unsent() == 0) credit_.stop();
    return true;
}

std::optional<stream_data_token> send_stream::write_frame(stream_id id, frame_writer& out, std::uint64_t connection_credit,
                                                          std::uint64_t& new_bytes) {
    new_bytes = 0;
    const auto before = buffer_.next_unsent();
    const auto limit = std::min(credit_.limit(), before + connection_credit);
    const auto where = buffer_.next(1, limit);
    const auto capacity = out.stream_capacity(id, where.begin);
    const auto r = buffer_.next(capacity, limit);
    const bool fin = fin_written_ && r.end == buffer_.end_offset() && !fin_acknowledged_;
    if (r.empty() && !(fin && fin_due())) return std::nullopt;

    const auto room = out.stream(id, r.begin, static_cast<std::size_t>(r.size()), fin);
    if (!room.ok) return std::nullopt;
    if (!r.empty()) buffer_.copy(r, room.data.data());
    buffer_.sent(r);
    new_bytes = buffer_.next_unsent() - before;
    credit_.use(new_bytes);
    if (state_ == send_state::ready) state_ = send_state::send;
    if (fin) {
        fin_sent_ = true;
        state_ = send_state::data_sent;
    }
    return stream_data_token{id, r.begin, static_cast<std::uint32_t>(r.size()), fin};
}

bool send_stream::write_reset(stream_id id, frame_writer& out) {
    const auto size = buffer_.end_offset();
    const bool written = reliable_ ? out.write(reset_stream_at_frame{id, reset_code_, size, *reliable_})
                                   : out.write(reset_stream_frame{id, reset_code_, size});
    if (!written) return false;
    reset_due_ = false;
    return true;
}

void send_stream::acknowledged(const stream_data_token& t) {
    if (state_ == send_state::reset_sent || is_over()) return;
    buffer_.acknowledged({t.offset, t.offset + t.length});
    fin_acknowledged_ = fin_acknowledged_ || t.fin;
    fin_sent_ = fin_sent_ || t.fin;  // also where this copy was thought to be lost
    finish_if_done();
}

void send_stream::finish_if_done() {
    const bool end_known = reliable_ ? reset_acknowledged_ : fin_acknowledged_;
    if (end_known && buffer_.all_acknowledged()) state_ = send_state::data_received;
}

void send_stream::lost(const stream_data_token& t) {
    if (state_ == send_state::reset_sent || is_over()) return;
    buffer_.lost({t.offset, t.offset + t.length});  // not what a RESET_STREAM_AT gave up: that counts as acknowledged
    if (t.fin && !fin_acknowledged_) fin_sent_ = false;
}

void send_stream::rewind() {
    buffer_.rewind();
    credit_ = {};
    fin_sent_ = false;
    if (state_ == send_state::reset_sent) {
        buffer_.clear();  // the final size is zero now
        reset_due_ = true;
    } else if (reliable_) {
        buffer_.abandon_from(*reliable_);
        reset_due_ = true;
    } else {
        state_ = send_state::ready;
    }
}

void send_stream::reset_acknowledged(const reset_stream_token& t) {
    if (is_over()) return;
    if (state_ == send_state::reset_sent && t.reliable == 0) {
        state_ = send_state::reset_received;
        reset_due_ = false;
    } else if (reliable_ == t.reliable) {
        reset_acknowledged_ = true;
        reset_due_ = false;
        finish_if_done();
    }
}

void send_stream::reset_lost(const reset_stream_token& t) {
    if (state_ == send_state::reset_sent) reset_due_ = reset_due_ || t.reliable == 0;
    if (reliable_ == t.reliable && !is_over() && !reset_acknowledged_) reset_due_ = true;
}

}  // namespace tandem::quic
