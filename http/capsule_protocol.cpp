#include <tandem/http/capsule_protocol.hpp>

#include <algorithm>

namespace tandem::http {
namespace {

constexpr std::string_view name = "capsule-protocol";

// RFC 9651 3.1.2, as far as it tells a Boolean with parameters from something else: each is a semicolon, spaces and a key that
// may have a value.
bool are_parameters(std::string_view text) {
    while (!text.empty()) {
        if (text.front() != ';') return false;
        text.remove_prefix(1);
        text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
        const auto first = text.empty() ? '\0' : text.front();
        if ((first < 'a' || first > 'z') && first != '*') return false;
        const bool quoted = text.find("=\"") < text.find(';');
        const auto begin = quoted ? text.find('"') + 1 : 0;
        const auto end = quoted ? text.find('"', begin) : 0;
        if (end == std::string_view::npos) return false;
        text.remove_prefix(std::min(text.find(';', end), text.size()));
    }
    return true;
}

}  // namespace

bool has_datagrams(const limits& limit, std::string_view protocol) {
    const auto& list = limit.datagram_protocols;
    return !protocol.empty() && std::find(list.begin(), list.end(), protocol) != list.end();
}

void say_capsule_protocol(fields& list) { list.set(name, "?1"); }

bool says_capsule_protocol(const fields& list) {
    auto value = list.find(name).value_or("");
    return list.count(name) == 1 && value.starts_with("?1") && are_parameters(value.substr(2));
}

std::string_view wrong_with_capsules(const fields& list) {
    if (list.contains("content-length")) return "Content-Length with the Capsule Protocol";
    if (list.contains("content-type")) return "Content-Type with the Capsule Protocol";
    if (list.contains("transfer-encoding")) return "Transfer-Encoding with the Capsule Protocol";
    return {};
}

std::string_view wrong_with_capsules(const response& answer) {
    if (answer.status != 101 && answer.status / 100 != 2) return {};
    if (answer.status >= 204 && answer.status <= 206) return "a status that has no stream of capsules";
    return wrong_with_capsules(answer.fields);
}

}  // namespace tandem::http
