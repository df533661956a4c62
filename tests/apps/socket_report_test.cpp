#include "socket_report.hpp"

#include <gtest/gtest.h>

namespace tandem::apps {
namespace {

using std::chrono::milliseconds;

net::tcp_socket_info connection(tcp::state state, std::uint16_t local_port = 443) {
    net::tcp_socket_info out;
    out.state = state;
    out.path = {{ip_address::v4(10, 7, 0, 2), local_port}, {ip_address::v4(10, 7, 0, 1), 50000}};
    out.mss = 1448;
    out.controller = "cubic";
    out.has_rtt = true;
    out.reordering = 3;
    out.owned = true;
    out.congestion.congestion_window = 14480;
    out.congestion.ssthresh = UINT64_MAX;
    out.congestion.smoothed_rtt = std::chrono::microseconds(12345);
    out.rtt_variation = milliseconds(2);
    out.min_rtt = milliseconds(11);
    return out;
}

net::tcp_snapshot snapshot() {
    net::tcp_snapshot out;
    out.carrier = "tun";
    out.ephemeral_ports = 10;
    out.listeners.push_back({{ip_address::v4(10, 7, 0, 2), 443}, 1, 5, 0});
    return out;
}

TEST(SocketReport, ReadsLikeSs) {
    auto s = snapshot();
    auto c = connection(tcp::state::established);
    c.receive_queue = 3;
    c.send_queue = 4000;
    c.unsent = 1000;
    c.congestion.bytes_in_flight = 3000;
    c.congestion.ssthresh = 28960;
    c.statistics.retransmissions = 2;
    c.statistics.losses = 1;
    s.sockets.push_back(c);
    const auto text = socket_text(s);
    EXPECT_NE(text.find("LISTEN     1        5                        10.7.0.2:443"), std::string::npos) << text;
    EXPECT_NE(text.find("ESTAB      3        4000 "), std::string::npos) << text;
    EXPECT_NE(text.find("cubic rtt:12.345/2.000 minrtt:11.000 mss:1448 cwnd:10 ssthresh:20"), std::string::npos) << text;
    EXPECT_NE(text.find(" unacked:3 retrans:2 lost:1 notsent:1000"), std::string::npos) << text;
    EXPECT_EQ(text.find('!'), std::string::npos) << text;
}

TEST(SocketReport, SaysWhatLimitsTheSenderAndForHowLong) {
    using recovery::limited_by;
    auto s = snapshot();
    s.sockets.push_back(connection(tcp::state::established));
    EXPECT_NE(socket_text(s).find(" app_limited"), std::string::npos);
    EXPECT_EQ(socket_text(s).find("busy"), std::string::npos);
    auto& times = s.sockets[0].limits.spent;
    const auto spend = [&](limited_by why, int n) { times[static_cast<std::size_t>(why)] = std::chrono::milliseconds(n); };
    spend(limited_by::application, 5000);
    spend(limited_by::congestion_window, 300);
    spend(limited_by::receive_window, 100);
    s.sockets[0].limited = limited_by::congestion_window;
    EXPECT_NE(socket_text(s).find(" busy:400ms rwnd_limited:100ms(25.0%) cwnd_limited:300ms(75.0%) cwnd_limited\n"),
              std::string::npos)
        << socket_text(s);
    const auto json = socket_json(s);
    EXPECT_NE(json.find("\"busy_ms\": 400.000"), std::string::npos) << json;
    EXPECT_NE(json.find("\"rwnd_limited_ms\": 100.000"), std::string::npos);
    EXPECT_NE(json.find("\"app_limited_ms\": 5000.000"), std::string::npos);
    for (const auto why : {limited_by::pacing, limited_by::nagle}) {
        s.sockets[0].limited = why;
        EXPECT_NE(socket_text(s).find(why == limited_by::pacing ? "pacing_limited" : "nagle_limited"), std::string::npos);
    }
    s.sockets[0].owned = false;
    EXPECT_NE(socket_text(s).find("orphaned"), std::string::npos);
}

TEST(SocketReport, NamesSocketsThatTheProgramForgot) {
    auto s = snapshot();
    auto c = connection(tcp::state::close_wait);
    c.peer_closed_for = milliseconds(9'999);  // the program may be about to
    s.sockets.push_back(c);
    EXPECT_TRUE(socket_warnings(s).empty());
    s.sockets[0].peer_closed_for = milliseconds(35'000);
    s.sockets.push_back(s.sockets[0]);
    const auto warnings = socket_warnings(s);
    ASSERT_EQ(warnings.size(), 1U);
    EXPECT_EQ(warnings[0].substr(0, 82), "2 sockets are in CLOSE-WAIT: the peer has closed, the program has not, for up to 3");
    EXPECT_NE(socket_text(s).find("! 2 sockets are in CLOSE-WAIT"), std::string::npos);
}

TEST(SocketReport, NamesPortsThatRunOut) {
    auto s = snapshot();
    for (std::uint16_t i = 0; i < 7; ++i) s.sockets.push_back(connection(tcp::state::time_wait, i));
    EXPECT_TRUE(socket_warnings(s).empty());
    s.sockets.push_back(connection(tcp::state::time_wait, 8));
    ASSERT_EQ(socket_warnings(s).size(), 1U);
    EXPECT_NE(socket_warnings(s)[0].find("8 of 10 ports towards 10.7.0.1:50000 are in TIME-WAIT"), std::string::npos);
    s.no_port_failures = 3;
    EXPECT_EQ(socket_warnings(s)[1], "3 connections could not be made because no port was free");
}

TEST(SocketReport, ShowsHowMuchReorderingIsNormal) {  // as ss does: only where it is not 3
    auto s = snapshot();
    s.sockets.push_back(connection(tcp::state::established));
    EXPECT_EQ(socket_text(s).find("reordering"), std::string::npos);
    s.sockets[0].reordering = 17;
    EXPECT_NE(socket_text(s).find(" reordering:17 "), std::string::npos) << socket_text(s);
    s.sockets[0].reordering.reset();
    s.sockets[0].reordering_time = milliseconds(14);
    EXPECT_NE(socket_text(s).find(" reordering:14.000ms "), std::string::npos) << socket_text(s);
    EXPECT_NE(socket_json(s).find("\"reordering_packets\": null"), std::string::npos);
}

TEST(SocketReport, NamesAFullQueue) {
    auto s = snapshot();
    s.listeners[0].waiting = 5;
    ASSERT_EQ(socket_warnings(s).size(), 1U);
    EXPECT_NE(socket_warnings(s)[0].find("the queue of 10.7.0.2:443 is full (5 connections)"), std::string::npos);
}

TEST(SocketReport, JsonHasTheSame) {
    auto s = snapshot();
    s.sockets.push_back(connection(tcp::state::established));
    s.totals.timeouts = 7;
    const auto json = socket_json(s);
    for (const char* part : {"\"carrier\": \"tun\"", "\"state\": \"ESTAB\"", "\"peer\": \"10.7.0.1:50000\"", "\"ssthresh\": null",
                             "\"smoothed_rtt_ms\": 12.345", "\"TcpExtTCPTimeouts\": 7", "\"waiting\": 1"}) {
        EXPECT_NE(json.find(part), std::string::npos) << part << "\n" << json;
    }
}

}  // namespace
}  // namespace tandem::apps
