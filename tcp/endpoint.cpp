// Connections come and go; listeners.
#include <utility>

#include <tandem/tcp/endpoint.hpp>

namespace tandem::tcp {

endpoint::endpoint(const endpoint_config& c, const random_source& random)
    : config_(c), isn_(random), cookies_({isn_.draw(), isn_.draw()}), by_path_(0, path_hash{&isn_}), time_wait_(isn_) {}

endpoint::~endpoint() = default;

// RFC 9293 3.10.7.4, RFC 6191: after a TIME-WAIT that was ended early, numbers begin beyond those of the connection before.
connection_seed endpoint::make_seed(const ip_path& path, time_point now, const time_wait_record* before) {
    constexpr std::uint32_t beyond = 65535 + 2;
    auto first = isn_.initial_sequence(path, now);
    if (before && static_cast<std::int32_t>(first - before->next_sequence) <= 0) first = before->next_sequence + beyond;
    return {first, isn_.timestamp_offset(path), isn_.draw()};
}

// With timestamps the peer tells old segments from new ones, a second after the connection before.
bool endpoint::may_reuse_for_connect(const ip_path& path, time_point now) const {
    const auto old = time_wait_.find(path);
    return old && old->timestamps && *time_wait_.until(path) - old->lifetime + std::chrono::seconds(1) <= now;
}

// RFC 6056 3.3.1: from a random place onward. If all are in use, one that only waits.
std::uint16_t endpoint::pick_port(const ip_endpoint& local, const ip_endpoint& remote, time_point now) {
    const std::uint32_t first = config_.first_ephemeral_port;
    const std::uint32_t count = config_.last_ephemeral_port - first + 1u;
    const auto start = isn_.draw_below(count);
    std::uint16_t waiting = 0;
    for (std::uint32_t i = 0; i < count; ++i) {
        const auto port = static_cast<std::uint16_t>(first + (start + i) % count);
        const ip_path path{{local.address, port}, remote};
        if (by_path_.contains(path)) continue;
        if (time_wait_.size() == 0 || !time_wait_.find(path)) return port;
        if (waiting == 0 && may_reuse_for_connect(path, now)) waiting = port;
    }
    return waiting;
}

connection_handle endpoint::connect(ip_endpoint local, const ip_endpoint& remote, const config& c, time_point now,
                                    connect_error* error) {
    const auto fail = [error](connect_error why) {
        if (error) *error = why;
        return connection_handle{};
    };
    if (error) *error = connect_error::none;
    const bool unspecified = remote.address == ip_address{{}, remote.address.is_v6};
    const bool wrong_family = local.address.is_v6 != remote.address.is_v6;
    // RFC 9293 MUST-46: not to many at once.
    if (wrong_family || remote.port == 0 || unspecified || is_multicast(remote.address)) return fail(connect_error::bad_address);
    if (connections_full()) return fail(connect_error::no_free_port);
    if (local.port == 0) local.port = pick_port(local, remote, now);
    if (local.port == 0) {
        ++stats_.no_free_port;
        return fail(connect_error::no_free_port);
    }
    const ip_path path{local, remote};
    const auto before = time_wait_.find(path);
    if (by_path_.contains(path) || (before && !may_reuse_for_connect(path, now))) return fail(connect_error::port_in_use);
    if (before) {
        time_wait_.erase(path);
        ++stats_.time_wait_reused;
    }
    const auto index = add(connection::connect(path, own(c), make_seed(path, now, before ? &*before : nullptr), now), path);
    wake(index);
    return {index, slots_[index].generation};
}

bool endpoint::listen(const ip_endpoint& local, const listen_config& c) {
    return listeners_.try_emplace(local, listener{c}).second;
}

bool endpoint::set_backlog(const ip_endpoint& local, std::size_t backlog) {
    const auto it = listeners_.find(local);
    if (it == listeners_.end()) return false;
    it->second.config.backlog = backlog;
    return true;
}

// What the endpoint decides for all its connections.
config endpoint::own(config c) const {
    c.checksum_offload = config_.checksum_offload;
    return c;
}

void endpoint::close_listener(const ip_endpoint& local) { listeners_.erase(local); }

endpoint::listener* endpoint::find_listener(const ip_endpoint& local, ip_endpoint& key) {
    for (const auto& candidate : {local, ip_endpoint{{{}, local.address.is_v6}, local.port}}) {
        if (const auto it = listeners_.find(candidate); it != listeners_.end()) {
            key = candidate;
            return &it->second;
        }
    }
    return nullptr;
}

std::uint32_t endpoint::add(std::unique_ptr<connection> object, const ip_path& path) {
    std::uint32_t index;
    if (free_.empty()) {
        index = static_cast<std::uint32_t>(slots_.size());
        slots_.emplace_back();
        timers_.grow(slots_.size());
    } else {
        index = free_.back();
        free_.pop_back();
    }
    auto& s = slots_[index];
    s.object = std::move(object);
    s.object->set_owner(this, index);
    ++s.generation;
    by_path_.emplace(path, index);
    return index;
}

// Gone when it is closed, has nothing left to send or tell, and nobody has anything left to read. Of TIME-WAIT a record remains.
bool endpoint::erase_if_done(std::uint32_t index) {
    auto& s = slots_[index];
    if (!s.object || s.ready || s.eventful || s.object->readable() > 0) return false;
    const bool waits = s.object->state() == state::time_wait;
    if (!waits && s.object->state() != state::closed) return false;
    count_half_open(s);
    if (std::exchange(s.orphan, false)) --orphans_;
    if (waits) keep_time_wait(*s.object);
    gone_ += s.object->stats();
    by_path_.erase(s.object->path());
    timers_.remove(index);
    s.object.reset();
    free_.push_back(index);
    return true;
}

connection* endpoint::find(connection_handle handle) {
    if (handle.slot >= slots_.size() || slots_[handle.slot].generation != handle.generation) return nullptr;
    return slots_[handle.slot].object.get();
}

void endpoint::release(connection_handle handle, time_point now, std::optional<duration> linger) {
    auto* object = find(handle);
    if (!object) return;
    auto& s = slots_[handle.slot];
    if (s.waiting) {
        s.waiting = false;
        count_waiting(s);
    }
    if (s.orphan) return;
    if (orphans_ >= config_.max_orphans && object->state() != state::time_wait && object->state() != state::closed) {
        ++stats_.orphans_reset;
        linger = duration::zero();
    }
    s.orphan = true;
    ++orphans_;
    object->orphan(now, linger);
    wake(handle.slot);
}

void endpoint::note_half_open(std::uint32_t index, const ip_endpoint& key, listener& l) {
    auto& s = slots_[index];
    s.half_open = true;
    s.waiting = false;
    s.listener = key;
    ++l.half_open;
    ++half_open_;
}

// Keeps the listener's counts in step with the connection's state.
void endpoint::count_half_open(slot& s) {
    if (!s.half_open || (s.object && s.object->state() == state::syn_received)) return;
    s.half_open = false;
    --half_open_;
    const auto it = listeners_.find(s.listener);
    if (it != listeners_.end() && it->second.half_open > 0) --it->second.half_open;
    if (!s.object || s.object->state() == state::closed) return;
    s.waiting = true;
    if (it != listeners_.end()) ++it->second.waiting;
}

void endpoint::count_waiting(slot& s) {
    const auto it = listeners_.find(s.listener);
    if (it != listeners_.end() && it->second.waiting > 0) --it->second.waiting;
}

std::size_t endpoint::connection_count() const { return by_path_.size() + time_wait_.size(); }
std::size_t endpoint::half_open_count() const { return half_open_; }
const endpoint_statistics& endpoint::stats() const { return stats_; }

statistics endpoint::totals() const {
    auto out = gone_;
    for_each([&out](connection_handle, const connection& c) { out += c.stats(); });
    return out;
}

}  // namespace tandem::tcp
