#include <tandem/net/http_server.hpp>

#include <algorithm>
#include <utility>

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include <tandem/http/date.hpp>
#include <tandem/net/clock.hpp>
#include <tandem/net/http_listener.hpp>

namespace tandem::net {

namespace {

constexpr int port_attempts = 20;  // to find a port that is free for every address and for both protocols

}  // namespace

class http_server::impl : public std::enable_shared_from_this<impl> {
public:
    impl(boost::asio::any_io_executor executor, http_server_options options, server_handlers handlers)
        : executor_(std::move(executor)),
          options_(std::move(options)),
          handlers_(std::move(handlers)),
          context_{options_, handlers_, {}, {}, {}},
          timer_(executor_) {
        options_.limits.head_time = std::min(options_.limits.head_time, options_.requests.header_timeout);
    }

    listen_error start();
    void stop(duration deadline, std::function<void()> done);
    void shut_down();
    // Of options_.preferred, those that the listener on the address with this number tells of.
    std::vector<ip_endpoint> preferred_at(std::size_t number) const;
    void set_tls(std::shared_ptr<const tls::server_context> tls) {
        options_.tls = std::move(tls);
        for (auto& listener : listeners_) listener->renew_tls();
    }

    http_listener_context& context() { return context_; }
    const std::vector<std::unique_ptr<http_listener>>& listeners() const { return listeners_; }
    const std::vector<std::string>& warnings() const { return warnings_; }

private:
    listen_error listen(std::uint16_t port);
    void refresh_fields();
    void tick();
    void schedule_tick();

