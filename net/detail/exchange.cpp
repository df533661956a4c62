#include <tandem/net/detail/exchange.hpp>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>
#include <vector>

#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>

#include <tandem/net/clock.hpp>

namespace tandem::net::detail {

namespace error = boost::asio::error;

// Shared by the exchange and the body source that the session reads.
struct exchange::outgoing {
    std::vector<std::uint8_t> held;
    std::size_t taken = 0;  // of `held`
    std::optional<std::uint64_t> length;
    http::fields trailers;
    bool end = false;
    bool cut = false;
    bool gone = false;  // the session dropped the source: nobody reads any more
    std::span<const std::uint8_t> waiting;
    operation writing;

    void accept(std::span<const std::uint8_t> bytes, operation op) {
        if (taken == held.size()) {
            held.clear();
            taken = 0;
        }
        auto room = write_buffer - std::min(write_buffer, held.size() - taken);
        auto n = std::min(room, bytes.size());
        if (n == 0 && !bytes.empty() && !gone) {
            waiting = bytes;
            writing = std::move(op);
            return;
        }
        if (gone)
            n = bytes.size();  // a response to HEAD
        else
            held.insert(held.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(n));
        op.complete({}, n);
    }
};

class exchange::streamed_body final : public http::body_source {
public:
    explicit streamed_body(std::shared_ptr<outgoing> out) : out_(std::move(out)) {}
    ~streamed_body() override {
        out_->gone = true;
        out_->held = {};
        out_->taken = 0;
        if (out_->writing) out_->accept(out_->waiting, std::move(out_->writing));
    }
    result read(std::span<std::uint8_t> out) override {
        auto& o = *out_;
        auto n = std::min(out.size(), o.held.size() - o.taken);
        if (n > 0) std::memcpy(out.data(), o.held.data() + o.taken, n);
        o.taken += n;
        if (o.writing) o.accept(o.waiting, std::move(o.writing));
        return {n, o.end && o.taken == o.held.size(), o.cut};
    }
    std::optional<std::uint64_t> content_length() const override { return out_->length; }
    http::fields trailers() override { return std::move(out_->trailers); }

private:
    std::shared_ptr<outgoing> out_;
};

// Tells the connection how much of a body its session took, while both are there.
class exchange::metered_body final : public http::body_source {
public:
    metered_body(std::unique_ptr<http::body_source> body, std::shared_ptr<exchange> of)
        : body_(std::move(body)), of_(std::move(of)) {}
    result read(std::span<std::uint8_t> out) override {
        const auto got = body_->read(out);
        if (of_->host_ != nullptr) of_->host_->moved(got.n);
        return got;
    }
    std::optional<std::uint64_t> content_length() const override { return body_->content_length(); }
    http::fields trailers() override { return body_->trailers(); }

private:
    std::unique_ptr<http::body_source> body_;
    std::shared_ptr<exchange> of_;
};

exchange::exchange(exchange_host& host, http::server_events::request& event, const request_source& source,
                   boost::asio::any_io_executor executor, time_point begun)
    : host_(&host),
      id_(event.id),
      request_(std::move(event.message)),
      source_(source),
      executor_(std::move(executor)),
      begun_(begun),
      has_body_(event.has_body) {}

void exchange::read(std::span<std::uint8_t> out, operation op) {
    if (reading_) return op.complete(error::already_started, 0);
    if (received_ || (!has_body_ && host_ != nullptr)) return op.complete(error::eof, 0);
    if (host_ == nullptr) return op.complete(error::connection_reset, 0);
    if (discarding_) return op.complete(error::operation_aborted, 0);
    const auto at = now();
    auto n = out.empty() ? 0 : take(out, at);
    if (body_too_large(at)) return op.complete(error::message_size, 0);
    if (host_ != nullptr) host_->wake();  // for the credit, or for 100 Continue
    if (n > 0 || out.empty()) return op.complete({}, n);
    reading_into_ = out;
    reading_ = std::move(op);
}

std::size_t exchange::take(std::span<std::uint8_t> out, time_point at) {
    const auto n = host_->session().read_body(id_, out, at);
    body_taken_ += n;
    if (host_ != nullptr) host_->moved(n);
    return n;
}

// More came than was announced, or nothing was: the answer is 413, unless it was given already.
bool exchange::body_too_large(time_point at) {
    if (body_taken_ <= largest_body_ || is_tunnel() || discarding_) return false;
    reading_.complete(error::message_size, 0);
    if (status_ != 0) {
        reset(http::h3_error::excessive_load);
    } else {
        respond({413, {}}, nullptr);
        if (host_ != nullptr) host_->session().refuse_body(id_, at);
    }
    return true;
}

exchange::turn exchange::whose_turn() const {
    if (host_ == nullptr || is_tunnel()) return turn::handler;
    const bool streams = outgoing_ && !outgoing_->end;
    if (status_ != 0 && (!streams || outgoing_->taken < outgoing_->held.size())) return turn::client;
    if (!reading_) return turn::handler;
    return status_ == 0 ? turn::client : turn::conversation;
}

void exchange::cancel_read() { reading_.complete(error::operation_aborted, 0); }

void exchange::body_available(time_point at) {
    if (discarding_) return discard(at);
    if (!reading_) return;  // the next read finds it
    const auto n = take(reading_into_, at);
    if (n > 0 && !body_too_large(at)) reading_.complete({}, n);
}

void exchange::discard(time_point at) {
    static thread_local std::array<std::uint8_t, 16 * 1024> sink;
    while (auto n = take(sink, at)) {
        discarded_ += n;
        if (discarded_ > discard_limit_) return host_->session().refuse_body(id_, at);
    }
}

void exchange::received() {
    received_ = true;
    reading_.complete(error::eof, 0);
}

void exchange::ended() {
    host_ = nullptr;
    reading_.complete(boost::system::error_code(error::connection_reset), 0);
    if (outgoing_) outgoing_->writing.complete(error::connection_reset, 0);
    if (auto done = std::exchange(on_over_, {})) boost::asio::post(executor_, std::move(done));
}

void exchange::inform(http::response head) {
    if (host_ == nullptr || status_ != 0) return;
    host_->session().inform(id_, std::move(head), now());
    host_->wake();
}

void exchange::respond(http::response head, std::unique_ptr<http::body_source> body) {
    if (host_ == nullptr || status_ != 0) return;
    host_->decorate(head.fields);
    status_ = head.status;
    if (body) {
        bytes_ = body->content_length();
        body = std::make_unique<metered_body>(std::move(body), shared_from_this());
    }
    discarding_ = outgoing_ == nullptr;
    host_->session().respond(id_, std::move(head), std::move(body), now());
    if (discarding_) {
        reading_.complete(error::operation_aborted, 0);
        if (has_body_ && !received_) discard(now());
    }
    host_->wake();
}

void exchange::begin(http::response head, std::optional<std::uint64_t> length) {
    if (host_ == nullptr || status_ != 0) return;
    outgoing_ = std::make_shared<outgoing>();
    outgoing_->length = length;
    respond(std::move(head), std::make_unique<streamed_body>(outgoing_));
}

void exchange::write(std::span<const std::uint8_t> bytes, operation op) {
    if (host_ == nullptr) return op.complete(error::connection_reset, 0);
    if (!outgoing_ || outgoing_->end) return op.complete(error::shut_down, 0);
    if (outgoing_->writing) return op.complete(error::already_started, 0);
    outgoing_->accept(bytes, std::move(op));
    host_->session().resume_body(id_);
    host_->wake();
}

void exchange::cancel_write() {
    if (outgoing_) outgoing_->writing.complete(error::operation_aborted, 0);
}

void exchange::finish(http::fields trailers) {
    if (host_ == nullptr || !outgoing_ || outgoing_->end) return;
    outgoing_->trailers = std::move(trailers);
    outgoing_->end = true;
    host_->session().resume_body(id_);
    host_->wake();
}

void exchange::reset(http::h3_error code) {
    if (host_ == nullptr) return;
    host_->session().reset(id_, code, now());
    host_->wake();
}

void exchange::released() {
    if (host_ == nullptr) return;
    if (status_ == 0) return respond({500, {}}, nullptr);
    if (outgoing_ && !outgoing_->end) {
        outgoing_->cut = true;
        host_->session().resume_body(id_);
    }
    const bool unread = !std::exchange(discarding_, true) && has_body_ && !received_;
    if (unread && is_tunnel())
        host_->session().refuse_body(id_, now());  // it may have no end
    else if (unread)
        discard(now());
    host_->wake();
}

}  // namespace tandem::net::detail
