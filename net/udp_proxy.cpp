#include <tandem/net/udp_proxy.hpp>

#include <algorithm>
#include <array>
#include <map>
#include <string>
#include <utility>
#include <variant>

#include <boost/asio/ip/udp.hpp>
#include <boost/asio/steady_timer.hpp>

#include <tandem/http/udp_proxying.hpp>
#include <tandem/net/address.hpp>
#include <tandem/net/clock.hpp>
#include <tandem/net/host_lookup.hpp>

namespace tandem::net {

namespace {

namespace asio = boost::asio;
using asio::ip::udp;
using boost::system::error_code;

constexpr int max_datagrams_in_a_row = 64;  // of one target; then others get their turn

// RFC 9209: why a proxy answers so.
void refuse(http_exchange& exchange, int status, std::string_view reason) {
    exchange.respond({status, {{"proxy-status", "tandem; error=" + std::string(reason)}}});
}

}  // namespace

class udp_proxy::impl : public std::enable_shared_from_this<impl> {
public:
    impl(asio::any_io_executor executor, udp_proxy_options options)
        : executor_(std::move(executor)), options_(std::move(options)) {}

    void take(std::shared_ptr<http_exchange> exchange);
    void stop();
    counters statistics() const {
        auto out = counts_;
        out.open = passages_.size();
        return out;
    }

private:
    class passage;
    friend class passage;

    bool permitted(const ip_endpoint& target) const;
    bool full(const ip_address& client) const;
    void over(std::uint64_t id);
    void say(const std::string& line) const {
        if (options_.log) options_.log(line);
    }

    asio::any_io_executor executor_;
    udp_proxy_options options_;
    counters counts_;
    std::uint64_t next_ = 0;
    std::map<std::uint64_t, std::shared_ptr<passage>> passages_;
    std::map<ip_address, std::size_t> of_client_;
};

// One tunnel and its socket, from the request on.
class udp_proxy::impl::passage : public std::enable_shared_from_this<passage> {
public:
    passage(std::shared_ptr<impl> proxy, std::uint64_t id, std::shared_ptr<http_exchange> exchange, http::udp_target target)
        : proxy_(proxy),
          id_(id),
          client_(exchange->source().remote.address),
          exchange_(std::move(exchange)),
          target_(std::move(target)),
          lookup_(std::make_shared<host_lookup>(proxy->executor_)),
          socket_(proxy->executor_),
          timer_(proxy->executor_),
          moved_(now()) {}

    const ip_address& client() const { return client_; }
    void start();
    void end();

private:
    void found(const host_lookup::result& result);
    bool open(const ip_endpoint& target);
    void accept(const ip_endpoint& target);
    void receive();
    void to_target(std::span<const std::uint8_t> datagram);
    void wait_for_target();
    void from_target();
    void arm();

