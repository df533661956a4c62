#include <tandem/http/http1_parser.hpp>

#include <algorithm>
#include <string_view>
#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>

namespace tandem::http {
namespace {

namespace beast = boost::beast;
using beast_string = beast::string_view;
using error_code = beast::error_code;

std::string_view view(beast_string text) { return {text.data(), text.size()}; }

// What Beast's parser tells in its virtual functions. It throws nothing and keeps nothing of the input.
struct sink {
    explicit sink(const limits& l) : limit(l) {}

    const limits& limit;
    http1_head head;
    http::fields trailers;
    bool in_trailers = false;
    bool too_many = false;
    std::size_t body_bytes = 0;
    std::uint64_t chunk_left = 0;  // body bytes of the chunk that are still to come

    void add_field(std::string_view name, std::string_view value, error_code& ec) {
        auto& list = in_trailers ? trailers : head.fields;
        if (list.size() == limit.field_count) {
            too_many = true;
            ec = beast::http::error::header_limit;
            return;
        }
        list.append(name, value);
    }
};

template <bool IsRequest>
class codec final : public beast::http::basic_parser<IsRequest> {
public:
    codec(sink& to, bool no_body) : to_(to) {
        this->header_limit(static_cast<std::uint32_t>(std::min<std::size_t>(to.limit.field_section_size + 4, 0xffffffff)));
        this->body_limit(boost::none);
        if (no_body) this->skip(true);
    }

private:
    void on_request_impl(beast::http::verb, beast_string method, beast_string target, int version, error_code&) override {
        to_.head.method = view(method);
        to_.head.target = view(target);
        to_.head.version = version;
    }
    void on_response_impl(int status, beast_string, int version, error_code&) override {
        to_.head.status = status;
        to_.head.version = version;
    }
    void on_field_impl(beast::http::field, beast_string name, beast_string value, error_code& ec) override {
        to_.add_field(view(name), view(value), ec);
    }
    void on_header_impl(error_code&) override {
        to_.head.chunked = this->chunked();
        to_.head.until_close = this->need_eof();
        to_.head.keep_alive = this->keep_alive();
        if (auto length = this->content_length()) to_.head.content_length = *length;
        to_.in_trailers = true;
    }
    void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
    std::size_t on_body_impl(beast_string body, error_code&) override {
        to_.body_bytes += body.size();
        return body.size();
    }
    void on_chunk_header_impl(std::uint64_t size, beast_string, error_code&) override { to_.chunk_left = size; }
    std::size_t on_chunk_body_impl(std::uint64_t, beast_string body, error_code&) override {
        to_.body_bytes += body.size();
        to_.chunk_left -= body.size();
        return body.size();
    }
    void on_finish_impl(error_code&) override {}

    sink& to_;
};

// RFC 9112 5.2: a line that begins with a space or tab continues the one before; both sides refuse that.
bool has_folded_line(std::string_view section) {
    for (auto at = section.find("\r\n"); at != std::string_view::npos; at = section.find("\r\n", at + 2)) {
        if (at + 2 < section.size() && (section[at + 2] == ' ' || section[at + 2] == '\t')) return true;
    }
    return false;
}

// RFC 9112 2.3: the first line ends with a version, which is not one of HTTP/1; else it is merely malformed.
bool names_another_version(std::string_view section) {
    const auto line = section.substr(0, section.find("\r\n"));
    const auto at = line.rfind(' ');
    const auto version = at == std::string_view::npos ? std::string_view{} : line.substr(at + 1);
    const auto digit = [&](std::size_t i) { return version[i] >= '0' && version[i] <= '9'; };
    return version.size() == 8 && version.starts_with("HTTP/") && digit(5) && version[6] == '.' && digit(7) &&
           version != "HTTP/1.0" && version != "HTTP/1.1";
}

// Of the lines that end a chunk and begin the next: whether the one with the size has a quote without its counterpart.
bool has_open_quote(std::string_view lines) {
    if (lines.starts_with("\r\n")) lines.remove_prefix(2);
    const auto line = lines.substr(0, lines.find("\r\n"));
    return std::count(line.begin(), line.end(), '"') % 2 != 0 || line.find('\\') != std::string_view::npos;
}

// RFC 9110 5.5 permits a tab around a value, but not all who read these two take it away.
bool has_tab_in_framing(std::string_view section) {
    for (auto line = section.find("\r\n"); line != std::string_view::npos; line = section.find("\r\n", line + 2)) {
        const auto text = section.substr(line + 2, section.find("\r\n", line + 2) - line - 2);
        const auto name = text.substr(0, text.find(':'));
        const bool frames = equals_ignoring_case(name, "transfer-encoding") || equals_ignoring_case(name, "content-length");
        if (frames && text.find('\t') != std::string_view::npos) return true;
    }
    return false;
}

}  // namespace

struct http1_parser::state {
    enum class stage : std::uint8_t { head, body, chunk_line, chunk_body, ended, failed };

