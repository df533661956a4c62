#include "script.hpp"

#include <cctype>
#include <cmath>
#include <cstring>

namespace tandem::packetdrill {
namespace {

class parser {
public:
    explicit parser(const std::string& text) : text_(text) {}

    script parse() {
        script out;
        std::int64_t previous = 0;
        while (skip(), at_ < text_.size()) {
            const auto began = line_;
            if (looking_at("--")) {
                const auto line = rest_of_line();
                const auto equals = line.find('=');
                out.options.emplace_back(line.substr(2, equals - 2), equals == std::string::npos ? "" : line.substr(equals + 1));
                continue;
            }
            if (looking_at("`")) fail("shell commands are not run: use --so_flags=tcp_...=VALUE");
            script_event e;
            e.line = began;
            std::optional<std::int64_t> end;
            time(e, previous, end);
            previous = e.at;
            if (eat("%{")) {
                e.what = assertion{until("}%")};
            } else if (peek() == '<' || peek() == '>') {
                e.what = packet();
                e.latest = end;
            } else {
                auto call = system_call_line();
                call.end_usecs = end;
                e.what = std::move(call);
            }
            out.events.push_back(std::move(e));
        }
        return out;
    }

private:
    [[noreturn]] void fail(const std::string& why) const { throw script_error(line_, why); }

    char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
    bool looking_at(const char* s) const { return text_.compare(at_, std::strlen(s), s) == 0; }
    bool eat(const char* s) {
        if (!looking_at(s)) return false;
        at_ += std::strlen(s);
        return true;
    }
    void need(const char* s) {
        blanks();
        if (!eat(s)) fail(std::string("expected ") + s + " before: " + text_.substr(at_, 20));
    }
    void step() {
        if (text_[at_] == '\n') ++line_;
        ++at_;
    }
    // Blanks of a line.
    void blanks() {
        while (peek() == ' ' || peek() == '\t') ++at_;
    }
    // Blanks, line ends, comments.
    void skip() {
        while (at_ < text_.size()) {
            if (std::isspace(static_cast<unsigned char>(peek())) != 0) {
                step();
            } else if (looking_at("//") || peek() == '#') {
                while (at_ < text_.size() && peek() != '\n') ++at_;
            } else if (looking_at("/*")) {
                while (at_ < text_.size() && !looking_at("*/")) step();
                at_ += 2;
            } else {
                return;
            }
        }
    }
    std::string rest_of_line() {
        std::string out;
        while (at_ < text_.size() && peek() != '\n') out += text_[at_++];
        while (!out.empty() && out.back() == ' ') out.pop_back();
        return out;
    }
    std::string until(const char* end) {
        const auto from = at_;
        while (at_ < text_.size() && !looking_at(end)) step();
        auto out = text_.substr(from, at_ - from);
        if (!eat(end)) fail(std::string("no ") + end);
        return out;
    }
    std::string word() {
        blanks();
        std::string out;
        while (std::isalnum(static_cast<unsigned char>(peek())) != 0 || peek() == '_') out += text_[at_++];
        return out;
    }
    std::int64_t usecs() {
        std::size_t used = 0;
        double value = 0;
        try {
            // "0.1...0.2": the number ends before the dots.
            auto digits = text_.substr(at_, 24);
            if (const auto dots = digits.find(".."); dots != std::string::npos) digits.resize(dots);
            value = std::stod(digits, &used);
        } catch (const std::exception&) {
            fail("no time: " + text_.substr(at_, 20));
        }
        at_ += used;
        return std::llround(value * 1e6);
    }
    void time(script_event& e, std::int64_t previous, std::optional<std::int64_t>& end) {
        if (eat("*")) {
            e.any_time = true;
            e.at = previous;
            blanks();
            return;
        }
        const bool relative = eat("+");
        e.at = usecs() + (relative ? previous : 0);
        if (eat("...")) {
            const bool far = eat("+");
            end = usecs() + (far ? e.at : relative ? previous : 0);
        } else if (eat("~")) {
            const bool far = eat("+");
            end = usecs() + (far || relative ? previous : 0);
        }
        blanks();
    }
    std::uint32_t number() {
        blanks();
        const bool negative = eat("-");
        if (std::isdigit(static_cast<unsigned char>(peek())) == 0) fail("no number: " + text_.substr(at_, 20));
        std::uint64_t out = 0;
        if (eat("0x")) {
            while (std::isxdigit(static_cast<unsigned char>(peek())) != 0) {
                out = out * 16 + static_cast<std::uint64_t>(std::stoi(std::string(1, text_[at_++]), nullptr, 16));
            }
        } else {
            while (std::isdigit(static_cast<unsigned char>(peek())) != 0)
                out = out * 10 + static_cast<unsigned>(text_[at_++] - '0');
        }
        return static_cast<std::uint32_t>(negative ? 0 - out : out);
    }

