// The streams of quic_core: reading, writing, ending.
#include <algorithm>

#include <boost/asio/error.hpp>

#include <tandem/net/detail/quic_core.hpp>
#include <tandem/net/quic_error.hpp>

namespace tandem::net::detail {

namespace error = boost::asio::error;

quic_core::stream_state* quic_core::stream(quic::connection_handle handle, quic::stream_id id) {
    auto c = connections_.find(handle);
    if (c == connections_.end()) return nullptr;
    auto s = c->second.streams.find(id.value);
    return s == c->second.streams.end() ? nullptr : &s->second;
}

const quic_core::stream_state* quic_core::stream(quic::connection_handle handle, quic::stream_id id) const {
    return const_cast<quic_core*>(this)->stream(handle, id);
}

void quic_core::on_stream_event(quic::connection_handle handle, connection_state& c, const quic::stream_event& event,
                                time_point at) {
    auto* transport = endpoint_.find(handle);
    if (transport == nullptr) return;
    if (event.kind == quic::stream_event_kind::streams_available) return try_open(*transport, c);
    if (event.kind == quic::stream_event_kind::opened) {
        c.streams.try_emplace(event.id.value);
        const auto kind = static_cast<std::size_t>(event.id.kind());
        if (c.accepting[kind].empty()) {
            c.unaccepted[kind].push_back(event.id);  // as many as our stream limit lets the peer open
        } else {
            c.accepting[kind].front().op.complete({}, event.id);
            c.accepting[kind].pop_front();
        }
        return;
    }
    auto it = c.streams.find(event.id.value);
    if (it == c.streams.end()) return;  // the application has let it go
    auto& s = it->second;
    switch (event.kind) {
        case quic::stream_event_kind::readable:
            return try_read(*transport, s, event.id, at);
        case quic::stream_event_kind::writable:
            return try_write(*transport, s, event.id, at);
        case quic::stream_event_kind::reset:
            s.read_reset = event.code;
            return try_read(*transport, s, event.id, at);
        case quic::stream_event_kind::stop_sending:
            s.stopped = event.code;
            if (s.finishing.op) s.finishing.op.complete(make_stop_error(event.code));
            return try_write(*transport, s, event.id, at);
        case quic::stream_event_kind::finished:
            s.finished = true;
            if (s.finishing.op) s.finishing.op.complete({});
            return;
        default:
            return;
    }
}

void quic_core::add_stream(quic::connection_handle handle, quic::stream_id id, stream_halves halves) {
    auto c = connections_.find(handle);
    if (c == connections_.end()) return;
    auto& s = c->second.streams[id.value];
    s.held = s.held | halves;
}

void quic_core::release_stream(quic::connection_handle handle, quic::stream_id id, stream_halves halves) {
    auto* s = stream(handle, id);
    if (s == nullptr) return;
    // A half that was not brought to its end is given up; a FIN that was written is still delivered.
    bool unread = has(halves, stream_halves::receive) && !s->read_ended && !s->read_reset;
    bool unsent = has(halves, stream_halves::send) && !s->fin_written && !s->stopped;
    if (has(halves, stream_halves::receive)) {
        if (s->reading.op) s->reading.op.complete(error::operation_aborted, 0);
        s->read_ended = true;
    }
    if (has(halves, stream_halves::send)) {
        if (s->writing.op) s->writing.op.complete(error::operation_aborted, 0);
        if (s->finishing.op) s->finishing.op.complete(error::operation_aborted);
        s->fin_written = true;
    }
    s->held = without(s->held, halves);
    if (s->held == stream_halves::none) connections_[handle].streams.erase(id.value);
    auto* transport = endpoint_.find(handle);
    if (stopped_ || transport == nullptr) return;
    auto at = now();
    if (unread) transport->stop_sending(id, 0, at);
    if (unsent) transport->reset(id, 0, at);
    wake();
}

void quic_core::read(quic::connection_handle handle, quic::stream_id id, std::uint64_t operation, const read_buffers& buffers,
                     io_operation op) {
    auto* s = stream(handle, id);
    if (s == nullptr || stopped_) return op.complete(error::operation_aborted, 0);
    if (s->reading.op) return op.complete(error::already_started, 0);
    if (buffers.empty()) return op.complete({}, 0);
    s->reading = {operation, std::move(op)};
    s->read_into = buffers;
    auto& c = connections_[handle];
    auto* transport = endpoint_.find(handle);
    if (transport != nullptr) try_read(*transport, *s, id, now());
    if (s->reading.op && (transport == nullptr || c.closed)) s->reading.op.complete(closed_error(c), 0);
}

void quic_core::try_read(quic::connection& transport, stream_state& s, quic::stream_id id, time_point at) {
    if (!s.reading.op) return;
    if (s.read_ended) return s.reading.op.complete(error::eof, 0);
    std::size_t total = 0;
    bool unknown = false;
    for (std::size_t i = 0; i < s.read_into.count; ++i) {
        auto& b = s.read_into.buffers[i];
        auto result = transport.read(id, {static_cast<std::uint8_t*>(b.data()), b.size()}, at);
        total += result.n;
        s.read_ended = s.read_ended || result.end;
        if (result.reset) s.read_reset = result.reset;
        unknown = result.unknown;
        if (result.n < b.size()) break;
    }
    if (total > 0) {
        s.reading.op.complete({}, total);
        return wake();  // credit for the peer
    }
    if (s.read_ended) {
        s.reading.op.complete(error::eof, 0);
    } else if (s.read_reset) {
        s.reading.op.complete(make_reset_error(*s.read_reset), 0);
    } else if (unknown) {
        s.reading.op.complete(error::operation_not_supported, 0);  // a direction this stream does not have
    }
}

void quic_core::write(quic::connection_handle handle, quic::stream_id id, std::uint64_t operation, const write_buffers& buffers,
                      io_operation op) {
    auto* s = stream(handle, id);
    if (s == nullptr || stopped_) return op.complete(error::operation_aborted, 0);
    if (s->writing.op) return op.complete(error::already_started, 0);
    if (s->fin_written) return op.complete(error::shut_down, 0);
    auto& c = connections_[handle];
    auto* transport = endpoint_.find(handle);
    if (c.closed || transport == nullptr) return op.complete(closed_error(c), 0);
    if (buffers.empty()) return op.complete({}, 0);
    s->writing = {operation, std::move(op)};
    s->write_from = buffers;
    try_write(*transport, *s, id, now());
}

void quic_core::try_write(quic::connection& transport, stream_state& s, quic::stream_id id, time_point at) {
    if (!s.writing.op) return;
    if (s.stopped) return s.writing.op.complete(make_stop_error(*s.stopped), 0);
    std::size_t total = 0;
    for (std::size_t i = 0; i < s.write_from.count; ++i) {
        const auto& b = s.write_from.buffers[i];
        auto n = transport.write(id, {static_cast<const std::uint8_t*>(b.data()), b.size()}, false, at);
        total += n;
        if (n < b.size()) break;
    }
    if (total == 0) return;  // the writable event comes
    s.writing.op.complete({}, total);
    wake();
}

void quic_core::cancel_io(quic::connection_handle handle, quic::stream_id id, std::uint64_t operation) {
    auto* s = stream(handle, id);
    if (s == nullptr) return;
    if (s->reading.op && s->reading.number == operation) s->reading.op.complete(error::operation_aborted, 0);
    if (s->writing.op && s->writing.number == operation) s->writing.op.complete(error::operation_aborted, 0);
    if (s->finishing.op && s->finishing.number == operation) s->finishing.op.complete(error::operation_aborted);
}

void quic_core::finish(quic::connection_handle handle, quic::stream_id id) {
    auto* s = stream(handle, id);
    auto* transport = endpoint_.find(handle);
    if (s == nullptr || s->fin_written || transport == nullptr || stopped_) return;
    s->fin_written = true;
    transport->write(id, {}, true, now());
    wake();
}

void quic_core::wait_finished(quic::connection_handle handle, quic::stream_id id, std::uint64_t operation, plain_operation op) {
    auto* s = stream(handle, id);
    if (s == nullptr || stopped_) return op.complete(error::operation_aborted);
    finish(handle, id);
    if (s->finished) return op.complete({});
    if (s->stopped) return op.complete(make_stop_error(*s->stopped));
    if (s->finishing.op) return op.complete(error::already_started);
    auto& c = connections_[handle];
    if (c.closed) return op.complete(closed_error(c));
    s->finishing = {operation, std::move(op)};
}

void quic_core::reset(quic::connection_handle handle, quic::stream_id id, std::uint64_t code) {
    auto* s = stream(handle, id);
    auto* transport = endpoint_.find(handle);
    if (s == nullptr || transport == nullptr || stopped_) return;
    s->fin_written = true;  // nothing can be written any more
    if (s->writing.op) s->writing.op.complete(error::operation_aborted, 0);
    if (s->finishing.op) s->finishing.op.complete(error::operation_aborted);
    transport->reset(id, code, now());
    wake();
}

void quic_core::stop_sending(quic::connection_handle handle, quic::stream_id id, std::uint64_t code) {
    auto* s = stream(handle, id);
    auto* transport = endpoint_.find(handle);
    if (s == nullptr || transport == nullptr || stopped_) return;
    if (s->reading.op) s->reading.op.complete(error::operation_aborted, 0);
    s->read_ended = true;
    transport->stop_sending(id, code, now());
    wake();
}

void quic_core::set_priority(quic::connection_handle handle, quic::stream_id id, std::uint8_t urgency, bool incremental) {
    if (auto* transport = endpoint_.find(handle)) transport->set_priority(id, urgency, incremental);
}

std::optional<std::uint64_t> quic_core::reset_code(quic::connection_handle handle, quic::stream_id id) const {
    const auto* s = stream(handle, id);
    return s == nullptr ? std::nullopt : s->read_reset;
}

std::optional<std::uint64_t> quic_core::stop_code(quic::connection_handle handle, quic::stream_id id) const {
    const auto* s = stream(handle, id);
    return s == nullptr ? std::nullopt : s->stopped;
}

}  // namespace tandem::net::detail
