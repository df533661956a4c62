// Frames about streams that the peer sent.
#include <tandem/quic/streams.hpp>

#include <type_traits>

namespace tandem::quic {
namespace {

std::optional<connection_error> violation(transport_error code, std::uint64_t type, std::string_view reason) {
    return connection_error::transport(code, type, reason);
}

template <class T, class... Others>
constexpr bool is_any_of = (std::is_same_v<T, Others> || ...);

}  // namespace

std::optional<connection_error> streams::receive(const frame& f, time_point now) {
    return std::visit(
        [&]<class F>(const F& one) -> std::optional<connection_error> {
            if constexpr (is_any_of<F, stream_frame, reset_stream_frame, reset_stream_at_frame, stop_sending_frame,
                                    max_data_frame, max_stream_data_frame, max_streams_frame, stream_data_blocked_frame>) {
                return receive(one, now);
            } else {
                return std::nullopt;
            }
        },
        f);
}

// The stream a frame names, opened by it if it is the peer's and new. Null without an error: it is closed, the frame is late.
streams::lookup streams::find_or_open(stream_id id, std::uint64_t frame_type) {
    auto& t = type(id);
    if (is_ours(id)) {
        // RFC 9000 19.8 and others: a locally initiated stream that has not yet been created.
        if (id.index() >= t.opened)
            return {nullptr, violation(transport_error::stream_state_error, frame_type, "stream was never opened")};
        return {find(id), std::nullopt};
    }
    if (id.index() < t.opened) return {find(id), std::nullopt};
    // RFC 9000 4.6
    if (id.index() >= t.limit)
        return {nullptr, violation(transport_error::stream_limit_error, frame_type, "more streams than permitted")};
    stream* last = nullptr;
    while (t.opened <= id.index()) {  // RFC 9000 2.1: all lower-numbered ones open too
        last = &create(stream_id::make(id.initiator(), id.kind(), t.opened++));
        events_.push_back({stream_event_kind::opened, last->id});
    }
    permit_more_streams(t);
    return {last, std::nullopt};
}

// For frames that come from the sender of a stream: STREAM, RESET_STREAM, STREAM_DATA_BLOCKED.
streams::lookup streams::find_receiving(stream_id id, std::uint64_t frame_type) {
    if (is_ours(id) && id.kind() == direction::unidirectional) {
        return {nullptr, violation(transport_error::stream_state_error, frame_type, "peer cannot send on this stream")};
    }
    return find_or_open(id, frame_type);
}

// For frames that come from the receiver of a stream: MAX_STREAM_DATA, STOP_SENDING.
streams::lookup streams::find_sending(stream_id id, std::uint64_t frame_type) {
    if (!is_ours(id) && id.kind() == direction::unidirectional) {
        return {nullptr, violation(transport_error::stream_state_error, frame_type, "peer cannot receive on this stream")};
    }
    return find_or_open(id, frame_type);
}

// Whether the stream and the connection have room for a frame that reaches to `end`.
std::optional<connection_error> streams::check_arrival(const receive_stream& in, std::uint64_t end, bool final,
                                                       std::uint64_t frame_type) const {
    if (const auto wrong = in.check(end, final)) {
        return violation(*wrong, frame_type,
                         *wrong == transport_error::final_size_error ? "final size changed or was exceeded"
                                                                     : "more data than the stream's limit");
    }
    if (in.increase(end) > connection_receive_.limit() - received_total_) {
        return violation(transport_error::flow_control_error, frame_type, "more data than the connection's limit");
    }
    return std::nullopt;
}

std::optional<connection_error> streams::receive(const stream_frame& f, time_point now) {
    const auto type = frame_type::stream;
    const auto [s, error] = find_receiving(f.id, type);
    if (!s) return error;
    auto& in = *s->in;
    const auto end = f.offset + f.data.size();
    if (auto wrong = check_arrival(in, end, f.fin, type)) return wrong;
    s->early = s->early || early_;
    received_total_ += in.increase(end);
    const auto readable_before = in.available();
    const auto state_before = in.state();
    if (!in.insert(f.offset, f.data, f.fin, now)) {
        return violation(transport_error::internal_error, type, "too many holes in a stream");
    }
    if (in.stopped()) give_back(*s, in.unconsumed(), now);
    if (in.state() != state_before && in.state() == receive_state::reset_received) on_reset_received(*s, now);
    if (in.available() != readable_before || in.state() != state_before) tell_readable(*s);
    if (in.stopped() || in.state() != state_before) {
        refresh_control(*s);
        close_if_over(*s);
    }
    return std::nullopt;
}

std::optional<connection_error> streams::receive(const reset_stream_frame& f, time_point now) {
    const auto [s, error] = find_receiving(f.id, frame_type::reset_stream);
    if (!s) return error;
    auto& in = *s->in;
    if (auto wrong = check_arrival(in, f.final_size, true, frame_type::reset_stream)) return wrong;
    if (in.contradicts_reset(f.error_code)) {
        return violation(transport_error::stream_state_error, frame_type::reset_stream, "another error code than before");
    }
    received_total_ += in.increase(f.final_size);
    const auto state_before = in.state();
    in.reset(f.error_code, f.final_size);
    if (in.state() == state_before) return std::nullopt;
    if (in.state() == receive_state::reset_received)
        on_reset_received(*s, now);
    else
        give_back(*s, in.unconsumed(), now);
    refresh_control(*s);
    close_if_over(*s);
    return std::nullopt;
}

// Like RESET_STREAM, but perhaps not yet: draft-ietf-quic-reliable-stream-reset 5.
std::optional<connection_error> streams::receive(const reset_stream_at_frame& f, time_point now) {
    const auto type = frame_type::reset_stream_at;
    const auto [s, error] = find_receiving(f.id, type);
    if (!s) return error;
    auto& in = *s->in;
    if (auto wrong = check_arrival(in, f.final_size, true, type)) return wrong;
    received_total_ += in.increase(f.final_size);
    const auto state_before = in.state();
    if (const auto wrong = in.reset_at(f.error_code, f.final_size, f.reliable_size)) {
        return violation(*wrong, type, "another error code than before");
    }
    if (in.state() == state_before) return std::nullopt;
    if (in.state() == receive_state::reset_received) on_reset_received(*s, now);
    if (in.stopped()) give_back(*s, in.unconsumed(), now);
    refresh_control(*s);
    close_if_over(*s);
    return std::nullopt;
}

// All came that the peer wants to be read before its reset. RFC 9000 4.5: what will never be read counts as consumed.
void streams::on_reset_received(stream& s, time_point now) {
    give_back(s, s.in->abandoned(), now);
    if (s.in->reset_readable()) events_.push_back({stream_event_kind::reset, s.id, s.in->reset_code()});
    tell_readable(s);
}

std::optional<connection_error> streams::receive(const stop_sending_frame& f, time_point now) {
    const auto [s, error] = find_sending(f.id, frame_type::stop_sending);
    if (!s) return error;
    auto& out = *s->out;
    if (out.is_over() || out.state() == send_state::reset_sent) return std::nullopt;
    // RFC 9000 3.5: answered with RESET_STREAM and the same code.
    out.reset(f.error_code);
    s->want_writable = false;
    events_.push_back({stream_event_kind::stop_sending, f.id, f.error_code});
    refresh(*s, now);
    return std::nullopt;
}

std::optional<connection_error> streams::receive(const max_data_frame& f, time_point now) {
    if (!connection_send_.raise(f.maximum)) return std::nullopt;
    for (auto* s = credit_blocked_.front(); s;) {
        auto* after = credit_blocked_.next(*s);
        refresh(*s, now);
        s = after;
    }
    return std::nullopt;
}

std::optional<connection_error> streams::receive(const max_stream_data_frame& f, time_point now) {
    const auto [s, error] = find_sending(f.id, frame_type::max_stream_data);
    if (!s) return error;
    if (s->out->credit().raise(f.maximum)) refresh(*s, now);
    return std::nullopt;
}

std::optional<connection_error> streams::receive(const max_streams_frame& f, time_point now) {
    auto& t = own(f.kind);
    if (f.maximum <= t.limit) return std::nullopt;  // RFC 9000 4.6
    const bool held = t.opened > t.limit;
    t.limit = f.maximum;
    if (held) {
        table_.for_each([&](auto, const auto& s) {
            if (s->out && is_ours(s->id)) refresh(*s, now);
        });
    }
    set_frame_due(t, false);
    if (t.want_event) {
        t.want_event = false;
        events_.push_back({.kind = stream_event_kind::streams_available, .which = f.kind});
    }
    return std::nullopt;
}

// Changes nothing but that it may open the stream: credit never waits for BLOCKED frames (RFC 9000 4.1).
std::optional<connection_error> streams::receive(const stream_data_blocked_frame& f, time_point) {
    return find_receiving(f.id, frame_type::stream_data_blocked).error;
}

}  // namespace tandem::quic
