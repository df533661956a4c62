#include "quantities.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <span>

namespace tandem::compare {

namespace {

struct unit {
    std::string_view name;
    double factor;
};

// Splits "1.5MB" into 1.5 and the factor of its unit.
std::optional<double> scaled(std::string_view text, std::span<const unit> units) {
    double number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
    if (error != std::errc{} || !std::isfinite(number) || number < 0 || text.starts_with('-')) return std::nullopt;
    auto rest = text.substr(static_cast<std::size_t>(end - text.data()));
    while (rest.starts_with(' ')) rest.remove_prefix(1);
    for (const auto& u : units) {
        if (rest == u.name) return number * u.factor;
    }
    return std::nullopt;
}

std::optional<std::uint64_t> whole(std::optional<double> value) {
    constexpr double limit = 1e15;  // far above any link or page, far below what a double counts exactly
    if (!value || *value > limit) return std::nullopt;
    return static_cast<std::uint64_t>(std::llround(*value));
}

}  // namespace

std::optional<std::uint64_t> parse_bytes(std::string_view text) {
    static constexpr std::array units{unit{"", 1},    unit{"B", 1},           unit{"KB", 1e3},   unit{"kB", 1e3},
                                      unit{"K", 1e3}, unit{"k", 1e3},         unit{"KiB", 1024}, unit{"MB", 1e6},
                                      unit{"M", 1e6}, unit{"MiB", 1048576.0}, unit{"GB", 1e9},   unit{"GiB", 1073741824.0}};
    return whole(scaled(text, units));
}

std::optional<std::uint64_t> parse_rate(std::string_view text) {
    if (text == "0") return 0;
    for (const std::string_view per_second : {"/s", "ps"}) {
        if (text.ends_with(per_second)) text.remove_suffix(per_second.size());
    }
    static constexpr std::array units{unit{"bit", 1},    unit{"kbit", 1e3}, unit{"Kbit", 1e3}, unit{"Mbit", 1e6},
                                      unit{"mbit", 1e6}, unit{"Gbit", 1e9}, unit{"gbit", 1e9}, unit{"kb", 1e3},
                                      unit{"Mb", 1e6},   unit{"Gb", 1e9}};
    return whole(scaled(text, units));
}

std::optional<duration> parse_duration(std::string_view text) {
    if (text == "0") return duration::zero();
    static constexpr std::array units{unit{"ns", 1}, unit{"us", 1e3}, unit{"ms", 1e6}, unit{"s", 1e9}};
    const auto ns = whole(scaled(text, units));
    if (!ns) return std::nullopt;
    return duration{static_cast<duration::rep>(*ns)};
}

std::optional<double> parse_share(std::string_view text) {
    static constexpr std::array units{unit{"%", 0.01}, unit{"", 1}};
    const auto share = scaled(text, units);
    if (!share || *share > 1) return std::nullopt;
    return share;
}

std::optional<std::vector<std::uint64_t>> parse_page(std::string_view text, std::size_t max_objects, std::uint64_t max_bytes) {
    std::vector<std::uint64_t> sizes;
    for (;;) {
        const auto comma = text.find(',');
        auto part = text.substr(0, comma);
        std::uint64_t count = 1;
        if (const auto x = part.find('x'); x != std::string_view::npos) {
            const auto [end, error] = std::from_chars(part.data(), part.data() + x, count);
            if (error != std::errc{} || end != part.data() + x) return std::nullopt;
            part.remove_prefix(x + 1);
        }
        const auto size = parse_bytes(part);
        if (!size || *size > max_bytes || count == 0 || count > max_objects - sizes.size()) return std::nullopt;
        sizes.insert(sizes.end(), count, *size);
        if (comma == std::string_view::npos) return sizes;
        text.remove_prefix(comma + 1);
    }
}

std::string format_fixed(double value, int digits) {
    std::array<char, 400> text{};
    const auto result = std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed, digits);
    std::string out(text.data(), result.ptr);
    if (out.starts_with('-') && out.find_first_not_of("-0.") == std::string::npos) out.erase(0, 1);  // no negative zero
    return out;
}

std::string format_number(double value, int digits) {
    auto out = format_fixed(value, digits);
    if (out.find('.') == std::string::npos) return out;
    out.erase(out.find_last_not_of('0') + 1);
    if (out.ends_with('.')) out.pop_back();
    return out;
}

std::string format_bytes(std::uint64_t bytes) {
    const auto b = static_cast<double>(bytes);
    if (bytes < 1000) return std::to_string(bytes) + " B";
    if (bytes < 1'000'000) return format_number(b / 1e3, 1) + " KB";
    if (bytes < 1'000'000'000) return format_number(b / 1e6, 2) + " MB";
    return format_number(b / 1e9, 2) + " GB";
}

std::string format_rate(std::uint64_t bits) {
    const auto b = static_cast<double>(bits);
    if (bits < 1'000) return std::to_string(bits) + " bit/s";
    if (bits < 1'000'000) return format_number(b / 1e3, 1) + " kbit/s";
    if (bits < 1'000'000'000) return format_number(b / 1e6, 2) + " Mbit/s";
    return format_number(b / 1e9, 2) + " Gbit/s";
}

std::string format_ms(duration d) { return format_number(static_cast<double>(d.count()) / 1e6, 3) + " ms"; }

std::string format_percent(double share) { return format_number(share * 100, 3) + " %"; }

}  // namespace tandem::compare
