// Runs packetdrill-like scripts on a shared object with packetdrill's interface: packetdrill_runner LIBRARY SCRIPT...
//
// Stricter than packetdrill: a packet that no line of the script expects is an error, and times are exact to a millisecond.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <sstream>

#include <tandem/tcp/checksum.hpp>
#include <tandem/tcp/segment.hpp>

#include "../tcp/segment_text.hpp"
#include "calls.hpp"
#include "live.hpp"
#include "script.hpp"
#include "values.hpp"

namespace tandem::packetdrill {
namespace {

constexpr std::uint32_t peer_isn = 0xfffff000;  // the numbers wrap early in every script
constexpr std::uint16_t first_peer_port = 40000;

struct failure : std::runtime_error {
    using runtime_error::runtime_error;
};

struct run_options {
    std::string flags;
    bool v6 = false;
    bool strict = true;
    std::int64_t tolerance = 1000;
    std::int64_t ts_tick = 0;  // microseconds; 0: our timestamps' values are not checked
};

run_options options_of(const script& s) {
    run_options o;
    o.flags = "profile=rfc,sysctl=off";
    for (const auto& [name, value] : s.options) {
        if (name == "so_flags") o.flags = value + ",sysctl=off";
        if (name == "ip_version") o.v6 = value == "ipv6";
        if (name == "tolerance_usecs") o.tolerance = std::stoll(value);
        if (name == "tcp_ts_tick_usecs") o.ts_tick = std::stoll(value);
        if (name == "lenient") o.strict = false;
    }
    return o;
}

class run {
public:
    run(const std::string& library, const script& s)
        : options_(options_of(s)), live_(library, options_.flags), calls_(live_, options_.v6, our_port_) {}

    void play(const script& s) {
        start_ = live_.now() + 100;
        for (const auto& e : s.events) {
            try {
                one(e);
            } catch (const failure& f) {
                throw script_error(e.line, f.what());
            }
        }
        need(calls_.settle(true, start_));
        if (options_.strict) nothing_left();
        finish();
    }

private:
    static void need(const std::string& error) {
        if (!error.empty()) throw failure(error);
    }
    double seconds(std::int64_t at) const { return static_cast<double>(at - start_) / 1e6; }

    void one(const script_event& e) {
        const auto* p = std::get_if<script_packet>(&e.what);
        if (p && p->outbound) {
            expect(*p, e);
            return;
        }
        live_.wait_until(start_ + e.at);
        need(calls_.settle(false, start_ + e.at));
        if (options_.strict) nothing_left();
        if (p) {
            p->icmp.is ? inject_icmp(*p) : inject(*p);
        } else if (const auto* c = std::get_if<system_call>(&e.what)) {
            need(calls_.run(*c, start_, options_.tolerance));
        } else {
            std::string why;
            if (!holds(std::get<assertion>(e.what).text, calls_.information(), why)) throw failure(why);
        }
    }

    void nothing_left() {
        if (live_.pending() == 0) return;
        auto got = next();
        throw failure("unexpected: " + std::to_string(seconds(got.at)) + " > " + tcp::test::to_text(got.p.tcp));
    }

    struct outbound {
        std::vector<std::uint8_t> bytes;
        tcp::packet p;
        std::int64_t at = 0;
    };

    // The next packet, in the script's numbers.
    outbound next() {
        outbound out;
        auto got = live_.receive();
        if (got.bytes.empty()) throw failure("nothing is sent any more");
        out.bytes = std::move(got.bytes);
        out.at = got.at;
        if (tcp::parse_packet(out.bytes, out.p) != tcp::drop_reason::none) throw failure("what was sent is no TCP segment");
        last_ = out.p;
        translate(out.p.tcp);
        return out;
    }