    script_packet packet() {
        script_packet p;
        p.outbound = text_[at_++] == '>';
        blanks();
        if (eat("[")) {
            if (std::isdigit(static_cast<unsigned char>(peek())) != 0) {
                sequence(p);
                need("]");
                icmp(p);
                return p;
            }
            mark(p, word());
            need("]");
            blanks();
        }
        flags(p);
        sequence(p);
        while (true) {
            blanks();
            if (eat("ack")) {
                p.has_ack = true;
                p.segment.acknowledgment = number();
            } else if (eat("win")) {
                p.has_window = true;
                p.segment.window = static_cast<std::uint16_t>(number());
            } else if (eat("urg")) {
                p.segment.urgent_pointer = static_cast<std::uint16_t>(number());
            } else {
                break;
            }
        }
        if (eat("<")) options(p);
        blanks();
        if (peek() != '\n' && peek() != '\0' && !looking_at("//") && peek() != '#') fail("what is this: " + rest_of_line());
        return p;
    }
    void mark(script_packet& p, const std::string& name) {
        if (name == "noecn") {
            p.mark = ecn::not_ect;
        } else if (name == "ect0") {
            p.mark = ecn::ect0;
        } else if (name == "ect1") {
            p.mark = ecn::ect1;
        } else if (name == "ce") {
            p.mark = ecn::ce;
        } else {
            fail("mark: " + name);
        }
    }
    void flags(script_packet& p) {
        constexpr const char* letters = "FSRP.UEWC";
        constexpr std::uint8_t bits[] = {1, 2, 4, 8, 16, 32, 64, 128, 128};
        bool any = false;
        while (const char c = peek()) {
            if (c == '-') {
                any = true;
                ++at_;
                continue;
            }
            const auto* at = std::strchr(letters, c);
            if (!at) break;
            p.segment.flags |= bits[at - letters];
            any = true;
            ++at_;
        }
        if (!any) fail("no flags: " + text_.substr(at_, 20));
    }
    void sequence(script_packet& p) {
        p.segment.sequence = number();
        need(":");
        const auto end = number();
        need("(");
        p.bytes = number();
        need(")");
        if (end - p.segment.sequence != p.bytes) fail("the length is not what the numbers say");
    }
    void options(script_packet& p) {
        auto& o = p.segment.options;
        while (true) {
            if (eat("...")) {
                p.any_options = true;
            } else {
                option(o, word());
            }
            blanks();
            if (eat(">")) return;
            need(",");
        }
    }
    void option(tcp::segment_options& o, const std::string& name) {
        if (name == "mss") {
            o.mss = static_cast<std::uint16_t>(number());
        } else if (name == "wscale") {
            o.window_scale = static_cast<std::uint8_t>(number());
        } else if (name == "sackOK") {
            o.sack_permitted = true;
        } else if (name == "TS") {
            tcp::timestamp_option ts;
            if (word() != "val") fail("TS val");
            ts.value = number();
            if (word() != "ecr") fail("TS ecr");
            ts.echo = number();
            o.timestamps = ts;
        } else if (name == "sack") {
            blanks();
            while (std::isdigit(static_cast<unsigned char>(peek())) != 0) {
                tcp::sack_block b;
                b.begin = number();
                need(":");
                b.end = number();
                o.add_sack(b);
                blanks();
            }
        } else if (name != "nop" && name != "eol") {
            fail("option: " + name);
        }
    }
    void icmp(script_packet& p) {
        p.icmp.is = true;
        if (word() != "icmp") fail("icmp");
        const auto kind = word();
        if (kind == "source_quench" || kind == "time_exceeded" || kind == "parameter_problem") {
            p.icmp.type = kind == "source_quench" ? 4 : kind == "time_exceeded" ? 11 : 12;
            return;
        }
        if (kind != "unreachable") fail("icmp " + kind);
        const auto code = word();
        p.icmp.type = 3;
        if (code == "net_unreachable") {
            p.icmp.code = 0;
        } else if (code == "host_unreachable") {
            p.icmp.code = 1;
        } else if (code == "protocol_unreachable") {
            p.icmp.code = 2;
        } else if (code == "port_unreachable") {
            p.icmp.code = 3;
        } else if (code == "frag_needed") {
            p.icmp.code = 4;
        } else {
            fail("icmp code: " + code);
        }
        blanks();
        if (eat("mtu")) p.icmp.mtu = static_cast<std::uint16_t>(number());
    }

    system_call system_call_line() {
        system_call c;
        c.name = word();
        need("(");
        std::string one;
        int depth = 0;
        bool quoted = false;
        while (true) {
            if (at_ >= text_.size()) fail("the call does not end");
            const char ch = peek();
            if (ch == '"') quoted = !quoted;
            if (!quoted) {
                if (ch == '(' || ch == '[' || ch == '{') ++depth;
                if ((ch == ')' && depth == 0) || (ch == ',' && depth == 0)) {
                    c.arguments.push_back(trimmed(one));
                    one.clear();
                    ++at_;
                    if (ch == ')') break;
                    continue;
                }
                if (ch == ')' || ch == ']' || ch == '}') --depth;
            }
            one += ch;
            step();
        }
        if (c.arguments.size() == 1 && c.arguments[0].empty()) c.arguments.clear();
        need("=");
        blanks();
        while (peek() != ' ' && peek() != '\n' && peek() != '\0') c.result += text_[at_++];
        blanks();
        if (peek() == 'E') c.error = word();
        while (at_ < text_.size() && peek() != '\n') ++at_;  // what errno says in words
        return c;
    }
    static std::string trimmed(const std::string& s) {
        const auto from = s.find_first_not_of(" \t\n");
        if (from == std::string::npos) return "";
        return s.substr(from, s.find_last_not_of(" \t\n") - from + 1);
    }

    const std::string& text_;
    std::size_t at_ = 0;
    int line_ = 1;
};

}  // namespace

script parse_script(const std::string& text) { return parser(text).parse(); }

}  // namespace tandem::packetdrill
