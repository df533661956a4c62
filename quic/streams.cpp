#include <tandem/quic/streams.hpp>

#include <algorithm>

namespace tandem::quic {

streams::streams(const streams_config& config)
    : connection_receive_(config.initial_max_data, config.max_connection_window),
      control_(&stream::control),
      credit_blocked_(&stream::sending),
      config_(config) {
    for (const auto kind : {direction::bidirectional, direction::unidirectional}) {
        auto& t = peers(kind);
        t.window = kind == direction::bidirectional ? config_.max_streams_bidi : config_.max_streams_uni;
        t.limit = t.window;
    }
}

void streams::declare(transport_parameters& p) const {
    p.initial_max_data = config_.initial_max_data;
    p.initial_max_stream_data_bidi_local = config_.initial_max_stream_data_bidi_local;
    p.initial_max_stream_data_bidi_remote = config_.initial_max_stream_data_bidi_remote;
    p.initial_max_stream_data_uni = config_.initial_max_stream_data_uni;
    p.initial_max_streams_bidi = config_.max_streams_bidi;
    p.initial_max_streams_uni = config_.max_streams_uni;
}

void streams::set_peer_parameters(const transport_parameters& p, time_point now) {
    peer_ = p;
    table_.for_each([&](auto, const auto& s) {
        if (!s->out) return;
        s->out->credit().raise(initial_send_credit(s->id));
        refresh(*s, now);
    });
    receive(max_data_frame{p.initial_max_data}, now);
    receive(max_streams_frame{direction::bidirectional, p.initial_max_streams_bidi}, now);
    receive(max_streams_frame{direction::unidirectional, p.initial_max_streams_uni}, now);
}

bool streams::arrived_early(stream_id id) const {
    const auto* s = find(id);
    return s && s->early;
}

void streams::on_early_data_rejected(time_point now) {
    connection_send_ = {};
    for (const auto kind : {direction::bidirectional, direction::unidirectional}) {
        auto& t = own(kind);
        t.limit = 0;
        t.announced.reset();
        set_frame_due(t, false);
    }
    table_.for_each([&](auto, const auto& s) {
        if (!s->out) return;
        s->out->rewind();
        refresh(*s, now);
    });
}

// "Local" in a parameter's name is the endpoint that declared it (RFC 9000 18.2): here, the peer.
std::uint64_t streams::initial_send_credit(stream_id id) const {
    if (id.kind() == direction::unidirectional) return peer_.initial_max_stream_data_uni;
    return is_ours(id) ? peer_.initial_max_stream_data_bidi_remote : peer_.initial_max_stream_data_bidi_local;
}

std::uint64_t streams::initial_window(stream_id id) const {
    if (id.kind() == direction::unidirectional) return config_.initial_max_stream_data_uni;
    return is_ours(id) ? config_.initial_max_stream_data_bidi_local : config_.initial_max_stream_data_bidi_remote;
}

stream* streams::find(stream_id id) const {
    const auto* found = table_.find(id.value);
    return found == nullptr ? nullptr : found->get();
}

stream& streams::create(stream_id id) {
    auto made = std::make_unique<stream>(id);
    auto& s = *made;
    table_.insert(id.value, std::move(made));
    const bool both = id.kind() == direction::bidirectional;
    if (both || is_ours(id)) s.out.emplace(initial_send_credit(id));
    if (both || !is_ours(id)) s.in.emplace(initial_window(id), config_.max_stream_window);
    if (watched_) note(s, true);
    return s;
}

// --- the application ---

bool streams::can_open(direction kind) const {
    const auto& t = types_[type_of(stream_id::make(config_.side, kind, 0))];
    return t.opened < t.limit;
}

std::optional<stream_id> streams::open(direction kind) {
    auto& t = own(kind);
    if (t.opened >= t.limit) {
        t.want_event = true;
        if (t.announced != t.limit) set_frame_due(t, true);  // RFC 9000 4.6: STREAMS_BLOCKED, once per limit
        return std::nullopt;
    }
    const auto id = stream_id::make(config_.side, kind, t.opened++);
    create(id);
    return id;
}

std::size_t streams::write(stream_id id, std::span<const std::uint8_t> data, bool fin, time_point now) {
    auto* s = find(id);
    if (!s || !s->out || !s->out->writable()) return 0;
    const auto taken = s->out->write(data, fin, config_.send_buffer);
    s->want_writable = taken < data.size();
    refresh(*s, now);
    return taken;
}

std::size_t streams::write_room(stream_id id) const {
    const auto* s = find(id);
    return s && s->out ? s->out->room(config_.send_buffer) : 0;
}

std::size_t streams::readable(stream_id id) const {
    const auto* s = find(id);
    return s && s->in ? s->in->available() : 0;
}

std::span<const std::uint8_t> streams::front(stream_id id) const {
    const auto* s = find(id);
    return s && s->in ? s->in->front() : std::span<const std::uint8_t>{};
}

read_result streams::read(stream_id id, std::span<std::uint8_t> out, time_point now, wait_ledger* waits) {
    auto* s = find(id);
    if (!s || !s->in || s->in->stopped()) return {.unknown = true};
    times_.clear();
    return after_read(*s, s->in->read(out, &times_), now, waits);
}

read_result streams::consume(stream_id id, std::size_t n, time_point now, wait_ledger* waits) {
    auto* s = find(id);
    if (!s || !s->in || s->in->stopped()) return {.unknown = true};
    n = std::min(n, s->in->available());
    times_.clear();
    s->in->consume(n, &times_);
    return after_read(*s, n, now, waits);
}

read_result streams::after_read(stream& s, std::size_t n, time_point now, wait_ledger* waits) {
    for (const auto& run : times_) {
        for (auto* ledger : {&ledger_, waits}) {
            if (!ledger) continue;
            ledger->add(wait_cause::own_stream_hole, run.bytes, run.arrived, run.readable);
            ledger->add(wait_cause::application, run.bytes, run.readable, now);
            ledger->add_total(run.bytes, now - run.arrived);
        }
    }
    give_back(s, n, now);
    read_result result{.n = n};
    const bool reset = s.in->reset_readable();
    if (reset && n > 0) {  // the last that a RESET_STREAM_AT wanted to be read: what ends the stream is told by the next call
        events_.push_back({stream_event_kind::reset, s.id, s.in->reset_code()});
        tell_readable(s);
        refresh_control(s);
        return result;
    }
    if (reset) result.reset = s.in->reset_code();
    s.in->told();
    result.end = s.in->state() == receive_state::data_read;
    refresh_control(s);
    close_if_over(s);
    return result;
}

void streams::reset(stream_id id, std::uint64_t code, time_point now) {
    auto* s = find(id);
    if (!s || !s->out) return;
    s->out->reset(code);
    s->want_writable = false;
    refresh(*s, now);
}

bool streams::reset_at(stream_id id, std::uint64_t reliable_size, std::uint64_t code, time_point now) {
    auto* s = find(id);
    if (!s || !s->out || !peer_.reset_stream_at || !s->out->reset_at(code, reliable_size)) return false;
    s->want_writable = false;
    refresh(*s, now);
    return true;
}

void streams::stop_sending(stream_id id, std::uint64_t code, time_point now) {
    auto* s = find(id);
    if (!s || !s->in) return;
    s->in->stop(code);
    give_back(*s, s->in->unconsumed(), now);
    refresh_control(*s);
    close_if_over(*s);
}

// Which parts are open now, or over now, and were not told to be.
void streams::note(stream& s, bool open) {
    auto& told = s.told_over;
    if (s.out && (open || (s.out->is_over() && !told[0]))) {
        told[0] = !open;
        changes_.push_back({s.id, stream_side::sending, open});
    }
    if (s.in && (open || (s.in->is_over() && !told[1]))) {
        told[1] = !open;
        changes_.push_back({s.id, stream_side::receiving, open});
    }
}

std::optional<streams::change> streams::poll_change() {
    if (changes_.empty()) return std::nullopt;
    const auto first = changes_.front();
    changes_.pop_front();
    return first;
}

std::optional<recovery::stream_statistics> streams::summary(stream_id id) const {
    const auto* s = find(id);
    if (s == nullptr) return std::nullopt;
    recovery::stream_statistics out{.id = id.value};
    if (s->out) s->out->describe(out);
    if (s->in) s->in->describe(out);
    return out;
}

void streams::set_priority(stream_id id, std::uint8_t urgency, bool incremental) {
    auto* s = find(id);
    if (!s) return;
    const bool was_ready = ready_.contains(*s);
    ready_.erase(*s);
    s->urgency = std::min<std::uint8_t>(urgency, stream_scheduler::urgencies - 1);
    s->incremental = incremental;
    if (was_ready) ready_.add(*s);
}

// --- events ---

void streams::tell_readable(stream& s) {
    if (s.readable_told || !s.in->readable() || s.in->stopped()) return;
    s.readable_told = true;
    events_.push_back({stream_event_kind::readable, s.id});
}

std::optional<stream_event> streams::poll_event() {
    if (events_.empty()) return std::nullopt;
    const auto event = events_.front();
    events_.pop_front();
    if (event.kind == stream_event_kind::readable) {
        if (auto* s = find(event.id)) s->readable_told = false;
    }
    return event;
}

// --- the table's upkeep ---

// The application is done with n bytes: the peer may send as many more, on this stream and in all.
void streams::give_back(stream& s, std::uint64_t n, time_point now) {
    if (n == 0) return;
    auto& credit = s.in->credit();
    credit.consume(n, now, rtt_);
    connection_receive_.consume(n, now, rtt_);
    // One stream alone must be able to use its window, with room for others.
    connection_receive_.widen(credit.window() + credit.window() / 2);
}

// MAX_STREAMS in lumps: when half of what may be open at one time is used up (RFC 9000 4.6).
void streams::permit_more_streams(const stream_type_state& t) {
    if (t.closed + t.window > t.limit && t.limit - t.opened <= t.window / 2) set_frame_due(t, true);
}

void streams::close_if_over(stream& s) {
    if (watched_) note(s, false);
    if ((s.out && !s.out->is_over()) || (s.in && !s.in->is_over())) return;
    const auto id = s.id;
    if (!is_ours(id)) {
        auto& t = type(id);
        ++t.closed;
        permit_more_streams(t);
    }
    ready_.erase(s);
    if (credit_blocked_.contains(s)) credit_blocked_.erase(s);
    if (control_.contains(s)) control_.erase(s);
    table_.erase(id.value);
    events_.push_back({stream_event_kind::closed, id});
}

// Puts a stream whose sending part changed into the list where it belongs, and counts what only credit holds back.
void streams::refresh(stream& s, time_point now) {
    auto& out = *s.out;
    const bool permitted = is_permitted(s.id);  // else it was opened for early data that was rejected
    const bool new_data = permitted && out.can_send_new();
    const bool ready = permitted && (out.can_send_free() || (new_data && connection_send_.available() > 0));
    const bool blocked = !ready && new_data;
    if (!ready) ready_.erase(s);
    if (!blocked && credit_blocked_.contains(s)) credit_blocked_.erase(s);
    if (ready) ready_.add(s);
    if (blocked && !credit_blocked_.contains(s)) credit_blocked_.push_back(s);
    if (blocked) connection_send_.block();
    if (permitted && out.credit_used_up()) out.credit().block();

    const auto held_back = blocked || out.credit_used_up() ? out.unsent() : 0;
    if (held_back != s.blocked) {
        charge_flow_control(now);
        blocked_bytes_ += held_back - s.blocked;
        s.blocked = held_back;
    }
    refresh_control(s);
}

void streams::refresh_control(stream& s) {
    const bool due = is_permitted(s.id) && ((s.out && (s.out->reset_due() || s.out->credit().blocked_due())) ||
                                            (s.in && (s.in->stop_due() || s.in->credit_due())));
    if (due == control_.contains(s)) return;
    if (due) {
        control_.push_back(s);
    } else {
        control_.erase(s);
    }
}

void streams::charge_flow_control(time_point now) {
    if (blocked_bytes_ > 0 && now > blocked_since_) {
        for (auto* ledger : {&ledger_, &send_waits_}) {
            ledger->add(wait_cause::flow_control, blocked_bytes_, blocked_since_, now);
            ledger->add_total(blocked_bytes_, now - blocked_since_);
        }
    }
    blocked_since_ = now;
}

}  // namespace tandem::quic