    void translate(tcp::segment& s) {
        our_port_ = s.source_port;
        peer_port_ = s.destination_port;
        if (s.has(tcp::flag::syn)) our_isn_ = s.sequence;
        s.sequence -= our_isn_;
        if (s.has(tcp::flag::ack)) s.acknowledgment -= peer_isn;
        for (std::size_t i = 0; i < s.options.sack_count; ++i) {
            s.options.sack[i] = {s.options.sack[i].begin - peer_isn, s.options.sack[i].end - peer_isn};
        }
    }

    void expect(const script_packet& want, const script_event& e) {
        auto got = next();
        auto& g = got.p.tcp;
        auto size = g.payload.size();
        auto sequence = g.sequence;
        const auto first_at = got.at;
        while (size > 0 && size < want.bytes) {  // several segments may do what one line says
            auto more = next();
            if (more.p.tcp.sequence != sequence + size || more.p.tcp.payload.empty()) break;
            size += more.p.tcp.payload.size();
            got = std::move(more);
        }
        const auto text = std::to_string(seconds(first_at)) + " > " + tcp::test::to_text(g);
        const auto& w = want.segment;
        const auto complain = [&](const char* what) { throw failure(std::string(what) + "; sent was: " + text); };
        if (g.flags != w.flags) complain("other flags");
        if (sequence != w.sequence || size != want.bytes) complain("other numbers");
        if (want.has_ack && g.acknowledgment != w.acknowledgment) complain("other acknowledgment");
        if (want.has_window && g.window != w.window) complain("other window");
        if (want.mark && got.p.mark != *want.mark) complain("other ECN mark");
        if (!want.any_options) check_options(g, w, complain);
        if (e.any_time) return;
        const auto early = start_ + e.at - options_.tolerance;
        const auto late = start_ + e.latest.value_or(e.at) + options_.tolerance;
        if (first_at < early || first_at > late) complain("at another time");
    }

    template <class Complain>
    void check_options(const tcp::segment& g, const tcp::segment& w, const Complain& complain) {
        auto options = g.options;
        if (options.timestamps && w.options.timestamps) {
            if (!ts_base_) ts_base_ = options.timestamps->value - w.options.timestamps->value;
            const auto value = options.timestamps->value - *ts_base_;
            const auto off = static_cast<std::int32_t>(value - w.options.timestamps->value);
            if (options_.ts_tick == 0 || (off >= -1 && off <= 1)) options.timestamps->value = w.options.timestamps->value;
        }
        if (!(options == w.options)) complain("other options");
    }

    ip_address ours() const { return options_.v6 ? *ip_address::parse("fd3d:0a0b:17d6::1") : ip_address::v4(192, 168, 0, 1); }
    ip_address theirs() const { return options_.v6 ? *ip_address::parse("2001:db8::1") : ip_address::v4(192, 0, 2, 1); }

    void inject(const script_packet& in) {
        std::vector<std::uint8_t> data(in.bytes);
        for (std::size_t i = 0; i < data.size(); ++i) data[i] = static_cast<std::uint8_t>((in.segment.sequence - 1 + i) % 251);
        tcp::packet p;
        p.source = theirs();
        p.destination = ours();
        p.mark = in.mark.value_or(ecn::not_ect);
        p.tcp = in.segment;
        p.tcp.payload = data;
        p.tcp.source_port = peer_port_;
        p.tcp.destination_port = our_port_;
        p.tcp.sequence += peer_isn;
        if (in.has_ack) {
            p.tcp.acknowledgment += our_isn_;
            p.tcp.flags |= tcp::flag::ack;
        }
        auto& o = p.tcp.options;
        for (auto& block : o.sack) block = {block.begin + our_isn_, block.end + our_isn_};
        if (o.timestamps && o.timestamps->echo != 0) o.timestamps->echo += ts_base_.value_or(0);
        std::vector<std::uint8_t> bytes(tcp::packet_size(p));
        if (tcp::write_packet(p, bytes) == 0) throw failure("the packet cannot be written");
        live_.send(bytes);
    }

