// What the application does with a connection, and its ends.
#include <algorithm>
#include <bit>

#include <tandem/tcp/connection.hpp>
#include <tandem/tcp/sequence.hpp>

namespace tandem::tcp {
namespace {

// Both protocols count the same bytes: a TCP segment is counted as the UDP payload of a packet of the same size, that is without
// the IP header and eight bytes of UDP header. At an MTU of 1500 a full packet counts 1472 in QUIC and in TCP.
recovery::sender_config sender_config_of(const config& c, bool v6, std::uint64_t seed) {
    recovery::sender_config out{c.controller, c.initial_rtt, c.pacing};
    out.controller.max_datagram_size = c.mtu - ip_header_size(v6) - 8;
    out.controller.loss_window = 1;  // RFC 5681 3.1: after a timeout
    out.controller.seed = seed;
    return out;
}

// RFC 4821 7.2: small enough for nearly every path, large enough to lose little while larger sizes are tried.
constexpr std::uint16_t first_probed_mtu = 1280;

config within_bounds(config c, bool v6) {
    c.mtu = std::max(c.mtu, v6 ? min_mtu_v6 : min_mtu_v4);
    c.unsent_low_water = std::min(c.unsent_low_water, c.send_buffer);
    return c;
}

}  // namespace

std::string_view to_string(state s) {
    switch (s) {
        case state::closed:
            return "CLOSED";
        case state::syn_sent:
            return "SYN-SENT";
        case state::syn_received:
            return "SYN-RECEIVED";
        case state::established:
            return "ESTABLISHED";
        case state::fin_wait_1:
            return "FIN-WAIT-1";
        case state::fin_wait_2:
            return "FIN-WAIT-2";
        case state::close_wait:
            return "CLOSE-WAIT";
        case state::closing:
            return "CLOSING";
        case state::last_ack:
            return "LAST-ACK";
        case state::time_wait:
            return "TIME-WAIT";
    }
    return "?";
}

std::string_view to_string(event e) {
    switch (e) {
        case event::accepted:
            return "accepted";
        case event::connected:
            return "connected";
        case event::readable:
            return "readable";
        case event::writable:
            return "writable";
        case event::peer_closed:
            return "peer closed";
        case event::closed:
            return "closed";
        case event::refused:
            return "refused";
        case event::reset:
            return "reset";
        case event::timed_out:
            return "timed out";
        case event::unreachable:
            return "unreachable";
    }
    return "?";
}

statistics& statistics::operator+=(const statistics& o) {
    segments_sent += o.segments_sent;
    segments_received += o.segments_received;
    bytes_sent += o.bytes_sent;
    bytes_received += o.bytes_received;
    retransmissions += o.retransmissions;
    losses += o.losses;
    spurious_losses += o.spurious_losses;
    timeouts += o.timeouts;
    spurious_timeouts += o.spurious_timeouts;
    tail_loss_probes += o.tail_loss_probes;
    window_probes += o.window_probes;
    keepalives += o.keepalives;
    duplicate_acks_received += o.duplicate_acks_received;
    dsacks_received += o.dsacks_received;
    dsacks_sent += o.dsacks_sent;
    acks_sent += o.acks_sent;
    challenge_acks_sent += o.challenge_acks_sent;
    challenge_acks_suppressed += o.challenge_acks_suppressed;
    paws_rejected += o.paws_rejected;
    out_of_window += o.out_of_window;
    mtu_probes_sent += o.mtu_probes_sent;
    mtu_probes_lost += o.mtu_probes_lost;
    mtu_black_holes += o.mtu_black_holes;
    ce_received += o.ce_received;
    ecn_reductions += o.ecn_reductions;
    syn_retransmissions += o.syn_retransmissions;
    probe_retransmissions += o.probe_retransmissions;
    timeout_retransmissions += o.timeout_retransmissions;
    gap_limit_drops += o.gap_limit_drops;
    for (std::size_t i = 0; i < dropped.size(); ++i) dropped[i] += o.dropped[i];
    peer_window_limited += o.peer_window_limited;
    peer_window_wait += o.peer_window_wait;
    return *this;
}

connection::connection(const ip_path& path, const config& c, const connection_seed& seed, bool active, time_point now)
    : path_(path),
      config_(within_bounds(c, path.remote.address.is_v6)),
      state_(active ? state::syn_sent : state::syn_received),
      active_(active),
      iss_(first_sequence(seed.initial_sequence)),
      snd_una_(iss_),
      snd_nxt_(iss_),
      snd_max_(iss_),
      mtu_(config_.mtu),
      mtu_search_(path.remote.address.is_v6 ? min_mtu_v6 : min_mtu_v4, config_.mtu),
      peer_mss_(default_mss(path)),
      sack_(config_.sack),
      nagle_(config_.nagle),
      window_(config_.receive_window, config_.max_receive_window, config_.window_scale),
      ack_(config_.ack_delay, config_.quick_acks),
      sender_(sender_config_of(config_, path.remote.address.is_v6, seed.random)),
      tolerance_(config_.reordering),
      timestamps_(config_.timestamps, seed.timestamp_offset),
      timer_(config_.min_rto, config_.max_rto, config_.peer_ack_delay, config_.min_rto_variation),
      created_(now),
      progress_at_(now),
      heard_at_(now),
      user_timeout_(config_.user_timeout),
      ecn_(config_.ecn),
      challenges_(seed.random),
      limits_(now),
      latest_(now) {
    mtu_search_.set_fallback(first_probed_mtu);
    mtu_search_.assume(config_.probing == mtu_probing::always ? first_probed_mtu : config_.mtu);
    mtu_ = static_cast<std::uint16_t>(mtu_search_.size());
}

connection::~connection() = default;

std::unique_ptr<connection> connection::connect(const ip_path& path, const config& c, const connection_seed& seed,
                                                time_point now) {
    auto out = std::unique_ptr<connection>(new connection(path, c, seed, true, now));
    out->begin_trace(now);
    return out;
}

std::unique_ptr<connection> connection::accept(const ip_path& path, const config& c, const connection_seed& seed,
                                               const segment& syn, time_point now) {
    auto out = std::unique_ptr<connection>(new connection(path, c, seed, false, now));
    out->take_syn(syn, now);
    return out;
}

std::unique_ptr<connection> connection::accept_answered(const ip_path& path, const config& c, const connection_seed& seed,
                                                        const segment& syn, time_point now) {
    auto out = accept(path, c, seed, syn, now);
    out->syn_pending_ = false;
    out->snd_nxt_ = out->snd_max_ = out->iss_ + 1;
    out->window_.announce_unscaled(0, 0, announced_mss(c, path));
    return out;
}

std::uint16_t connection::announced_mss(const config& c, const ip_path& path) {
    const bool v6 = path.remote.address.is_v6;
    const auto path_mss = static_cast<std::uint16_t>(within_bounds(c, v6).mtu - ip_header_size(v6) - 20);
    return c.mss_limit == 0 ? path_mss : std::min(path_mss, std::max(c.mss_limit, min_peer_mss));
}

std::size_t connection::send_room() const {
    if (fin_queued_ || (state_ > state::established && state_ != state::close_wait) || state_ == state::closed) return 0;
    return config_.send_buffer - std::min<std::size_t>(config_.send_buffer, out_.unsent());
}

std::size_t connection::write(std::span<const std::uint8_t> data) {
    const auto n = std::min(data.size(), send_room());
    if (n < data.size()) wants_writable_ = true;
    if (n == 0) return 0;
    out_.append(data.first(n));
    wake();
    return n;
}

std::size_t connection::writable_without_queueing() const {
    std::uint64_t sendable = 0;
    if (can_send_data()) {
        const auto window = window_edge() - std::min(window_edge(), snd_nxt_);
        const auto congestion = sender_.congestion_window() - std::min(sender_.congestion_window(), sender_.bytes_in_flight());
        sendable = std::min(window, congestion);
    }
    const auto target = std::max<std::uint64_t>(sendable, config_.unsent_low_water);
    const auto out = std::min<std::uint64_t>(target - std::min(target, out_.unsent()), send_room());
    if (out < config_.unsent_low_water) wants_low_water_ = true;
    return static_cast<std::size_t>(out);
}

// Events are for those who were told that there was no room, and come when there is enough to be worth it.
void connection::check_writable() {
    const bool room = wants_writable_ && send_room() >= (config_.send_buffer + 3) / 4;
    const bool low_water = wants_low_water_ && out_.unsent() <= config_.unsent_low_water / 2 && send_room() > 0;
    if (!can_send_data() || (!room && !low_water)) return;
    wants_writable_ = wants_low_water_ = false;
    raise(event::writable);
}

std::uint64_t connection::unsent() const { return out_.unsent(); }
std::uint64_t connection::unacknowledged() const { return out_.size(); }
std::uint32_t connection::oldest_unacknowledged() const { return on_wire(snd_una_); }

// RFC 9293 3.10.4.
void connection::shutdown_send() {
    if (fin_queued_ || state_ == state::closed) return;
    fin_queued_ = true;
    if (state_ == state::established) state_ = state::fin_wait_1;
    if (state_ == state::close_wait) state_ = state::last_ack;
    wake();
}

// RFC 9293 3.10.5.
void connection::abort() {
    if (state_ == state::closed) return;
    if (state_ != state::syn_sent && state_ != state::closing && state_ != state::last_ack && state_ != state::time_wait) {
        reset_peer();
    }
    const bool told = state_ == state::time_wait;  // `closed` was reported when it began
    drop_unread();
    finish(event::closed);
    if (told) pending_events_ &= ~(1u << static_cast<unsigned>(event::closed));
}

void connection::reset_peer() { reset_ = reset_segment{on_wire(acceptable_sequence()), on_wire(rcv_nxt_)}; }

void connection::orphan(time_point now, std::optional<duration> linger) {
    orphaned_ = true;
    pending_events_ = 0;
    if (state_ == state::closed || state_ == state::time_wait) {
        in_.clear();
        wake();
        return;
    }
    if (readable() > 0 || state_ == state::syn_sent || (linger && *linger <= duration::zero())) {
        abort();
        return;
    }
    if (linger) reset_at_ = now + *linger;
    shutdown_send();
    if (state_ == state::fin_wait_2) linger_until_ = now + config_.fin_wait_2_timeout;
}

std::size_t connection::readable() const { return in_.readable(); }
std::span<const std::uint8_t> connection::front() const { return in_.front(); }
bool connection::peer_closed() const { return fin_received_; }

void connection::consume(std::size_t n, time_point now, byte_time_runs* times) {
    in_.consume(n, times);
    if (!rest_at_ && state_ != state::closed) {
        rest_at_ = now + rest;
        wake();
    }
    window_.on_consumed(in_.read_offset(), now, sender_.rtt().has_sample() ? sender_.rtt().smoothed() : duration::zero());
    if (state_ == state::closed && readable() == 0) wake();  // the last thing that kept it
    if (fin_received_ || state_ < state::established || state_ > state::fin_wait_2) return;
    if (window_.update_due(in_.read_offset())) {
        ack_.at_once();
        wake();
    }
}

std::size_t connection::read(std::span<std::uint8_t> out, time_point now, byte_time_runs* times) {
    std::size_t n = 0;
    while (n < out.size() && readable() > 0) {
        const auto piece = in_.front();
        const auto part = std::min(piece.size(), out.size() - n);
        std::copy_n(piece.begin(), part, out.begin() + static_cast<std::ptrdiff_t>(n));
        in_.consume(part, times);
        n += part;
    }
    if (n > 0) consume(0, now, nullptr);
    return n;
}

std::size_t connection::peek(std::span<std::uint8_t> out) const {
    const auto n = std::min(out.size(), readable());
    if (n > 0) in_.peek(out.first(n));
    return n;
}

void connection::set_nagle(bool on) {
    nagle_.set(on);
    wake();
}

void connection::set_cork(bool on) {
    nagle_.cork(on);
    if (!on) wake();
}

void connection::set_user_timeout(duration limit) {
    user_timeout_ = limit;
    wake();
}

void connection::set_quick_ack(std::uint16_t segments) {
    ack_.set_quick(segments);
    if (ack_.due()) wake();
}

void connection::set_keepalive(const std::optional<keepalive_config>& k) {
    config_.keepalive = k;
    keepalives_unanswered_ = 0;
    wake();
}

time_wait_record connection::remains() const {
    return {path_, on_wire(snd_nxt_), on_wire(rcv_nxt_), timestamps_.recent(), timestamps_.enabled(), config_.time_wait};
}

tcp::state connection::state() const { return state_; }
const ip_path& connection::path() const { return path_; }
const statistics& connection::stats() const { return stats_; }
const recovery::congestion_controller& connection::controller() const { return sender_.controller(); }
const recovery::rtt_estimator& connection::rtt() const { return sender_.rtt(); }
std::size_t connection::memory() const { return in_.allocated() + out_.allocated(); }

void connection::set_owner(connection_owner* owner, std::uint32_t tag) {
    owner_ = owner;
    owner_tag_ = tag;
}

std::uint16_t connection::send_mss() const {
    segment_options usual;
    if (timestamps_.enabled()) usual.timestamps.emplace();
    return static_cast<std::uint16_t>(mss_ - std::min<std::size_t>(mss_, options_size(usual)));
}

void connection::wake() {
    if (owner_) owner_->wake(owner_tag_);
}

void connection::raise(event e) {
    if (orphaned_) return;
    pending_events_ |= 1u << static_cast<unsigned>(e);
    wake();
}

std::optional<event> connection::poll_event() {
    if (pending_events_ == 0) return std::nullopt;
    const auto lowest = static_cast<unsigned>(std::countr_zero(pending_events_));
    pending_events_ &= pending_events_ - 1;
    return static_cast<event>(lowest);
}

// Whoever reads on does not take what is missing for the end: only bytes that were read were followed by it.
void connection::drop_unread() {
    if (readable() > 0) {
        fin_received_ = false;
        pending_events_ &= ~(1u << static_cast<unsigned>(event::peer_closed));
    }
    in_.clear();
}

// The connection is no more. What was received in order stays readable after an orderly end.
void connection::finish(event e) {
    const bool known = active_ || state_ != state::syn_received;  // the application was told of it
    if (state_ != state::time_wait) ended_ = e;                   // TIME-WAIT was told to be the end
    state_ = state::closed;
    if (e != event::closed) drop_unread();
    out_.clear();
    segments_.clear();
    recovery_.forget_all(sender_);
    timer_.stop();
    ack_.on_sent();
    pacer_at_.reset();
    linger_until_.reset();
    reset_at_.reset();
    rest_at_.reset();
    syn_pending_ = probe_pending_ = window_probe_pending_ = keepalive_pending_ = false;
    pending_events_ &= ~(1u << static_cast<unsigned>(event::writable));
    if (known) {
        raise(e);
    } else {
        wake();
    }
}

void connection::enter_time_wait(time_point now) {
    state_ = state::time_wait;
    ended_ = event::closed;
    reset_at_.reset();
    timer_.stop();
    linger_until_ = now + config_.time_wait;
    raise(event::closed);
}

}  // namespace tandem::tcp
