#include "glob.hpp"

#include <charconv>

namespace tandem::apps {

namespace {

bool parse_number(std::string_view text, std::size_t& out) {
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    return error == std::errc{} && end == text.data() + text.size() && !text.empty();
}

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

enum class parsed { yes, no_range, too_many };

// "1-100", "001-100", "a-z", each with ":step".
parsed parse_range(std::string_view text, std::vector<std::string>& out) {
    std::size_t step = 1;
    if (auto colon = text.find(':'); colon != std::string_view::npos) {
        if (!parse_number(text.substr(colon + 1), step) || step == 0) return parsed::no_range;
        text = text.substr(0, colon);
    }
    auto dash = text.find('-');
    if (dash == std::string_view::npos) return parsed::no_range;
    auto from = text.substr(0, dash), to = text.substr(dash + 1);
    if (from.size() == 1 && to.size() == 1 && is_letter(from[0]) && is_letter(to[0]) && from[0] <= to[0]) {
        for (std::size_t c = static_cast<unsigned char>(from[0]); c <= static_cast<unsigned char>(to[0]); c += step) {
            out.emplace_back(1, static_cast<char>(c));
        }
        return parsed::yes;
    }
    std::size_t first = 0, last = 0;
    if (!parse_number(from, first) || !parse_number(to, last) || first > last) return parsed::no_range;
    if ((last - first) / step >= max_globbed_urls) return parsed::too_many;
    auto width = from.starts_with('0') ? from.size() : 0;
    for (std::size_t n = first; n <= last; n += step) {
        auto digits = std::to_string(n);
        out.push_back(std::string(width > digits.size() ? width - digits.size() : 0, '0') + digits);
    }
    return parsed::yes;
}

std::vector<std::string> split_list(std::string_view text) {
    std::vector<std::string> out;
    for (;;) {
        auto comma = text.find(',');
        out.emplace_back(text.substr(0, comma));
        if (comma == std::string_view::npos) return out;
        text.remove_prefix(comma + 1);
    }
}

// Appends every alternative to every URL so far.
bool multiply(std::vector<globbed_url>& urls, const std::vector<std::string>& alternatives) {
    if (urls.size() * alternatives.size() > max_globbed_urls) return false;
    std::vector<globbed_url> out;
    out.reserve(urls.size() * alternatives.size());
    for (const auto& u : urls) {
        for (const auto& a : alternatives) {
            out.push_back({u.url + a, u.parts});
            out.back().parts.push_back(a);
        }
    }
    urls = std::move(out);
    return true;
}

}  // namespace

std::optional<std::vector<globbed_url>> expand_globs(std::string_view pattern, std::string& why) {
    std::vector<globbed_url> out{{}};
    constexpr auto too_many = "it stands for more than a million URLs";
    while (!pattern.empty()) {
        auto open = pattern.find_first_of("[{");
        for (auto& u : out) u.url += pattern.substr(0, open);
        if (open == std::string_view::npos) break;
        pattern.remove_prefix(open);
        bool list = pattern.front() == '{';
        auto close = pattern.find(list ? '}' : ']');
        if (close == std::string_view::npos) return why = "a bracket is not closed (-g takes brackets as they are)", std::nullopt;
        auto inside = pattern.substr(1, close - 1);
        std::vector<std::string> alternatives;
        if (list) {
            alternatives = split_list(inside);
        } else if (auto result = parse_range(inside, alternatives); result == parsed::too_many) {
            return why = too_many, std::nullopt;
        } else if (result == parsed::no_range) {
            for (auto& u : out) u.url += pattern.substr(0, close + 1);
            pattern.remove_prefix(close + 1);
            continue;
        }
        if (!multiply(out, alternatives)) return why = too_many, std::nullopt;
        pattern.remove_prefix(close + 1);
    }
    return out;
}

std::string fill_in_parts(std::string_view file_name, const std::vector<std::string>& parts) {
    std::string out;
    for (std::size_t i = 0; i < file_name.size(); ++i) {
        std::size_t end = i + 1;
        while (end < file_name.size() && file_name[end] >= '0' && file_name[end] <= '9') ++end;
        std::size_t number = 0;
        if (file_name[i] == '#' && parse_number(file_name.substr(i + 1, end - i - 1), number) && number >= 1 &&
            number <= parts.size()) {
            out += parts[number - 1];
            i = end - 1;
        } else {
            out += file_name[i];
        }
    }
    return out;
}

}  // namespace tandem::apps