    state(role r, const limits& l) : side(r), limit(l), to(limit) { reset(); }

    void reset() {
        to.head = {};
        to.trailers.clear();
        to.in_trailers = to.too_many = false;
        held.clear();
        at = stage::head;
        no_body = got_some = false;
        blank = 0;
        request.reset();
        response.reset();
    }

    step feed(std::span<const std::uint8_t> input);
    step feed_head(std::string_view input);
    step feed_chunk_line(std::string_view input);
    step feed_body(std::string_view input);
    bool accept_head();
    step fail(int status, std::string text, std::size_t consumed);

    void make_codec() {
        if (side == role::requests) {
            request = std::make_unique<codec<true>>(to, no_body);
        } else {
            response = std::make_unique<codec<false>>(to, no_body);
        }
    }
    std::size_t put(std::string_view text, error_code& ec) {
        boost::asio::const_buffer buffer(text.data(), text.size());
        return request ? request->put(buffer, ec) : response->put(buffer, ec);
    }
    bool complete() const { return request ? request->is_done() : response->is_done(); }

    role side;
    limits limit;
    sink to;
    std::string held;  // of a head or a chunk line that is not complete yet
    stage at = stage::head;
    bool no_body = false;
    bool got_some = false;
    std::size_t blank = 0;  // bytes of an empty line before the message
    std::unique_ptr<codec<true>> request;
    std::unique_ptr<codec<false>> response;
    http1_error problem;
};

http1_parser::step http1_parser::state::fail(int status, std::string text, std::size_t consumed) {
    at = stage::failed;
    problem = {status, std::move(text)};
    return {progress::failed, consumed, 0};
}

// Takes input up to and including the empty line that ends the section.
http1_parser::step http1_parser::state::feed_head(std::string_view input) {
    auto taken = std::size_t{0};
    // RFC 9112 2.2: an empty line before the start line is skipped. At most one, so that nobody sends only those.
    while (!got_some && blank < 2 && taken < input.size() && input[taken] == "\r\n"[blank]) ++taken, ++blank;
    if (blank == 1 && taken < input.size()) return fail(400, "a line that is only CR", taken);
    auto scan_from = held.size() < 3 ? 0 : held.size() - 3;
    auto room = limit.field_section_size + 4 - std::min(held.size(), limit.field_section_size + 4);
    auto rest = input.substr(taken);
    auto old_size = held.size();
    held.append(rest.substr(0, room));
    auto end = held.find("\r\n\r\n", scan_from);
    if (end == std::string::npos) {
        if (!held.empty()) got_some = true;
        if (held.size() >= limit.field_section_size) return fail(431, "the header section is larger than allowed", input.size());
        return {progress::need_more, input.size(), 0};
    }
    held.resize(end + 4);
    taken += held.size() - old_size;
    got_some = true;
    if (has_folded_line(held)) return fail(400, "a header line is folded", taken);
    if (side == role::requests && has_tab_in_framing(held)) return fail(400, "a tab in a field that frames the message", taken);
    make_codec();
    error_code ec;
    put(held, ec);
    if (ec) {
        if (to.too_many) return fail(431, "too many header fields", taken);
        if (ec == beast::http::error::bad_version && names_another_version(held))
            return fail(505, "not a version of HTTP/1", taken);
        return fail(400, "malformed header section: " + ec.message(), taken);
    }
    held.clear();
    if (!accept_head()) return {progress::failed, taken, 0};
    return {progress::head, taken, 0};
}

// Rules about framing that Beast leaves to its user; true if the head may be used.
bool http1_parser::state::accept_head() {
    auto& head = to.head;
    auto encoding = head.fields.find("transfer-encoding");
    // RFC 9112 6.1: with HTTP/1.0 a Transfer-Encoding means that somebody on the way did not understand the framing.
    if (encoding && head.version < 11) {
        fail(400, "Transfer-Encoding in an HTTP/1.0 message", 0);
        return false;
    }
    if (encoding && head.fields.contains("content-length")) {  // RFC 9112 6.3: the sign of request smuggling
        fail(400, "both Transfer-Encoding and Content-Length", 0);
        return false;
    }
    if (encoding && (head.fields.count("transfer-encoding") != 1 || !equals_ignoring_case(*encoding, "chunked"))) {
        fail(501, "a transfer coding other than chunked", 0);
        return false;
    }
    for (const auto& f : head.fields) {
        if (f.name != "content-length") continue;
        // RFC 9110 8.6 permits to refuse a length that is given twice; of a client that is better, whoever is before us may read
        // it otherwise.
        const bool twice = request && (f.value.find(',') != std::string::npos || head.fields.count(f.name) > 1);
        if (twice || !parse_content_length(f.value)) {
            fail(400, "malformed Content-Length", 0);
            return false;
        }
    }
    head.has_body = !complete();
    at = complete() ? stage::ended : head.chunked ? stage::chunk_line : stage::body;
    return true;
}

// Takes a whole line at a time, so that Beast never sees half of one, nor a line that ends in a lone LF.
http1_parser::step http1_parser::state::feed_chunk_line(std::string_view input) {
    std::size_t taken = 0;
    while (taken < input.size()) {
        auto rest = input.substr(taken);
        auto line_end = rest.find('\n');
        auto line = rest.substr(0, line_end == std::string_view::npos ? rest.size() : line_end + 1);
        held.append(line);
        taken += line.size();
        // After the line of the last chunk comes the trailer section.
        auto most = held.starts_with("0") || held.starts_with("\r\n0") ? limit.field_section_size : limit.chunk_header;
        if (held.size() > most) return fail(431, "a chunk's line or the trailer section is larger than allowed", taken);
        if (line_end == std::string_view::npos) break;
        if (held.size() < 2 || held[held.size() - 2] != '\r')
            return fail(400, "a line of the chunked body does not end in CRLF", taken);
        // Beast would look for the end of a quoted string in the lines behind; others do not.
        if (has_open_quote(held)) return fail(400, "a quoted string in a chunk's line does not end there", taken);
        error_code ec;
        put(held, ec);
        if (ec == beast::http::error::need_more) continue;
        if (!ec && complete() && has_folded_line(held)) return fail(400, "a trailer line is folded", taken);
        if (ec) return fail(to.too_many ? 431 : 400, "malformed chunked body: " + ec.message(), taken);
        held.clear();
        at = complete() ? stage::ended : stage::chunk_body;
        return {at == stage::ended ? progress::end : progress::need_more, taken, 0};
    }
    return {progress::need_more, taken, 0};
}

http1_parser::step http1_parser::state::feed_body(std::string_view input) {
    if (input.empty()) return {};
    to.body_bytes = 0;
    error_code ec;
    auto taken = put(input, ec);
    if (ec) return fail(400, "malformed body: " + ec.message(), taken);
    if (complete()) {
        at = stage::ended;
    } else if (at == stage::chunk_body && to.chunk_left == 0) {
        at = stage::chunk_line;
    }
    return {progress::body, taken, to.body_bytes};
}

http1_parser::step http1_parser::state::feed(std::span<const std::uint8_t> input) {
    std::string_view text(reinterpret_cast<const char*>(input.data()), input.size());
    switch (at) {
        case stage::head:
            return feed_head(text);
        case stage::body:
        case stage::chunk_body:
            return feed_body(text);
        case stage::chunk_line:
            return feed_chunk_line(text);
        case stage::ended:
            return {progress::end, 0, 0};
        case stage::failed:
            return {progress::failed, 0, 0};
    }
    return {};
}

http1_parser::http1_parser(role r, const limits& l) : state_(std::make_unique<state>(r, l)) {}
http1_parser::~http1_parser() = default;

void http1_parser::expect_no_body() { state_->no_body = true; }

http1_parser::step http1_parser::feed(std::span<const std::uint8_t> input) { return state_->feed(input); }

bool http1_parser::feed_end() {
    if (state_->at != state::stage::body || !state_->to.head.until_close) return false;
    state_->at = state::stage::ended;
    return true;
}

void http1_parser::next_message() { state_->reset(); }
bool http1_parser::started() const { return state_->got_some; }
const http1_head& http1_parser::head() const { return state_->to.head; }
fields http1_parser::take_trailers() { return std::exchange(state_->to.trailers, {}); }
const http1_error& http1_parser::error() const { return state_->problem; }

}  // namespace tandem::http
