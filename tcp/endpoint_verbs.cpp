// The four verbs: packets find their connection, connections that have something to say get their turn.
#include <algorithm>

#include <tandem/tcp/endpoint.hpp>
#include <tandem/tcp/icmp.hpp>

namespace tandem::tcp {

void endpoint::wake(std::uint32_t index) {
    auto& s = slots_[index];
    if (!s.ready) {
        s.ready = true;
        ready_.push_back(index);
    }
    if (!s.eventful) {
        s.eventful = true;
        eventful_.push_back(index);
    }
}

void endpoint::receive(received_datagram& in, time_point now, offload how) {
    packet p;
    const auto why = parse_packet(in.payload, p, how);
    if (why == drop_reason::none) {
        if (in.mark == ecn::ce) p.mark = in.mark;  // a carrier that tells the mark beside the packet
        const auto size = p.tcp.payload.size();
        receive(
            p, now,
            how.gso_size == 0 ? 1 : static_cast<unsigned>(std::max<std::size_t>(1, (size + how.gso_size - 1) / how.gso_size)));
        return;
    }
    ++stats_.packets_received;
    if (why == drop_reason::not_tcp) {
        receive_icmp(in.payload, now);
        return;
    }
    ++stats_.packets_dropped;
    if (why == drop_reason::bad_checksum) ++stats_.bad_checksums;
    if (why == drop_reason::fragment) ++stats_.fragments_dropped;
}

void endpoint::receive(const packet& in, time_point now, unsigned segment_count) {
    ++stats_.packets_received;
    if (!is_ours(in.destination)) {
        ++stats_.not_for_us;
        return;
    }
    const ip_path path{{in.destination, in.tcp.destination_port}, {in.source, in.tcp.source_port}};
    const auto it = by_path_.find(path);
    if (it == by_path_.end() || slots_[it->second].object->state() == state::closed) {
        receive_unknown(in, path, now);
        return;
    }
    slots_[it->second].object->receive(in.tcp, now, segment_count, in.mark);
    count_half_open(slots_[it->second]);
    wake(it->second);
}

// RFC 9293 3.10.7.1 and 3.10.7.2.
void endpoint::receive_unknown(const packet& in, const ip_path& path, time_point now) {
    if (in.tcp.has(flag::rst)) return;  // in TIME-WAIT, too: RFC 1337 3
    if (receive_time_wait(in, path, now)) return;
    if (in.tcp.has(flag::syn) && !in.tcp.has(flag::ack) && accept(in, path, now)) return;
    if (in.tcp.has(flag::ack) && !in.tcp.has(flag::syn) && accept_cookie(in, path, now)) return;
    send_reset(in, now);
}

// False: nobody listens. A SYN that finds no room is dropped without a word: the peer tries again (RFC 9293 3.10.7.2).
bool endpoint::accept(const packet& in, const ip_path& path, time_point now, const time_wait_record* before) {
    ip_endpoint key;
    auto* found = find_listener(path.local, key);
    if (!found) return false;
    if (found->waiting >= found->config.backlog) {
        ++stats_.backlog_overflows;
        return true;
    }
    const bool known = by_path_.contains(path);  // closed, but its owner has not read everything
    const auto use = found->config.syn_cookies;
    const bool full = found->half_open >= found->config.max_half_open;
    if (known || connections_full() || (full && use == cookie_use::never)) {
        ++stats_.half_open_overflows;
        return true;
    }
    if (full || use == cookie_use::always) {
        answer_with_cookie(own(found->config.connection), in, path, now);
        return true;
    }
    const auto index =
        add(connection::accept(path, own(found->config.connection), make_seed(path, now, before), in.tcp, now), path);
    note_half_open(index, key, *found);
    wake(index);
    return true;
}

bool endpoint::is_ours(const ip_address& destination) const {
    const auto& ours = config_.addresses;
    return ours.empty() || std::find(ours.begin(), ours.end(), destination) != ours.end();
}

void endpoint::receive_icmp(std::span<const std::uint8_t> bytes, time_point now) {
    ip_header ip;
    if (!config_.addresses.empty() && echoes_.size() < max_queued_echoes && parse_ip(bytes, ip) == drop_reason::none &&
        is_ours(ip.destination)) {
        if (auto answer = answer_echo_request(bytes); !answer.empty()) {
            echoes_.push_back(std::move(answer));
            return;
        }
    }
    const auto error = parse_icmp_error(bytes);
    const auto it = error ? by_path_.find(error->path) : by_path_.end();
    if (it == by_path_.end()) {
        ++stats_.packets_dropped;
        return;
    }
    auto& object = *slots_[it->second].object;
    if (error->what == icmp_error::kind::packet_too_big) {
        object.on_packet_too_big(error->sequence, error->mtu, now);
    } else {
        object.on_unreachable(error->sequence, error->what == icmp_error::kind::refused, now);
    }
    count_half_open(slots_[it->second]);
    wake(it->second);
}

void endpoint::on_carrier_error(const ip_path& path, icmp_error::kind what, std::uint16_t mtu, time_point now) {
    const auto it = by_path_.find(path);
    if (it == by_path_.end()) return;
    auto& object = *slots_[it->second].object;
    const auto sequence = object.oldest_unacknowledged();
    if (what == icmp_error::kind::packet_too_big) {
        object.on_packet_too_big(sequence, mtu, now);
    } else {
        object.on_unreachable(sequence, what == icmp_error::kind::refused, now);
    }
    count_half_open(slots_[it->second]);
    wake(it->second);
}

bool endpoint::take_reset_budget(time_point now) {
    if (now - resets_since_ >= std::chrono::seconds(1)) {
        resets_since_ = now;
        resets_counted_ = 0;
    }
    if (resets_counted_ >= config_.resets_per_second || resets_.size() >= max_queued_resets) {
        ++stats_.resets_suppressed;
        return false;
    }
    ++resets_counted_;
    return true;
}

// RFC 9293 3.5.2, within a budget: answering everything would make us a reflector.
void endpoint::send_reset(const packet& in, time_point now) {
    if (!take_reset_budget(now)) return;
    auto out = answer_to(in, {});
    out.tcp.flags = flag::rst;
    if (in.tcp.has(flag::ack)) {
        out.tcp.sequence = in.tcp.acknowledgment;
    } else {
        out.tcp.acknowledgment = in.tcp.sequence + in.tcp.length();
        out.tcp.flags |= flag::ack;
    }
    resets_.push_back(out);
}

packet endpoint::answer_to(const packet& in, const config& c) const {
    packet out;
    out.source = in.destination;
    out.destination = in.source;
    out.hop_limit = c.hop_limit;
    out.dscp = c.dscp;
    out.tcp.source_port = in.tcp.destination_port;
    out.tcp.destination_port = in.tcp.source_port;
    return out;
}

bool endpoint::transmit_answer(front_vector<packet>& from, train& out) {
    const auto& p = from.front();
    out.path = {{p.source, p.tcp.source_port}, {p.destination, p.tcp.destination_port}};
    out.mark = ecn::not_ect;
    out.size = out.segment_size = write_packet(p, out.buffer, {.checksum_pending = config_.checksum_offload});
    from.pop_front();
    return out.size > 0;
}

bool endpoint::transmit_echo(train& out) {
    const auto answer = std::move(echoes_.front());
    echoes_.pop_front();
    ip_header ip;
    if (answer.size() > out.buffer.size() || parse_ip(answer, ip) != drop_reason::none) return false;
    out.path = {{ip.source, 0}, {ip.destination, 0}};
    out.mark = ecn::not_ect;
    std::copy(answer.begin(), answer.end(), out.buffer.begin());
    out.size = out.segment_size = answer.size();
    ++stats_.echoes_answered;
    return true;
}

// One train per call, each ready connection in its turn.
bool endpoint::transmit(time_point now, train& out) {
    while (!echoes_.empty()) {
        if (transmit_echo(out)) return true;
    }
    if (!resets_.empty()) {
        ++stats_.resets_sent;
        return transmit_answer(resets_, out);
    }
    if (!answers_.empty()) return transmit_answer(answers_, out);
    while (!ready_.empty()) {
        const auto index = ready_.front();
        ready_.pop_front();
        auto& s = slots_[index];
        if (s.object->transmit(now, out)) {
            ready_.push_back(index);
            return true;
        }
        s.ready = false;
        timers_.update(index, s.object->next_timeout());
        erase_if_done(index);
    }
    return false;
}

std::optional<time_point> endpoint::deadline_of(std::uint32_t index) const {
    const auto& object = slots_[index].object;
    return object ? object->next_timeout() : std::nullopt;
}

std::optional<time_point> endpoint::next_timeout() {
    const auto first = timers_.next([this](std::uint32_t index) { return deadline_of(index); });
    const auto waiting = time_wait_.next_timeout();
    return first && waiting ? std::min(first, waiting) : first ? first : waiting;
}

void endpoint::on_timeout(time_point now) {
    time_wait_.expire(now);
    const auto deadline = [this](std::uint32_t index) { return deadline_of(index); };
    while (const auto index = timers_.pop_due(now, deadline)) {
        auto& s = slots_[*index];
        s.object->on_timeout(now);
        count_half_open(s);
        wake(*index);
    }
}

std::optional<endpoint_event> endpoint::poll_event() {
    while (!eventful_.empty()) {
        const auto index = eventful_.front();
        auto& s = slots_[index];
        if (const auto what = s.object->poll_event()) {
            if (*what == event::accepted && s.waiting) {
                s.waiting = false;
                count_waiting(s);
            }
            return endpoint_event{{index, s.generation}, *what, *what == event::accepted ? s.listener : ip_endpoint{}};
        }
        eventful_.pop_front();
        s.eventful = false;
        erase_if_done(index);
    }
    return std::nullopt;
}

}  // namespace tandem::tcp
