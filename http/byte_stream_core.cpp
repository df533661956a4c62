#include <tandem/http/byte_stream_core.hpp>

#include <algorithm>
#include <utility>

namespace tandem::http {
namespace {

constexpr duration handshake_time = std::chrono::seconds(10);  // a peer that does not get on with TLS holds nothing longer
constexpr std::size_t read_size = 16 * 1024;                   // plaintext taken from TLS at a time: a record

// Takes the times of the first n bytes off a list of runs.
template <class Run>
void drop_front(std::vector<Run>& runs, std::uint64_t n) {
    std::size_t whole = 0;
    while (whole < runs.size() && n >= runs[whole].bytes) n -= runs[whole++].bytes;
    if (whole < runs.size()) runs[whole].bytes -= n;
    runs.erase(runs.begin(), runs.begin() + static_cast<std::ptrdiff_t>(whole));
}

}  // namespace

byte_stream_core::byte_stream_core(std::unique_ptr<tls::record_session> session, const tls::error& why,
                                   std::size_t max_record_size, make_peer make, time_point now)
    : tls_(std::move(session)), make_(std::move(make)), handshake_deadline_(now + handshake_time), record_(max_record_size) {
    if (!tls_) error_ = session_error{0, false, why.text, why.code};
}

void byte_stream_core::receive(std::span<const std::uint8_t> ciphertext, std::span<const byte_times> times, time_point now) {
    if (error_ || !tls_) return;
    held_.insert(held_.end(), ciphertext.begin(), ciphertext.end());
    held_times_.insert(held_times_.end(), times.begin(), times.end());
    if (!times.empty()) timed_ = true;
    process(now);
}

void byte_stream_core::receive_end(time_point now) {
    if (error_ || !tls_ || std::exchange(input_ended_, true)) return;
    process(now);
}

bool byte_stream_core::feed_tls() {
    if (held_.empty()) return false;
    auto taken = tls_->receive(held_, held_times_);
    held_.erase(held_.begin(), held_.begin() + static_cast<std::ptrdiff_t>(taken));
    if (timed_) drop_front(held_times_, taken);
    return taken > 0;
}

bool byte_stream_core::feed_peer(time_point now) {
    bool moved = false;
    while (peer_->wants_to_receive()) {
        if (plain_.empty()) {
            if (!plain_buffer_) plain_buffer_ = std::make_unique_for_overwrite<std::uint8_t[]>(read_size);
            plain_times_.clear();
            plain_ = {plain_buffer_.get(), tls_->read({plain_buffer_.get(), read_size}, timed_ ? &plain_times_ : nullptr)};
            if (plain_.empty()) break;
        }
        auto taken = peer_->receive(plain_, plain_times_, now);
        if (taken == 0) break;
        plain_ = plain_.subspan(taken);
        drop_front(plain_times_, taken);
        moved = true;
    }
    return moved;
}

// Moves what came as far up as it goes; true if anything moved.
bool byte_stream_core::process(time_point now) {
    if (error_ || !tls_ || processing_) return false;
    processing_ = true;  // the session may ask for more from within
    bool moved = false;
    for (bool again = true; again && !error_;) {
        again = feed_tls();
        if (input_ended_ && held_.empty() && !std::exchange(end_given_, true)) tls_->end_of_input();
        if (!peer_ && tls_->handshake_complete() && !tls_->failed()) {
            peer_ = make_(tls_->alpn(), now);
            peer_->on_room([this](time_point at) { process(at); });
        }
        if (peer_ && feed_peer(now)) again = true;
        moved = moved || again;
    }
    check_end(now);
    processing_ = false;
    return moved;
}

void byte_stream_core::check_end(time_point now) {
    if (error_) return;
    bool drained = plain_.empty();
    if (tls_->failed() && drained) return fail({0, false, tls_->failure().text, tls_->failure().code}, now);
    if (!peer_) {
        if (tls_->truncated() || (input_ended_ && held_.empty())) {
            fail({0, true, "the connection ended during the TLS handshake", tls::error_code::protocol}, now);
        }
        return;
    }
    bool ended = tls_->peer_closed() || tls_->truncated();
    if (ended && drained && !std::exchange(end_told_, true)) peer_->receive_end(tls_->peer_closed(), now);
    if (peer_->error()) error_ = peer_->error();
}

void byte_stream_core::fail(session_error why, time_point now) {
    error_ = why;
    if (peer_) peer_->connection_lost(why, now);
}

// Seals one record's worth of what the session has to say.
bool byte_stream_core::make_plaintext(time_point now) {
    if (!peer_ || tls_->failed() || closing_) return false;
    auto room = std::min(record_.size(), tls_->write_room());
    auto n = room == 0 ? 0 : peer_->transmit(std::span(record_).first(room), now);
    if (peer_->error()) error_ = peer_->error();
    if (n > 0) {
        tls_->write(std::span(record_).first(n));
        return true;
    }
    if (!peer_->finished_sending()) return false;
    closing_ = true;
    // A message that was cut short must not look whole: then the stream ends without close_notify.
    bool orderly = !error_ || error_->code == static_cast<std::uint64_t>(h3_error::no_error) || error_->by_peer;
    if (orderly) tls_->close();
    return orderly;
}

std::size_t byte_stream_core::transmit(std::span<std::uint8_t> out, time_point now) {
    if (!tls_) return 0;
    process(now);
    std::size_t written = 0;
    while (written < out.size()) {
        auto n = tls_->transmit(out.subspan(written));
        written += n;
        if (n > 0) continue;
        if (!make_plaintext(now) && !process(now)) break;
    }
    return written;
}

bool byte_stream_core::finished_sending() const {
    if (!tls_) return true;
    if (!tls_->pending_output().empty()) return false;
    return closing_ || tls_->failed() || (error_ && !peer_);
}

bool byte_stream_core::wants_to_receive() const {
    if (error_ || !tls_ || !held_.empty()) return false;
    return !peer_ || (peer_->wants_to_receive() && plain_.empty());
}

std::optional<time_point> byte_stream_core::next_timeout() const {
    if (error_) return std::nullopt;
    return peer_ ? peer_->next_timeout() : std::optional(handshake_deadline_);
}

void byte_stream_core::on_timeout(time_point now) {
    if (error_) return;
    if (peer_) {
        peer_->on_timeout(now);
        check_end(now);
    } else if (now >= handshake_deadline_) {
        fail({0, false, "the TLS handshake did not complete in time", tls::error_code::protocol}, now);
    }
}

std::vector<carried_plaintext> byte_stream_core::drain_carried_plaintext() {
    std::vector<carried_plaintext> out;
    if (peer_) peer_->drain_carried(out);
    return out;
}

}  // namespace tandem::http
