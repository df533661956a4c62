#include "tcp/segment_text.hpp"

#include <sstream>
#include <stdexcept>

namespace tandem::tcp::test {
namespace {

constexpr const char* flag_letters = "FSRP.UEC";  // in the order of the bits

std::uint8_t parse_flags(const std::string& text) {
    std::uint8_t out = 0;
    for (const char c : text) {
        const auto at = std::string(flag_letters).find(c);
        if (at == std::string::npos) throw std::invalid_argument("flags: " + text);
        out |= static_cast<std::uint8_t>(1 << at);
    }
    return out;
}

void parse_option(const std::string& text, segment_options& out) {
    std::istringstream in(text);
    std::string name;
    std::string word;
    in >> name;
    if (name == "mss") {
        in >> word;
        out.mss = static_cast<std::uint16_t>(std::stoul(word));
    } else if (name == "wscale") {
        in >> word;
        out.window_scale = static_cast<std::uint8_t>(std::stoul(word));
    } else if (name == "sackOK") {
        out.sack_permitted = true;
    } else if (name == "uto") {
        in >> word;
        out.user_timeout = static_cast<std::uint16_t>(std::stoul(word));
    } else if (name == "TS") {
        timestamp_option ts;
        in >> word >> ts.value >> word >> ts.echo;
        out.timestamps = ts;
    } else if (name == "sack") {
        while (in >> word) {
            const auto colon = word.find(':');
            out.add_sack(
                {static_cast<std::uint32_t>(std::stoul(word)), static_cast<std::uint32_t>(std::stoul(word.substr(colon + 1)))});
        }
    } else if (name != "nop" && name != "eol") {
        throw std::invalid_argument("option: " + text);
    }
}

}  // namespace

segment_text parse_text(const std::string& text) {
    segment_text out;
    auto plain = text;
    if (const auto open = text.find('<'); open != std::string::npos) {
        out.has_options = true;
        std::istringstream options(text.substr(open + 1, text.find('>') - open - 1));
        std::string one;
        while (std::getline(options, one, ',')) parse_option(one, out.segment.options);
        plain.resize(open);
    }
    std::istringstream in(plain);
    std::string flags;
    std::string numbers;
    std::string word;
    in >> flags >> numbers;
    out.segment.flags = parse_flags(flags);
    const auto colon = numbers.find(':');
    if (colon == std::string::npos) throw std::invalid_argument("numbers: " + text);
    out.segment.sequence = static_cast<std::uint32_t>(std::stoul(numbers));
    const auto end = static_cast<std::uint32_t>(std::stoul(numbers.substr(colon + 1)));
    out.bytes = end - out.segment.sequence;
    if (numbers.substr(numbers.find('(')) != "(" + std::to_string(out.bytes) + ")")
        throw std::invalid_argument("length: " + text);
    while (in >> word) {
        std::uint32_t n = 0;
        in >> n;
        if (word == "ack") {
            out.has_ack = true;
            out.segment.acknowledgment = n;
        } else if (word == "win") {
            out.has_window = true;
            out.segment.window = static_cast<std::uint16_t>(n);
        } else if (word == "ecn") {
            out.has_mark = true;
            out.mark = static_cast<ecn>(n);
        } else if (word == "urg") {
            out.segment.urgent_pointer = static_cast<std::uint16_t>(n);
        } else {
            throw std::invalid_argument(word + ": " + text);
        }
    }
    return out;
}

std::string to_text(const segment& s) {
    std::ostringstream out;
    for (int i = 0; i < 8; ++i) {
        if ((s.flags >> i & 1) != 0) out << flag_letters[i];
    }
    out << ' ' << s.sequence << ':' << s.sequence + static_cast<std::uint32_t>(s.payload.size()) << '(' << s.payload.size()
        << ')';
    if (s.has(flag::ack)) out << " ack " << s.acknowledgment;
    out << " win " << s.window << " <";
    const char* comma = "";
    const auto option = [&]() -> std::ostringstream& {
        out << comma;
        comma = ",";
        return out;
    };
    if (s.options.mss) option() << "mss " << *s.options.mss;
    if (s.options.sack_permitted) option() << "sackOK";
    if (s.options.timestamps) option() << "TS val " << s.options.timestamps->value << " ecr " << s.options.timestamps->echo;
    if (s.options.window_scale) option() << "wscale " << int{*s.options.window_scale};
    if (s.options.user_timeout) option() << "uto " << *s.options.user_timeout;
    if (s.options.sack_count > 0) {
        option() << "sack";
        for (const auto& b : s.options.sack_blocks()) out << ' ' << b.begin << ':' << b.end;
    }
    out << '>';
    return out.str();
}

}  // namespace tandem::tcp::test
