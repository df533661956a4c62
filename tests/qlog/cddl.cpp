#include "cddl.hpp"

#include <cctype>
#include <regex>
#include <stdexcept>

namespace tandem::qlog::test {

namespace json = boost::json;

class cddl_parser {
public:
    cddl_parser(std::string_view text, cddl& out) : rest_(text), out_(out) { next(); }

    void run() {
        while (!token_.empty()) {
            if (token_ == "event") {
                next();
                const auto name = take_literal();
                expect("=");
                out_.events_[name] = take();
                continue;
            }
            const auto name = take();
            const bool more = token_ == "/=";
            if (!more && token_ != "=") fail("expected = after " + name);
            next();
            auto& rule = out_.rules_[name];
            if (!rule) rule = std::make_shared<cddl_type>();
            const auto choice = parse_choice();
            rule->parts.insert(rule->parts.end(), choice->parts.begin(), choice->parts.end());
        }
    }

private:
    [[noreturn]] void fail(const std::string& what) { throw std::runtime_error("CDDL: " + what + " at '" + token_ + "'"); }
    std::string take() {
        auto t = token_;
        next();
        return t;
    }
    std::string take_literal() {
        if (token_.empty() || token_.front() != '"') fail("expected a string");
        auto t = take();
        return t.substr(1);
    }
    void expect(std::string_view t) {
        if (token_ != t) fail("expected " + std::string(t));
        next();
    }
    void next() {
        for (;;) {
            while (!rest_.empty() && (std::isspace(static_cast<unsigned char>(rest_.front())) || rest_.front() == ','))
                rest_.remove_prefix(1);
            if (rest_.empty() || rest_.front() != ';') break;
            rest_.remove_prefix(std::min(rest_.find('\n'), rest_.size()));
        }
        token_.clear();
        if (rest_.empty()) return;
        const char c = rest_.front();
        std::size_t n = 1;
        if (c == '"') {  // kept with its first quote, to tell it from a name
            n = rest_.find('"', 1);
            token_ = rest_.substr(0, n);
            rest_.remove_prefix(n + 1);
            return;
        }
        if (c == '/' && rest_.starts_with("/=")) n = 2;
        const auto word = [](char w) { return std::isalnum(static_cast<unsigned char>(w)) || w == '_' || w == '$' || w == '.'; };
        if (word(c)) {
            while (n < rest_.size() && word(rest_[n])) ++n;
        }
        token_ = rest_.substr(0, n);
        rest_.remove_prefix(n);
    }

    std::shared_ptr<cddl_type> parse_choice() {
        auto choice = std::make_shared<cddl_type>();
        choice->parts.push_back(parse_one());
        while (token_ == "/") {
            next();
            choice->parts.push_back(parse_one());
        }
        return choice;
    }

    std::shared_ptr<cddl_type> parse_one() {
        auto type = std::make_shared<cddl_type>();
        if (token_ == "{") {
            parse_map(*type);
        } else if (token_ == "[") {
            parse_array(*type);
        } else if (token_.front() == '"') {
            type->is = cddl_type::kind::literal;
            type->text = take_literal();
        } else {
            type->is = cddl_type::kind::name;
            type->text = take();
        }
        if (token_ == ".default") next(), next();
        if (token_ == ".size") next(), type->size = std::stoul(take());
        if (token_ == ".regexp") next(), type->pattern = take_literal();
        return type;
    }

    void parse_map(cddl_type& type) {
        type.is = cddl_type::kind::map;
        next();
        while (token_ != "}") {
            cddl_field field;
            if (token_ == "?") next(), field.optional = true;
            field.key = take();
            expect(":");
            field.type = parse_choice();
            type.fields.push_back(std::move(field));
        }
        next();
    }

    void parse_array(cddl_type& type) {
        type.is = cddl_type::kind::array;
        next();
        if (token_ == "+") {
            type.least = 1;
            next();
        } else if (token_ == "*") {
            next();
        } else {  // n*m
            type.least = std::stoul(take());
            expect("*");
            type.most = std::stoul(take());
        }
        type.parts.push_back(parse_choice());
        expect("]");
    }

