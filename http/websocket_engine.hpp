// A WebSocket (RFC 6455) between the bytes of a tunnel and messages: a value that is told things and asked for events.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include <tandem/http/utf8.hpp>
#include <tandem/http/websocket_frames.hpp>

namespace tandem::http {

struct websocket_limits {
    // What one peer's message may hold, all its fragments together, in bytes. A larger one ends the WebSocket with code 1009 as
    // soon as a frame's header says so. Memory is taken as bytes come, not as they are announced.
    std::size_t message_size = 16 * 1024 * 1024;
    // One frame of the peer's: the same, unless fragments are to be small.
    std::size_t frame_size = 16 * 1024 * 1024;
    // Messages are sent in fragments of at most this many bytes, so that a pong need not wait for the end of a large one.
    std::size_t fragment_size = 64 * 1024;
};

namespace websocket_code {  // RFC 6455 7.4.1
constexpr std::uint16_t normal = 1000;
constexpr std::uint16_t going_away = 1001;
constexpr std::uint16_t protocol_error = 1002;
constexpr std::uint16_t unsupported_data = 1003;
constexpr std::uint16_t none = 1005;      // a Close frame without a code; never sent
constexpr std::uint16_t abnormal = 1006;  // no Close frame at all; never sent
constexpr std::uint16_t invalid_data = 1007;
constexpr std::uint16_t policy = 1008;
constexpr std::uint16_t too_big = 1009;
constexpr std::uint16_t internal_error = 1011;
}  // namespace websocket_code

bool may_send_websocket_code(std::uint16_t code);  // 1000 to 1003, 1007 to 1014, 3000 to 4999

struct websocket_message {
    bool text = true;  // UTF-8; false: any bytes
    std::string data;
};

struct websocket_close {
    std::uint16_t code = websocket_code::abnormal;
    std::string reason;
};

namespace websocket_events {
using message = websocket_message;
struct pong {
    std::string payload;
};
}  // namespace websocket_events
using websocket_event = std::variant<websocket_events::message, websocket_events::pong>;

class websocket_engine {
public:
    enum class role : std::uint8_t { client, server };

    // `random`: what a client masks with (RFC 6455 10.3: nobody may foresee it).
    websocket_engine(role side, const websocket_limits& limit, std::function<std::uint64_t()> random);

    // Takes bytes of the peer's; returns how many: none are taken beyond an event, before it is polled, nor after the peer's
    // Close frame.
    std::size_t receive(std::span<const std::uint8_t> bytes);
    bool wants_to_receive() const { return !event_ && !peer_close_ && !failure_; }
    std::optional<websocket_event> poll_event();

    // Begins to send a message, whose bytes must stay until sending() is false; false if one is under way, or after close(), or
    // if a text is no UTF-8.
    bool send(bool text, std::span<const std::uint8_t> data);
    bool sending() const { return outgoing_.has_value(); }
    // False if the payload is above max_websocket_control, or after close(). Of two that wait the later one goes.
    bool ping(std::string_view payload);
    // Sends a Close frame after the message under way; nothing else after it. False if the code may not be sent, the reason is no
    // UTF-8 or above 123 bytes, or if one was sent already. websocket_code::none: without a code.
    bool close(std::uint16_t code, std::string_view reason);
    // Whether the last message was not sent to its end: given up, or of no use any more to a peer that closes.
    bool cut() const { return cut_; }
    // Gives up the message under way. False: some of it was sent, so that nothing else can be; the tunnel is to be reset.
    bool abandon();

    std::size_t transmit(std::span<std::uint8_t> out);
    bool wants_to_transmit() const;

    const std::optional<websocket_close>& peer_close() const { return peer_close_; }  // the peer's Close frame
    bool close_sent() const { return close_sent_; }                                   // ours was transmitted whole
    bool closing() const { return close_frame_.has_value() || close_sent_; }
    // The peer broke a rule, or a limit of this side: a Close frame with the code is sent, and nothing more is read (RFC
    // 6455 7.1.7).
    const std::optional<websocket_close>& failure() const { return failure_; }
    // Both sides have said their last word; the tunnel should end. The server ends it first.
    bool over() const { return close_sent_ && (peer_close_ || failure_); }

private:
    struct outgoing {
        bool text = true;
        bool begun = false;
        std::span<const std::uint8_t> left;
        std::size_t in_frame = 0;  // payload bytes of the frame under way that are still to come
        std::optional<websocket_mask> mask;
        std::uint64_t masked = 0;  // payload bytes of that frame gone
    };
    struct control {
        websocket_opcode opcode = websocket_opcode::pong;
        std::string payload;
    };

    std::size_t take_header(std::span<const std::uint8_t> bytes);
    std::size_t take_payload(std::span<const std::uint8_t> bytes);
    void begin_frame();
    void end_frame();
    void on_control(websocket_opcode opcode);
    void on_close();
    void fail(std::uint16_t code, std::string_view why);

    bool next_control();
    void put_control(const control&);
    void put_header(websocket_frame);
    std::size_t put_payload(std::span<std::uint8_t> out);
    void begin_fragment();
    std::optional<websocket_mask> new_mask();

    role side_;
    websocket_limits limit_;
    std::function<std::uint64_t()> random_;

    // Coming in.
    std::array<std::uint8_t, max_websocket_header> header_{};
    std::size_t header_size_ = 0;
    std::optional<websocket_frame> frame_;
    std::uint64_t frame_taken_ = 0;  // of its payload
    std::string control_;            // payload of the control frame under way
    std::optional<websocket_message> message_;
    utf8_check utf8_;
    std::optional<websocket_event> event_;
    std::optional<websocket_close> peer_close_;
    std::optional<websocket_close> failure_;

    // Going out.
    std::string ready_;  // of a header or a control frame, that comes before all else
    std::size_t ready_at_ = 0;
    std::optional<outgoing> outgoing_;
    bool cut_ = false;
    std::optional<std::string> pong_;  // RFC 6455 5.5.3: only the latest ping is answered
    std::optional<std::string> ping_;
    std::optional<std::string> close_frame_;
    bool close_under_way_ = false;  // it is in ready_
    bool close_sent_ = false;
};

}  // namespace tandem::http
