// A path that took the handshake may still drop what follows. What a QUIC connection does not even acknowledge goes over TCP.
#include <algorithm>
#include <utility>
#include <vector>

#include <tandem/http/alpn.hpp>
#include <tandem/http/binary_fields.hpp>
#include <tandem/net/clock.hpp>
#include <tandem/net/http_origin.hpp>

namespace tandem::net {

namespace {

constexpr duration silence_check = std::chrono::milliseconds(20);
// No acknowledgment of a request for twice as long as the connection took, within these bounds: an acknowledgment comes within a
// round trip and 25 ms, whatever the server has to think about.
constexpr duration shortest_silence = std::chrono::milliseconds(200);
constexpr duration longest_silence = std::chrono::seconds(2);
// In the middle of a response: so long without a byte of any, then a PING, and as long without an answer to it. A server may take
// its time, so it is not asked all the time; a path may be gone for a second (another radio cell) and come back.
constexpr duration shortest_stall = std::chrono::seconds(1);
constexpr duration probe_interval = std::chrono::seconds(5);

}  // namespace

void http_origin::watch() {
    const bool can_leave = protocols_.size() > 1 && !quic_silent_;
    const bool any = std::any_of(links_.begin(), links_.end(), [](const link& l) {
        return l.ready && !l.active.empty() && l.connection->protocol() == http_protocol::http3;
    });
    if (!can_leave || !any || std::exchange(watching_, true)) return;
    watch_.expires_after(silence_check);
    watch_.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
        auto self = weak.lock();
        if (!self || self->stopped_ || error) return;
        self->watching_ = false;
        self->look_for_silence();
    });
}

// Responses are under way, their sinks want them, and not a byte of any has come for so long.
bool http_origin::stalled(const link& l, time_point at, duration patience) const {
    bool any = false;
    for (const auto& [id, transfer] : l.active) {
        if (at - transfer->moved < patience || !transfer->sink->wants_body()) return false;
        any = any || transfer->answered;
    }
    return any && l.ready && l.connection->protocol() == http_protocol::http3;
}

// Takes note of what was acknowledged, and asks by PING where only the responses stall.
bool http_origin::fell_silent(link& l, time_point at) {
    const auto acknowledged = l.connection->acknowledged();
    if (acknowledged != l.acknowledged || !l.connection->awaits_acknowledgment()) {
        l.acknowledged = acknowledged;
        l.acknowledged_at = at;
        const bool ask = !l.probed_at || at - *l.probed_at >= probe_interval;
        if (ask && stalled(l, at, shortest_stall)) {
            l.probed_at = at;
            l.connection->probe();
        }
        return false;
    }
    if (!l.ready || l.connection->protocol() != http_protocol::http3) return false;
    const auto& times = l.connection->times();
    const auto patience =
        std::clamp<duration>(2 * (times.secured.value_or(at) - times.started), shortest_silence, longest_silence);
    const auto longer = std::max(patience, shortest_stall);
    if (stalled(l, at, longer) && at - l.acknowledged_at >= longer) return true;
    return std::any_of(l.active.begin(), l.active.end(), [&](const auto& active) {
        const auto& t = *active.second;
        return !t.answered && at - std::max(*t.info.submitted, l.acknowledged_at) >= patience;
    });
}

void http_origin::look_for_silence() {
    const auto at = now();
    for (auto& l : links_) {
        if (fell_silent(l, at)) leave(l, at);
    }
    watch();
}

void http_origin::leave(link& l, time_point at) {
    quic_silent_ = true;
    shape_ = http_protocol::http2;
    if (options_.known) options_.known->broken(name_, l.network, http::alpn_h3, wall_seconds());
    if (options_.connection.trace) options_.connection.trace("QUIC has fallen silent: what can be asked for again goes over TCP");
    l.going_away = true;
    std::vector<std::unique_ptr<pending_transfer>> whole;
    for (auto it = l.active.begin(); it != l.active.end();) {
        auto active = it++;
        auto& transfer = active->second;
        if (transfer->answered && transfer->rest.complete()) {
            whole.push_back(std::move(transfer));
            l.active.erase(active);
            --active_;
            continue;
        }
        if (transfer->answered ? !carry_over(*transfer) : !http::is_safe_method(transfer->request.method)) continue;
        if (auto* session = l.connection->session()) session->cancel(active->first, at);
        queue_.push_back(std::move(transfer));
        l.active.erase(active);
        --active_;
    }
    for (auto& transfer : whole) end(std::move(transfer), std::nullopt);
    schedule_dispatch();
}

// Whether the rest of a response that has begun, or all of it again, may be asked for on another connection; then the transfer is
// ready for it.
bool http_origin::carry_over(pending_transfer& t) const {
    if (!t.plain_get() || t.info.attempts >= max_attempts) return false;
    t.resuming = t.rest.possible();
    if (!t.resuming) {
        if (!t.sink->on_restart()) return false;
        t.rest.reset();
        t.info.body_bytes = 0;
    }
    t.answered = false;
    t.skip = 0;
    t.info.finished.reset();
    return true;
}

}  // namespace tandem::net
