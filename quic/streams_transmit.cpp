// Frames about streams to send, and what became of them.
#include <tandem/quic/streams.hpp>

#include <cassert>

namespace tandem::quic {

bool streams::wants_to_send() const {
    return !ready_.empty() || !control_.empty() || frames_due_ != 0 || connection_receive_.announcement_due() ||
           connection_send_.blocked_due();
}

void streams::write_frames(frame_writer& out, stream_tokens& tokens, time_point now, packing how) {
    [[maybe_unused]] const bool wanted = wants_to_send();
    [[maybe_unused]] const bool roomy = out.remaining() >= min_room;
    [[maybe_unused]] const auto before = out.size();
    write_control(out, tokens);
    write_data(out, tokens, now, how);
    write_control(out, tokens);  // sending may have used up a credit: BLOCKED frames
    // Wanting and sending agree, or an owner spins or stalls.
    assert(!roomy || wanted == (out.size() > before));
    assert(out.remaining() < min_room || how == packing::one_stream || !wants_to_send());
}

void streams::write_control(frame_writer& out, stream_tokens& tokens) {
    write_connection_control(out, tokens);
    while (auto* s = control_.front()) {
        if (!write_stream_control(*s, out, tokens)) break;
        refresh_control(*s);
    }
}

void streams::write_connection_control(frame_writer& out, stream_tokens& tokens) {
    if (out.remaining() < min_room) return;  // all of the frames here fit
    if (connection_receive_.announcement_due()) {
        const auto maximum = connection_receive_.announce();
        out.write(max_data_frame{maximum});
        tokens.push_back(max_data_token{maximum});
    }
    if (connection_send_.blocked_due()) {
        const auto limit = connection_send_.announce_blocked();
        out.write(data_blocked_frame{limit});
        tokens.push_back(data_blocked_token{limit});
    }
    if (frames_due_ == 0) return;
    for (const auto kind : {direction::bidirectional, direction::unidirectional}) {
        auto& theirs = peers(kind);
        if (frame_due(theirs) && out.remaining() >= min_room) {
            set_frame_due(theirs, false);
            theirs.limit = theirs.closed + theirs.window;
            out.write(max_streams_frame{kind, theirs.limit});
            tokens.push_back(max_streams_token{theirs.limit, kind});
        }
        auto& ours = own(kind);
        if (frame_due(ours) && out.remaining() >= min_room) {
            set_frame_due(ours, false);
            ours.announced = ours.limit;
            out.write(streams_blocked_frame{kind, ours.limit});
            tokens.push_back(streams_blocked_token{ours.limit, kind});
        }
    }
}

// All control frames that the stream wants; false if one did not fit.
bool streams::write_stream_control(stream& s, frame_writer& out, stream_tokens& tokens) {
    if (s.out && s.out->reset_due()) {
        if (!s.out->write_reset(s.id, out)) return false;
        tokens.push_back(reset_stream_token{s.id, s.out->reliable_size()});
    }
    if (s.out && s.out->credit().blocked_due()) {
        if (!out.write(stream_data_blocked_frame{s.id, s.out->credit().limit()})) return false;
        tokens.push_back(stream_data_blocked_token{s.id, s.out->credit().announce_blocked()});
    }
    if (s.in && s.in->stop_due()) {
        if (!out.write(stop_sending_frame{s.id, s.in->stop_code()})) return false;
        s.in->stop_sent();
        tokens.push_back(stop_sending_token{s.id});
    }
    if (s.in && s.in->credit_due()) {
        if (out.remaining() < min_room / 2) return false;
        const auto maximum = s.in->credit().announce();
        out.write(max_stream_data_frame{s.id, maximum});
        tokens.push_back(max_stream_data_token{s.id, maximum});
    }
    return true;
}

void streams::write_data(frame_writer& out, stream_tokens& tokens, time_point now, packing how) {
    const stream* first = nullptr;
    while (auto* s = ready_.front()) {
        // The remainder of a packet that others began is not worth a header and a sliver of data.
        if (first && s != first && (out.remaining() < min_room || how == packing::one_stream)) break;
        if (!first) first = s;
        std::uint64_t new_bytes = 0;
        const auto token = s->out->write_frame(s->id, out, connection_send_.available(), new_bytes);
        if (!token) break;
        tokens.push_back(*token);
        connection_send_.use(new_bytes);
        tell_writable(*s);
        refresh(*s, now);
        if (new_bytes > 0 && connection_send_.available() == 0) block_on_connection(now);
        if (out.remaining() < min_room && s == first) ready_.end_turn(*s);
    }
}

// The connection's credit just ran out: streams that only had new data cannot send any more.
void streams::block_on_connection(time_point now) {
    ready_.for_each([&](stream& s) {
        if (!s.out->can_send_free()) refresh(s, now);
    });
}

// After a short write: once half of the buffer is free again.
void streams::tell_writable(stream& s) {
    if (!s.want_writable || s.out->room(config_.send_buffer) < config_.send_buffer / 2) return;
    s.want_writable = false;
    events_.push_back({stream_event_kind::writable, s.id});
}

void streams::acknowledged(const stream_token& token, time_point now) {
    if (const auto* data = std::get_if<stream_data_token>(&token)) {
        auto* s = find(data->id);
        if (!s || s->out->is_over()) return;
        s->out->acknowledged(*data);
        if (s->out->is_over() && !s->out->was_reset()) events_.push_back({stream_event_kind::finished, s->id});
        refresh(*s, now);  // bytes thought lost may have arrived
        close_if_over(*s);
    } else if (const auto* reset = std::get_if<reset_stream_token>(&token)) {
        auto* s = find(reset->id);
        if (!s) return;
        s->out->reset_acknowledged(*reset);
        refresh(*s, now);
        close_if_over(*s);
    }
}

// RFC 9000 13.3: what was lost is sent again only where it still says something.
void streams::lost(const stream_token& token, time_point now) {
    std::visit([&](const auto& t) { on_lost(t, now); }, token);
}

void streams::on_lost(const stream_data_token& t, time_point now) {
    if (auto* s = find(t.id)) {
        s->out->lost(t);
        refresh(*s, now);
    }
}

void streams::on_lost(const reset_stream_token& t, time_point) {
    if (auto* s = find(t.id)) {
        s->out->reset_lost(t);
        refresh_control(*s);
    }
}

void streams::on_lost(const stop_sending_token& t, time_point) {
    if (auto* s = find(t.id)) {
        s->in->stop_lost();
        refresh_control(*s);
    }
}

void streams::on_lost(const max_data_token& t, time_point) { connection_receive_.on_lost(t.maximum); }

void streams::on_lost(const max_stream_data_token& t, time_point) {
    if (auto* s = find(t.id)) {
        s->in->credit().on_lost(t.maximum);
        refresh_control(*s);
    }
}

void streams::on_lost(const max_streams_token& t, time_point) {
    auto& theirs = peers(t.kind);
    if (t.maximum == theirs.limit) set_frame_due(theirs, true);
}

void streams::on_lost(const data_blocked_token& t, time_point) {
    if (!credit_blocked_.empty()) connection_send_.on_blocked_lost(t.limit);
}

void streams::on_lost(const stream_data_blocked_token& t, time_point) {
    auto* s = find(t.id);
    if (s && s->out->credit_used_up()) {
        s->out->credit().on_blocked_lost(t.limit);
        refresh_control(*s);
    }
}

void streams::on_lost(const streams_blocked_token& t, time_point) {
    auto& ours = own(t.kind);
    if (ours.want_event && t.limit == ours.limit) set_frame_due(ours, true);
}

}  // namespace tandem::quic
