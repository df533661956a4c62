// A WebSocket engine that is given hostile frames, in pieces, while it sends, pings and closes. The first byte says which side it
// is and how the rest is cut. What it tells obeys its limits, and what it sends is understood by the other side.
#include <cstdint>
#include <span>
#include <string>
#include <variant>

#include "fuzz.hpp"

#include <tandem/http/websocket_engine.hpp>

using namespace tandem::http;

namespace {

using role = websocket_engine::role;
constexpr websocket_limits limit{.message_size = 1000, .frame_size = 700, .fragment_size = 20};

void check_events(websocket_engine& e) {
    while (auto event = e.poll_event()) {
        const auto* message = std::get_if<websocket_message>(&*event);
        if (message == nullptr) continue;
        FUZZ_CHECK(message->data.size() <= limit.message_size);
        FUZZ_CHECK(!message->text ||
                   is_utf8({reinterpret_cast<const std::uint8_t*>(message->data.data()), message->data.size()}));
    }
}

// Everything the engine has to say; the other side finds no fault in it.
void exchange(websocket_engine& e, websocket_engine& peer) {
    std::uint8_t out[64];
    while (auto n = e.transmit(out)) {
        for (std::span<const std::uint8_t> rest(out, n); !rest.empty();) {
            const auto taken = peer.receive(rest);
            check_events(peer);
            if (taken == 0) break;
            rest = rest.subspan(taken);
        }
        FUZZ_CHECK(!peer.failure());
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const bool server = data[0] & 1;
    const std::size_t piece = 1 + (data[0] >> 1);
    const auto random = [] { return std::uint64_t{0x12345678}; };
    websocket_engine e(server ? role::server : role::client, limit, random),
        peer(server ? role::client : role::server, limit, random);
    const std::string message(100, 'm');
    std::span<const std::uint8_t> rest(data + 1, size - 1);
    for (unsigned turn = 0; !rest.empty() && e.wants_to_receive(); ++turn) {
        rest = rest.subspan(e.receive(rest.first(std::min(piece, rest.size()))));
        check_events(e);
        if (turn == 1) e.send(true, {reinterpret_cast<const std::uint8_t*>(message.data()), message.size()});
        if (turn == 2) e.ping("?");
        if (turn == 40) e.close(websocket_code::normal, "enough");
        exchange(e, peer);
    }
    exchange(e, peer);
    FUZZ_CHECK(!(e.peer_close() || e.failure()) || e.over());
    return 0;
}
