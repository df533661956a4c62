// Literal segments with times: a script plays the peer and the application of one TCP connection, in virtual time.
//
//     0.000  connect                                    a line: when (seconds; +0.1 is after the line before), then what
//     0.000  > S 0:0(0) win 65535 <mss 1460,sackOK,TS val 0 ecr 0,nop,wscale 7>
//     0.100  < S. 0:0(0) ack 1 win 65535 <mss 1460>     arrives: flags, begin:end(bytes), ack, window as on the wire, options
//     0.100  > . 1:1(0) ack 1                           must have left then (within 0.1 ms), next and with these flags
//     0.100  write 1000
//     0.200  state ESTABLISHED
//
// Sequence numbers count from each side's initial number; timestamps of ours are milliseconds of the script, the peer's are raw.
// In expectations ack, win, ecn (0 to 3, the IP header's field) and options are checked where they are written (<> means no
// options at all). Nothing else may leave. Verbs: connect, listen, write N, read N (all that is readable if N is missing),
// shutdown, abort, release, nodelay, nothing.
// Looking: event NAME... (all events since the last such line), state NAME, readable N, unsent N, cwnd N, srtt MS, gone.
// # starts a comment. Byte i of both streams is i % 251.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include <tandem/tcp/endpoint.hpp>

namespace tandem::tcp::test {

class script {
public:
    // Without pacing and path MTU discovery, so that times are those of the rules under test.
    static config plain() {
        config c;
        c.pacing = false;
        c.probing = mtu_probing::never;  // segments that go out again are what they were
        return c;
    }
    static config no_timestamps() {
        auto c = plain();
        c.timestamps = false;
        return c;
    }
    // A handshake as client with a round trip of 100 ms; then it is 0.100. Full segments have 1000 bytes. Without timestamps.
    static constexpr const char* connected = R"(
        0.000 connect
        0.000 > S 0:0(0)
        0.100 < S. 0:0(0) ack 1 win 65535 <mss 1000,sackOK,nop,wscale 0>
        0.100 > . 1:1(0) ack 1
        0.100 event connected
    )";
    // The same as server.
    static constexpr const char* accepted = R"(
        0.000 listen
        0.000 < S 0:0(0) win 65535 <mss 1000,sackOK,nop,wscale 0>
        0.000 > S. 0:0(0) ack 1
        0.100 < . 1:1(0) ack 1 win 65535
        0.100 event accepted
    )";
    // With timestamps; full segments have 1000 bytes.
    static constexpr const char* connected_with_timestamps = R"(
        0.000 connect
        0.000 > S 0:0(0) <mss 1460,sackOK,TS val 0 ecr 0,nop,wscale 8>
        0.100 < S. 0:0(0) ack 1 win 65535 <mss 1012,sackOK,TS val 1000 ecr 0,nop,wscale 0>
        0.100 > . 1:1(0) ack 1 <nop,nop,TS val 100 ecr 1000>
        0.100 event connected
    )";
    explicit script(const config& c = plain(), const listen_config& l = {});

    // Runs the text and reports every deviation as a test failure. May be called again: time goes on.
    void run(const std::string& text);

    endpoint& host() { return host_; }
    connection* object() { return host_.find(handle_); }
    time_point now() const { return now_; }

private:
    struct sent {
        time_point at;
        std::vector<std::uint8_t> bytes;
    };

    void line(const std::string& text);
    void advance(time_point to);
    void collect();
    void poll();
    void inject(std::istringstream& in);
    void expect(std::istringstream& in, time_point at);
    bool observe(const std::string& word, std::istringstream& in);
    void verb(const std::string& word, std::istringstream& in);
    void application(const std::string& word, std::istringstream& in);
    void translate_in(segment& s) const;
    void translate_out(segment& s, time_point at);
    void nothing_left(const char* when);
    double seconds(time_point t) const;

    config config_;
    listen_config listen_;
    endpoint host_;
    time_point start_;
    time_point now_;
    time_point line_time_;
    connection_handle handle_;
    std::deque<sent> sent_;
    std::vector<std::string> events_;
    std::optional<std::uint32_t> our_isn_;
    std::optional<std::uint32_t> our_ts_base_;
    std::uint16_t our_port_ = 8080;
    std::uint64_t written_ = 0;
    std::uint64_t read_ = 0;
};

}  // namespace tandem::tcp::test
