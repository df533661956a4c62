#include <tandem/http/priority.hpp>

#include <cctype>
#include <optional>

namespace tandem::http {
namespace {

// A cursor over a structured field (RFC 8941 4.2): knows just enough to skip what it does not understand.
class cursor {
public:
    explicit cursor(std::string_view text) : text_(text) {}

    bool empty() const { return text_.empty(); }
    char peek() const { return text_.empty() ? '\0' : text_.front(); }
    bool take(char c) {
        if (peek() != c || empty()) return false;
        text_.remove_prefix(1);
        return true;
    }
    void skip_spaces() {
        while (take(' ')) {
        }
    }
    void skip_white_space() {
        while (take(' ') || take('\t')) {
        }
    }
    // RFC 8941 3.1.2: lower-case letter or '*', then letters, digits and "_-.*".
    std::optional<std::string_view> key() {
        auto is_first = [](char c) { return (c >= 'a' && c <= 'z') || c == '*'; };
        if (!is_first(peek())) return std::nullopt;
        return run([&](char c) { return is_first(c) || is_digit(c) || c == '_' || c == '-' || c == '.'; });
    }
    template <class Accept>
    std::string_view run(Accept accept) {
        std::size_t n = 0;
        while (n < text_.size() && accept(text_[n])) ++n;
        auto taken = text_.substr(0, n);
        text_.remove_prefix(n);
        return taken;
    }
    static bool is_digit(char c) { return c >= '0' && c <= '9'; }

private:
    std::string_view text_;
};

struct item {
    enum class kind : std::uint8_t { boolean, integer, other } what = kind::other;
    std::int64_t value = 0;
};

bool skip_string(cursor& in) {
    if (!in.take('"')) return false;
    while (!in.empty()) {
        if (in.take('"')) return true;
        if (in.take('\\') && in.peek() != '"' && in.peek() != '\\') return false;
        char c = in.peek();
        if (c < 0x20 || c == 0x7f || !in.take(c)) return false;
    }
    return false;
}

// RFC 8941 3.3.1, 3.3.2: at most 15 digits; a decimal is not one of ours.
std::optional<item> parse_number(cursor& in) {
    bool negative = in.take('-');
    auto digits = in.run(cursor::is_digit);
    if (digits.empty() || digits.size() > 15) return std::nullopt;
    if (in.take('.')) {
        if (in.run(cursor::is_digit).empty()) return std::nullopt;
        return item{};
    }
    std::int64_t value = 0;
    for (char c : digits) value = value * 10 + (c - '0');
    return item{item::kind::integer, negative ? -value : value};
}

std::optional<item> parse_bare_item(cursor& in) {
    char c = in.peek();
    if (c == '?') {
        in.take('?');
        if (in.take('1')) return item{item::kind::boolean, 1};
        if (in.take('0')) return item{item::kind::boolean, 0};
        return std::nullopt;
    }
    if (c == '-' || cursor::is_digit(c)) return parse_number(in);
    if (c == '"') return skip_string(in) ? std::optional<item>(item{}) : std::nullopt;
    if (c == ':') {
        in.take(':');
        in.run([](char b) { return std::isalnum(static_cast<unsigned char>(b)) || b == '+' || b == '/' || b == '='; });
        return in.take(':') ? std::optional<item>(item{}) : std::nullopt;
    }
    auto token = in.run([](char b) {
        return std::isalnum(static_cast<unsigned char>(b)) ||
               std::string_view("!#$%&'*+-.^_`|~:/").find(b) != std::string_view::npos;
    });
    return token.empty() || !(std::isalpha(static_cast<unsigned char>(token[0])) || token[0] == '*')
               ? std::nullopt
               : std::optional<item>(item{});
}

bool skip_parameters(cursor& in) {
    while (in.take(';')) {
        in.skip_spaces();
        if (!in.key()) return false;
        if (in.take('=') && !parse_bare_item(in)) return false;
    }
    return true;
}

bool skip_inner_list(cursor& in) {
    if (!in.take('(')) return false;
    while (!in.empty()) {
        in.skip_spaces();
        if (in.take(')')) return true;
        if (!parse_bare_item(in) || !skip_parameters(in)) return false;
        if (in.peek() != ' ' && in.peek() != ')') return false;
    }
    return false;
}

std::optional<item> parse_member_value(cursor& in) {
    if (!in.take('=')) return item{item::kind::boolean, 1};
    if (in.peek() == '(') return skip_inner_list(in) ? std::optional<item>(item{}) : std::nullopt;
    return parse_bare_item(in);
}

void apply(priority& result, std::string_view key, item value) {
    if (key == "u" && value.what == item::kind::integer && value.value >= 0 && value.value <= 7) {
        result.urgency = static_cast<std::uint8_t>(value.value);  // RFC 9218 4.1
    }
    if (key == "i" && value.what == item::kind::boolean) result.incremental = value.value != 0;  // RFC 9218 4.2
}

}  // namespace

priority parse_priority(std::string_view value) {
    cursor in(value);
    priority result;
    in.skip_white_space();
    while (!in.empty()) {
        auto key = in.key();
        if (!key) return {};
        auto member = parse_member_value(in);
        if (!member || !skip_parameters(in)) return {};
        apply(result, *key, *member);
        in.skip_white_space();
        if (in.empty()) break;
        if (!in.take(',')) return {};
        in.skip_white_space();
        if (in.empty()) return {};  // a comma at the end is malformed
    }
    return result;
}

std::string to_string(const priority& p) {
    std::string text;
    if (p.urgency != 3) text = "u=" + std::to_string(p.urgency);
    if (p.incremental) text += text.empty() ? "i" : ", i";
    return text;
}

}  // namespace tandem::http
