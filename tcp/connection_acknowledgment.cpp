// An acknowledgment names bytes; loss recovery wants to know which transmissions arrived.
#include <algorithm>
#include <utility>

#include <tandem/tcp/connection.hpp>
#include <tandem/tcp/sequence.hpp>

namespace tandem::tcp {

// What one acknowledgment tells about transmissions, and what was learned from it.
struct connection::naming {
    time_point now;
    std::optional<std::uint32_t> echo;  // only if it advances: then the echo is of the segment at the left edge (RFC 7323 4.3)
    std::optional<time_point> newest_sent;  // of those that are named beyond doubt: the RTT sample
    std::uint64_t newest_number = 0;
    bool advances = false;           // SND.UNA
    bool cumulative = false;         // what is named now lay below the acknowledgment
    bool held_back = false;          // ... and behind something sent again, so that it may have arrived long ago
    bool disproves_timeout = false;  // a transmission that the last timeout gave up is what arrived
};

// RFC 9293 3.10.7.4, fifth. False: the segment goes no further.
bool connection::receive_ack(const segment& in, std::uint64_t sequence, time_point now) {
    const auto ack = unwrap(in.acknowledgment, snd_una_);
    if (state_ == state::syn_received) return leave_syn_received(in, ack, now);
    if (ack > snd_max_ || ack + largest_snd_wnd_ < snd_una_) {  // RFC 5961 5.2
        drop(segment_drop::bad_acknowledgment, in, now);
        challenge(now);
        return false;
    }
    const auto window = snd_wnd_;
    update_peer_window(in, sequence, ack);
    const bool duplicate = ack == snd_una_ && in.payload.empty() && !in.has(flag::fin) && snd_wnd_ == window &&
                           recovery_.ack_eliciting_outstanding() > 0;  // RFC 5681 2
    if (duplicate) ++stats_.duplicate_acks_received;
    process_ack(in, ack, now);
    if (duplicate && !sack_ && state_ != state::closed) {
        naming how{.now = now};
        numbers_.clear();
        count_duplicate_ack(ack, how);
        settle(how);
        find_lost(now);
    }
    // A peer that answers is alive, however long its window stays closed (RFC 9293 MUST-37). If nobody waits for it any more that
    // is no reason to keep it (Sockstress).
    const bool blocked = snd_wnd_ == 0 || timer_.armed() == retransmission_timer::kind::window_probe;
    if (blocked && !orphaned_) progress_at_ = now;
    return true;
}

void connection::process_ack(const segment& in, std::uint64_t ack, time_point now) {
    const bool advances = ack > snd_una_;
    naming how{.now = now, .advances = advances};
    if (advances && timestamps_.enabled() && in.options.timestamps) how.echo = in.options.timestamps->echo;
    numbers_.clear();
    if (advances) advance(ack, how, now);
    if (sack_) process_sack(in, ack, how);
    if (advances && in.has(flag::ece)) react_to_echo(in, ack, now);  // first: what it acknowledges does not grow the window
    settle(how);
    if (sack_) process_dsack(in, ack, now);
    find_lost(now);  // when all is told: a duplicate may show that what looks lost arrived
    if (advances && how.disproves_timeout) undo_timeout(now);
    if (advances) {
        timeout_recovery_end_ = 0;
        if (fin_queued_ && ack > base() + out_.end_offset()) on_fin_acknowledged(now);
    }
}

// Reports what was named, all at once.
void connection::settle(naming& how) {
    if (numbers_.empty()) return;
    recovery::rtt_input rtt{.take_from_largest = false, .advances = how.advances};
    if (how.newest_sent) {
        rtt.explicit_sample = how.now - *how.newest_sent;
        sampled_since_probe_ = true;
        timer_.on_sample();
    }
    const auto delivered = recovery_.on_ack(numbers_, rtt, tolerance_, sender_, how.now);
    stats_.spurious_losses += delivered.late;
    if (stats_.mtu_probes_sent > 0) {
        for (const auto* t : delivered.newly) note_mtu_probe(*t, how.now);
    }
    delivered_ = true;
}

// RFC 3168 6.1.2: as to a loss, but nothing is missing. The first new data after it say so.
void connection::react_to_echo(const segment& in, std::uint64_t ack, time_point now) {
    if (in.has(flag::syn) || numbers_.empty() || !ecn_.is_news(ack)) return;
    std::optional<time_point> newest;  // when the newest transmission that it names left
    for (const auto& r : numbers_) {
        const auto* t = recovery_.find(r.end - 1);
        if (t && (!newest || t->sent > *newest)) newest = t->sent;
    }
    if (!newest) return;
    ++stats_.ecn_reductions;
    sender_.on_ecn_ce(now, *newest);
    ecn_.on_reduced(snd_nxt_);
    sample(now);
}

// RFC 8985 6.2 step 5, if the acknowledgment delivered anything.
void connection::find_lost(time_point now) {
    if (!std::exchange(delivered_, false)) return;
    lose(recovery_.detect_lost(tolerance_, sender_, now), now);
    sample(now);
}

void connection::advance(std::uint64_t ack, naming& how, time_point now) {
    const auto before = snd_una_;
    // RFC 2018 8: the peer has dropped what it had acknowledged selectively, or it would acknowledge it now.
    if (ack >= base() && !out_.acknowledged().empty() && out_.acknowledged().contains(offset_of(ack))) renege();
    how.cumulative = true;
    segments_.acknowledge_below(ack, [&](const sent_segments::entry& e) { name(e, how, e.begin <= before); });
    how.cumulative = false;
    snd_una_ = ack;
    snd_nxt_ = std::max(snd_nxt_, ack);
    if (ack > base()) {
        const auto from = offset_of(std::max(before, base()));
        out_.acknowledged({from, std::min(offset_of(ack), out_.end_offset())});
    }
    if (tail_probe_end_ != 0 && ack >= tail_probe_end_) tail_probe_end_ = 0;
    progress_at_ = now;
    rest_at_ = now + rest;
    unreachable_ = false;
    timer_.on_progress(now);
    // Without SACK, what a duplicate ACK was taken for may have been wrong: a segment the peer stops at is missing (RFC
    // 6582 3.2), so that ACK stood for another.
    if (!sack_ && segments_.unsettle(snd_una_)) {
        const auto* e = segments_.holding(snd_una_);
        lose_bytes(e->begin, e->end);
        count_duplicate_ack(snd_una_, how);
    }
}

void connection::process_sack(const segment& in, std::uint64_t ack, naming& how) {
    for (const auto& block : in.options.sack_blocks()) {
        const auto begin = unwrap(block.begin, ack);
        const auto end = begin + (block.end - block.begin);
        // Bytes that follow the acknowledgment directly would be acknowledged by it; bytes never sent cannot have arrived.
        if (begin <= snd_una_ || begin < base() || end <= begin || end > snd_nxt_) continue;
        const range bytes{offset_of(begin), std::min(offset_of(end), out_.end_offset())};
        missing_.clear();
        if (!bytes.empty()) out_.acknowledged().for_each_missing(bytes, [this](range r) { missing_.push_back(r); });
        if (offset_of(end) > out_.end_offset()) missing_.push_back({out_.end_offset(), offset_of(end)});  // FIN
        out_.acknowledged(bytes);
        const auto covered = [&](range r) {
            const range data{offset_of(r.begin), std::min(offset_of(r.end), out_.end_offset())};
            return r.end <= end && (data.empty() || out_.acknowledged().contains(data));
        };
        for (const auto& r : missing_) {
            segments_.acknowledge({base() + r.begin, base() + r.end}, covered,
                                  [&](const sent_segments::entry& e) { name(e, how, false); });
        }
    }
}

// RFC 2883 4: the first block tells of a duplicate if it lies below the acknowledgment or within the second block. If we sent the
// bytes twice, both transmissions have arrived.
void connection::process_dsack(const segment& in, std::uint64_t ack, time_point now) {
    const auto blocks = in.options.sack_blocks();
    if (blocks.empty()) return;
    const auto begin = unwrap(blocks[0].begin, ack);
    const auto end = begin + (blocks[0].end - blocks[0].begin);
    if (end <= begin) return;
    const auto within_second = [&] {
        const auto second = unwrap(blocks[1].begin, ack);
        return second <= begin && end <= second + (blocks[1].end - blocks[1].begin);
    };
    if (end > ack && (blocks.size() < 2 || !within_second())) return;
    ++stats_.dsacks_received;

    numbers_.clear();
    bool disproved = false;
    segments_.for_each_duplicate({begin, end}, [&](const sent_segments::entry& e) {
        for (auto* t = recovery_.find(e.newest); t; t = recovery_.find(t->contents.previous)) {
            if (t->state == recovery::fate::acknowledged) continue;
            disproved |= t->state == recovery::fate::lost;
            numbers_.push_back({t->number, t->number + 1});
            return;
        }
    });
    if (numbers_.empty()) return;
    // When it arrived is not known, so only the step of RFC 8985 6.2 widens the tolerance, not the time that passed.
    recovery::reordering_tolerance untouched(recovery::reordering_kind::fixed);
    stats_.spurious_losses +=
        recovery_.on_ack(numbers_, {.take_from_largest = false, .advances = false}, untouched, sender_, now).late;
    if (disproved) tolerance_.on_dsack(sender_.rtt(), now);
    delivered_ = true;
}

// Each duplicate ACK stands for one more segment behind the hole.
void connection::count_duplicate_ack(std::uint64_t ack, naming& how) {
    const auto* hole = segments_.holding(ack);
    if (!hole) return;
    segments_.assume_one_delivered_above(hole->end, [&](const sent_segments::entry& e) { name(e, how, false); });
}

// Notes the transmission of an acknowledged entry that arrived.
void connection::name(const sent_segments::entry& e, naming& how, bool left_edge) {
    bool certain = false;
    auto* t = arrived(e, how, left_edge, certain);
    if (how.cumulative && how.held_back && !left_edge) certain = false;
    if (how.cumulative && e.retransmitted) how.held_back = true;
    if (!t) return;
    if (certain && t->number >= how.newest_number) {
        how.newest_sent = t->sent;
        how.newest_number = t->number;
    }
    if (t->number < timeout_recovery_end_ && t->state == recovery::fate::lost && left_edge) how.disproves_timeout = true;
    // Newer transmissions of the same bytes are still on their way, and nothing will acknowledge them.
    for (auto n = e.newest; n != t->number;) {
        const auto* newer = recovery_.find(n);
        if (!newer) break;
        const auto previous = newer->contents.previous;
        recovery_.forget(n, sender_);
        n = previous;
    }
    if (!numbers_.empty() && numbers_.back().end == t->number) {
        ++numbers_.back().end;
    } else {
        numbers_.push_back({t->number, t->number + 1});
    }
}

// Of several transmissions with the same bytes the timestamp echo names the one that arrived first; else it is the newest, unless
// that left less than a round trip ago (RFC 8985 6.2 step 2). `certain`: this acknowledgment answers it, so the time since is an
// RTT sample. If the first acknowledgment was lost, the echo is still of the first transmission but the answer is to a later one.
connection::transmission* connection::arrived(const sent_segments::entry& e, const naming& how, bool left_edge, bool& certain) {
    transmission* oldest = nullptr;
    transmission* newest = nullptr;
    bool newer_may_have = false;  // a newer one left so long ago that its arrival may be what is answered
    for (auto* t = recovery_.find(e.newest); t; t = recovery_.find(t->contents.previous)) {
        if (t->contents.end > e.end) continue;  // a larger segment, of which this entry was a part
        oldest = t;
        if (!newest) newest = t;
        const bool round_trip_ago = !sender_.rtt().has_sample() || how.now - t->sent >= sender_.rtt().minimum();
        if (left_edge && how.echo) {
            if (timestamps::before(*how.echo, t->contents.timestamp)) {
                newer_may_have |= round_trip_ago;
                continue;
            }
            const auto* other = recovery_.find(t->contents.previous);
            certain = !e.retransmitted || (!newer_may_have && (!other || other->contents.timestamp != t->contents.timestamp));
            return t;
        }
        if (round_trip_ago) {
            certain = !e.retransmitted;  // Karn (RFC 9293 MUST-18)
            return t;
        }
    }
    // Nothing fits: with an echo it is the one before all others; else round trips got shorter.
    certain = !e.retransmitted;
    return left_edge && how.echo ? oldest : newest;
}

// RFC 8899 5.2: a probe that arrived or not. Its loss is no sign of congestion (RFC 4821 7.7).
void connection::note_mtu_probe(const transmission& t, time_point now) {
    if (t.contents.mtu_probe == 0) return;
    if (t.state == recovery::fate::lost) {
        ++stats_.mtu_probes_lost;
        mtu_search_.on_probe_lost(t.contents.mtu_probe, now);
    } else {
        mtu_search_.on_probe_acknowledged(t.contents.mtu_probe, now);
        follow_mtu();
    }
}

void connection::lose(const recovery::lost<sent_segment>& lost, time_point now) {
    for (const auto* t : lost.packets) {
        note_mtu_probe(*t, now);
        ++stats_.losses;
        lose_bytes(t->contents.begin, t->contents.end);
    }
}

void connection::lose_bytes(std::uint64_t begin, std::uint64_t end) {
    const auto fin = base() + out_.end_offset();
    if (end > base()) {
        const range bytes{offset_of(std::max(begin, base())), std::min(offset_of(end), out_.end_offset())};
        out_.lost(bytes);
        tell([&](auto& t) { t.on_lost(latest_, bytes.begin, bytes.end); });
    }
    if (fin_queued_ && end > fin && snd_una_ <= fin) fin_lost_ = true;
}

void connection::renege() {
    segments_.unsettle_all([this](const sent_segments::entry& e) { lose_bytes(e.begin, e.end); });
    out_.reneged();
}

// Eifel (RFC 3522, RFC 4015): the timeout came too early. What it gave up is taken to be in flight as before; RACK finds out what
// really is missing.
void connection::undo_timeout(time_point now) {
    ++stats_.spurious_timeouts;
    timer_.on_sample();
    sender_.on_spurious(now);
    segments_.for_each_unsettled([&](const sent_segments::entry& e) {
        const auto* t = recovery_.find(e.newest);
        if (!t || t->state != recovery::fate::lost) return;
        recovery_.revive(e.newest, sender_);
        const auto end = std::min(offset_of(e.end), out_.end_offset());
        if (e.begin >= base() && offset_of(e.begin) < end) out_.sent({std::max(offset_of(e.begin), out_.begin_offset()), end});
        if (e.end > base() + out_.end_offset()) fin_lost_ = false;
    });
    lose(recovery_.detect_lost(tolerance_, sender_, now), now);
}

void connection::on_fin_acknowledged(time_point now) {
    switch (state_) {
        case state::fin_wait_1:
            state_ = state::fin_wait_2;
            if (orphaned_) linger_until_ = now + config_.fin_wait_2_timeout;
            break;
        case state::closing:
            enter_time_wait(now);
            break;
        case state::last_ack:
            finish(event::closed);
            break;
        default:
            break;
    }
}

}  // namespace tandem::tcp
