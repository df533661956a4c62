// How a WebSocket begins: RFC 6455 4 over HTTP/1.1, RFC 8441 5 over HTTP/2, RFC 9220 over HTTP/3.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include <tandem/http/message.hpp>

namespace tandem::http {

constexpr std::string_view websocket_protocol = "websocket";  // for limits::tunnel_protocols and request::protocol

// Sec-WebSocket-Key of 16 random bytes, and the Sec-WebSocket-Accept that proves that a server read it. HTTP/1.1 alone has them.
std::string websocket_key(std::span<const std::uint8_t, 16> nonce);
std::string websocket_accept(std::string_view key);

// Adds to a client's request what makes it one for a WebSocket. `key` is empty in HTTP/2 and HTTP/3.
void ask_for_websocket(fields&, std::span<const std::string> subprotocols, std::string_view key);

// The answer to a request: status 101 with the first of `subprotocols` (in the server's order) that the client offers, if any; or
// 426 or 400 with why it is none for a WebSocket of version 13.
struct websocket_answer {
    response head;
    std::string problem;      // empty: it is accepted
    std::string subprotocol;  // empty: none
};
websocket_answer answer_websocket(const request&, std::span<const std::string> subprotocols);

// What is wrong with a server's answer of status 101 (RFC 6455 4.1), or empty. `key` as given to ask_for_websocket().
std::string_view wrong_websocket_answer(const response&, std::span<const std::string> offered, std::string_view key);

}  // namespace tandem::http
