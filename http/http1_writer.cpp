#include <tandem/http/http1_writer.hpp>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <utility>

namespace tandem::http {
namespace {

constexpr std::size_t usual_head = 512;  // bytes of a response's

void append_field(std::string& text, std::string_view name, std::string_view value) {
    text.append(name).append(": ").append(value).append("\r\n");
}

void append_fields(std::string& text, const fields& list) {
    for (const auto& f : list) {
        if (is_connection_specific(f.name) || f.name == "content-length" || f.name == "host") continue;
        append_field(text, f.name, f.value);
    }
}

std::size_t hex_digits(std::size_t value) {
    std::size_t digits = 1;
    while (value >>= 4) ++digits;
    return digits;
}

}  // namespace

void http1_writer::start(std::string head, http1_framing framing, std::unique_ptr<body_source> body) {
    text_.erase(0, text_at_);
    text_at_ = 0;
    text_ += head;
    framing_ = framing;
    body_ = std::move(body);
    remaining_ = body_ ? body_->content_length().value_or(0) : 0;
    active_ = true;
    started_ = failed_ = waiting_ = false;
}

void http1_writer::abandon() {
    text_.clear();
    text_at_ = 0;
    body_.reset();
    active_ = false;
}

void http1_writer::end_message() {
    body_.reset();
    framing_ = http1_framing::none;
}

std::size_t http1_writer::transmit(std::span<std::uint8_t> out) {
    std::size_t written = 0;
    while (written < out.size()) {
        auto room = out.subspan(written);
        if (text_at_ < text_.size()) {
            auto n = std::min(room.size(), text_.size() - text_at_);
            std::memcpy(room.data(), text_.data() + text_at_, n);
            text_at_ += n;
            written += n;
            started_ = true;
            continue;
        }
        text_.clear();
        text_at_ = 0;
        if (!active_ || failed_) break;
        if (framing_ == http1_framing::none || (framing_ == http1_framing::length && remaining_ == 0)) {
            end_message();
            active_ = false;
            break;
        }
        if (waiting_) break;
        auto n = framing_ == http1_framing::chunked ? write_chunk(room) : write_plain(room);
        written += n;
        if (n == 0 && text_.empty() && framing_ != http1_framing::none) break;
    }
    return written;
}

std::size_t http1_writer::write_plain(std::span<std::uint8_t> out) {
    bool has_length = framing_ == http1_framing::length;
    auto room = has_length ? std::min<std::uint64_t>(out.size(), remaining_) : out.size();
    auto result = body_->read(out.first(static_cast<std::size_t>(room)));
    if (has_length) remaining_ -= result.n;
    if (result.failed || (result.end && has_length && remaining_ != 0)) {
        failed_ = true;
    } else if (result.end) {
        end_message();
    } else if (result.n == 0) {
        waiting_ = true;
    }
    return result.n;
}

std::size_t http1_writer::write_chunk(std::span<std::uint8_t> out) {
    if (out.size() < min_room) return 0;
    auto line = hex_digits(out.size()) + 2;  // the size of the chunk, CRLF
    auto result = body_->read(out.subspan(line, out.size() - line - 2));
    std::size_t written = 0;
    if (result.n > 0) {
        auto* text = reinterpret_cast<char*>(out.data());
        auto used = static_cast<std::size_t>(std::to_chars(text, text + line, result.n, 16).ptr - text) + 2;
        if (used < line) std::memmove(out.data() + used, out.data() + line, result.n);
        std::memcpy(text + used - 2, "\r\n", 2);
        std::memcpy(text + used + result.n, "\r\n", 2);
        written = used + result.n + 2;
    }
    if (result.failed) {
        failed_ = true;
    } else if (result.end) {
        text_ = "0\r\n";
        append_fields(text_, body_->trailers());
        text_ += "\r\n";
        end_message();
    } else if (result.n == 0) {
        waiting_ = true;
    }
    return written;
}

http1_framed_head frame_request(const request& r, const body_source* body) {
    http1_framed_head out;
    const bool upgrade = !r.protocol.empty();
    out.text = (upgrade ? "GET" : r.method) + ' ' + r.path + " HTTP/1.1\r\n";
    append_field(out.text, "host", r.authority);
    if (upgrade) {  // RFC 9110 7.8
        append_field(out.text, "connection", "Upgrade");
        append_field(out.text, "upgrade", r.protocol);
    }
    append_fields(out.text, r.fields);
    if (r.priority && !r.fields.contains("priority")) {
        if (auto value = to_string(*r.priority); !value.empty()) append_field(out.text, "priority", value);
    }
    if (auto length = body ? body->content_length() : std::nullopt) {
        out.framing = http1_framing::length;
        append_field(out.text, "content-length", std::to_string(*length));
    } else if (body) {
        out.framing = http1_framing::chunked;
        append_field(out.text, "transfer-encoding", "chunked");
    } else if (r.method == "POST" || r.method == "PUT" ||
               r.method == "PATCH") {  // RFC 9110 8.6: methods that usually have a body
        append_field(out.text, "content-length", "0");
    }
    out.text += "\r\n";
    return out;
}

http1_framed_head frame_switch(const response& r, std::string_view protocol, const body_source* body) {
    http1_framed_head out;
    out.text = "HTTP/1.1 101 " + std::string(reason_phrase(101)) + "\r\n";
    append_field(out.text, "connection", "Upgrade");
    append_field(out.text, "upgrade", protocol);
    append_fields(out.text, r.fields);
    out.text += "\r\n";
    out.framing = body ? http1_framing::until_close : http1_framing::none;
    out.closes = true;
    return out;
}

std::string frame_interim(const response& r) {
    auto text = "HTTP/1.1 " + std::to_string(r.status) + ' ' + std::string(reason_phrase(r.status)) + "\r\n";
    append_fields(text, r.fields);
    return text + "\r\n";
}

http1_framed_head frame_response(const response& r, const body_source* body, std::string_view request_method, int version,
                                 bool close, bool announce_keep_alive) {
    http1_framed_head out;
    out.text.reserve(usual_head);
    out.text.append("HTTP/1.1 ").append(std::to_string(r.status)).append(" ").append(reason_phrase(r.status)).append("\r\n");
    append_fields(out.text, r.fields);
    bool may_have_body = response_has_body(request_method, r.status);
    auto length = body ? body->content_length() : std::nullopt;
    if (may_have_body && !body) length = 0;
    if (length && r.status != 204) {  // RFC 9110 8.6: not with 1xx and 204
        append_field(out.text, "content-length", std::to_string(*length));
        if (may_have_body) out.framing = http1_framing::length;
    } else if (body && r.status != 204) {
        bool chunked = version >= 11;  // RFC 9112 6.1: not to a client that does not know it
        if (chunked) append_field(out.text, "transfer-encoding", "chunked");
        if (!chunked) close = true;
        if (may_have_body) out.framing = chunked ? http1_framing::chunked : http1_framing::until_close;
    } else if (auto given = r.fields.find("content-length"); given && !may_have_body && r.status != 204) {
        append_field(out.text, "content-length", *given);  // what a GET would have got
    }
    out.closes = close;
    if (close) {
        append_field(out.text, "connection", "close");
    } else if (announce_keep_alive) {
        append_field(out.text, "connection", "keep-alive");
    }
    out.text += "\r\n";
    return out;
}

}  // namespace tandem::http
