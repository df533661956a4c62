#include <tandem/net/detail/websocket_state.hpp>

#include <algorithm>
#include <utility>
#include <variant>

#include <boost/asio/error.hpp>

#include <tandem/net/clock.hpp>
#include <tandem/net/entropy.hpp>

namespace tandem::net::detail {

namespace error = boost::asio::error;
namespace errc = boost::system::errc;
using boost::system::error_code;

namespace {

error_code error_of(std::uint16_t code) {
    if (code == http::websocket_code::too_big) return error::message_size;
    if (code == http::websocket_code::invalid_data) return errc::make_error_code(errc::illegal_byte_sequence);
    return errc::make_error_code(errc::protocol_error);
}

}  // namespace

websocket_state::websocket_state(boost::asio::any_io_executor executor, http::websocket_engine::role side,
                                 websocket_options options)
    : executor_(std::move(executor)),
      options_(std::move(options)),
      engine_(side, options_.limits, random_seed),
      timer_(executor_) {}

const http::websocket_close& websocket_state::peer_close() const {
    static const http::websocket_close none;
    return engine_.peer_close() ? *engine_.peer_close() : none;
}

// How it begins.

void websocket_state::opened(std::string subprotocol) {
    subprotocol_ = std::move(subprotocol);
    open_ = true;
    heard_ = now();
    connecting_.complete({}, shared_from_this());
    arm();
}

void websocket_state::refused(error_code error, std::string why) {
    end_ = error;
    failure_text_ = std::move(why);
    gone_ = true;
    connecting_.complete(error, shared_from_this());
}

void websocket_state::cancel_connect() {
    if (connecting_) fail(error::operation_aborted, "cancelled");
}

// The user's side.

void websocket_state::read(read_operation op) {
    if (reading_) return op.complete(error::already_started, {});
    if (inbox_) {
        op.complete({}, std::move(*std::exchange(inbox_, std::nullopt)));
    } else if (end_) {
        return op.complete(*end_, {});
    } else {
        reading_ = std::move(op);
    }
    advance();
    wake();
}

void websocket_state::cancel_read() { reading_.complete(error::operation_aborted, {}); }

void websocket_state::write(bool text, std::span<const std::uint8_t> data, operation op) {
    if (writing_) return op.complete(error::already_started);
    if (end_ && *end_ != error::eof) return op.complete(*end_);
    if (gone_ || engine_.closing()) return op.complete(error::shut_down);
    if (!engine_.send(text, data)) return op.complete(errc::make_error_code(errc::illegal_byte_sequence));
    writing_ = std::move(op);
    wake();
}

void websocket_state::cancel_write() {
    if (!writing_) return;
    const bool whole = engine_.abandon();
    writing_.complete(error::operation_aborted);
    if (!whole) fail(error::operation_aborted, "a write was cancelled in the middle of a message");
}

void websocket_state::finish_write() {
    if (!writing_ || engine_.sending()) return;
    writing_.complete(!engine_.cut() ? error_code() : end_ && *end_ != error::eof ? *end_ : error_code(error::broken_pipe));
}

void websocket_state::close(std::uint16_t code, std::string_view reason, operation op) {
    if (closing_) return op.complete(error::already_started);
    if (engine_.over() && !engine_.failure()) return op.complete({});
    if (end_ && (gone_ || *end_ != error::eof)) return op.complete(*end_);
    if (!engine_.closing() && !engine_.close(code, reason)) return op.complete(error::invalid_argument);
    closing_ = std::move(op);
    discarding_ = true;
    inbox_.reset();
    begin_closing();
    advance();
    wake();
}

void websocket_state::cancel_close() { closing_.complete(error::operation_aborted); }

bool websocket_state::ping(std::string_view payload) {
    if (gone_ || !engine_.ping(payload)) return false;
    wake();
    return true;
}

void websocket_state::reset() { fail(error::operation_aborted, "reset by this side"); }

void websocket_state::released() {
    released_ = discarding_ = true;
    on_pong_ = {};
    inbox_.reset();
    if (gone_) return;
    engine_.close(http::websocket_code::going_away, {});
    begin_closing();
    advance();
    wake();
}

// The channel's side.

// Once both have said their last word, what still comes is thrown away until the stream ends.
bool websocket_state::hungry() const {
    if (gone_) return false;
    return engine_.over() || (!inbox_ && held_.empty() && engine_.wants_to_receive());
}

void websocket_state::on_bytes(std::span<const std::uint8_t> bytes) {
    heard_ = now();
    pinged_.reset();
    if (gone_ || engine_.over()) return;
    if (held_.empty()) {
        while (!bytes.empty() && !inbox_ && engine_.wants_to_receive()) {
            bytes = bytes.subspan(engine_.receive(bytes));
            if (auto event = engine_.poll_event()) deliver(std::move(*event));
        }
    }
    held_.insert(held_.end(), bytes.begin(), bytes.end());
    advance();
}

void websocket_state::feed() {
    std::size_t taken = 0;
    while (taken < held_.size() && !inbox_ && engine_.wants_to_receive()) {
        taken += engine_.receive(std::span(held_).subspan(taken));
        if (auto event = engine_.poll_event()) deliver(std::move(*event));
    }
    held_.erase(held_.begin(), held_.begin() + static_cast<std::ptrdiff_t>(taken));
    if (engine_.peer_close() || engine_.failure()) held_.clear();  // nothing that follows means anything
}

void websocket_state::deliver(http::websocket_event event) {
    if (auto* pong = std::get_if<http::websocket_events::pong>(&event)) {
        if (on_pong_) on_pong_(pong->payload);
        return;
    }
    auto& message = std::get<http::websocket_message>(event);
    if (reading_) {
        reading_.complete({}, std::move(message));
    } else if (!discarding_) {
        inbox_ = std::move(message);
    }
}

void websocket_state::advance() {
    feed();
    look_at_end();
    if (engine_.wants_to_transmit() || engine_.over()) wake();
}

void websocket_state::look_at_end() {
    if (!end_ && engine_.failure()) {
        end_ = error_of(engine_.failure()->code);
        failure_text_ = engine_.failure()->reason;
        begin_closing();
    } else if (!end_ && engine_.peer_close()) {
        end_ = error::eof;
        begin_closing();
    } else if (!end_ && stream_end_ && held_.empty()) {
        return fail(*stream_end_, failure_text_);
    }
    if (end_ && !inbox_) reading_.complete(*end_, {});
    if (engine_.over()) closing_.complete(engine_.failure() ? *end_ : error_code());
}

void websocket_state::on_end() {
    if (engine_.over() || gone_) return;
    if (!stream_end_) stream_end_ = error::connection_reset;
    if (failure_text_.empty()) failure_text_ = "the stream ended without a Close frame";
    advance();
}

void websocket_state::on_gone(error_code error, std::string why) {
    if (gone_) return;
    gone_ = true;
    if (connecting_) return refused(error, std::move(why));
    timer_.cancel();
    if (!stream_end_) stream_end_ = error;
    if (!end_ && failure_text_.empty()) failure_text_ = std::move(why);
    advance();  // messages that came before the end can still be read
    if (end_) end_operations();
}

websocket_state::produced websocket_state::produce(std::span<std::uint8_t> out) {
    if (gone_) return {};
    produced p;
    p.n = engine_.transmit(out);
    finish_write();
    p.end = engine_.over();
    if (p.end) look_at_end();
    return p;
}

void websocket_state::fail(error_code error, std::string why) {
    if (!end_) {
        end_ = error;
        failure_text_ = std::move(why);
    }
    if (!std::exchange(gone_, true) && channel_) channel_->reset();
    timer_.cancel();
    end_operations();
}

void websocket_state::end_operations() {
    const auto broken = *end_ == error::eof ? error_code(error::connection_reset) : *end_;
    if (connecting_) connecting_.complete(*end_, shared_from_this());
    if (!inbox_) reading_.complete(*end_, {});
    engine_.abandon();
    writing_.complete(broken);
    closing_.complete(broken);
}

void websocket_state::dropped() {
    gone_ = true;
    if (!end_) end_ = error::operation_aborted;
    const auto read = std::move(reading_);
    const auto write = std::move(writing_);
    const auto close = std::move(closing_);
}

void websocket_state::wake() {
    if (!gone_ && channel_) channel_->wake();
}

// Time.

void websocket_state::begin_closing() {
    if (!close_deadline_) close_deadline_ = now() + options_.close_timeout;
    arm();
}

void websocket_state::arm() {
    auto deadline = close_deadline_;
    if (!deadline && options_.idle_timeout > duration::zero()) deadline = pinged_.value_or(heard_) + options_.idle_timeout / 2;
    if (gone_ || !deadline || (armed_ && *armed_ <= *deadline)) return;
    armed_ = deadline;
    timer_.expires_at(to_steady(*deadline));
    timer_.async_wait([weak = weak_from_this()](const error_code& e) {
        if (auto self = weak.lock(); self && !e) self->on_timer();
    });
}

void websocket_state::on_timer() {
    armed_.reset();
    if (gone_) return;
    const auto at = now();
    if (close_deadline_) {
        if (at >= *close_deadline_) return fail(error::timed_out, "the closing handshake took too long");
    } else if (!hungry()) {
        heard_ = at;  // it is this side that does not listen
        pinged_.reset();
    } else if (at - pinged_.value_or(heard_) >= options_.idle_timeout / 2) {
        if (pinged_) return fail(error::timed_out, "nothing was heard from the peer, not even the answer to a ping");
        pinged_ = at;
        ping({});
    }
    arm();
}

}  // namespace tandem::net::detail
