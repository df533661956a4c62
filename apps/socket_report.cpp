#include "socket_report.hpp"

#include <algorithm>
#include <cstdio>
#include <map>

#include "json_writer.hpp"

namespace tandem::apps {

namespace {

// A peer that has closed waits for us; more than a moment is a program that does not look.
constexpr auto forgotten_after = std::chrono::seconds(10);
constexpr double ports_nearly_gone = 0.8;

// As ss writes them.
std::string_view ss_name(tcp::state s) {
    using tcp::state;
    switch (s) {
        case state::closed:
            return "UNCONN";
        case state::syn_sent:
            return "SYN-SENT";
        case state::syn_received:
            return "SYN-RECV";
        case state::established:
            return "ESTAB";
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

double milliseconds(duration d) { return std::chrono::duration<double, std::milli>(d).count(); }

std::string format(const char* pattern, auto... values) {
    char line[256];
    std::snprintf(line, sizeof line, pattern, values...);
    return line;
}

// As ss has it, with what ss knows no word for.
std::string_view limit_name(recovery::limited_by why) {
    using recovery::limited_by;
    switch (why) {
        case limited_by::application:
            return "app_limited";
        case limited_by::receive_window:
            return "rwnd_limited";
        case limited_by::congestion_window:
            return "cwnd_limited";
        case limited_by::pacing:
            return "pacing_limited";
        case limited_by::nagle:
            return "nagle_limited";
        default:
            return "limited";
    }
}

// The time with something to send, and what part of it was spent waiting for what.
std::string busy_times(const recovery::limit_times& times) {
    const auto busy = times.busy();
    if (busy <= duration::zero()) return {};
    auto out = format(" busy:%.0fms", milliseconds(busy));
    for (std::size_t i = 0; i < recovery::limit_count; ++i) {
        const auto why = static_cast<recovery::limited_by>(i);
        if (why == recovery::limited_by::application || times[why] <= duration::zero()) continue;
        const auto name = limit_name(why);
        out += format(" %.*s:%.0fms(%.1f%%)", static_cast<int>(name.size()), name.data(), milliseconds(times[why]),
                      100 * milliseconds(times[why]) / milliseconds(busy));
    }
    return out;
}

std::string details(const net::tcp_socket_info& s) {
    const auto mss = std::max<std::uint64_t>(s.mss, 1);
    const auto& c = s.congestion;
    const auto& n = s.statistics;
    if (s.state == tcp::state::time_wait && s.controller.empty()) return {};  // nothing else is left of it
    auto out = "\t " + s.controller;
    if (s.has_rtt) {
        out += format(" rtt:%.3f/%.3f minrtt:%.3f", milliseconds(c.smoothed_rtt), milliseconds(s.rtt_variation),
                      milliseconds(s.min_rtt));
    }
    out += format(" mss:%u cwnd:%llu", unsigned{s.mss}, static_cast<unsigned long long>(c.congestion_window / mss));
    if (c.ssthresh != UINT64_MAX) out += format(" ssthresh:%llu", static_cast<unsigned long long>(c.ssthresh / mss));
    const auto count = [&out](const char* name, std::uint64_t value) {
        if (value > 0) out += std::string(" ") + name + ":" + std::to_string(value);
    };
    count("bytes_sent", n.bytes_sent);
    count("bytes_received", n.bytes_received);
    count("segs_out", n.segments_sent);
    count("segs_in", n.segments_received);
    if (s.pacing_rate > 0) out += format(" pacing_rate %.1fMbps", static_cast<double>(s.pacing_rate) * 8e-6);
    count("unacked", (c.bytes_in_flight + mss - 1) / mss);
    count("retrans", n.retransmissions);
    count("lost", n.losses);
    count("spurious_losses", n.spurious_losses);
    count("timeouts", n.timeouts);
    count("tlp", n.tail_loss_probes);
    count("window_probes", n.window_probes);
    count("dsack_dups", n.dsacks_received);
    if (s.reordering != recovery::reordering_tolerance::initial_packets) {
        out += s.reordering ? " reordering:" + std::to_string(*s.reordering)
                            : format(" reordering:%.3fms", milliseconds(s.reordering_time));
    }
    count("dup_acks", n.duplicate_acks_received);
    count("notsent", s.unsent);
    out += busy_times(s.limits);
    out += " ";
    out += limit_name(s.limited);
    if (!s.owned) out += " orphaned";
    return out + "\n";
}

std::string row(std::string_view state, std::uint64_t receive_queue, std::uint64_t send_queue, const std::string& local,
                const std::string& peer) {
    return format("%-10.*s %-8llu %-8llu %28s %28s\n", static_cast<int>(state.size()), state.data(),
                  static_cast<unsigned long long>(receive_queue), static_cast<unsigned long long>(send_queue), local.c_str(),
                  peer.c_str());
}

using counter = std::pair<const char*, std::uint64_t>;

// The kernel's names (nstat -az) where the kernel counts the same.
std::vector<counter> counters(const net::tcp_snapshot& s) {
    const auto& t = s.totals;
    const auto& e = s.endpoint;
    const auto& p = s.packets;
    return {
        {"TcpInSegs", e.packets_received},
        {"TcpOutSegs", t.segments_sent + e.resets_sent},
        {"TcpRetransSegs", t.retransmissions},
        {"TcpInErrs", e.packets_dropped},
        {"TcpInCsumErrors", e.bad_checksums},
        {"TcpOutRsts", e.resets_sent},
        {"TcpExtListenOverflows", e.backlog_overflows},
        {"TcpExtTCPReqQFullDrop", e.half_open_overflows},
        {"TcpExtSyncookiesSent", e.cookies_sent},
        {"TcpExtSyncookiesRecv", e.cookies_accepted},
        {"TcpExtSyncookiesFailed", e.cookies_failed},
        {"TcpExtTCPSynRetrans", t.syn_retransmissions},
        {"TcpExtTCPSlowStartRetrans", t.timeout_retransmissions},
        {"TcpExtTCPFastRetrans", t.retransmissions - t.syn_retransmissions - t.timeout_retransmissions - t.probe_retransmissions},
        {"IpExtInCEPkts", t.ce_received},
        {"TcpExtTCPTimeWaitOverflow", e.time_wait_overflows},
        {"TcpExtTWRecycled", e.time_wait_reused},
        {"TcpExtTCPAbortOnMemory", e.orphans_reset},
        {"TcpExtTCPMTUPSuccess", t.mtu_probes_sent - std::min(t.mtu_probes_sent, t.mtu_probes_lost)},
        {"TcpExtTCPMTUPFail", t.mtu_probes_lost},
        {"TandemMtuBlackHoles", t.mtu_black_holes},
        {"TandemEcnReductions", t.ecn_reductions},
        {"TandemFragmentsDropped", e.fragments_dropped},
        {"TcpExtTCPTimeouts", t.timeouts},
        {"TcpExtTCPSpuriousRTOs", t.spurious_timeouts},
        {"TcpExtTCPLossProbes", t.tail_loss_probes},
        {"TcpExtTCPLostRetransmit", t.losses},
        {"TcpExtTCPDSACKRecv", t.dsacks_received},
        {"TcpExtTCPDSACKOldSent", t.dsacks_sent},
        {"TcpExtTCPPureAcks", t.acks_sent},
        {"TcpExtTCPWinProbe", t.window_probes},
        {"TcpExtTCPKeepAlive", t.keepalives},
        {"TcpExtTCPChallengeACK", t.challenge_acks_sent},
        {"TcpExtTCPACKSkippedChallenge", t.challenge_acks_suppressed},
        {"TcpExtPAWSEstab", t.paws_rejected},
        {"IcmpOutEchoReps", e.echoes_answered},
        {"TandemNotForUs", e.not_for_us},
        {"TandemSpuriousLosses", t.spurious_losses},
        {"TandemNoFreePort", s.no_port_failures},
        {"TandemResetsSuppressed", e.resets_suppressed},
        {"CarrierPacketsSent", p.packets_sent},
        {"CarrierPacketsReceived", p.packets_received},
        {"CarrierBytesSent", p.bytes_sent},
        {"CarrierBytesReceived", p.bytes_received},
        {"CarrierSendCalls", p.sends},
        {"CarrierReceiveCalls", p.receives},
        {"CarrierSendErrors", p.send_errors}};
}

void write_socket(compare::json_writer& out, const net::tcp_socket_info& s) {
    const auto& c = s.congestion;
    const auto& n = s.statistics;
    const auto number = [&out](const char* name, std::uint64_t value) { out.key(name).value(value); };
    out.begin_object();
    out.key("state")
        .value(ss_name(s.state))
        .key("local")
        .value(s.path.local.to_string())
        .key("peer")
        .value(s.path.remote.to_string());
    number("receive_queue", s.receive_queue);
    number("send_queue", s.send_queue);
    number("unsent", s.unsent);
    number("mss", s.mss);
    out.key("controller").value(s.controller);
    number("congestion_window", c.congestion_window);
    out.key("ssthresh");
    if (c.ssthresh == UINT64_MAX) {
        out.null();
    } else {
        out.value(c.ssthresh);
    }
    number("bytes_in_flight", c.bytes_in_flight);
    if (s.has_rtt) {
        out.key("smoothed_rtt_ms").number(format("%.3f", milliseconds(c.smoothed_rtt)));
        out.key("rtt_variation_ms").number(format("%.3f", milliseconds(s.rtt_variation)));
        out.key("minimum_rtt_ms").number(format("%.3f", milliseconds(s.min_rtt)));
    }
    out.key("reordering_packets");
    if (s.reordering) {
        out.value(*s.reordering);
    } else {
        out.null();
    }
    out.key("reordering_time_ms").number(format("%.3f", milliseconds(s.reordering_time)));
    out.key("limited_by").value(limit_name(s.limited)).key("orphaned").value(!s.owned);
    number("memory", s.memory);
    number("bytes_sent", n.bytes_sent);
    number("bytes_received", n.bytes_received);
    number("segments_sent", n.segments_sent);
    number("segments_received", n.segments_received);
    number("retransmissions", n.retransmissions);
    number("losses", n.losses);
    number("spurious_losses", n.spurious_losses);
    number("timeouts", n.timeouts);
    number("tail_loss_probes", n.tail_loss_probes);
    number("dsacks_received", n.dsacks_received);
    out.key("peer_window_limited_ms").number(format("%.3f", milliseconds(n.peer_window_limited)));
    out.key("busy_ms").number(format("%.3f", milliseconds(s.limits.busy())));
    for (std::size_t i = 0; i < recovery::limit_count; ++i) {
        const auto why = static_cast<recovery::limited_by>(i);
        if (limit_name(why) != "limited") {
            out.key(std::string(limit_name(why)) + "_ms").number(format("%.3f", milliseconds(s.limits[why])));
        }
    }
    if (s.peer_closed_for) out.key("peer_closed_for_ms").number(format("%.3f", milliseconds(*s.peer_closed_for)));
    out.end_object();
}

}  // namespace

std::vector<std::string> socket_warnings(const net::tcp_snapshot& s) {
    std::vector<std::string> out;
    std::size_t forgotten = 0;
    duration longest{};
    std::map<ip_endpoint, std::size_t> waiting;  // TIME-WAIT by peer
    for (const auto& i : s.sockets) {
        if (i.state == tcp::state::time_wait) ++waiting[i.path.remote];
        if (i.state != tcp::state::close_wait || !i.peer_closed_for || *i.peer_closed_for < forgotten_after) continue;
        ++forgotten;
        longest = std::max(longest, *i.peer_closed_for);
    }
    if (forgotten > 0) {
        out.push_back(std::to_string(forgotten) + (forgotten == 1 ? " socket is" : " sockets are") +
                      " in CLOSE-WAIT: the peer has closed, the program has not, for up to " +
                      format("%.0f", milliseconds(longest) / 1000) + " s; a number that grows is a leak in the program");
    }
    for (const auto& [peer, n] : waiting) {
        if (static_cast<double>(n) < ports_nearly_gone * static_cast<double>(s.ephemeral_ports)) continue;
        out.push_back(std::to_string(n) + " of " + std::to_string(s.ephemeral_ports) + " ports towards " + peer.to_string() +
                      " are in TIME-WAIT: new connections will find no free port; keep connections open and use them again");
    }
    if (s.no_port_failures > 0) {
        out.push_back(std::to_string(s.no_port_failures) + " connections could not be made because no port was free");
    }
    for (const auto& l : s.listeners) {
        if (l.backlog == 0 || l.waiting < l.backlog) continue;
        out.push_back("the queue of " + l.local.to_string() + " is full (" + std::to_string(l.waiting) +
                      " connections): the program does not accept them fast enough, further ones are dropped");
    }
    return out;
}

std::string socket_text(const net::tcp_snapshot& s) {
    auto out = "TCP over " + s.carrier + ": " + std::to_string(s.listeners.size()) + " listening, " +
               std::to_string(s.sockets.size()) + " connections\n";
    out += format("%-10s %-8s %-8s %28s %28s\n", "State", "Recv-Q", "Send-Q", "Local Address:Port", "Peer Address:Port");
    for (const auto& l : s.listeners) {
        out += row("LISTEN", l.waiting, l.backlog, l.local.to_string(), "*");
        if (l.half_open > 0) out += "\t half_open:" + std::to_string(l.half_open) + "\n";
    }
    for (const auto& i : s.sockets) {
        out += row(ss_name(i.state), i.receive_queue, i.send_queue, i.path.local.to_string(), i.path.remote.to_string());
        out += details(i);
    }
    out += "\n";
    for (const auto& [name, value] : counters(s)) {
        if (value > 0) out += format("%-32s %llu\n", name, static_cast<unsigned long long>(value));
    }
    for (const auto& warning : socket_warnings(s)) out += "! " + warning + "\n";
    return out;
}

std::string socket_json(const net::tcp_snapshot& s) {
    compare::json_writer out;
    out.begin_object();
    out.key("carrier").value(s.carrier);
    out.key("listeners").begin_array();
    for (const auto& l : s.listeners) {
        out.begin_object().key("local").value(l.local.to_string()).key("waiting").value(std::uint64_t{l.waiting});
        out.key("backlog").value(std::uint64_t{l.backlog}).key("half_open").value(std::uint64_t{l.half_open}).end_object();
    }
    out.end_array();
    out.key("sockets").begin_array();
    for (const auto& i : s.sockets) write_socket(out, i);
    out.end_array();
    out.key("counters").begin_object();
    for (const auto& [name, value] : counters(s)) out.key(name).value(value);
    out.end_object();
    out.key("warnings").begin_array();
    for (const auto& warning : socket_warnings(s)) out.value(warning);
    out.end_array();
    out.end_object();
    return out.text() + "\n";
}

}  // namespace tandem::apps
