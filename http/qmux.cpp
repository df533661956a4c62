#include <tandem/http/qmux.hpp>

#include <algorithm>
#include <array>
#include <cassert>
#include <utility>

namespace tandem::http::qmux {
namespace {

// The round trip is TCP's to know. Windows grow as if it were this long: where it is shorter they grow without need, which costs
// memory only while the application does not read.
constexpr duration assumed_round_trip = std::chrono::milliseconds(100);

constexpr std::size_t size_field = 2;  // of the records we make; holds any size up to the default maximum

quic::streams_config with_side(quic::streams_config c, quic::perspective side) {
    c.side = side;
    return c;
}

}  // namespace

session::session(quic::perspective side, const config& c, time_point now)
    : config_(c), streams_(with_side(c.streams, side)), now_(now), last_activity_(now), idle_since_(now) {
    config_.streams.side = side;
    streams_.set_rtt(assumed_round_trip);
}

// --- sending ---

bool session::wants_to_send() const {
    if (over_) return false;
    return !parameters_sent_ || close_due_ || ping_due_ || pong_due_ || (peer_parameters_ && streams_.wants_to_send());
}

std::size_t session::transmit(std::span<std::uint8_t> out, time_point now) {
    now_ = now;
    std::size_t written = 0;
    while (out.size() - written >= min_transmit && wants_to_send()) written += make_record(out.subspan(written), now);
    return written;
}

std::size_t session::make_record(std::span<std::uint8_t> out, time_point now) {
    const auto most = std::min<std::uint64_t>({out.size() - size_field, peer_.max_record_size, max_record});
    const auto frames = write_frames(out.subspan(size_field, static_cast<std::size_t>(most)), now);
    assert(frames > 0);
    writer(out).varint(frames, size_field);
    last_activity_ = now;
    output_ += size_field + frames;
    return size_field + frames;
}

std::size_t session::write_frames(std::span<std::uint8_t> room, time_point now) {
    writer own(room);
    if (!parameters_sent_) {  // first, and alone
        parameters_sent_ = true;
        quic::transport_parameters ours;
        streams_.declare(ours);
        ours.max_idle_timeout = std::chrono::duration_cast<std::chrono::milliseconds>(config_.max_idle_timeout);
        const auto body = quic::emit(ours, quic::parameter_profile::qmux);
        own.varint(transport_parameters_type);
        own.varint(body.size());
        own.bytes(body);
        return own.size();
    }
    if (close_due_) {
        quic::frame_writer out(room);
        const std::span reason(reinterpret_cast<const std::uint8_t*>(error_->reason.data()), error_->reason.size());
        out.write(quic::connection_close_frame{error_->code, error_->frame_type, reason, error_->application});
        close_due_ = false;
        over_ = true;
        return out.size();
    }
    if (pong_due_) {
        own.varint(pong_type);
        own.varint(*ping_received_);
        pong_due_ = false;
    }
    if (ping_due_) {
        own.varint(ping_type);
        own.varint(pings_sent_++);
        ping_due_ = false;
    }
    if (!peer_parameters_) return own.size();

    quic::frame_writer out(room.subspan(own.size()));
    quic::stream_tokens tokens;
    streams_.write_frames(out, tokens, now, quic::streams::packing::one_stream);
    for (const auto& t : tokens) {
        if (const auto* data = std::get_if<quic::stream_data_token>(&t); data && config_.report_carried) {
            const auto end = output_ + size_field + own.size() + out.size();
            if (carried_.empty() || carried_.back().end <= output_) carried_.push_back({output_, end, data->id});
        }
        streams_.acknowledged(t, now);  // the transport is reliable: passed down is as good as arrived
    }
    return own.size() + out.size();
}

bool session::finished_sending() const { return over_; }

std::vector<carried> session::drain_carried() { return std::exchange(carried_, {}); }

void session::ping() { ping_due_ = true; }

// --- time and the end ---

duration session::idle_timeout() const {
    const duration peers = peer_.max_idle_timeout;
    if (config_.max_idle_timeout == duration::zero()) return peers;
    return peers == duration::zero() ? config_.max_idle_timeout : std::min(config_.max_idle_timeout, peers);  // RFC 9000 10.1
}

std::optional<time_point> session::next_timeout() const {
    if (error_ || idle_timeout() == duration::zero()) return std::nullopt;
    return last_activity_ + idle_timeout();
}

void session::on_timeout(time_point now) {
    now_ = now;
    const auto deadline = next_timeout();
    if (!deadline || now < *deadline) return;
    end(quic::connection_error::transport(quic::transport_error::no_error, 0, "idle timeout"));
}

void session::close(std::uint64_t code, std::string_view reason, time_point now) {
    now_ = now;
    if (error_) return;
    fail(quic::connection_error{code, 0, std::string(reason), true});
}

void session::receive_end(time_point now) {
    now_ = now;
    if (error_) return;
    closed_by_peer_ = true;
    end(quic::connection_error::transport(quic::transport_error::no_error, 0, "the peer ended the connection"));
}

// The connection ends and the peer is told why.
void session::fail(quic::connection_error error) {
    error_ = std::move(error);
    close_due_ = true;
}

void session::fail(quic::transport_error code, std::uint64_t frame_type, std::string_view reason) {
    fail(quic::connection_error::transport(code, frame_type, reason));
}

// The connection ends without a word.
void session::end(quic::connection_error why) {
    error_ = std::move(why);
    close_due_ = false;
    over_ = true;
}

// --- stream_transport ---

std::optional<quic::stream_id> session::open(quic::direction kind) {
    if (error_) return std::nullopt;
    return streams_.open(kind);
}

std::size_t session::write(quic::stream_id id, std::span<const std::uint8_t> data, bool end, time_point now) {
    now_ = now;
    return error_ ? 0 : streams_.write(id, data, end, now);
}

stream_transport::read_result session::read(quic::stream_id id, std::span<std::uint8_t> out, time_point now,
                                            wait_ledger* ledger) {
    now_ = now;
    const auto result = streams_.read(id, out, now);
    if (const auto it = incoming_.find(id); it != incoming_.end()) {
        it->second.waits.charge(result.n, now, std::array{&ledger_, ledger});
    }
    return {result.n, result.end, result.reset};
}

void session::reset(quic::stream_id id, std::uint64_t code) { streams_.reset(id, code, now_); }

void session::stop_sending(quic::stream_id id, std::uint64_t code) {
    streams_.stop_sending(id, code, now_);
    if (const auto it = incoming_.find(id); it != incoming_.end()) {
        it->second.discarded = true;
        it->second.waits.clear();
    }
}

void session::set_priority(quic::stream_id id, const priority& p) { streams_.set_priority(id, p.urgency, p.incremental); }

std::optional<stream_event> session::poll_stream_event() {
    using from = quic::stream_event_kind;
    using to = stream_event::kind;
    while (const auto event = streams_.poll_event()) {
        switch (event->kind) {
            case from::opened:
                return stream_event{to::opened, event->id};
            case from::readable:
                return stream_event{to::readable, event->id};
            case from::writable:
                return stream_event{to::writable, event->id};
            case from::stop_sending:
                return stream_event{.what = to::stop_sending, .id = event->id, .code = event->code};
            case from::streams_available:
                return stream_event{.what = to::streams_available, .way = event->which};
            case from::closed:
                incoming_.erase(event->id);
                return stream_event{to::finished, event->id};
            case from::reset:     // told by read, after `readable`
            case from::finished:  // acknowledged as soon as sent: nothing to tell
                break;
        }
    }
    return std::nullopt;
}

wait_ledger session::ledger() const {
    auto all = ledger_;
    all.merge(streams_.send_waits());
    return all;
}

}  // namespace tandem::http::qmux
