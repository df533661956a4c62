#include <tandem/http/date.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <string>
#include <vector>

namespace tandem::http {

namespace {

constexpr std::array<std::string_view, 7> days{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
constexpr std::array<std::string_view, 12> months{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                  "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

std::optional<int> number(std::string_view text) {
    int value = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || value < 0) return std::nullopt;
    return value;
}

std::optional<int> month_number(std::string_view text) {
    for (std::size_t i = 0; i < months.size(); ++i) {
        if (months[i] == text) return static_cast<int>(i) + 1;
    }
    return std::nullopt;
}

std::optional<std::int64_t> time_of_day(std::string_view text) {
    if (text.size() != 8 || text[2] != ':' || text[5] != ':') return std::nullopt;
    auto h = number(text.substr(0, 2)), m = number(text.substr(3, 2)), s = number(text.substr(6, 2));
    if (!h || !m || !s || *h > 23 || *m > 59 || *s > 60) return std::nullopt;
    return *h * 3600 + *m * 60 + *s;
}

std::vector<std::string_view> words(std::string_view text, std::string_view separators) {
    std::vector<std::string_view> out;
    while (!text.empty()) {
        auto end = std::min(text.find_first_of(separators), text.size());
        if (end > 0) out.push_back(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return out;
}

std::optional<std::int64_t> seconds_of(std::optional<int> year, std::optional<int> month, std::optional<int> day,
                                       std::optional<std::int64_t> time) {
    if (!year || !month || !day || !time) return std::nullopt;
    std::chrono::year_month_day date{std::chrono::year(*year), std::chrono::month(static_cast<unsigned>(*month)),
                                     std::chrono::day(static_cast<unsigned>(*day))};
    if (!date.ok()) return std::nullopt;
    return std::chrono::sys_days(date).time_since_epoch().count() * std::int64_t{86400} + *time;
}

int year_of(std::int64_t seconds) {
    std::chrono::sys_days day{std::chrono::days(seconds / 86400)};
    return static_cast<int>(std::chrono::year_month_day(day).year());
}

std::optional<int> full_year(std::optional<int> two_digits, std::int64_t now) {
    if (!two_digits || *two_digits > 99) return std::nullopt;
    int current = year_of(now);
    int year = current - current % 100 + *two_digits;
    return year > current + 50 ? year - 100 : year;
}

void append_digits(std::string& out, int number, std::size_t width) {
    const auto begin = out.size();
    out.append(width, '0');
    for (auto i = width; i-- > 0; number /= 10) out[begin + i] = static_cast<char>('0' + number % 10);
}

}  // namespace

std::string format_date(std::int64_t seconds) {
    auto day = seconds / 86400;
    auto time = static_cast<int>(seconds % 86400);
    std::chrono::sys_days date{std::chrono::days(day)};
    std::chrono::year_month_day parts(date);
    std::string out;  // put together by hand: every response has two
    out.reserve(32);
    out.append(days[std::chrono::weekday(date).c_encoding()]).append(", ");
    append_digits(out, static_cast<int>(static_cast<unsigned>(parts.day())), 2);
    out.append(" ").append(months[static_cast<unsigned>(parts.month()) - 1]).append(" ");
    append_digits(out, static_cast<int>(parts.year()), 4);
    append_digits(out.append(" "), time / 3600, 2);
    append_digits(out.append(":"), time / 60 % 60, 2);
    append_digits(out.append(":"), time % 60, 2);
    return out.append(" GMT");
}

std::optional<std::int64_t> parse_date(std::string_view text, std::int64_t now) {
    auto comma = text.find(',');
    if (comma == std::string_view::npos) {  // asctime: "Sun Nov  6 08:49:37 1994"
        auto w = words(text, " ");
        if (w.size() != 5) return std::nullopt;
        return seconds_of(number(w[4]), month_number(w[1]), number(w[2]), time_of_day(w[3]));
    }
    auto w = words(text.substr(comma + 1), " ");
    if (w.size() == 3 && w[2] == "GMT") {  // RFC 850: "Sunday, 06-Nov-94 08:49:37 GMT"
        auto date = words(w[0], "-");
        if (date.size() != 3) return std::nullopt;
        return seconds_of(full_year(number(date[2]), now), month_number(date[1]), number(date[0]), time_of_day(w[1]));
    }
    if (w.size() != 5 || w[4] != "GMT") return std::nullopt;
    return seconds_of(number(w[2]), month_number(w[1]), number(w[0]), time_of_day(w[3]));
}

}  // namespace tandem::http
