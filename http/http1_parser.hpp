// Takes HTTP/1.1 messages apart (RFC 9112), as they come; no more of the stream is taken than belongs to the message. A private
// part of the HTTP/1.1 sessions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include <tandem/http/limits.hpp>
#include <tandem/http/message.hpp>

namespace tandem::http {

// A message's start line and header section.
struct http1_head {
    std::string method;  // request
    std::string target;  // request, as it came
    int status = 0;      // response
    int version = 11;    // 10 or 11
    http::fields fields;
    std::optional<std::uint64_t> content_length;
    bool chunked = false;
    bool until_close = false;  // response: the body ends with the stream
    bool keep_alive = true;    // the connection may be used again after this message
    bool has_body = false;
};

// Why a message was refused, with the status that a server answers.
struct http1_error {
    int status = 400;
    std::string text;
};

class http1_parser {
public:
    enum class role : std::uint8_t { requests, responses };
    enum class progress : std::uint8_t {
        need_more,  // all of the input was taken
        head,       // head() is there
        body,       // the last `body_bytes` of the consumed bytes are body
        end,        // the message is complete; call next_message() before more input
        failed,     // error() says why; no more input is taken
    };
    struct step {
        progress what = progress::need_more;
        std::size_t consumed = 0;
        std::size_t body_bytes = 0;
    };

    http1_parser(role, const limits&);
    ~http1_parser();
    http1_parser(const http1_parser&) = delete;
    http1_parser& operator=(const http1_parser&) = delete;

    // The message to come has no body whatever it says: the answer to HEAD. Before its first byte.
    void expect_no_body();
    // Takes input up to the next thing worth telling. With empty input it tells what is known without more.
    step feed(std::span<const std::uint8_t> input);
    // The stream ended: true if the message is complete by that.
    bool feed_end();
    // Forgets the message that ended.
    void next_message();

    bool started() const;  // bytes of the message came
    const http1_head& head() const;
    fields take_trailers();
    const http1_error& error() const;

private:
    struct state;
    std::unique_ptr<state> state_;
};

}  // namespace tandem::http