    std::string_view rest_;
    cddl& out_;
    std::string token_;
};

void cddl::add(std::string_view text) { cddl_parser(text, *this).run(); }

std::optional<std::string> cddl::event_rule(const std::string& name) const {
    const auto it = events_.find(name);
    return it == events_.end() ? std::nullopt : std::optional(it->second);
}

std::optional<std::string> cddl::check(const json::value& value, const std::string& rule) const {
    const auto it = rules_.find(rule);
    if (it == rules_.end()) return "no rule " + rule;
    return check(value, *it->second, rule);
}

std::optional<std::string> cddl::check(const json::value& value, const cddl_type& type, const std::string& where) const {
    const auto wrong = [&](const std::string& what) { return where + ": " + what + ": " + json::serialize(value); };
    switch (type.is) {
        case cddl_type::kind::choice: {
            std::string why;
            for (const auto& part : type.parts) {
                const auto error = check(value, *part, where);
                if (!error) return std::nullopt;
                if (error->size() > why.size()) why = *error;  // the one that came farthest says most
            }
            return why;
        }
        case cddl_type::kind::literal:
            if (value.is_string() && value.as_string() == type.text) return std::nullopt;
            return wrong("not \"" + type.text + "\"");
        case cddl_type::kind::map:
            return check_map(value, type, where);
        case cddl_type::kind::array:
            if (!value.is_array()) return wrong("no array");
            if (value.as_array().size() < type.least || value.as_array().size() > type.most) return wrong("number of elements");
            for (const auto& element : value.as_array()) {
                if (auto error = check(element, *type.parts.front(), where + "[]")) return error;
            }
            return std::nullopt;
        default:
            return check_name(value, type, where);
    }
}

std::optional<std::string> cddl::check_map(const json::value& value, const cddl_type& type, const std::string& where) const {
    if (!value.is_object()) return where + ": no object: " + json::serialize(value);
    const auto& object = value.as_object();
    std::size_t known = 0;
    for (const auto& field : type.fields) {
        const auto* member = object.if_contains(field.key);
        if (member == nullptr) {
            if (!field.optional) return where + ": " + field.key + " is missing";
            continue;
        }
        ++known;
        if (auto error = check(*member, *field.type, where + "." + field.key)) return error;
    }
    if (known == object.size()) return std::nullopt;
    for (const auto& [key, member] : object) {
        const auto is_known = [&name = key](const cddl_field& f) { return f.key == name; };
        if (std::none_of(type.fields.begin(), type.fields.end(), is_known)) return where + ": unknown field " + std::string(key);
    }
    return where + ": a field twice";
}

std::optional<std::string> cddl::check_name(const json::value& value, const cddl_type& type, const std::string& where) const {
    const auto wrong = [&](const std::string& what) { return where + ": no " + what + ": " + json::serialize(value); };
    const auto unsigned_below = [&](std::uint64_t limit) {
        return (value.is_uint64() && value.as_uint64() <= limit) ||
               (value.is_int64() && value.as_int64() >= 0 && static_cast<std::uint64_t>(value.as_int64()) <= limit);
    };
    const auto& name = type.text;
    bool good = true;
    if (name == "uint8") {
        good = unsigned_below(UINT8_MAX);
    } else if (name == "uint16") {
        good = unsigned_below(UINT16_MAX);
    } else if (name == "uint32") {
        good = unsigned_below(UINT32_MAX);
    } else if (name == "uint64") {
        good = unsigned_below(UINT64_MAX);
    } else if (name == "float32" || name == "float64") {
        good = value.is_number();
    } else if (name == "bool") {
        good = value.is_bool();
    } else if (name == "text" || name == "hexstring") {
        good = value.is_string();
        const std::string text = good ? std::string(value.as_string()) : std::string();
        if (name == "hexstring") {
            good = good && text.size() % 2 == 0 && text.find_first_not_of("0123456789abcdef") == std::string::npos;
            if (type.size != 0) good = good && text.size() == 2 * type.size;
        }
        if (!type.pattern.empty()) good = good && std::regex_match(text, std::regex(type.pattern));
    } else {
        const auto rule = rules_.find(name);
        if (rule == rules_.end()) return where + ": no rule " + name;
        return check(value, *rule->second, where);
    }
    return good ? std::nullopt : std::optional(wrong(name));
}

}  // namespace tandem::qlog::test