    // An error about a segment of ours: the packet's IP header and the first of its TCP header.
    void inject_icmp(const script_packet& in) {
        if (!last_) throw failure("nothing was sent that an ICMP message could be about");
        tcp::packet about = *last_;
        about.source = ours();
        about.destination = theirs();
        about.tcp.payload = {};
        about.tcp.options = {};
        about.tcp.source_port = our_port_;
        about.tcp.destination_port = peer_port_;
        about.tcp.sequence = in.segment.sequence + our_isn_;
        std::vector<std::uint8_t> quoted(tcp::packet_size(about));
        tcp::write_packet(about, quoted);
        std::vector<std::uint8_t> body{in.icmp.type,
                                       in.icmp.code,
                                       0,
                                       0,
                                       0,
                                       0,
                                       static_cast<std::uint8_t>(in.icmp.mtu >> 8),
                                       static_cast<std::uint8_t>(in.icmp.mtu)};
        tcp::checksum sum;
        std::uint8_t protocol = 1;
        if (options_.v6) {
            const bool too_big = in.icmp.code == 4;
            constexpr std::uint8_t codes[] = {0, 3, 1, 4};
            body[0] = too_big ? 2 : 1;
            body[1] = too_big ? 0 : codes[in.icmp.code];
            protocol = 58;
            sum.add_pseudo_header(theirs(), ours(), protocol, body.size() + quoted.size());
        }
        body.insert(body.end(), quoted.begin(), quoted.end());
        sum.add(body);
        sum.store(body.data() + 2);
        const auto header = tcp::ip_header_size(options_.v6);
        std::vector<std::uint8_t> bytes(header + body.size());
        tcp::write_ip_header({theirs(), ours(), protocol, 64, 0, ecn::not_ect, {}}, body.size(), bytes.data());
        std::copy(body.begin(), body.end(), bytes.begin() + static_cast<std::ptrdiff_t>(header));
        live_.send(bytes);
    }

    // As packetdrill ends: the descriptors are closed behind the library's back, connections are reset.
    void finish() {
        for (const auto& [script, fd] : calls_.descriptors()) {
            if (::close(fd) != 0) throw failure("descriptor " + std::to_string(script) + " is not a real one");
        }
        if (!last_) return;
        script_packet reset;
        reset.segment = {.sequence = last_->tcp.acknowledgment - peer_isn, .flags = tcp::flag::rst | tcp::flag::ack};
        inject(reset);
    }

    run_options options_;
    std::uint16_t our_port_ = 8080;
    std::uint16_t peer_port_ = first_peer_port;
    live_stack live_;
    call_runner calls_;
    std::int64_t start_ = 0;
    std::uint32_t our_isn_ = 0;
    std::optional<std::uint32_t> ts_base_;
    std::optional<tcp::packet> last_;
};

bool run_file(const std::string& library, const std::string& path) {
    std::ifstream in(path);
    std::stringstream text;
    text << in.rdbuf();
    try {
        if (!in) throw std::runtime_error("cannot be read");
        const auto s = parse_script(text.str());
        // One that fails may leave a thread asleep in the library, which cannot be destroyed then.
        auto* r = new run(library, s);
        r->play(s);
        delete r;
        return true;
    } catch (const std::exception& e) {
        std::cerr << path << ": " << e.what() << '\n';
        return false;
    }
}

}  // namespace
}  // namespace tandem::packetdrill

int main(int argc, char** argv) {
    if (argc < 3) {
        std::cerr << "usage: packetdrill_runner LIBRARY SCRIPT...\n";
        return 2;
    }
    int failed = 0;
    for (int i = 2; i < argc; ++i) failed += tandem::packetdrill::run_file(argv[1], argv[i]) ? 0 : 1;
    if (argc > 3) std::cout << argc - 2 - failed << " passed, " << failed << " failed\n";
    // A script that failed may leave a thread asleep in the library: no destructors.
    std::_Exit(failed == 0 ? 0 : 1);
}
