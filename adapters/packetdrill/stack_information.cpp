// TCP_INFO as Linux tells it.
#include <algorithm>
#include <cstring>

#include "stack.hpp"

#include <linux/tcp.h>

namespace tandem::packetdrill {
namespace {

enum : std::uint8_t { tcp_close = 7, tcp_listen = 10 };
enum : std::uint8_t { ca_open = 0, ca_disorder = 1, ca_recovery = 3, ca_loss = 4 };
enum : std::uint8_t { option_timestamps = 1, option_sack = 2, option_window_scale = 4 };

std::uint8_t number_of(tcp::state s) {
    switch (s) {
        case tcp::state::closed:
            return tcp_close;
        case tcp::state::syn_sent:
            return 2;
        case tcp::state::syn_received:
            return 3;
        case tcp::state::established:
            return 1;
        case tcp::state::fin_wait_1:
            return 4;
        case tcp::state::fin_wait_2:
            return 5;
        case tcp::state::close_wait:
            return 8;
        case tcp::state::closing:
            return 11;
        case tcp::state::last_ack:
            return 9;
        case tcp::state::time_wait:
            return 6;
    }
    return tcp_close;
}

std::uint32_t microseconds(duration d) { return static_cast<std::uint32_t>(d / std::chrono::microseconds(1)); }

std::uint8_t congestion_state(const tcp::connection_info& i) {
    if (i.timed_out) return ca_loss;
    if (i.recovering) return ca_recovery;
    return i.sacked > 0 ? ca_disorder : ca_open;
}

}  // namespace

std::vector<std::uint8_t> stack::tcp_information(stack_socket& s) {
    tcp_info out{};
    out.tcpi_state = s.now == stack_socket::phase::listening ? tcp_listen : tcp_close;
    // All that is left of it is an entry of the endpoint's table.
    if (s.connection && host_.endpoint().in_time_wait({s.local, s.remote})) out.tcpi_state = number_of(tcp::state::time_wait);
    if (auto* c = host_.connection(s)) {
        const auto i = c->info();
        const auto& stats = c->stats();
        const auto cc = c->congestion(host_.now());
        // Windows are counted in full segments.
        const std::uint64_t segment = 20u + std::max<std::uint16_t>(i.mss, 1) - 8u;
        out.tcpi_state = number_of(c->state());
        out.tcpi_ca_state = congestion_state(i);
        out.tcpi_retransmits = static_cast<std::uint8_t>(i.backoff);
        out.tcpi_probes = static_cast<std::uint8_t>(i.window_probes + i.keepalives);
        out.tcpi_backoff = static_cast<std::uint8_t>(i.backoff + i.window_probes);
        out.tcpi_options = static_cast<std::uint8_t>((i.timestamps ? option_timestamps : 0) | (i.sack ? option_sack : 0) |
                                                     (i.send_scale ? option_window_scale : 0));
        out.tcpi_snd_wscale = i.send_scale.value_or(0) & 15;
        out.tcpi_rcv_wscale = i.receive_scale.value_or(0) & 15;
        out.tcpi_rto = microseconds(i.retransmission_timeout);
        out.tcpi_ato = microseconds(s.config.ack_delay);
        out.tcpi_snd_mss = c->send_mss();
        out.tcpi_rcv_mss = std::min<std::uint32_t>(c->send_mss(), i.announced_mss);
        out.tcpi_unacked = static_cast<std::uint32_t>(i.unacknowledged);
        out.tcpi_sacked = static_cast<std::uint32_t>(i.sacked);
        out.tcpi_lost = static_cast<std::uint32_t>(i.lost + (i.recovering || i.timed_out ? i.retransmitted : 0));
        out.tcpi_retrans = static_cast<std::uint32_t>(i.retransmitted);
        out.tcpi_pmtu = s.config.mtu;
        out.tcpi_rtt = microseconds(c->rtt().smoothed());
        out.tcpi_rttvar = microseconds(c->rtt().variation());
        out.tcpi_min_rtt = c->rtt().has_sample() ? microseconds(c->rtt().minimum()) : ~0u;
        out.tcpi_snd_ssthresh =
            cc.ssthresh / segment > 0x7fffffff ? 0x7fffffff : static_cast<std::uint32_t>(cc.ssthresh / segment);
        out.tcpi_snd_cwnd = static_cast<std::uint32_t>(cc.congestion_window / segment);
        out.tcpi_advmss = i.announced_mss;
        out.tcpi_reordering = static_cast<std::uint32_t>(std::min<std::uint64_t>(c->reordering().packets(), 300));
        out.tcpi_total_retrans = static_cast<std::uint32_t>(stats.retransmissions);
        out.tcpi_bytes_received = stats.bytes_received;
        out.tcpi_bytes_sent = stats.bytes_sent;
        out.tcpi_segs_out = static_cast<std::uint32_t>(stats.segments_sent);
        out.tcpi_segs_in = static_cast<std::uint32_t>(stats.segments_received);
        out.tcpi_data_segs_out = static_cast<std::uint32_t>(stats.segments_sent - stats.acks_sent);
        out.tcpi_notsent_bytes = static_cast<std::uint32_t>(c->unsent());
        out.tcpi_rcv_space = out.tcpi_rcv_ssthresh = static_cast<std::uint32_t>(i.receive_window);
        out.tcpi_rwnd_limited = static_cast<std::uint64_t>(stats.peer_window_limited / std::chrono::microseconds(1));
        out.tcpi_dsack_dups = static_cast<std::uint32_t>(stats.dsacks_received);
    }
    std::vector<std::uint8_t> bytes(sizeof out);
    std::memcpy(bytes.data(), &out, sizeof out);
    return bytes;
}

}  // namespace tandem::packetdrill
