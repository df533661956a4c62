// Handshakes without state: a SYN-ACK that carries all there is to know, and the acknowledgment that brings it back (RFC
// 4987 3.6).
#include <algorithm>

#include <tandem/tcp/endpoint.hpp>
#include <tandem/tcp/receive_window.hpp>
#include <tandem/tcp/timestamps.hpp>

namespace tandem::tcp {

// As connection::syn_options would answer, as far as the cookie holds it. Queued, not remembered: what does not fit in the queue
// is as if the SYN had been lost.
void endpoint::answer_with_cookie(const config& c, const packet& in, const ip_path& path, time_point now) {
    if (answers_.size() >= max_queued_answers) {
        ++stats_.half_open_overflows;
        return;
    }
    const auto& offered = in.tcp.options;
    const bool timestamps_on = c.timestamps && offered.timestamps.has_value();
    receive_window window(c.receive_window, c.max_receive_window, c.window_scale && timestamps_on && offered.window_scale);
    const auto mss = connection::announced_mss(c, path);

    auto out = answer_to(in, c);
    out.tcp.sequence = cookies_.make(path, in.tcp.sequence, offered.mss.value_or(connection::default_mss(path)), now);
    out.tcp.acknowledgment = in.tcp.sequence + 1;
    out.tcp.flags = flag::syn | flag::ack;
    out.tcp.window = window.announce_unscaled(0, 0, mss);
    out.tcp.options.mss = mss;
    if (timestamps_on) {
        ecn_state ecn_agreed(c.ecn);
        ecn_agreed.on_syn(in.tcp.flags);
        cookie_options kept;
        if (window.offered_scale()) kept.window_scale = std::min(*offered.window_scale, receive_window::max_scale);
        kept.sack = c.sack && offered.sack_permitted;
        kept.ecn = ecn_agreed.agreed();
        out.tcp.options.window_scale = window.offered_scale();
        out.tcp.options.sack_permitted = kept.sack;
        out.tcp.flags |= ecn_agreed.syn_ack_flags();
        const timestamps clock(true, isn_.timestamp_offset(path));
        out.tcp.options.timestamps = timestamp_option{put_cookie_options(kept, clock.value(now)), offered.timestamps->value};
    }
    answers_.push_back(out);
    ++stats_.cookies_sent;
}

// An acknowledgment that no connection knows. True if it was taken care of.
bool endpoint::accept_cookie(const packet& in, const ip_path& path, time_point now) {
    ip_endpoint key;
    auto* found = find_listener(path.local, key);
    if (!found || !cookies_.expected(now)) return false;
    const auto mss = cookies_.check(path, in.tcp.sequence - 1, in.tcp.acknowledgment - 1, now);
    if (!mss) {
        ++stats_.cookies_failed;
        return false;
    }
    if (found->waiting >= found->config.backlog || connections_full() || by_path_.contains(path)) {
        ++stats_.backlog_overflows;  // what the peer sends next may find room
        return true;
    }
    const auto c = own(found->config.connection);
    segment syn;
    syn.sequence = in.tcp.sequence - 1;
    syn.flags = flag::syn;
    syn.window = in.tcp.window;
    syn.options.mss = *mss;
    if (c.timestamps && in.tcp.options.timestamps) {
        const auto kept = cookie_options_of(in.tcp.options.timestamps->echo);
        syn.options.timestamps = in.tcp.options.timestamps;
        syn.options.window_scale = kept.window_scale;
        syn.options.sack_permitted = kept.sack;
        if (kept.ecn) syn.flags |= flag::ece | flag::cwr;
    }
    auto seed = make_seed(path, now);
    seed.initial_sequence = in.tcp.acknowledgment - 1;
    const auto index = add(connection::accept_answered(path, c, seed, syn, now), path);
    note_half_open(index, key, *found);
    ++stats_.cookies_accepted;
    slots_[index].object->receive(in.tcp, now, 1, in.mark);
    count_half_open(slots_[index]);
    wake(index);
    return true;
}

}  // namespace tandem::tcp
