#include <tandem/net/http_client.hpp>

#include <algorithm>
#include <utility>

#include <tandem/net/clock.hpp>
#include <tandem/net/http_origin.hpp>
#include <tandem/net/http_sinks.hpp>

namespace tandem::net {

namespace {

http_target target_of(const http::url& url) { return {url.scheme == "https", url.host, url.port}; }

}  // namespace

class http_client::impl : public std::enable_shared_from_this<impl> {
public:
    impl(boost::asio::any_io_executor executor, http_client_options options)
        : executor_(std::move(executor)), options_(std::move(options)) {}

    request_handle submit(http_request request, std::shared_ptr<transfer_sink> sink);
    void start(request_handle handle, http_request request, std::shared_ptr<transfer_sink> sink);
    void submit_over_http1(std::unique_ptr<pending_transfer> transfer);
    void resume(request_handle handle);
    const boost::asio::any_io_executor& executor() const { return executor_; }
    void cancel(request_handle handle, const http_error& why, http::h3_error code = http::h3_error::request_cancelled);
    http::datagram_result send_datagram(request_handle handle, std::span<const std::uint8_t> datagram);
    std::size_t max_datagram(request_handle handle) const;
    void close_idle() {
        for (auto* all : {&origins_, &http1_origins_}) {
            for (auto& [name, origin] : *all) origin->close_idle();
        }
    }
    void stop() {
        for (auto* all : {&origins_, &http1_origins_}) {
            for (auto& [name, origin] : *all) origin->stop();
            all->clear();
        }
    }

private:
    boost::asio::any_io_executor executor_;
    http_client_options options_;
    std::map<std::string, std::shared_ptr<http_origin>> origins_;
    std::map<std::string, std::shared_ptr<http_origin>> http1_origins_;  // for what they do not serve over HTTP/2 and HTTP/3
    request_handle next_ = 1;
};

http_client::request_handle http_client::impl::submit(http_request request, std::shared_ptr<transfer_sink> sink) {
    const auto handle = next_++;
    const bool tunnel = !request.protocol.empty();
    if (request.decode && !tunnel) sink = decode_body(request, std::move(sink));
    if (request.max_redirects > 0 && !tunnel) {
        sink = follow_redirects(request, std::move(sink),
                                [weak = weak_from_this(), handle](http_request next, std::shared_ptr<transfer_sink> s) {
                                    if (auto self = weak.lock()) self->start(handle, std::move(next), std::move(s));
                                });
    }
    start(handle, std::move(request), std::move(sink));
    return handle;
}

void http_client::impl::start(request_handle handle, http_request request, std::shared_ptr<transfer_sink> sink) {
    auto& origin = origins_[request.url.origin()];
    if (!origin) {
        origin = std::make_shared<http_origin>(executor_, options_, target_of(request.url));
        const auto& permitted = options_.protocols;
        if (std::find(permitted.begin(), permitted.end(), http_protocol::http2) != permitted.end()) {
            origin->on_unserved([weak = weak_from_this()](std::unique_ptr<pending_transfer> transfer) {
                if (auto self = weak.lock()) self->submit_over_http1(std::move(transfer));
            });
        }
    }
    auto transfer = std::make_unique<pending_transfer>();
    transfer->handle = handle;
    transfer->info.url = request.url;
    transfer->sink = std::move(sink);
    transfer->info.queued = now();
    if (request.timeout > duration::zero()) {
        transfer->timer = std::make_unique<boost::asio::steady_timer>(executor_, request.timeout);
        transfer->timer->async_wait([weak = weak_from_this(), handle = transfer->handle](const boost::system::error_code& error) {
            auto self = weak.lock();
            if (!error && self)
                self->cancel(handle, {failure_class::timed_out, "the transfer took longer than it was given", false});
        });
    }
    transfer->request = std::move(request);
    origin->submit(std::move(transfer));
}

// What the server does not serve over HTTP/2 or HTTP/3.
void http_client::impl::submit_over_http1(std::unique_ptr<pending_transfer> transfer) {
    const auto& url = transfer->info.url;
    auto& origin = http1_origins_[url.origin()];
    if (!origin) {
        auto options = options_;
        options.protocols = {http_protocol::http1};
        origin = std::make_shared<http_origin>(executor_, options, target_of(url));
    }
    origin->submit(std::move(transfer));
}

void http_client::impl::resume(request_handle handle) {
    for (auto* all : {&origins_, &http1_origins_}) {
        for (auto& [name, origin] : *all) {
            if (origin->resume(handle)) return;
        }
    }
}

void http_client::impl::cancel(request_handle handle, const http_error& why, http::h3_error code) {
    for (auto* all : {&origins_, &http1_origins_}) {
        for (auto& [name, origin] : *all) {
            if (origin->cancel(handle, why, code)) return;
        }
    }
}

http::datagram_result http_client::impl::send_datagram(request_handle handle, std::span<const std::uint8_t> datagram) {
    for (auto& [name, origin] : origins_) {
        if (auto result = origin->send_datagram(handle, datagram)) return *result;
    }
    return http::datagram_result::unavailable;  // HTTP/1.1 has none
}

std::size_t http_client::impl::max_datagram(request_handle handle) const {
    for (const auto& [name, origin] : origins_) {
        if (auto size = origin->max_datagram(handle)) return *size;
    }
    return 0;
}

http_client::http_client(boost::asio::any_io_executor executor, http_client_options options)
    : impl_(std::make_shared<impl>(std::move(executor), std::move(options))) {}
http_client::~http_client() { impl_->stop(); }

http_client::request_handle http_client::submit(http_request request, std::shared_ptr<transfer_sink> sink) {
    return impl_->submit(std::move(request), std::move(sink));
}
const boost::asio::any_io_executor& http_client::get_executor() const { return impl_->executor(); }
void http_client::cancel(request_handle handle, http::h3_error code) {
    impl_->cancel(handle, {failure_class::cancelled, "cancelled", false}, code);
}
http::datagram_result http_client::send_datagram(request_handle handle, std::span<const std::uint8_t> datagram) {
    return impl_->send_datagram(handle, datagram);
}
std::size_t http_client::max_datagram(request_handle handle) const { return impl_->max_datagram(handle); }
void http_client::resume(request_handle handle) { impl_->resume(handle); }
void http_client::close_idle() { impl_->close_idle(); }

}  // namespace tandem::net
