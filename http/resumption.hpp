// Going on with a response whose connection died in its middle, on another connection (RFC 9110 14, 13.1.5).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <tandem/http/message.hpp>

namespace tandem::http {

// Follows one GET and its response; a value.
class resumption {
public:
    // The first response that is passed on.
    void on_response(const response&);
    // Bytes of its body that were passed on.
    void on_body(std::uint64_t bytes) { received_ += bytes; }
    // Nothing is known again: the response begins anew.
    void reset() { *this = {}; }

    // Whether the rest can be asked for: the response has a strong validator, which says that bytes are the same bytes (RFC
    // 9110 8.8.1).
    bool possible() const { return !validator_.empty(); }
    // All of the body is there, though its end was not seen.
    bool complete() const { return end_ && first_ + received_ == *end_; }
    std::uint64_t received() const { return received_; }
    // Turns the fields of the first request into those of a request for the rest.
    void ask_for_rest(fields&) const;

    enum class answer : std::uint8_t {
        rest,       // what follows was not passed on yet
        same,       // everything from the start: skip what was received
        different,  // another version, or another part
    };
    answer examine(const response&) const;

private:
    std::string validator_;             // a strong entity tag
    std::uint64_t first_ = 0;           // of the representation, where the response began
    std::optional<std::uint64_t> end_;  // where it was to end
    bool part_ = false;                 // it was a 206
    std::uint64_t received_ = 0;
};

}  // namespace tandem::http
