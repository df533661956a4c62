// Puts one HTTP/1.1 message at a time on the wire (RFC 9112), pulling its body as room is given. A private part of the sessions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include <tandem/http/body.hpp>
#include <tandem/http/message.hpp>

namespace tandem::http {

// How the end of a body is known to the other side (RFC 9112 6).
enum class http1_framing : std::uint8_t { none, length, chunked, until_close };

class http1_writer {
public:
    // Less room than this may be too little for a chunk: transmit then writes nothing.
    static constexpr std::size_t min_room = 64;

    void start(std::string head, http1_framing framing, std::unique_ptr<body_source> body);
    // An interim response, while no message is being written.
    void inform(std::string_view text) { text_ += text; }
    std::size_t transmit(std::span<std::uint8_t> out);
    void resume() { waiting_ = false; }

    bool active() const { return active_; }    // a message is not wholly written
    bool failed() const { return failed_; }    // its body source broke, or ended before its length
    bool waiting() const { return waiting_; }  // for its body source
    bool started() const { return started_; }  // a byte of it was written
    void abandon();

private:
    std::size_t write_plain(std::span<std::uint8_t> out);
    std::size_t write_chunk(std::span<std::uint8_t> out);
    void end_message();

    std::string text_;  // head, or last chunk and trailers
    std::size_t text_at_ = 0;
    http1_framing framing_ = http1_framing::none;
    std::unique_ptr<body_source> body_;
    std::uint64_t remaining_ = 0;  // of a body with a length
    bool active_ = false;
    bool started_ = false;
    bool failed_ = false;
    bool waiting_ = false;  // the body source gave nothing
};

// The header sections with their framing fields. `body` may be null.
struct http1_framed_head {
    std::string text;
    http1_framing framing = http1_framing::none;
    bool closes = false;  // it says that the connection ends after it
};
// A request with a protocol has no body before it is answered.
http1_framed_head frame_request(const request&, const body_source* body);
// RFC 9110 15.2.2: the answer after which the connection speaks another protocol, until it is closed.
http1_framed_head frame_switch(const response&, std::string_view protocol, const body_source* body);
std::string frame_interim(const response&);
// `version` is the request's; `close` adds Connection: close, and lets a body of unknown length end with the stream for HTTP/1.0.
http1_framed_head frame_response(const response&, const body_source* body, std::string_view request_method, int version,
                                 bool close, bool announce_keep_alive);

}  // namespace tandem::http
