#include <tandem/http/range.hpp>

#include <algorithm>
#include <limits>

#include <tandem/http/message.hpp>

namespace tandem::http {
namespace {

std::string_view trim(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
    return text;
}

// Digits only; a number too large for 64 bits is the largest, since every file ends before it.
std::optional<std::uint64_t> parse_position(std::string_view digits) {
    if (digits.empty()) return std::nullopt;
    constexpr auto most = std::numeric_limits<std::uint64_t>::max();
    std::uint64_t value = 0;
    for (char c : digits) {
        if (c < '0' || c > '9') return std::nullopt;
        auto digit = static_cast<std::uint64_t>(c - '0');
        value = value > (most - digit) / 10 ? most : value * 10 + digit;
    }
    return value;
}

}  // namespace

range_request parse_range(std::string_view field, std::uint64_t size) {
    auto equals = field.find('=');
    if (equals == std::string_view::npos || !equals_ignoring_case(trim(field.substr(0, equals)), "bytes")) return {};
    auto spec = trim(field.substr(equals + 1));
    auto dash = spec.find('-');
    if (dash == std::string_view::npos || spec.find(',') != std::string_view::npos) return {};

    constexpr auto unsatisfiable = range_request{range_request::kind::unsatisfiable, {}};
    auto last = parse_position(spec.substr(dash + 1));
    if (dash == 0) {  // the last n bytes
        if (!last) return {};
        if (*last == 0 || size == 0) return unsatisfiable;
        return {range_request::kind::part, {size - std::min(size, *last), size}};
    }
    auto first = parse_position(spec.substr(0, dash));
    bool open_ended = dash + 1 == spec.size();
    if (!first || (!last && !open_ended) || (last && *last < *first)) return {};
    if (*first >= size) return unsatisfiable;
    return {range_request::kind::part, {*first, open_ended || *last >= size ? size : *last + 1}};
}

std::string content_range(range bytes, std::uint64_t size) {
    return "bytes " + std::to_string(bytes.begin) + '-' + std::to_string(bytes.end - 1) + '/' + std::to_string(size);
}

std::string content_range_unsatisfied(std::uint64_t size) { return "bytes */" + std::to_string(size); }

std::optional<content_range_value> parse_content_range(std::string_view field) {
    constexpr std::string_view unit = "bytes ";
    if (field.size() < unit.size() || !equals_ignoring_case(field.substr(0, unit.size()), unit)) return std::nullopt;
    field.remove_prefix(unit.size());
    auto dash = field.find('-');
    auto slash = field.find('/');
    if (dash == std::string_view::npos || slash == std::string_view::npos || slash < dash) return std::nullopt;
    auto first = parse_position(field.substr(0, dash));
    auto last = parse_position(field.substr(dash + 1, slash - dash - 1));
    if (!first || !last || *last < *first || *last == std::numeric_limits<std::uint64_t>::max()) return std::nullopt;
    content_range_value value{{*first, *last + 1}, std::nullopt};
    auto size = field.substr(slash + 1);
    if (size == "*") return value;
    value.size = parse_position(size);
    if (!value.size || *value.size <= *last) return std::nullopt;
    return value;
}

}  // namespace tandem::http