    std::weak_ptr<impl> proxy_;
    std::uint64_t id_;
    ip_address client_;
    std::shared_ptr<http_exchange> exchange_;  // until it is answered
    http::udp_target target_;
    std::shared_ptr<host_lookup> lookup_;
    udp::socket socket_;
    datagram_tunnel tunnel_;
    asio::steady_timer timer_;
    time_point moved_;
    bool over_ = false;
};

void udp_proxy::impl::passage::start() {
    exchange_->on_over([weak = weak_from_this()] {
        if (auto self = weak.lock()) self->end();
    });
    const auto proxy = proxy_.lock();
    lookup_->start({false, target_.host, target_.port}, proxy->options_.lookup,
                   [weak = weak_from_this()](const host_lookup::result& result) {
                       if (auto self = weak.lock(); self && !self->over_) self->found(result);
                   });
}

void udp_proxy::impl::passage::found(const host_lookup::result& result) {
    const auto proxy = proxy_.lock();
    if (!proxy) return end();
    const auto* addresses = std::get_if<std::vector<ip_address>>(&result);
    bool any_permitted = false;
    for (const auto& address : addresses ? *addresses : std::vector<ip_address>()) {
        const ip_endpoint target{address, target_.port};
        if (!proxy->permitted(target)) continue;
        any_permitted = true;
        if (open(target)) return accept(target);
    }
    ++proxy->counts_.refused;
    if (addresses == nullptr)
        refuse(*exchange_, 502, "dns_error");
    else if (!any_permitted)
        refuse(*exchange_, 403, "destination_ip_prohibited");
    else
        refuse(*exchange_, 502, "destination_ip_unroutable");
    end();
}

bool udp_proxy::impl::passage::open(const ip_endpoint& target) {
    error_code error, ignored;
    socket_.close(ignored);
    const auto to = to_asio<udp>(target);
    socket_.open(to.protocol(), error);
    if (!error) socket_.non_blocking(true, error);
    if (!error) socket_.connect(to, error);  // what comes from elsewhere does not reach it
    return !error;
}

void udp_proxy::impl::passage::accept(const ip_endpoint& target) {
    const auto proxy = proxy_.lock();
    auto tunnel = datagram_tunnel::accept(std::exchange(exchange_, nullptr), http::connect_udp_protocol, proxy->options_.tunnel);
    if (!tunnel) return end();
    tunnel_ = std::move(*tunnel);
    ++proxy->counts_.opened;
    proxy->say("UDP proxy: " + client_.to_string() + " to " + target.to_string());
    receive();
    wait_for_target();
    arm();
}

void udp_proxy::impl::passage::receive() {
    tunnel_.async_receive([self = shared_from_this()](error_code error, const std::vector<std::uint8_t>& datagram) {
        if (self->over_) return;
        if (error) return self->end();
        self->to_target(datagram);
        if (!self->over_) self->receive();
    });
}

// RFC 9298 5
void udp_proxy::impl::passage::to_target(std::span<const std::uint8_t> datagram) {
    const auto [kind, payload] = http::unwrap_udp_payload(datagram);
    if (kind == http::udp_datagram_kind::other_context) return;
    if (kind == http::udp_datagram_kind::malformed) {
        tunnel_.reset();
        return end();
    }
    moved_ = now();
    error_code error;
    socket_.send(asio::buffer(payload.data(), payload.size()), 0, error);
    // A full socket, or a payload above the path's MTU, loses a datagram; nobody there is the tunnel's end.
    if (error == asio::error::connection_refused || error == asio::error::bad_descriptor) end();
}

void udp_proxy::impl::passage::wait_for_target() {
    socket_.async_wait(udp::socket::wait_read, [self = shared_from_this()](error_code error) {
        if (self->over_) return;
        if (error) return self->end();
        self->from_target();
        if (!self->over_) self->wait_for_target();
    });
}

void udp_proxy::impl::passage::from_target() {
    static thread_local std::array<std::uint8_t, 1 + http::max_udp_payload> buffer{};  // context ID 0 stands before each
    for (int i = 0; i < max_datagrams_in_a_row; ++i) {
        error_code error;
        const auto n = socket_.receive(asio::buffer(buffer.data() + 1, buffer.size() - 1), 0, error);
        if (error == asio::error::would_block || error == asio::error::try_again) return;
        if (error) return end();
        moved_ = now();
        tunnel_.send({buffer.data(), 1 + n});
    }
}

void udp_proxy::impl::passage::arm() {
    const auto proxy = proxy_.lock();
    if (!proxy || over_) return;
    const auto idle = proxy->options_.idle_timeout;
    timer_.expires_at(to_steady(moved_ + idle));
    timer_.async_wait([weak = weak_from_this(), idle](error_code error) {
        const auto self = weak.lock();
        if (error || !self || self->over_) return;
        if (now() - self->moved_ >= idle) return self->end();
        self->arm();
    });
}

void udp_proxy::impl::passage::end() {
    if (std::exchange(over_, true)) return;
    lookup_->stop();
    timer_.cancel();
    error_code ignored;
    socket_.close(ignored);
    exchange_.reset();  // if it was not answered yet, that is 500
    if (tunnel_) tunnel_.close();
    if (auto proxy = proxy_.lock()) proxy->over(id_);
}

bool udp_proxy::impl::permitted(const ip_endpoint& target) const {
    if (options_.allow.empty()) return is_public(target.address);
    return std::any_of(options_.allow.begin(), options_.allow.end(), [&](const auto& rule) { return rule.matches(target); });
}

bool udp_proxy::impl::full(const ip_address& client) const {
    const auto it = of_client_.find(client);
    return passages_.size() >= options_.max_tunnels || (it != of_client_.end() && it->second >= options_.max_tunnels_per_address);
}

void udp_proxy::impl::take(std::shared_ptr<http_exchange> exchange) {
    const auto& asked = exchange->request();
    if (asked.protocol != http::connect_udp_protocol) {  // says what is the matter
        datagram_tunnel::accept(std::move(exchange), http::connect_udp_protocol);
        return;
    }
    auto target = http::target_of(asked.path);
    if (!target) return ++counts_.refused, exchange->respond(400, "text/plain", "no target of UDP proxying\n");
    const auto client = exchange->source().remote.address;
    if (full(client)) return ++counts_.refused, refuse(*exchange, 503, "connection_limit_reached");
    const auto id = next_++;
    auto p = std::make_shared<passage>(shared_from_this(), id, std::move(exchange), std::move(*target));
    passages_.emplace(id, p);
    ++of_client_[client];
    p->start();
}

void udp_proxy::impl::over(std::uint64_t id) {
    const auto node = passages_.extract(id);
    if (node.empty()) return;
    const auto it = of_client_.find(node.mapped()->client());
    if (--it->second == 0) of_client_.erase(it);
}

void udp_proxy::impl::stop() {
    for (auto& [id, p] : std::exchange(passages_, {})) p->end();
}

udp_proxy::udp_proxy(asio::any_io_executor executor, udp_proxy_options options)
    : impl_(std::make_shared<impl>(std::move(executor), std::move(options))) {}
udp_proxy::~udp_proxy() { impl_->stop(); }

http_handler udp_proxy::handler() {
    return [impl = impl_](std::shared_ptr<http_exchange> exchange) { impl->take(std::move(exchange)); };
}

udp_proxy::counters udp_proxy::statistics() const { return impl_->statistics(); }

}  // namespace tandem::net
