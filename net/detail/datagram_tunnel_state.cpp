#include <tandem/net/detail/datagram_tunnel_state.hpp>

#include <utility>

#include <boost/asio/error.hpp>

namespace tandem::net::detail {

namespace error = boost::asio::error;
namespace errc = boost::system::errc;
using boost::system::error_code;

datagram_tunnel_state::datagram_tunnel_state(boost::asio::any_io_executor executor, datagram_tunnel_options options)
    : executor_(std::move(executor)), options_(std::move(options)), engine_(options_.limits), close_timer_(executor_) {}

// How it begins.

void datagram_tunnel_state::opened() {
    open_ = true;
    connecting_.complete({}, shared_from_this());
}

void datagram_tunnel_state::refused(error_code error, std::string why) {
    end_ = error;
    failure_text_ = std::move(why);
    gone_ = true;
    connecting_.complete(error, shared_from_this());
}

void datagram_tunnel_state::refuse_answer(error_code error, std::string why) {
    refused(error, std::move(why));
    channel_->reset(http::h3_error::request_cancelled);
}

void datagram_tunnel_state::cancel_connect() {
    if (connecting_) fail(error::operation_aborted, "cancelled", http::h3_error::request_cancelled);
}

// The user's side.

void datagram_tunnel_state::receive(receive_operation op) {
    if (receiving_) return op.complete(error::already_started, {});
    receiving_ = std::move(op);
    advance();
    wake();
}

void datagram_tunnel_state::cancel_receive() { receiving_.complete(error::operation_aborted, {}); }

datagram_carrier datagram_tunnel_state::send(std::span<const std::uint8_t> datagram) {
    using enum http::datagram_result;
    const auto drop = [this] { return ++counts_.not_sent, datagram_carrier::none; };
    if (!open_ || gone_ || closing_ || datagram.size() > options_.limits.size) return drop();
    const auto result = channel_->send(datagram);
    if (result == queued) return ++counts_.sent_in_quic, datagram_carrier::quic;
    if (result == full || (result == too_large && !options_.large_in_capsules) || !engine_.send(datagram)) return drop();
    wake();
    return ++counts_.sent_in_capsules, datagram_carrier::capsule;
}

std::size_t datagram_tunnel_state::max_datagram() const { return open_ && !gone_ && !closing_ ? channel_->max_datagram() : 0; }

void datagram_tunnel_state::close() {
    if (std::exchange(closing_, true)) return;
    engine_.discard();
    held_.clear();
    if (!end_) end_ = error::operation_aborted;
    receiving_.complete(*end_, {});
    if (gone_) return;
    if (!open_) return fail(error::operation_aborted, "closed", http::h3_error::request_cancelled);
    close_timer_.expires_after(options_.close_timeout);
    close_timer_.async_wait([weak = weak_from_this()](const error_code& e) {
        if (auto self = weak.lock(); self && !e)
            self->fail(error::timed_out, "the peer did not end the tunnel", http::h3_error::no_error);
    });
    wake();
}

void datagram_tunnel_state::reset() { fail(error::operation_aborted, "reset by this side", http::h3_error::request_cancelled); }

datagram_tunnel_counts datagram_tunnel_state::counts() const {
    auto out = counts_;
    out.unread = engine_.unread();
    out.too_large = engine_.reader().too_large();
    out.unknown = engine_.reader().skipped();
    return out;
}

// The channel's side.

// Once this side has ended, what still comes is thrown away until the peer ends too.
bool datagram_tunnel_state::hungry() const {
    if (gone_) return false;
    return closing_ || (held_.empty() && engine_.wants_to_receive());
}

void datagram_tunnel_state::on_bytes(std::span<const std::uint8_t> bytes) {
    if (gone_ || closing_) return;
    if (held_.empty()) bytes = bytes.subspan(engine_.receive(bytes));
    held_.insert(held_.end(), bytes.begin(), bytes.end());
    advance();
}

void datagram_tunnel_state::on_datagram(std::vector<std::uint8_t> datagram) {
    if (gone_ || closing_) return;
    engine_.arrived(std::move(datagram));
    deliver();
}

void datagram_tunnel_state::deliver() {
    if (!receiving_) return;
    auto datagram = engine_.poll();
    if (!datagram) return;
    ++counts_.received;
    receiving_.complete({}, std::move(*datagram));
}

void datagram_tunnel_state::advance() {
    deliver();
    if (!held_.empty()) {
        const auto taken = engine_.receive(held_);
        held_.erase(held_.begin(), held_.begin() + static_cast<std::ptrdiff_t>(taken));
        if (held_.empty()) held_ = {};  // a quiet tunnel holds nothing
        deliver();
    }
    look_at_end();
}

void datagram_tunnel_state::look_at_end() {
    if (!end_ && stream_end_ && held_.empty()) {
        if (*stream_end_ == error::eof && !engine_.may_end()) {  // RFC 9297 3.3
            return fail(errc::make_error_code(errc::protocol_error), "the stream ended in the middle of a capsule",
                        http::h3_error::message_error);
        }
        end_ = stream_end_;
    }
    if (end_ && !engine_.has_datagrams()) receiving_.complete(*end_, {});
}

void datagram_tunnel_state::on_end() {
    if (gone_ || closing_) return;
    if (!stream_end_) stream_end_ = error::eof;
    advance();
}

void datagram_tunnel_state::on_gone(error_code error, std::string why) {
    if (gone_) return;
    gone_ = true;
    close_timer_.cancel();
    if (connecting_) return refused(error, std::move(why));
    if (!stream_end_) {
        stream_end_ = error;
        if (!end_) failure_text_ = std::move(why);
    }
    advance();  // what came before the end can still be read
}

datagram_tunnel_state::produced datagram_tunnel_state::produce(std::span<std::uint8_t> out) {
    if (gone_) return {};
    produced p;
    p.n = engine_.transmit(out);
    p.end = closing_ && !engine_.wants_to_transmit();
    return p;
}

void datagram_tunnel_state::fail(error_code error, std::string why, http::h3_error code) {
    if (!end_) {
        end_ = error;
        failure_text_ = std::move(why);
    }
    if (!std::exchange(gone_, true) && channel_) channel_->reset(code);
    close_timer_.cancel();
    held_.clear();
    if (connecting_) connecting_.complete(*end_, shared_from_this());
    if (!engine_.has_datagrams()) receiving_.complete(*end_, {});
}

void datagram_tunnel_state::dropped() {
    gone_ = true;
    if (!end_) end_ = error::operation_aborted;
    const auto receive = std::move(receiving_);
}

void datagram_tunnel_state::wake() {
    if (!gone_ && channel_) channel_->wake();
}

}  // namespace tandem::net::detail
