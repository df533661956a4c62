#include <tandem/http/websocket_handshake.hpp>

#include <algorithm>
#include <cstddef>

#include <tandem/tls/sha1.hpp>

namespace tandem::http {
namespace {

constexpr std::string_view version = "13";
constexpr std::string_view guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";  // RFC 6455 1.3
constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

// RFC 4648 4
std::string base64(std::span<const std::uint8_t> bytes) {
    std::string out;
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        const auto have = std::min<std::size_t>(3, bytes.size() - i);
        std::uint32_t group = 0;
        for (std::size_t k = 0; k < 3; ++k) group = group << 8 | (k < have ? bytes[i + k] : 0u);
        for (std::size_t k = 0; k < 4; ++k) out += k <= have ? alphabet[group >> (18 - 6 * k) & 63] : '=';
    }
    return out;
}

// RFC 6455 4.2.1: base64 of 16 bytes.
bool is_key(std::string_view text) {
    return text.size() == 24 && text.ends_with("==") && text.substr(0, 22).find_first_not_of(alphabet) == std::string_view::npos;
}

websocket_answer refuse(int status, std::string problem) {
    websocket_answer out;
    out.head = {status, {{"content-type", "text/plain; charset=utf-8"}, {"sec-websocket-version", std::string(version)}}};
    out.problem = std::move(problem);
    return out;
}

}  // namespace

std::string websocket_key(std::span<const std::uint8_t, 16> nonce) { return base64(nonce); }

std::string websocket_accept(std::string_view key) {
    auto text = std::string(key).append(guid);
    return base64(tls::sha1({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}));
}

void ask_for_websocket(fields& list, std::span<const std::string> subprotocols, std::string_view key) {
    list.set("sec-websocket-version", version);
    if (!key.empty()) list.set("sec-websocket-key", key);
    std::string offered;
    for (const auto& s : subprotocols) offered += (offered.empty() ? "" : ", ") + s;
    if (!offered.empty()) list.set("sec-websocket-protocol", offered);
}

websocket_answer answer_websocket(const request& asked, std::span<const std::string> subprotocols) {
    const bool http1 = asked.method != "CONNECT";
    if (asked.protocol != websocket_protocol) return refuse(http1 ? 426 : 400, "this is the address of a WebSocket");
    if (http1 && asked.method != "GET") return refuse(400, "a WebSocket is asked for by GET");
    if (asked.fields.find("sec-websocket-version") != version)
        return refuse(http1 ? 426 : 400, "a version of WebSocket other than 13");
    const auto key = asked.fields.find("sec-websocket-key").value_or("");
    if (http1 && (!is_key(key) || asked.fields.count("sec-websocket-key") != 1))
        return refuse(400, "malformed Sec-WebSocket-Key");
    websocket_answer out;
    out.head.status = 101;
    if (http1) out.head.fields.append("sec-websocket-accept", websocket_accept(key));
    const auto offered = asked.fields.joined("sec-websocket-protocol");
    const auto chosen =
        std::find_if(subprotocols.begin(), subprotocols.end(), [&](const auto& s) { return list_contains(offered, s, true); });
    if (chosen != subprotocols.end()) {
        out.subprotocol = *chosen;
        out.head.fields.append("sec-websocket-protocol", out.subprotocol);
    }
    return out;
}

std::string_view wrong_websocket_answer(const response& answer, std::span<const std::string> offered, std::string_view key) {
    if (answer.status != 101) return "the server does not switch to WebSocket";
    if (!key.empty() && answer.fields.find("sec-websocket-accept") != websocket_accept(key))
        return "a wrong Sec-WebSocket-Accept";
    if (answer.fields.contains("sec-websocket-extensions")) return "an extension that was not offered";
    if (const auto chosen = answer.fields.find("sec-websocket-protocol")) {
        if (answer.fields.count("sec-websocket-protocol") > 1 ||
            std::find(offered.begin(), offered.end(), *chosen) == offered.end()) {
            return "a subprotocol that was not offered";
        }
    }
    return {};
}

}  // namespace tandem::http
