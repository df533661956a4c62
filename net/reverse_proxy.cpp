#include <tandem/net/reverse_proxy.hpp>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>
#include <vector>

#include <boost/asio/error.hpp>

#include <tandem/net/static_files.hpp>

namespace tandem::net {

namespace {

constexpr std::size_t piece = 64 * 1024;  // of a body, read ahead

std::string forwarded_node(const ip_endpoint& from) {
    auto address = from.address.to_string();
    return from.address.is_v6 ? "\"[" + address + "]\"" : address;
}

struct proxy {
    proxy(const boost::asio::any_io_executor& executor, reverse_proxy_options o)
        : options(std::move(o)), client(executor, options.client) {}
    reverse_proxy_options options;
    http_client client;
    std::size_t under_way = 0;
};

// One request on its way: its body to the origin, the response's body back. The proxy's client owns it as a sink, so it
// must not own the proxy: with the last server that has the handler, the client and what is on its way end.
class passage final : public transfer_sink, public std::enable_shared_from_this<passage> {
public:
    passage(const std::shared_ptr<proxy>& p, std::shared_ptr<http_exchange> exchange)
        : proxy_(p), exchange_(std::move(exchange)) {
        ++p->under_way;
    }
    ~passage() override {
        if (const auto owner = proxy_.lock()) --owner->under_way;
    }
    passage(const passage&) = delete;
    passage& operator=(const passage&) = delete;

    void start();

    void on_interim(const http::response& response, const transfer_info&) override {
        if (response.status != 100) exchange_->inform(response);  // 100 is for this hop: the server says it when the body is read
    }
    void on_response(const http::response& response, const transfer_info&) override;
    void on_trailers(const http::fields& fields) override { trailers_ = fields; }
    bool on_body(std::span<const std::uint8_t> bytes) override;
    bool wants_body() override { return unwritten_.empty(); }
    void on_end(const std::optional<http_error>& error, const transfer_info&) override;

private:
    class upload;

    http_request request(const reverse_proxy_options& options) const;
    void cancel();
    void resume();
    void read();
    void write(std::size_t from);
    void end();