    boost::asio::any_io_executor executor_;
    http_server_options options_;
    server_handlers handlers_;
    http_listener_context context_;
    boost::asio::steady_timer timer_;
    std::vector<std::unique_ptr<http_listener>> listeners_;
    std::vector<std::string> warnings_;
    std::int64_t date_ = 0;
    std::optional<time_point> stop_at_;
    std::function<void()> done_;
    bool over_ = false;
};

listen_error http_server::impl::start() {
    listen_error error;
    for (int i = 0; i < port_attempts; ++i) {
        error = listen(options_.port);
        // A free port was asked for, and the one that was free for the first socket is busy for another: try the next.
        if (!error || options_.port != 0 || error.code != boost::system::errc::address_in_use) break;
    }
    if (error) return error;
    refresh_fields();
    schedule_tick();
    return {};
}

listen_error http_server::impl::listen(std::uint16_t port) {
    listeners_.clear();
    warnings_.clear();
    boost::system::error_code error;
    for (std::size_t i = 0; i < options_.addresses.size(); ++i) {
        const auto& address = options_.addresses[i];
        const auto worker = i < options_.workers.size() ? options_.workers[i] : quic_worker();
        if (options_.tcp) {
            auto listener = listen_tcp(executor_, {address, port}, context_, worker.sharing(), error);
            if (!listener) return listeners_.clear(), listen_error{error, "TCP " + ip_endpoint{address, port}.to_string()};
            port = listener->local_endpoint().port;
            listeners_.push_back(std::move(listener));
        }
        if (options_.quic) {
            auto listener = listen_quic(executor_, {address, port}, context_, worker, error, warnings_);
            if (!listener) return listeners_.clear(), listen_error{error, "UDP " + ip_endpoint{address, port}.to_string()};
            for (const auto& where : preferred_at(i)) {
                error = listener->prefer(where);
                if (error) return listeners_.clear(), listen_error{error, "preferred address " + where.to_string()};
            }
            port = listener->local_endpoint().port;
            listeners_.push_back(std::move(listener));
        }
    }
    std::sort(warnings_.begin(), warnings_.end());
    warnings_.erase(std::unique(warnings_.begin(), warnings_.end()), warnings_.end());
    return {};
}

std::vector<ip_endpoint> http_server::impl::preferred_at(std::size_t number) const {
    std::vector<ip_endpoint> out;
    for (const auto& where : options_.preferred) {
        const auto first = std::find_if(options_.addresses.begin(), options_.addresses.end(),
                                        [&](const ip_address& a) { return a.is_v6 == where.address.is_v6; });
        const auto teller = first == options_.addresses.end() ? 0 : first - options_.addresses.begin();
        if (static_cast<std::size_t>(teller) == number) out.push_back(where);
    }
    return out;
}

void http_server::impl::refresh_fields() {
    auto seconds = wall_seconds();
    if (seconds == date_) return;
    date_ = seconds;
    context_.quic_fields = options_.fields;
    for (const auto& [name, value] :
         {std::pair<const char*, std::string>{"date", http::format_date(seconds)}, {"server", "tandem"}}) {
        if (!context_.quic_fields.contains(name)) context_.quic_fields.append(name, value);
    }
    context_.tcp_fields = context_.quic_fields;
    if (options_.quic && !listeners_.empty()) {  // RFC 7838 3
        context_.tcp_fields.append("alt-svc",
                                   "h3=\":" + std::to_string(listeners_.front()->local_endpoint().port) + "\"; ma=86400");
    }
}

void http_server::impl::schedule_tick() {
    timer_.expires_after(std::chrono::duration_cast<boost::asio::steady_timer::duration>(options_.sweep_interval));
    timer_.async_wait([self = shared_from_this()](const boost::system::error_code& error) {
        if (!error && !self->over_) self->tick();
    });
}

void http_server::impl::tick() {
    refresh_fields();
    auto at = now();
    for (auto& listener : listeners_) listener->sweep(at);
    bool idle = std::all_of(listeners_.begin(), listeners_.end(), [](const auto& l) { return l->connections() == 0; });
    if (stop_at_ && (idle || at >= *stop_at_)) return shut_down();
    schedule_tick();
}

void http_server::impl::stop(duration deadline, std::function<void()> done) {
    auto at = now();
    if (over_ || stop_at_) {  // asked twice: at once
        done_ = std::move(done);
        return shut_down();
    }
    done_ = std::move(done);
    stop_at_ = at + deadline;
    for (auto& listener : listeners_) listener->drain(at);
    boost::asio::post(executor_, [self = shared_from_this()] {
        if (!self->over_) {
            self->timer_.cancel();
            self->tick();
        }
    });
}

void http_server::impl::shut_down() {
    over_ = true;
    timer_.cancel();
    for (auto& listener : listeners_) listener->stop(now());
    listeners_.clear();
    if (auto done = std::exchange(done_, {})) boost::asio::post(executor_, std::move(done));
}

http_server::http_server(boost::asio::any_io_executor executor, http_server_options options, request_handler handler)
    : http_server(std::move(executor), std::move(options), server_handlers{std::move(handler), {}}) {}
http_server::http_server(boost::asio::any_io_executor executor, http_server_options options, http_handler handler)
    : http_server(std::move(executor), std::move(options), server_handlers{{}, std::move(handler)}) {}
http_server::http_server(boost::asio::any_io_executor executor, http_server_options options, server_handlers handlers)
    : impl_(std::make_shared<impl>(std::move(executor), std::move(options), std::move(handlers))) {}
http_server::~http_server() { impl_->shut_down(); }

listen_error http_server::start() { return impl_->start(); }

std::uint16_t http_server::port() const {
    return impl_->listeners().empty() ? 0 : impl_->listeners().front()->local_endpoint().port;
}

std::vector<ip_endpoint> http_server::endpoints() const {
    std::vector<ip_endpoint> out;
    for (const auto& listener : impl_->listeners()) {
        auto e = listener->local_endpoint();
        if (std::find(out.begin(), out.end(), e) == out.end()) out.push_back(e);
    }
    return out;
}

std::vector<std::string> http_server::warnings() const { return impl_->warnings(); }
http_server::counters http_server::statistics() const {
    auto out = impl_->context().counters;
    for (const auto& listener : impl_->listeners()) out.open_connections += listener->connections();
    return out;
}
void http_server::set_tls(std::shared_ptr<const tls::server_context> tls) { impl_->set_tls(std::move(tls)); }
void http_server::stop(duration deadline, std::function<void()> done) { impl_->stop(deadline, std::move(done)); }

}  // namespace tandem::net
