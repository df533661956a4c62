#include <tandem/net/http_sinks.hpp>

#include <utility>

#include <tandem/http/content_decoder.hpp>
#include <tandem/http/redirect.hpp>
#include <tandem/net/clock.hpp>

namespace tandem::net {

namespace {

// The body of a redirection, read away so that the connection can be used again; a longer one ends the request.
constexpr std::uint64_t longest_redirection = 64 * 1024;

class redirect_follower final : public transfer_sink, public std::enable_shared_from_this<redirect_follower> {
public:
    redirect_follower(const http_request& request, std::shared_ptr<transfer_sink> sink, request_starter start)
        : request_(request), sink_(std::move(sink)), start_(std::move(start)), left_(request.max_redirects), begun_(now()) {}

    void on_interim(const http::response& response, const transfer_info& info) override {
        sink_->on_interim(response, counted(info));
    }
    void on_response(const http::response& response, const transfer_info& info) override {
        next_ = http::redirection_of(request_.url, request_.method, response);
        if (next_ && left_ > 0) return sink_->on_redirect(response, next_->to);
        if (next_) return;  // on_end() says so
        sink_->on_response(response, counted(info));
    }
    bool on_body(std::span<const std::uint8_t> bytes) override {
        return next_ ? (skipped_ += bytes.size()) <= longest_redirection : sink_->on_body(bytes);
    }
    bool wants_body() override { return next_ || sink_->wants_body(); }
    void on_trailers(const http::fields& fields) override {
        if (!next_) sink_->on_trailers(fields);
    }
    bool on_restart() override { return !next_ && sink_->on_restart(); }
    void on_resumed(std::uint64_t at, const transfer_info& info) override { sink_->on_resumed(at, counted(info)); }

    void on_end(const std::optional<http_error>& error, const transfer_info& info) override {
        const bool read_away = !error || error->kind == failure_class::cancelled;
        const bool cancelled = error && skipped_ <= longest_redirection;
        if (!next_ || !read_away || cancelled) return sink_->on_end(error, counted(info));
        if (left_ == 0) {
            auto text =
                std::to_string(request_.max_redirects) + " redirections, and " + next_->to.to_string() + " would be the next";
            return sink_->on_end(http_error{failure_class::redirects, std::move(text), false}, counted(info));
        }
        if (request_.timeout > duration::zero() && now() - begun_ >= request_.timeout) {
            return sink_->on_end(http_error{failure_class::timed_out, "the transfer took longer than it was given", false},
                                 counted(info));
        }
        follow();
    }

private:
    transfer_info counted(transfer_info info) const {
        info.redirects = request_.max_redirects - left_;
        return info;
    }
    void follow() {
        auto to = std::exchange(next_, std::nullopt);
        --left_;
        skipped_ = 0;
        http::strip_fields(request_.fields, *to);
        request_.url = to->to;
        request_.method = to->method;
        if (to->drops_body) {
            request_.body.clear();
            request_.has_body = false;
            request_.source = {};
        }
        auto next = request_;
        if (next.timeout > duration::zero()) next.timeout -= now() - begun_;
        start_(std::move(next), shared_from_this());
    }

    http_request request_;
    std::shared_ptr<transfer_sink> sink_;
    request_starter start_;
    unsigned left_;
    time_point begun_;
    std::optional<http::redirection> next_;
    std::uint64_t skipped_ = 0;
};

class body_decoder final : public transfer_sink {
public:
    explicit body_decoder(std::shared_ptr<transfer_sink> sink) : sink_(std::move(sink)) {}

    void on_interim(const http::response& response, const transfer_info& info) override { sink_->on_interim(response, info); }
    void on_response(const http::response& response, const transfer_info& info) override {
        // A part of an encoded body cannot be decoded.
        if (response.status != 206 && response.fields.contains("content-encoding")) {
            decoder_ = http::make_content_decoder(response.fields.joined("content-encoding"));
        }
        sink_->on_response(response, info);
    }
    void on_redirect(const http::response& response, const http::url& to) override { sink_->on_redirect(response, to); }
    bool on_body(std::span<const std::uint8_t> bytes) override {
        using status = http::content_decoder::status;
        if (!decoder_) return sink_->on_body(bytes);
        fed_ = true;
        const auto result = decoder_->feed(bytes, [this](std::span<const std::uint8_t> piece) { return sink_->on_body(piece); });
        broken_ = result == status::broken;
        return result == status::good;
    }
    bool wants_body() override { return sink_->wants_body(); }
    void on_trailers(const http::fields& fields) override { sink_->on_trailers(fields); }
    bool on_restart() override {
        if (broken_ || !sink_->on_restart()) return false;
        decoder_.reset();
        fed_ = false;
        return true;
    }
    void on_resumed(std::uint64_t at, const transfer_info& info) override { sink_->on_resumed(at, info); }
    void on_end(const std::optional<http_error>& error, const transfer_info& info) override {
        if (broken_) return sink_->on_end(http_error{failure_class::coding, "the body's content coding is broken", false}, info);
        if (!error && fed_ && !decoder_->complete()) {
            return sink_->on_end(http_error{failure_class::coding, "the body's content coding ends too early", false}, info);
        }
        sink_->on_end(error, info);
    }

private:
    std::shared_ptr<transfer_sink> sink_;
    std::unique_ptr<http::content_decoder> decoder_;
    bool fed_ = false;
    bool broken_ = false;
};

}  // namespace

std::shared_ptr<transfer_sink> follow_redirects(const http_request& request, std::shared_ptr<transfer_sink> sink,
                                                request_starter start) {
    return std::make_shared<redirect_follower>(request, std::move(sink), std::move(start));
}

std::shared_ptr<transfer_sink> decode_body(http_request& request, std::shared_ptr<transfer_sink> sink) {
    if (!request.fields.contains("accept-encoding")) request.fields.append("accept-encoding", http::accepted_codings);
    return std::make_shared<body_decoder>(std::move(sink));
}

}  // namespace tandem::net
