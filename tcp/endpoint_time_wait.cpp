// Segments of connections of which only TIME-WAIT is left: RFC 9293 3.10.7.4, RFC 6191, RFC 1337.
#include <tandem/tcp/endpoint.hpp>
#include <tandem/tcp/timestamps.hpp>

namespace tandem::tcp {
namespace {

bool after(std::uint32_t a, std::uint32_t b) { return static_cast<std::int32_t>(a - b) > 0; }

}  // namespace

void endpoint::keep_time_wait(const connection& c) {
    const auto until = c.remains_until();
    if (!until) return;
    if (time_wait_.size() >= config_.max_time_wait) {
        ++stats_.time_wait_overflows;
        return;
    }
    time_wait_.insert(c.remains(), *until);
}

// RFC 6191 2: a SYN that cannot be an old one begins a new connection.
bool endpoint::may_reuse(const time_wait_record& old, const segment& syn) const {
    const bool beyond = after(syn.sequence, old.expected);
    const auto& ts = syn.options.timestamps;
    if (!old.timestamps) return ts || beyond;
    if (!ts) return beyond;
    return after(ts->value, old.recent_timestamp) || (ts->value == old.recent_timestamp && beyond);
}

// True if the segment was for one of them.
bool endpoint::receive_time_wait(const packet& in, const ip_path& path, time_point now) {
    const auto old = time_wait_.find(path);
    if (!old) return false;
    const auto& s = in.tcp;
    if (s.has(flag::syn) && !s.has(flag::ack)) {
        if (!may_reuse(*old, s)) return true;  // RFC 6191 2: dropped without a word
        const auto until = *time_wait_.until(path);
        time_wait_.erase(path);
        if (accept(in, path, now, &*old) && by_path_.contains(path)) {
            ++stats_.time_wait_reused;
        } else {
            time_wait_.insert(*old, until);
        }
        return true;
    }
    const auto& ts = s.options.timestamps;
    const bool stale = old->timestamps && ts && after(old->recent_timestamp, ts->value);
    const bool fin_again = s.has(flag::fin) && s.sequence + s.length() == old->expected;
    if (fin_again && !stale) {  // our ACK was lost
        time_wait_.restart(path, now);
        answer_time_wait(*old, in, now);
        return true;
    }
    const bool acceptable = s.length() == 0 && s.sequence == old->expected && !stale;
    if (!acceptable && take_reset_budget(now)) answer_time_wait(*old, in, now);
    return true;
}

void endpoint::answer_time_wait(const time_wait_record& old, const packet& in, time_point now) {
    if (answers_.size() >= max_queued_answers) return;
    auto out = answer_to(in, {});
    out.tcp.sequence = old.next_sequence;
    out.tcp.acknowledgment = old.expected;
    out.tcp.flags = flag::ack;
    out.tcp.window = 65535;  // of no use: the peer's stream has ended
    if (old.timestamps) {
        const timestamps clock(true, isn_.timestamp_offset(old.path));
        out.tcp.options.timestamps = timestamp_option{clock.value(now), old.recent_timestamp};
    }
    answers_.push_back(out);
}

}  // namespace tandem::tcp