    std::weak_ptr<proxy> proxy_;
    std::shared_ptr<http_exchange> exchange_;
    http_client::request_handle handle_ = 0;
    std::vector<std::uint8_t> incoming_;  // of the request's body
    std::size_t filled_ = 0;
    std::size_t taken_ = 0;
    bool reading_ = false;
    bool read_to_end_ = false;
    bool read_failed_ = false;
    std::vector<std::uint8_t> unwritten_;  // of the response's body
    http::fields trailers_;
    std::optional<http_error> failure_;
    bool begun_ = false;
    bool over_ = false;  // the origin has said everything
};

// The request's body, as it comes from the client.
class passage::upload final : public http::body_source {
public:
    upload(std::shared_ptr<passage> p, std::optional<std::uint64_t> length) : passage_(std::move(p)), length_(length) {}
    result read(std::span<std::uint8_t> out) override {
        auto& p = *passage_;
        auto n = std::min(out.size(), p.filled_ - p.taken_);
        if (n > 0) std::memcpy(out.data(), p.incoming_.data() + p.taken_, n);
        p.taken_ += n;
        const bool empty = p.taken_ == p.filled_;
        if (empty) p.read();
        return {n, empty && p.read_to_end_, p.read_failed_};
    }
    std::optional<std::uint64_t> content_length() const override { return length_; }
    http::fields trailers() override { return passage_->exchange_->trailers(); }

private:
    std::shared_ptr<passage> passage_;
    std::optional<std::uint64_t> length_;
};

http_request passage::request(const reverse_proxy_options& options) const {
    const auto& asked = exchange_->request();
    const auto& source = exchange_->source();
    http_request out;
    out.url = options.origin;
    auto path = std::string_view(asked.path);
    if (path.starts_with(options.strip)) path.remove_prefix(options.strip.size());
    auto base = std::string_view(options.origin.path);
    if (base.ends_with('/') && (path.empty() || path.starts_with('/') || path.starts_with('?'))) base.remove_suffix(1);
    out.url.path = std::string(base) + std::string(path);
    if (!out.url.path.starts_with('/')) out.url.path.insert(0, "/");
    out.method = asked.method;
    out.fields = asked.fields;
    for (auto name : {"content-length", "forwarded", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "te",
                      "proxy-authorization", "expect"}) {
        out.fields.erase(name);
    }
    if (const auto left = http::parse_content_length(asked.fields.find("max-forwards").value_or(""));
        left && *left > 0 && asked.method == "OPTIONS")
        out.fields.set("max-forwards", std::to_string(*left - 1));  // RFC 9110 7.6.2
    out.fields.append("forwarded",
                      "for=" + forwarded_node(source.remote) + ";host=\"" + asked.authority + "\";proto=" + asked.scheme);
    out.fields.append("x-forwarded-for", source.remote.address.to_string());
    out.fields.append("x-forwarded-proto", asked.scheme);
    out.fields.append("x-forwarded-host", asked.authority);
    auto version = source.protocol.substr(std::min(source.protocol.find('/'), source.protocol.size() - 1) + 1);
    out.fields.append("via", std::string(version.substr(0, version.find(' '))) + " tandem");  // RFC 9110 7.6.3
    if (options.keep_host) {
        out.prepare = [host = asked.authority](http::request& r, http_protocol) { r.authority = host; };
    }
    out.first_byte_timeout = options.first_byte_timeout;
    out.stall_timeout = options.stall_timeout;
    return out;
}

void passage::start() {
    const auto owner = proxy_.lock();
    if (!owner) return;
    auto out = request(owner->options);
    if (exchange_->has_body()) {
        std::optional<std::uint64_t> length;
        if (auto value = exchange_->request().fields.find("content-length")) length = http::parse_content_length(*value);
        // Made once: what has been read from the client is not kept for a second attempt.
        out.source = [weak = weak_from_this(), length, made = false]() mutable -> std::unique_ptr<http::body_source> {
            auto self = weak.lock();
            if (!self || std::exchange(made, true)) return nullptr;
            return std::make_unique<upload>(std::move(self), length);
        };
    }
    exchange_->on_over([weak = weak_from_this()] {
        auto self = weak.lock();
        if (self && !self->over_) self->cancel();
    });
    handle_ = owner->client.submit(std::move(out), shared_from_this());
}

void passage::cancel() {
    if (const auto owner = proxy_.lock()) owner->client.cancel(handle_);
}

void passage::resume() {
    if (const auto owner = proxy_.lock()) owner->client.resume(handle_);
}

void passage::read() {
    if (reading_ || read_to_end_ || read_failed_) return;
    reading_ = true;
    filled_ = taken_ = 0;
    incoming_.resize(piece);
    exchange_->async_read_some(boost::asio::buffer(incoming_),
                               [self = shared_from_this()](boost::system::error_code error, std::size_t n) {
                                   self->reading_ = false;
                                   self->filled_ = n;
                                   self->read_to_end_ = error == boost::asio::error::eof;
                                   self->read_failed_ = error && !self->read_to_end_;
                                   if (!self->over_) self->resume();
                               });
}

void passage::on_response(const http::response& response, const transfer_info&) {
    begun_ = true;
    auto head = response;
    std::optional<std::uint64_t> length;
    if (auto value = head.fields.find("content-length")) length = http::parse_content_length(*value);
    head.fields.erase("content-length");
    head.fields.erase("alt-svc");  // of the origin's own port, which clients may not reach
    if (!http::response_has_body(exchange_->request().method, head.status) && exchange_->request().method != "HEAD") {
        return exchange_->respond(std::move(head));
    }
    exchange_->begin(std::move(head), length);
}

bool passage::on_body(std::span<const std::uint8_t> bytes) {
    if (exchange_->over()) return false;
    unwritten_.insert(unwritten_.end(), bytes.begin(), bytes.end());
    if (unwritten_.size() == bytes.size()) write(0);
    return true;
}

void passage::write(std::size_t from) {
    auto rest = boost::asio::buffer(unwritten_) + from;
    exchange_->async_write_some(rest, [self = shared_from_this(), from](boost::system::error_code error, std::size_t n) {
        if (!error && from + n < self->unwritten_.size()) return self->write(from + n);
        self->unwritten_.clear();
        if (self->over_) return self->end();
        if (error) return self->cancel();
        self->resume();
    });
}

void passage::on_end(const std::optional<http_error>& error, const transfer_info&) {
    over_ = true;
    failure_ = error;
    if (unwritten_.empty()) end();
}

void passage::end() {
    if (!failure_) return exchange_->finish(std::move(trailers_));
    if (begun_) return exchange_->reset();
    auto page = status_page(failure_->kind == failure_class::timed_out ? 504 : 502);
    exchange_->respond(std::move(page.head), std::move(page.body));
}

// The status with which the gateway itself answers; 0: the origin does.
int own_status(const proxy& p, const http::request& asked) {
    if (!asked.protocol.empty()) return 501;  // it joins messages, not tunnels
    // A page that can make a browser ask so would read in the answer what it may not know of the request.
    if (asked.method == "TRACE" || asked.method == "CONNECT") return 405;
    if (asked.method == "OPTIONS" && (asked.path == "*" || asked.fields.find("max-forwards") == "0")) return 204;
    return p.under_way >= p.options.max_requests ? 503 : 0;
}

}  // namespace

http_handler reverse_proxy(boost::asio::any_io_executor executor, reverse_proxy_options options) {
    auto shared = std::make_shared<proxy>(executor, std::move(options));
    return [shared](std::shared_ptr<http_exchange> exchange) {
        const int status = own_status(*shared, exchange->request());
        if (status == 0) return std::make_shared<passage>(shared, std::move(exchange))->start();
        auto answer = status == 204 ? http_answer{{204, {}}, nullptr} : status_page(status);
        if (status == 503) answer.head.fields.append("retry-after", "1");
        if (status == 405) answer.head.fields.append("allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
        exchange->respond(std::move(answer.head), std::move(answer.body));
    };
}

}  // namespace tandem::net
