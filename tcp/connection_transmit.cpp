// What leaves: a RST, a SYN, counted segments in trains of equal size, probes, and acknowledgments when nothing carries them.
#include <algorithm>

#include <tandem/tcp/connection.hpp>
#include <tandem/tcp/sequence.hpp>

namespace tandem::tcp {

bool connection::transmit(time_point now, train& out) {
    latest_ = now;
    const bool sent = transmit_train(now, out);
    if (trace_ != nullptr) trace_changes(now);
    return sent;
}

bool connection::transmit_train(time_point now, train& out) {
    out.size = out.segment_size = 0;
    out.path = path_;
    out.mark = ecn::not_ect;
    if (reset_) return transmit_reset(now, out);
    if (state_ == state::closed) return false;
    if (syn_pending_) transmit_syn(now, out);
    if (synchronized() && state_ != state::time_wait) {
        if (!transmit_mtu_probe(now, out)) transmit_counted(now, out);
        if (config_.push_trains && out.count() > 1) push_last(out);
        if (window_probe_pending_) transmit_window_probe(now, out);
    }
    if (out.size == 0 && keepalive_pending_) {
        keepalive_pending_ = false;
        ++stats_.keepalives;
        transmit_ack(snd_una_ - 1, now, out);  // RFC 9293 3.8.4: a number the peer has seen makes it answer
    }
    if (out.size == 0 && ack_.due() && state_ != state::syn_sent) transmit_ack(acceptable_sequence(), now, out);
    arm_timer(now);
    check_writable();
    return out.size > 0;
}

bool connection::transmit_reset(time_point now, train& out) {
    auto p = addressed_packet();
    p.tcp.sequence = reset_->sequence;
    p.tcp.acknowledgment = reset_->acknowledgment.value_or(0);
    p.tcp.flags = static_cast<std::uint8_t>(flag::rst | (reset_->acknowledgment ? flag::ack : 0));
    reset_.reset();
    add_to_train(p, out);
    if (state_ != state::closed) arm_timer(now);
    return out.size > 0;
}

void connection::transmit_syn(time_point now, train& out) {
    if (append({.syn = true}, syn_options(now), now, out)) syn_pending_ = false;
}

// Data and FIN, as many as the congestion window, the pacer, the peer's window and the train allow.
void connection::transmit_counted(time_point now, train& out) {
    pacer_at_.reset();
    while (true) {
        const auto options = ordinary_options(now);
        const auto header = 20 + options_size(options);
        const auto mss = mss_ + 20u - header;
        const auto next = probe_pending_ ? probe_segment(mss) : next_segment(mss);
        if (!next) {
            probe_pending_ = false;
            const bool room = sender_.allowance(now) > 0;
            if (room) sender_.on_app_limited();
            set_limit(present_limit(), now);
            note_window_limit(room && offset_of(window_edge()) <= out_.next_unsent() ? out_.unsent() : 0, now);
            return;
        }
        note_window_limit(0, now);
        const auto counted = header + next->data.size() - 8;
        if (!probe_pending_ && sender_.allowance(now) < counted) {
            pacer_at_ = sender_.pacer_release(now);
            set_limit(sender_.window_blocked() ? recovery::limited_by::congestion_window : recovery::limited_by::pacing, now);
            return;
        }
        if (!append(*next, options, now, out)) return;
        if (probe_pending_) {
            probe_pending_ = false;
            tail_probe_end_ = snd_nxt_;
            ++stats_.tail_loss_probes;
            timer_.restart(now);
        }
        if (out.size % out.segment_size != 0) return;  // only the last of a train may be shorter
    }
}

bool connection::has_unsent() const { return out_.has_lost() || fin_lost_ || out_.unsent() > 0 || (fin_queued_ && !fin_sent()); }

// Lost bytes first, then new ones. Knows the peer's window, Nagle and silly windows; not congestion.
std::optional<connection::outgoing> connection::next_segment(std::uint64_t mss, bool override) const {
    const auto edge = window_edge();
    if (out_.has_lost()) {
        const auto lost = out_.next(mss, 0);
        if (segments_.holding(base() + lost.begin)) return next_lost(mss, edge);
        return next_new(lost.begin, mss, edge, override);  // the byte of a window probe that was not taken
    }
    if (fin_lost_) return outgoing{.data = {out_.end_offset(), out_.end_offset()}, .fin = true, .again = true};
    return next_new(out_.next_unsent(), mss, edge, override);
}

// Segments are sent again as they were, so that each has its own history.
std::optional<connection::outgoing> connection::next_lost(std::uint64_t mss, std::uint64_t edge) const {
    auto r = out_.next(mss, 0);
    const auto* e = segments_.holding(base() + r.begin);
    r.end = std::min({r.end, offset_of(e->end), std::max(offset_of(edge), r.begin)});
    if (r.empty()) return std::nullopt;  // RFC 9293 SHLD-16: not beyond a window that shrank
    const bool fin = fin_lost_ && r.end == out_.end_offset() && e->end > base() + r.end;
    return outgoing{.data = r, .fin = fin, .again = true};
}

std::optional<connection::outgoing> connection::next_new(std::uint64_t begin, std::uint64_t mss, std::uint64_t edge,
                                                         bool override) const {
    const auto end = out_.end_offset();
    const auto room = offset_of(std::max(edge, base() + begin)) - begin;
    const auto n = std::min({mss, end - begin, room});
    const bool fin = fin_queued_ && !fin_sent() && begin + n == end && room > n;
    if (n == 0 && !fin) return std::nullopt;
    const nagle::candidate c{.bytes = n, .unsent = end - begin, .mss = mss, .largest_window = largest_snd_wnd_, .last = fin};
    if (!override && !nagle_.may_send(c, snd_una_)) return std::nullopt;
    return outgoing{.data = {begin, begin + n}, .fin = fin};
}

// RFC 8985 7.3: new data if the peer's window allows, else the segment with the highest number.
std::optional<connection::outgoing> connection::probe_segment(std::uint64_t mss) const {
    if (out_.unsent() > 0 || (fin_queued_ && !fin_sent())) {
        if (const auto fresh = next_new(out_.next_unsent(), mss, window_edge(), true)) return fresh;
    }
    const auto* last = segments_.last();
    if (!last || last->end <= base()) return std::nullopt;
    outgoing out{.again = true};
    out.fin = last->end > base() + out_.end_offset();
    out.data.end = std::min(offset_of(last->end), out_.end_offset());
    out.data.begin = std::min(std::max(offset_of(last->begin), out_.begin_offset()), out.data.end);
    out.data.begin = std::max(out.data.begin, out.data.end - std::min(out.data.end, mss));
    return out;
}

// The last segment of the train asks to be delivered, and with it the train.
void connection::push_last(train& out) const {
    const auto last = out.datagram(out.count() - 1);
    const auto tcp = last.subspan(ip_header_size(path_.remote.address.is_v6));
    if ((tcp[13] & flag::psh) != 0) return;
    tcp[13] |= flag::psh;
    if (config_.checksum_offload) return;
    // RFC 1624 3: the sum's complement grows by what the word with the flags grew by.
    std::uint32_t sum = static_cast<std::uint16_t>(~(tcp[16] << 8 | tcp[17])) + std::uint32_t{flag::psh};
    sum = ~((sum & 0xffff) + (sum >> 16));
    tcp[16] = static_cast<std::uint8_t>(sum >> 8);
    tcp[17] = static_cast<std::uint8_t>(sum);
}

bool connection::append(const outgoing& next, const segment_options& options, time_point now, train& out) {
    const auto sequence = next.syn ? iss_ : base() + next.data.begin;
    std::uint8_t flags = next.syn ? flag::syn : flag::ack;
    const bool answer = next.syn && state_ == state::syn_received;
    if (answer) flags |= flag::ack;
    if (next.syn) flags |= answer ? ecn_.syn_ack_flags() : ecn_.syn_flags(handshake_timeouts_ > 0);
    if (next.fin) flags |= flag::fin;
    if (!next.data.empty() && next.data.end == out_.end_offset()) flags |= flag::psh;  // RFC 9293 MUST-61
    const bool fresh = !next.again && !next.data.empty();  // RFC 3168 6.1.5: a retransmission is not marked, nor announces CWR
    const bool cwr = fresh && ecn_.cwr_pending();
    if (cwr) flags |= flag::cwr;
    auto p = make_packet(sequence, flags, options);
    if (fresh && ecn_.agreed()) p.mark = ecn::ect0;
    const auto header = packet_size(p);
    const auto size = header + next.data.size();
    if (out.size > 0 && p.mark != out.mark) return false;
    if (out.size + size > out.buffer.size() || (out.size > 0 && size > out.segment_size)) return false;

    auto* payload = out.buffer.data() + out.size + header;
    out_.copy(next.data, payload);
    p.tcp.payload = {payload, static_cast<std::size_t>(next.data.size())};
    if (!add_to_train(p, out)) return false;
    if (cwr) ecn_.on_cwr_sent();
    record(next, p, size, now);
    return true;
}

// After a counted segment left.
void connection::record(const outgoing& sent, const packet& p, std::size_t size, time_point now) {
    const auto begin = sent.syn ? iss_ : base() + sent.data.begin;
    const auto end = begin + p.tcp.length();
    if (snd_una_ == snd_nxt_) progress_at_ = now;
    if (const auto* e = segments_.holding(begin); e && e->end > end) segments_.split(end);
    transmission t;
    t.number = next_number_++;
    t.sent = now;
    t.bytes = static_cast<std::uint32_t>(size - ip_header_size(p.source.is_v6) - 8);
    t.ack_eliciting = true;
    t.in_flight = sent.mtu_probe == 0;  // RFC 4821 7.7: its loss is not congestion
    t.contents = {begin, end, segments_.on_sent({begin, end}, t.number),
                  p.tcp.options.timestamps ? p.tcp.options.timestamps->value : 0, sent.mtu_probe};
    recovery_.on_sent(t, sender_);

    rest_at_ = now + rest;
    if (!sent.data.empty()) out_.sent(sent.data);
    if (sent.fin) fin_lost_ = false;
    if (!sent.again && !sent.syn) nagle_.on_sent(end, p.tcp.payload.size(), mss_ - options_size(p.tcp.options));
    snd_nxt_ = std::max(snd_nxt_, end);
    snd_max_ = std::max(snd_max_, snd_nxt_);
    timer_.on_sent(now);
    if (begin <= snd_una_) timer_.restart(now);  // the timer waits for this one's acknowledgment
    stats_.bytes_sent += p.tcp.payload.size();
    const bool again = t.contents.previous != no_transmission;
    if (again) count_retransmission(sent, t.contents.previous);
    tell([&](auto& s) {
        s.on_segment_sent({now, sent.data.begin, sent.data.end, t.bytes, static_cast<std::uint32_t>(size), again});
    });
}

// RFC 4821 7.3: new data in a segment larger than the path is known to carry, while all is well, and while a full segment follows
// whose acknowledgment will tell if it was lost.
bool connection::transmit_mtu_probe(time_point now, train& out) {
    if (config_.probing == mtu_probing::never || !can_send_data() || out.size > 0) return false;
    const auto size = mtu_search_.probe_due(now);
    if (!size || *size > out.buffer.size() || out_.has_lost() || sender_.recovering() || timer_.backoff() > 0 || probe_pending_)
        return false;
    const auto options = ordinary_options(now);
    const auto payload = *size - ip_header_size(path_.remote.address.is_v6) - 20 - options_size(options);
    const auto begin = out_.next_unsent();
    const bool enough = out_.unsent() >= payload + mss_ && window_edge() >= base() + begin + payload + mss_;
    if (!enough || sender_.allowance(now) < payload + mss_) return false;
    if (!append({.data = {begin, begin + payload}, .mtu_probe = static_cast<std::uint32_t>(*size)}, options, now, out))
        return false;
    mtu_search_.on_probe_sent(*size);
    ++stats_.mtu_probes_sent;
    return true;
}

void connection::count_retransmission(const outgoing& sent, std::uint64_t previous) {
    ++stats_.retransmissions;
    if (sent.syn) {
        ++stats_.syn_retransmissions;
    } else if (probe_pending_) {
        ++stats_.probe_retransmissions;
    } else if (previous < timeout_end_) {
        ++stats_.timeout_retransmissions;
    }
}

// RFC 9293 3.8.6.1: one byte beyond the window, or the FIN. It is not in flight: if the peer does not take it, that is no loss.
// A window that is open but silly is used (3.8.6.2.1, the override timeout).
void connection::transmit_window_probe(time_point now, train& out) {
    window_probe_pending_ = false;
    if (out.size > 0 || !has_unsent() || recovery_.ack_eliciting_outstanding() > 0) return;
    const auto options = ordinary_options(now);
    const auto mss = mss_ - options_size(options);
    ++stats_.window_probes;
    if (const auto next = next_segment(mss, true)) {
        append(*next, options, now, out);
        return;
    }
    const auto at = out_.has_lost() ? out_.next(1, 0).begin : out_.next_unsent();
    const bool fin = at == out_.end_offset();
    auto p = make_packet(base() + at, static_cast<std::uint8_t>(flag::ack | (fin ? flag::fin : 0)), options);
    std::uint8_t byte = 0;
    if (!fin) {
        out_.copy({at, at + 1}, &byte);
        p.tcp.payload = {&byte, 1};
    }
    if (!add_to_train(p, out)) return;
    snd_max_ = std::max(snd_max_, base() + at + 1);
    if (!fin && at == out_.next_unsent()) {
        out_.sent({at, at + 1});
        out_.lost({at, at + 1});
    }
}

void connection::transmit_ack(std::uint64_t sequence, time_point now, train& out) {
    if (add_to_train(make_packet(sequence, flag::ack, ordinary_options(now)), out)) ++stats_.acks_sent;
}

packet connection::addressed_packet() const {
    packet p;
    p.source = path_.local.address;
    p.destination = path_.remote.address;
    p.hop_limit = config_.hop_limit;
    p.dscp = config_.dscp;
    p.tcp.source_port = path_.local.port;
    p.tcp.destination_port = path_.remote.port;
    return p;
}

// What every segment carries. Also decides what the window is, so the segment is to be sent.
packet connection::make_packet(std::uint64_t sequence, std::uint8_t flags, const segment_options& options) {
    auto p = addressed_packet();
    p.tcp.sequence = on_wire(sequence);
    p.tcp.flags = flags;
    if ((flags & flag::syn) == 0) p.tcp.flags |= ecn_.echo_flags();
    p.tcp.options = options;
    if ((flags & flag::ack) != 0) p.tcp.acknowledgment = on_wire(rcv_nxt_);
    const auto received = (flags & flag::ack) != 0 ? received_offset() : 0;
    const auto step = static_cast<std::uint16_t>(mtu_ - ip_header_size(p.source.is_v6) - 20);
    p.tcp.window = (flags & flag::syn) != 0 ? window_.announce_unscaled(received, in_.read_offset(), step)
                                            : window_.announce(received, in_.read_offset(), step);
    return p;
}

// Every segment acknowledges all that was received.
bool connection::add_to_train(const packet& p, train& out) {
    const auto at = out.buffer.subspan(out.size);
    std::size_t size = 0;
    if (out.size > 0 && config_.checksum_offload && same_but_sequence(first_of_train_, p)) {
        size = write_next_packet(out.buffer.first(out.segment_size), p, at);
    } else {
        size = write_packet(p, at, {.checksum_pending = config_.checksum_offload});
        if (out.size == 0) first_of_train_ = p;
    }
    if (size == 0) return false;
    if (out.segment_size == 0) {
        out.segment_size = size;
        out.mark = p.mark;
    }
    out.size += size;
    ++stats_.segments_sent;
    if (trace_ != nullptr) trace_sent(p);
    if (p.tcp.has(flag::ack) && !p.tcp.has(flag::rst)) {
        if (!p.tcp.payload.empty()) ack_.on_answer();
        ack_.on_sent();
        if (sack_report_.pending_duplicate() && p.tcp.options.sack_count > 0) ++stats_.dsacks_sent;
        sack_report_.on_sent();
        last_ack_sent_ = rcv_nxt_;
    }
    return true;
}

segment_options connection::ordinary_options(time_point now) const {
    segment_options out;
    if (timestamps_.enabled()) out.timestamps = timestamp_option{timestamps_.value(now), timestamps_.echo()};
    if (sack_ && synchronized()) {
        const std::size_t room = out.timestamps ? 3 : 4;  // RFC 2018 3
        sack_report_.write(out, in_.received(), in_.readable_end(), receive_base(), room);
    }
    return out;
}

// SND.NXT; if the peer's window shrank below it, its edge: the peer would not take an acknowledgment with a number beyond.
std::uint64_t connection::acceptable_sequence() const {
    const auto rounding = std::uint64_t{1} << snd_scale_;
    return snd_nxt_ < window_edge() + rounding ? snd_nxt_ : std::max(window_edge(), snd_una_);
}

void connection::note_window_limit(std::uint64_t blocked_bytes, time_point now) {
    if (window_limited_bytes_ > 0) {
        const auto waited = now - window_limited_since_;
        stats_.peer_window_limited += waited;
        stats_.peer_window_wait += wait_sum{window_limited_bytes_} * static_cast<std::uint64_t>(waited.count());
    }
    window_limited_bytes_ = blocked_bytes;
    window_limited_since_ = now;
}

}  // namespace tandem::tcp
