#include "get_transfer.hpp"

#include <tandem/http/binary_fields.hpp>
#include <tandem/http/content_decoder.hpp>
#include <tandem/http/range.hpp>
#include <tandem/net/clock.hpp>

#include "exit_code.hpp"

namespace tandem::apps {

std::string_view version_text(net::http_protocol protocol) {
    switch (protocol) {
        case net::http_protocol::http1:
            return "1.1";
        case net::http_protocol::http2:
            return "2";
        default:
            return "3";
    }
}

void get_transfer::fail(int code, std::string text) {
    if (result_.exit_code != 0) return;  // the first says it
    result_.exit_code = code;
    result_.error = std::move(text);
}

std::string get_transfer::header_text(const http::response& response, net::http_protocol protocol) const {
    auto reason = http::reason_phrase(response.status);
    std::string out = "HTTP/" + std::string(version_text(protocol)) + " " + std::to_string(response.status);
    if (protocol == net::http_protocol::http1 && !reason.empty()) out += " " + std::string(reason);
    out += "\r\n";
    for (const auto& f : response.fields) out.append(f.name).append(": ").append(f.value).append("\r\n");
    return out + "\r\n";
}

void get_transfer::prepare(net::http_request& request) {
    if (!resuming()) return;
    part_ = find_partial(result_.job->output);
    if (part_.size == 0) return;
    request.fields.set("range", "bytes=" + std::to_string(part_.size) + "-");
    request.fields.set("if-range", part_.validator);
}

// What can be resumed is kept under the name of a part; the rest as always.
bool get_transfer::open_part() {
    const auto& response = *result_.response;
    const auto& path = result_.job->output;
    if (response.status == 206) {
        auto range = http::parse_content_range(response.fields.find("content-range").value_or(""));
        if (part_.size == 0 || !range || range->bytes.begin != part_.size) {
            fail(exit_code::protocol, result_.job->url.to_string() + ": the server sent another part than was asked for");
            return false;
        }
    } else {
        forget_partial(path);
        part_ = {};
        auto etag = response.fields.find("etag");
        if (response.status != 200 || !etag || !etag->starts_with('"')) return open_output();
        if (!remember_validator(path, std::string(*etag))) {
            fail(exit_code::write, "cannot write " + path + ".part.of");
            return false;
        }
    }
    std::string why;
    if (output_.open_partial(path, part_.size, options_.create_dirs, why)) return true;
    fail(exit_code::write, why);
    return false;
}

bool get_transfer::open_output() {
    std::string why;
    if (output_.open(result_.job->output, options_.create_dirs, why)) return true;
    fail(exit_code::write, why);
    return false;
}

bool get_transfer::write(std::span<const std::uint8_t> bytes) {
    std::string why;
    if (output_.write(bytes, why)) return true;
    fail(exit_code::write, why);
    return false;
}

void get_transfer::on_redirect(const http::response& response, const http::url& to) {
    if (!options_.trace) return;
    result_.response = response;
    options_.trace(header_text(response, result_.info.protocol));
    options_.trace("going on to " + to.to_string());
}

// As curl does: what comes before the final response is shown before it.
void get_transfer::on_interim(const http::response& response, const net::transfer_info& info) {
    const auto text = header_text(response, info.protocol);
    if (options_.trace) options_.trace(text);
    if (options_.include_headers) interim_ += text;
}

void get_transfer::on_response(const http::response& response, const net::transfer_info& info) {
    result_.response = response;
    result_.info = info;
    expected_.reset();
    if (auto length = response.fields.find("content-length")) expected_ = http::parse_content_length(*length);
    const auto head = header_text(response, info.protocol);
    result_.header_bytes = head.size();
    if (options_.trace) options_.trace(head);
    if (response.status >= 400) {
        result_.transient = response.status == 408 || response.status == 429 || response.status == 500 ||
                            response.status == 502 || response.status == 503 || response.status == 504;
        if (options_.fail) {
            return fail(exit_code::http, result_.job->url.to_string() + ": the server answered " +
                                             std::to_string(response.status) + " " +
                                             std::string(http::reason_phrase(response.status)));
        }
    }
    if (stays_coded(response)) {
        return fail(exit_code::coding, result_.job->url.to_string() + ": nothing here decodes the content coding " +
                                           response.fields.joined("content-encoding"));
    }
    if (expected_ && result_.method != "HEAD" && too_large(*expected_)) return;
    if (result_.job->drop || !(resuming() ? open_part() : open_output()) || !options_.include_headers) return;
    const auto text = std::exchange(interim_, {}) + head;
    write({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
}

bool get_transfer::on_body(std::span<const std::uint8_t> bytes) {
    received_ += bytes.size();
    if (result_.exit_code != 0 || too_large(received_)) return false;
    return result_.job->drop || write(bytes);
}

// What was to be decoded and is not, so that its file would look whole. A part is never decoded.
bool get_transfer::stays_coded(const http::response& response) const {
    if (!options_.decode || response.status == 206 || result_.method == "HEAD") return false;
    const auto coding = response.fields.joined("content-encoding");
    return !coding.empty() && !http::equals_ignoring_case(coding, "identity") && !http::make_content_decoder(coding);
}

bool get_transfer::too_large(std::uint64_t size) {
    if (size <= options_.max_size) return false;
    fail(exit_code::too_large, result_.job->url.to_string() + ": the body is longer than --max-filesize allows");
    return true;
}

// With a limit of the rate: as many bytes as the time since the first is worth. Who resumes the transfer asks again.
bool get_transfer::wants_body() {
    if (options_.rate == 0 || result_.exit_code != 0) return true;
    if (!body_since_) body_since_ = net::now();
    const std::chrono::duration<double> since = net::now() - *body_since_;
    return static_cast<double>(received_) <= since.count() * static_cast<double>(options_.rate);
}

void get_transfer::on_trailers(const http::fields& fields) {
    if (!options_.trace) return;
    std::string text = "trailers:\n";
    for (const auto& f : fields) text.append(f.name).append(": ").append(f.value).append("\n");
    options_.trace(text);
}

// What went to a pipe cannot be taken back.
bool get_transfer::on_restart() {
    const bool seen = output_.is_open() && !output_.can_be_undone() && (received_ > 0 || options_.include_headers);
    if (result_.exit_code != 0 || seen) return false;
    output_.discard();
    interim_.clear();
    received_ = 0;
    if (options_.note) options_.note(result_.job->url.to_string() + ": the connection died in the middle; beginning anew");
    return true;
}

void get_transfer::on_resumed(std::uint64_t at, const net::transfer_info& info) {
    result_.info = info;
    if (!options_.note) return;
    options_.note(result_.job->url.to_string() + ": the connection died in the middle; going on at byte " + std::to_string(at) +
                  " over " + std::string(net::to_string(info.protocol)));
}

// RFC 9110 9.2.2: what is not idempotent only where the server has not acted on it.
bool get_transfer::may_be_repeated(const std::optional<net::http_error>& error) const {
    const auto& method = result_.method;
    if (http::is_safe_method(method) || method == "PUT" || method == "DELETE") return true;
    if (error) return error->retryable;
    return result_.response && (result_.response->status == 429 || result_.response->status == 503);
}

void get_transfer::on_end(const std::optional<net::http_error>& error, const net::transfer_info& info) {
    result_.info = info;
    if (error) {
        using net::failure_class;
        if (result_.exit_code == 0) {
            result_.transient = error->kind == failure_class::timed_out || error->kind == failure_class::lost ||
                                error->kind == failure_class::refused;
        }
        // Which transfer it was, unless it says; words about the way to a host are the same for all of its transfers.
        const bool says = error->text.find(result_.job->url.host) != std::string::npos;
        fail(exit_code_of(error->kind), says ? error->text : result_.job->url.to_string() + ": " + error->text);
    }
    result_.transient = result_.transient && may_be_repeated(error);
    std::string why;
    if (result_.exit_code != 0) {
        output_.discard();
    } else if (output_.is_open() && !output_.finish(why)) {
        fail(exit_code::write, why);
    }
    done_(result_);
}

}  // namespace tandem::apps
