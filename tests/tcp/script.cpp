#include "tcp/script.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <sstream>

#include "tcp/segment_text.hpp"

namespace tandem::tcp::test {
namespace {

const ip_address our_address = ip_address::v4(192, 0, 2, 1);
const ip_address peer_address = ip_address::v4(198, 51, 100, 7);
constexpr std::uint16_t peer_port = 4000;
constexpr std::uint32_t peer_isn = 0xfffff000;  // the numbers wrap early in every script

std::uint8_t pattern(std::uint64_t i) { return static_cast<std::uint8_t>(i % 251); }

std::vector<std::uint8_t> pattern(std::uint64_t from, std::uint64_t n) {
    std::vector<std::uint8_t> out(n);
    for (std::uint64_t i = 0; i < n; ++i) out[i] = pattern(from + i);
    return out;
}

}  // namespace

script::script(const config& c, const listen_config& l)
    : config_(c), listen_(l), host_({}, random_source(7)), start_(std::chrono::seconds(5000)), now_(start_), line_time_(start_) {
    listen_.connection = c;
}

double script::seconds(time_point t) const { return std::chrono::duration<double>(t - start_).count(); }

void script::run(const std::string& text) {
    collect();
    std::istringstream in(text);
    std::string one;
    while (std::getline(in, one)) {
        if (const auto comment = one.find('#'); comment != std::string::npos) one.resize(comment);
        if (one.find_first_not_of(" \t") == std::string::npos) continue;
        SCOPED_TRACE(one);
        line(one);
    }
    nothing_left("at the end");
}

void script::line(const std::string& text) {
    std::istringstream in(text);
    std::string when;
    std::string what;
    in >> when >> what;
    const bool relative = when[0] == '+';
    const auto amount = duration(std::llround(std::stod(when.substr(relative ? 1 : 0)) * 1e9));
    line_time_ = relative ? line_time_ + amount : start_ + amount;
    if (what == ">") {
        advance(std::max(line_time_ + std::chrono::microseconds(100), now_));
        expect(in, line_time_);
        return;
    }
    advance(std::max(line_time_, now_));
    if (observe(what, in)) return;
    nothing_left("before this line");
    if (what == "<") {
        inject(in);
    } else {
        verb(what, in);
    }
    collect();
}

// What left and nobody expected.
void script::nothing_left(const char* when) {
    for (const auto& s : sent_) {
        packet p;
        parse_packet(s.bytes, p);
        translate_out(p.tcp, s.at);
        ADD_FAILURE() << "unexpected " << when << ": " << seconds(s.at) << " > " << to_text(p.tcp);
    }
    sent_.clear();
}

void script::advance(time_point to) {
    while (const auto next = host_.next_timeout()) {
        if (*next > to) break;
        now_ = std::max(now_, *next);
        host_.on_timeout(now_);
        collect();
    }
    now_ = std::max(now_, to);
}

void script::collect() {
    std::vector<std::uint8_t> buffer(65536);
    train out;
    out.buffer = buffer;
    while (host_.transmit(now_, out)) {
        for (std::size_t i = 0; i < out.count(); ++i) {
            const auto one = out.datagram(i);
            sent_.push_back({now_, {one.begin(), one.end()}});
        }
    }
    poll();
}

void script::poll() {
    while (const auto e = host_.poll_event()) {
        if (e->what == event::accepted) handle_ = e->connection;
        std::string name(to_string(e->what));
        for (auto& c : name) c = c == ' ' ? '_' : c;
        events_.push_back(name);
    }
}

// From the script's numbers to the wire's.
void script::translate_in(segment& s) const {
    s.sequence += peer_isn;
    if (s.has(flag::ack)) s.acknowledgment += our_isn_.value_or(0);
    for (auto& block : s.options.sack) block = {block.begin + our_isn_.value_or(0), block.end + our_isn_.value_or(0)};
    if (s.options.timestamps && s.options.timestamps->echo != 0) s.options.timestamps->echo += our_ts_base_.value_or(0);
}

void script::translate_out(segment& s, time_point at) {
    if (!our_isn_) our_isn_ = s.has(flag::rst) ? 0 : s.sequence;
    s.sequence -= *our_isn_;
    if (s.has(flag::ack)) s.acknowledgment -= peer_isn;
    for (std::size_t i = 0; i < s.options.sack_count; ++i) {
        s.options.sack[i] = {s.options.sack[i].begin - peer_isn, s.options.sack[i].end - peer_isn};
    }
    if (!s.options.timestamps) return;
    const auto elapsed = static_cast<std::uint32_t>((at - start_) / std::chrono::milliseconds(1));
    if (!our_ts_base_) our_ts_base_ = s.options.timestamps->value - elapsed;
    s.options.timestamps->value -= *our_ts_base_;
}

void script::inject(std::istringstream& in) {
    std::string rest;
    std::getline(in, rest);
    auto text = parse_text(rest);
    auto data = pattern(text.segment.sequence - 1, text.bytes);
    packet p;
    p.source = peer_address;
    p.destination = our_address;
    p.tcp = text.segment;
    p.mark = text.mark;
    p.tcp.payload = data;
    p.tcp.source_port = peer_port;
    p.tcp.destination_port = our_port_;
    translate_in(p.tcp);
    std::vector<std::uint8_t> bytes(packet_size(p));
    ASSERT_GT(write_packet(p, bytes), 0u);
    received_datagram datagram{.payload = bytes};
    host_.receive(datagram, now_);
}

void script::expect(std::istringstream& in, time_point at) {
    std::string rest;
    std::getline(in, rest);
    const auto want = parse_text(rest);
    if (sent_.empty()) {
        const auto next = host_.next_timeout();
        ADD_FAILURE() << "nothing left; next timeout " << (next ? std::to_string(seconds(*next)) : "none");
        return;
    }
    auto got = std::move(sent_.front());
    sent_.pop_front();
    packet p;
    ASSERT_EQ(parse_packet(got.bytes, p), drop_reason::none);
    our_port_ = p.tcp.source_port;
    translate_out(p.tcp, got.at);
    const auto& g = p.tcp;
    const auto& w = want.segment;
    const bool numbers = g.sequence == w.sequence && g.payload.size() == want.bytes && g.flags == w.flags;
    const bool ack = !want.has_ack || g.acknowledgment == w.acknowledgment;
    const bool window = !want.has_window || g.window == w.window;
    const bool options = !want.has_options || g.options == w.options;
    const bool mark = !want.has_mark || p.mark == want.mark;
    const bool time = std::abs((got.at - at).count()) <= 100'000;
    EXPECT_TRUE(numbers && ack && window && options && mark && time)
        << "got: " << seconds(got.at) << " > " << to_text(g) << " ecn " << static_cast<int>(p.mark);
    for (std::size_t i = 0; i < g.payload.size(); ++i) {
        if (g.payload[i] != pattern(g.sequence - 1 + i)) {
            ADD_FAILURE() << "wrong byte at " << i;
            break;
        }
    }
}

// Looks and changes nothing. False: it is another verb.
bool script::observe(const std::string& word, std::istringstream& in) {
    auto* c = object();
    std::uint64_t n = 0;
    std::string name;
    if (word == "event") {
        std::vector<std::string> names;
        while (in >> name) names.push_back(name);
        EXPECT_EQ(events_, names);
        events_.clear();
    } else if (word == "gone") {
        EXPECT_EQ(c, nullptr) << (c ? to_string(c->state()) : "");
        EXPECT_EQ(host_.connection_count(), 0u);
    } else if (word == "state" && in >> name) {
        const auto without = host_.time_wait_count() > 0 ? to_string(state::time_wait) : "none";
        EXPECT_EQ(c ? to_string(c->state()) : without, name);
    } else if (word == "readable" && in >> n) {
        EXPECT_EQ(c ? c->readable() : 0, n);
    } else if (word == "unsent" && in >> n) {
        EXPECT_EQ(c ? c->unsent() : 0, n);
    } else if (word == "cwnd" && in >> n) {
        EXPECT_EQ(c ? c->congestion(now_).congestion_window : 0, n);
    } else if (word == "srtt" && in >> n) {
        EXPECT_NEAR(c ? static_cast<double>(c->rtt().smoothed().count()) / 1e6 : 0, static_cast<double>(n), 0.5);
    } else {
        return false;
    }
    return true;
}

void script::verb(const std::string& word, std::istringstream& in) {
    if (word == "connect") {
        handle_ = host_.connect({our_address, 0}, {peer_address, peer_port}, config_, now_);
        ASSERT_TRUE(handle_);
    } else if (word == "listen") {
        ASSERT_TRUE(host_.listen({our_address, our_port_}, listen_));
    } else if (word == "nothing") {
        // that nothing left was checked already
    } else if (object()) {
        application(word, in);
    } else {
        ADD_FAILURE() << "no connection";
    }
}

void script::application(const std::string& word, std::istringstream& in) {
    auto* c = object();
    std::uint64_t n = 0;
    if (word == "write" && in >> n) {
        EXPECT_EQ(c->write(pattern(written_, n)), n);
        written_ += n;
    } else if (word == "read") {
        if (!(in >> n)) n = c->readable();
        std::vector<std::uint8_t> out(n);
        EXPECT_EQ(c->read(out, now_), n);
        EXPECT_EQ(out, pattern(read_, n));
        read_ += n;
    } else if (word == "shutdown") {
        c->shutdown_send();
    } else if (word == "abort") {
        c->abort();
    } else if (word == "release") {
        host_.release(handle_, now_);
    } else if (word == "nodelay") {
        c->set_nagle(false);
    } else {
        ADD_FAILURE() << "unknown verb " << word;
    }
}

}  // namespace tandem::tcp::test
