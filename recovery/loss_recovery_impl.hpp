// The members of loss_recovery. Included by loss_recovery.hpp only.
#pragma once

namespace tandem::recovery {

template <class Contents>
void loss_recovery<Contents>::on_sent(transmission<Contents> t, sender& s) {
    release(s, t.sent);
    if (log_.empty()) oldest_ = t.number;
    if (t.in_flight) t.snapshot = s.on_sent(t.sent, t.bytes);
    t.state = fate::outstanding;
    if (t.ack_eliciting) {
        ++ack_eliciting_outstanding_;
        last_ack_eliciting_sent_ = t.sent;
    }
    largest_sent_ = t.number;
    log_.push(std::move(t));
}

template <class Contents>
delivered<Contents> loss_recovery<Contents>::on_ack(std::span<const range> ranges, rtt_input rtt, reordering_tolerance& tolerance,
                                                    sender& s, time_point now) {
    release(s, now);
    newly_.clear();
    delivered<Contents> out;
    ack_summary sum{.advances = rtt.advances, .ack_delay = rtt.ack_delay};
    std::uint64_t disproved = 0;      // bytes of the present recovery period's losses that arrived after all
    std::uint64_t largest_named = 0;  // one past it

    // QUIC's ranges descend; taken from the far end, most often nothing is left to sort.
    const bool descending = ranges.size() > 1 && ranges.front().begin > ranges.back().begin;
    for (std::size_t i = 0; i < ranges.size(); ++i) {
        range r = ranges[descending ? ranges.size() - 1 - i : i];
        largest_named = std::max(largest_named, r.end);
        r.begin = std::max(r.begin, log_.first());
        r.end = std::min(r.end, log_.next());
        if (r.empty()) continue;
        acknowledged_.for_each_missing(r, [&](range part) {
            for (auto n = part.begin; n < part.end; ++n) {
                if (entry* t = log_.find(n)) acknowledge(*t, out, sum, disproved, tolerance, s, now);
            }
        });
        acknowledged_.insert(r);
    }
    if (newly_.empty()) return out;
    sort_newly();

    out.newly = newly_;
    out.largest = newly_.back();
    sum.newest_sent = out.largest->sent;
    const auto in_flight = std::find_if(newly_.rbegin(), newly_.rend(), [](const entry* t) { return t->in_flight; });
    if (in_flight != newly_.rend()) sum.newest = &(*in_flight)->snapshot;
    largest_acknowledged_ = std::max(largest_acknowledged_.value_or(0), out.largest->number);

    // RFC 9002 5.1: the largest named must be newly acknowledged, and an ack-eliciting one be among them.
    if (rtt.explicit_sample) {
        sum.rtt_sample = rtt.explicit_sample;
    } else if (rtt.take_from_largest && out.any_ack_eliciting && out.largest->number + 1 == largest_named &&
               !out.largest->left_path) {
        sum.rtt_sample = now - out.largest->sent;
    }
    // RFC 5681 3.1, RFC 3042 2: what TCP hears of beyond a hole does not grow the window, unless reordering is normal on this
    // path.
    if (!rtt.advances && tolerance.packets() <= reordering_tolerance::initial_packets) sum.growth_bytes = 0;
    if (s.losses_disproved(disproved)) {
        s.on_spurious(now);
        out.undo = true;
    }
    const bool was_recovering = s.recovering();
    s.on_ack(now, sum);
    if (was_recovering && !s.recovering()) tolerance.on_recovery_end(s.rtt());
    pass_settled();
    return out;
}

template <class Contents>
void loss_recovery<Contents>::acknowledge(entry& t, delivered<Contents>& out, ack_summary& sum, std::uint64_t& disproved,
                                          reordering_tolerance& tolerance, sender& s, time_point now) {
    const std::uint64_t bytes = t.in_flight ? t.bytes : 0;
    if (t.state == fate::outstanding) {
        sum.acknowledged_bytes += bytes;
        if (!s.in_recovery(t.sent)) sum.growth_bytes += bytes;
    } else {
        ++out.late;
        ++total_spurious_;
        sum.late_bytes += bytes;
        if (t.lost_at >= s.period_began()) disproved += bytes;
        if (persistent_) persistent_->on_acknowledged();
        // Not reordering, but a timeout that was too early, if nothing newer has arrived.
        if (largest_acknowledged_ && *largest_acknowledged_ > t.number) {
            const auto due = t.sent + tolerance.time(s.rtt());
            tolerance.on_late_arrival(*largest_acknowledged_ - t.number, now - due, s.rtt(), now);
        }
    }
    if (t.ack_eliciting) out.any_ack_eliciting = true;
    settle(t, fate::acknowledged);
    newly_.push_back(&t);
}

template <class Contents>
void loss_recovery<Contents>::sort_newly() {
    const auto by_number = [](const entry* a, const entry* b) { return a->number < b->number; };
    if (!std::is_sorted(newly_.begin(), newly_.end(), by_number)) std::sort(newly_.begin(), newly_.end(), by_number);
}

template <class Contents>
lost<Contents> loss_recovery<Contents>::detect_lost(const reordering_tolerance& tolerance, sender& s, time_point now) {
    lost_.clear();
    loss_time_.reset();
    if (!largest_acknowledged_) {
        s.on_ack_done(false);
        return {};
    }
    bool persistent = false;
    const auto packets = tolerance.packets();
    const auto time = tolerance.time(s.rtt());
    // Both rules hold for all older ones if they hold for one, so the first that is not lost ends the search.
    for (pass_settled(); oldest_ < *largest_acknowledged_; pass_settled()) {
        entry& t = log_[oldest_];
        const bool lost_by_packets = *largest_acknowledged_ - t.number >= packets;  // RFC 9002 6.1.1
        const bool lost_by_time = t.sent + time <= now;                             // RFC 9002 6.1.2
        if (!lost_by_packets && !lost_by_time) {
            loss_time_ = t.sent + time;
            break;
        }
        persistent |= declare_lost(t, s, now);
    }
    return report_lost(persistent, s, now);
}

template <class Contents>
lost<Contents> loss_recovery<Contents>::lose_all(sender& s, time_point now) {
    lost_.clear();
    loss_time_.reset();
    for (pass_settled(); oldest_ < log_.next(); pass_settled()) declare_lost(log_[oldest_], s, now);
    return report_lost(true, s, now);
}

// Returns whether it established persistent congestion.
template <class Contents>
bool loss_recovery<Contents>::declare_lost(entry& t, const sender& s, time_point now) {
    settle(t, fate::lost);
    t.lost_at = now;
    ++total_lost_;
    lost_.push_back(&t);
    // What does not count against the window went on another path, or was larger than is known to pass (RFC 9000 14.4).
    return persistent_ && t.ack_eliciting && t.in_flight && persistent_->on_lost(t.sent, s.rtt(), s.first_rtt_sample());
}

// Tells the sender of all in lost_ at once: one congestion event, however many there are.
template <class Contents>
lost<Contents> loss_recovery<Contents>::report_lost(bool persistent, sender& s, time_point now) {
    lost<Contents> out{.packets = lost_, .persistent_congestion = persistent};
    std::uint64_t bytes = 0;
    time_point newest_sent;
    for (const entry* t : lost_) {
        if (!t->in_flight) continue;
        bytes += t->bytes;
        newest_sent = t->sent;
    }
    if (bytes > 0) {
        s.on_lost(now, bytes, newest_sent);
        for (const entry* t : lost_) {
            if (t->in_flight) s.on_packet_lost(now, t->bytes, t->snapshot);
        }
    }
    s.on_ack_done(bytes > 0);
    if (persistent) s.on_persistent_congestion(now);
    return out;
}

template <class Contents>
void loss_recovery<Contents>::settle(entry& t, fate state) {
    if (t.ack_eliciting && t.state == fate::outstanding) --ack_eliciting_outstanding_;
    t.state = state;
}

// Moves oldest_ to the oldest outstanding one. Everything is passed once.
template <class Contents>
void loss_recovery<Contents>::pass_settled() {
    while (oldest_ < log_.next() && log_[oldest_].state != fate::outstanding) {
        if (persistent_ && log_[oldest_].state == fate::acknowledged) persistent_->on_acknowledged();
        ++oldest_;
    }
}

// Forgets from the front what is settled; in on_sent and on_ack first of all, since the results given out before point into the
// log.
template <class Contents>
void loss_recovery<Contents>::release(const sender& s, time_point now) {
    const auto kept = lost_kept_timeouts * s.rtt().timeout();
    while (!log_.empty() && log_.first() < oldest_) {
        const entry& t = log_[log_.first()];
        if (t.state == fate::lost && now - t.lost_at < kept && oldest_ - log_.first() <= max_kept) break;
        log_.pop_front();
    }
    if (!acknowledged_.empty() && acknowledged_.front().begin < log_.first()) {
        acknowledged_.erase({acknowledged_.front().begin, log_.first()});
    }
}

template <class Contents>
void loss_recovery<Contents>::revive(std::uint64_t number, sender& s) {
    entry* t = find(number);
    if (!t || t->state != fate::lost) return;
    t->state = fate::outstanding;
    if (t->ack_eliciting) ++ack_eliciting_outstanding_;
    if (t->in_flight) s.revive(t->bytes);
    oldest_ = std::min(oldest_, number);
}

template <class Contents>
void loss_recovery<Contents>::forget(std::uint64_t number, sender& s) {
    entry* t = find(number);
    if (!t) return;
    if (t->state == fate::outstanding && t->in_flight) s.forget(t->bytes);
    settle(*t, fate::forgotten);
    pass_settled();
}

template <class Contents>
void loss_recovery<Contents>::forget_all(sender& s) {
    for (auto n = oldest_; n < log_.next(); ++n) forget(n, s);
    loss_time_.reset();
}

template <class Contents>
void loss_recovery<Contents>::shrink() {
    if (oldest_ < log_.next()) return;
    log_.release();
    acknowledged_ = {};
    newly_ = std::vector<entry*>();
    lost_ = std::vector<entry*>();
}

template <class Contents>
void loss_recovery<Contents>::leave_path(sender& old) {
    for (auto n = log_.first(); n < log_.next(); ++n) {
        entry& t = log_[n];
        if (t.state == fate::outstanding && t.in_flight) old.forget(t.bytes);
        t.in_flight = false;
        t.left_path = true;
    }
}

template <class Contents>
template <class F>
void loss_recovery<Contents>::for_each_outstanding(F f) {
    for (auto n = oldest_; n < log_.next(); ++n) {
        entry& t = log_[n];
        if (t.state == fate::outstanding && !f(t)) return;
    }
}

}  // namespace tandem::recovery
