// A segment arrives: RFC 9293 3.10.7.4, with RFC 5961's and RFC 7323's checks.
#include <algorithm>

#include <tandem/tcp/connection.hpp>
#include <tandem/tcp/sequence.hpp>

namespace tandem::tcp {

void connection::receive(const segment& in, time_point now, unsigned segment_count, ecn mark) {
    if (state_ == state::closed) return;
    latest_ = now;
    const bool observed = trace_ != nullptr;
    tell([&](auto& t) { t.on_received({.now = now, .tcp = in, .count = segment_count}); });
    ++stats_.segments_received;
    stats_.bytes_received += in.payload.size();
    if (state_ == state::syn_sent) {
        receive_syn_sent(in, now, segment_count);
    } else {
        receive_segment(in, now, segment_count, mark);
    }
    if (state_ != state::closed) {
        arm_timer(now);
        check_writable();
    }
    if (trace_ == nullptr) return;
    if (!observed)
        tell([&](auto& t) { t.on_received({.now = now, .tcp = in, .count = segment_count}); });  // it completed the handshake
    trace_changes(now);
}

void connection::receive_segment(const segment& in, time_point now, unsigned segment_count, ecn mark) {
    const auto sequence = unwrap(in.sequence, rcv_nxt_);
    if (state_ == state::syn_received && in.has(flag::syn) && !in.has(flag::rst) && sequence == irs_) {
        receive_syn_again(in, now);
        return;
    }
    if (!check_timestamp(in, now)) return;
    if (!check_sequence(in, sequence, now)) {
        drop(segment_drop::out_of_window, in, now);
        answer_unacceptable(in, sequence, now);
        return;
    }
    if (in.has(flag::rst)) {
        if (state_ == state::time_wait)
            return drop(segment_drop::bad_reset, in, now);  // RFC 1337 3: nothing ends TIME-WAIT early
        if (check_reset(in, sequence, now)) finish(state_ == state::syn_received && active_ ? event::refused : event::reset);
        return;
    }
    if (in.has(flag::syn)) {  // RFC 5961 4.2
        drop(segment_drop::unexpected_syn, in, now);
        challenge(now);
        return;
    }
    if (!in.has(flag::ack)) return drop(segment_drop::no_acknowledgment, in, now);
    if (!receive_ack(in, sequence, now)) return;
    // Not before the acknowledgment fits: who forges a segment guesses a number in the window more easily than both, and a
    // timestamp far ahead would make all of the peer's look old (RFC 7323 5.3, RFC 5961 5).
    if (timestamps_.enabled() && in.options.timestamps) {
        timestamps_.update(in.options.timestamps->value, sequence <= last_ack_sent_, now);
    }
    if (mark == ecn::ce) ++stats_.ce_received;
    if (ecn_.on_segment(in.flags, mark, !in.payload.empty())) ack_.at_once();
    heard_at_ = now;
    keepalives_unanswered_ = 0;
    if (state_ != state::closed) receive_text(in, sequence, now, segment_count);
}

// RFC 7323 3.2 and 5.3. RSTs are not judged by their age.
bool connection::check_timestamp(const segment& in, time_point now) {
    if (!timestamps_.enabled() || in.has(flag::rst)) return true;
    if (!in.options.timestamps) {
        drop(segment_drop::old_timestamp, in, now);
        return false;
    }
    if (!timestamps_.is_old(in.options.timestamps->value, now)) return true;
    ++stats_.paws_rejected;
    drop(segment_drop::old_timestamp, in, now);
    answer_unacceptable(in, unwrap(in.sequence, rcv_nxt_), now);
    return false;
}

// RFC 9293 3.10.7.4, first: the four cases. With a closed window a segment that begins at RCV.NXT is let in for its ACK; its text
// is not stored (RFC 9293 MUST-66).
bool connection::check_sequence(const segment& in, std::uint64_t sequence, time_point) {
    const auto edge = receive_base() + window_.edge();
    const auto end = sequence + in.length();
    if (sequence == rcv_nxt_) return true;
    if (in.length() == 0) return sequence > rcv_nxt_ && sequence < edge;
    return sequence < edge && end > rcv_nxt_;
}

void connection::answer_unacceptable(const segment& in, std::uint64_t sequence, time_point now) {
    ++stats_.out_of_window;
    if (in.has(flag::rst)) return;
    if (in.payload.empty() && !in.has(flag::fin)) {  // nobody waits for an answer but a peer out of step, or an attacker
        challenge(now);
        return;
    }
    if (sequence >= receive_base() && sequence + in.length() <= rcv_nxt_ && !in.payload.empty()) {
        const auto offset = sequence - receive_base();
        sack_report_.on_duplicate({offset, offset + in.payload.size()});
    }
    if (state_ == state::time_wait) linger_until_ = now + config_.time_wait;  // the FIN again: our ACK was lost
    ack_.at_once();
}

// RFC 5961 3.2: only the exact number resets; one that is merely in the window is asked back.
bool connection::check_reset(const segment& in, std::uint64_t sequence, time_point now) {
    if (sequence == rcv_nxt_) return true;
    drop(segment_drop::bad_reset, in, now);
    challenge(now);
    return false;
}

void connection::challenge(time_point now) {
    if (!challenges_.take(now)) {
        ++stats_.challenge_acks_suppressed;
        return;
    }
    ++stats_.challenge_acks_sent;
    ack_.at_once();
}

// RFC 9293 3.10.7.4: not from an older segment than the last that told the window. What acknowledges more is newer, whatever its
// number (bytes sent again): the former window, counted from the new SND.UNA, would reach beyond what the peer ever offered.
void connection::update_peer_window(const segment& in, std::uint64_t sequence, std::uint64_t ack) {
    if (ack < snd_una_) return;
    if (ack == snd_una_ && (snd_wl1_ > sequence || (snd_wl1_ == sequence && snd_wl2_ > ack))) return;
    snd_wnd_ = std::uint64_t{in.window} << snd_scale_;
    largest_snd_wnd_ = std::max(largest_snd_wnd_, snd_wnd_);
    snd_wl1_ = std::max(snd_wl1_, sequence);
    snd_wl2_ = ack;
}

// Seventh and eighth.
void connection::receive_text(const segment& in, std::uint64_t sequence, time_point now, unsigned segment_count) {
    const bool receiving = state_ == state::established || state_ == state::fin_wait_1 || state_ == state::fin_wait_2;
    const auto text = in.payload;
    if (receiving && !text.empty()) {
        if (orphaned_) {  // RFC 9293 3.6.1: nobody will read it
            abort();
            return;
        }
        auto begin = sequence - receive_base();
        auto data = text;
        if (sequence < rcv_nxt_) {
            const auto known = std::min<std::uint64_t>(rcv_nxt_ - sequence, data.size());
            if (sequence >= receive_base()) sack_report_.on_duplicate({begin, begin + known});
            data = data.subspan(static_cast<std::size_t>(known));
            begin += known;
            ack_.at_once();
        }
        const auto room = window_.edge() - std::min(window_.edge(), begin);
        if (data.size() > room) {
            data = data.first(static_cast<std::size_t>(room));
            ++stats_.out_of_window;
            ack_.at_once();
        }
        if (!data.empty() && !store(begin, data, now, segment_count)) drop(segment_drop::too_many_holes, in, now);
    } else if (!text.empty()) {
        ack_.at_once();
    }
    if (in.has(flag::fin)) receive_fin(sequence + text.size(), now);
    if (early_fin_ && *early_fin_ == rcv_nxt_ && !fin_received_) receive_fin(*early_fin_, now);
}

// False: there would be too many holes.
bool connection::store(std::uint64_t offset, std::span<const std::uint8_t> data, time_point now, unsigned segment_count) {
    const bool had_holes = in_.highest_received() > in_.readable_end();
    const auto before = in_.readable_end();
    const auto inserted = in_.insert(offset, data, now);
    rest_at_ = now + rest;
    if (!inserted) {
        ++stats_.gap_limit_drops;
        return false;
    }
    if (*inserted == 0) sack_report_.on_duplicate({offset, offset + data.size()});
    if (in_.readable_end() == before) {
        sack_report_.on_out_of_order(offset);
        ack_.at_once();  // RFC 5681 4.2
        return true;
    }
    rcv_nxt_ += in_.readable_end() - before;
    if (had_holes) ack_.at_once();  // RFC 5681 4.2: a hole was filled
    ack_.on_data(segment_count, now);
    raise(event::readable);
    return true;
}

void connection::receive_fin(std::uint64_t fin_sequence, time_point now) {
    ack_.at_once();
    if (fin_received_) {
        if (state_ == state::time_wait) linger_until_ = now + config_.time_wait;
        return;
    }
    if (fin_sequence != rcv_nxt_) {
        // Beyond the window it was not permitted, as little as the text before it.
        if (fin_sequence > rcv_nxt_ && fin_sequence < receive_base() + window_.edge()) early_fin_ = fin_sequence;
        return;
    }
    fin_received_ = true;
    ++rcv_nxt_;
    raise(event::peer_closed);
    switch (state_) {
        case state::established:
            state_ = state::close_wait;
            break;
        case state::fin_wait_1:
            state_ = state::closing;
            break;  // our FIN is not acknowledged, or the ACK had moved us on
        case state::fin_wait_2:
            enter_time_wait(now);
            break;
        default:
            break;
    }
}

}  // namespace tandem::tcp
