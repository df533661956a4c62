// http_connection over TCP, the kernel's or our own.
#pragma once

#include <functional>
#include <memory>
#include <utility>

#include <boost/asio/post.hpp>

#include <tandem/http/alpn.hpp>
#include <tandem/net/address_walk.hpp>
#include <tandem/net/byte_stream_pump.hpp>
#include <tandem/net/byte_transport.hpp>
#include <tandem/net/connection_summary.hpp>

namespace tandem::net {

// How the engine is made, and what its failure means.
template <class Engine>
struct tcp_engine_kind {
    using engine = Engine;
    http_protocol protocol;
    std::string_view required_alpn;  // empty: any will do
    std::function<Engine(time_point now)> make;
    std::function<http_error(const Engine&)> describe;  // called when engine.error() is set
    std::function<void(Engine&)> settle = {};           // called after each activity: takes what came besides HTTP
};

template <class Engine, class Transport>
class http_tcp_connection final : public http_connection,
                                  public std::enable_shared_from_this<http_tcp_connection<Engine, Transport>> {
public:
    http_tcp_connection(const boost::asio::any_io_executor& executor, Transport transport, tcp_engine_kind<Engine> kind,
                        http_connection_hooks hooks)
        : kind_(std::move(kind)),
          hooks_(std::move(hooks)),
          executor_(executor),
          transport_(std::move(transport)),
          socket_(transport_.make()) {}

    void start(const http_target& target, const http_connection_options& options);

    void stop() override;
    http::client_session* session() override { return ready_ && pump_ ? pump_->engine().session() : nullptr; }
    void wake() override {
        if (pump_) pump_->wake();
    }
    const connection_times& times() const override { return walk_->times(); }
    ip_endpoint remote() const override { return walk_->current(); }
    http_protocol protocol() const override { return kind_.protocol; }

private:
    using pump = byte_stream_pump<Engine, typename Transport::socket>;

    void attempt(const ip_endpoint& remote);
    void connected(const boost::system::error_code& error);
    void abandon();
    void application(time_point at);
    void ended(boost::system::error_code error);
    void fail(http_error why);
    void over(http_error why);
    http_error describe(boost::system::error_code error) const;

    tcp_engine_kind<Engine> kind_;
    http_connection_hooks hooks_;
    boost::asio::any_io_executor executor_;
    std::shared_ptr<address_walk> walk_;
    duration tcp_timeout_{}, tls_timeout_{};
    Transport transport_;
    typename Transport::socket socket_;
    std::shared_ptr<pump> pump_;
    std::uint64_t attempts_ = 0;
    bool ready_ = false;
    bool stopped_ = false;
    bool muted_ = false;  // the owner does not want to hear any more
};

template <class Engine, class Transport>
void http_tcp_connection<Engine, Transport>::start(const http_target& target, const http_connection_options& options) {
    tcp_timeout_ = options.tcp_timeout;
    tls_timeout_ = options.tls_timeout;
    auto weak = this->weak_from_this();
    walk_ = std::make_shared<address_walk>(executor_, target, options,
                                           address_walk_hooks{[weak](const ip_endpoint& e) {
                                                                  if (auto self = weak.lock()) self->attempt(e);
                                                              },
                                                              [weak] {
                                                                  if (auto self = weak.lock()) self->abandon();
                                                              },
                                                              [weak](const http_error& e) {
                                                                  if (auto self = weak.lock()) self->over(e);
                                                              }});
    walk_->start();
}

template <class Engine, class Transport>
void http_tcp_connection<Engine, Transport>::attempt(const ip_endpoint& remote) {
    socket_ = transport_.make();
    walk_->begin_phase(tcp_timeout_, "TCP's handshake");
    transport_.connect(socket_, remote,
                       [self = this->shared_from_this(), attempt = ++attempts_](const boost::system::error_code& error) {
                           if (!self->stopped_ && attempt == self->attempts_) self->connected(error);
                       });
}

template <class Engine, class Transport>
void http_tcp_connection<Engine, Transport>::connected(const boost::system::error_code& error) {
    if (error) return fail({classify(error), "could not connect to " + walk_->where() + ": " + error.message(), true});
    if (hooks_.heard) hooks_.heard();
    auto at = now();
    walk_->times().connected = at;
    walk_->begin_phase(tls_timeout_, "TLS handshake");
    walk_->trace("connected to " + walk_->current().to_string() + " (TCP)");
    auto weak = this->weak_from_this();
    pump_ = std::make_shared<pump>(std::move(socket_), kind_.make(at),
                                   pump_hooks{[weak](time_point t) {
                                                  if (auto self = weak.lock()) self->application(t);
                                              },
                                              [weak](boost::system::error_code e) {
                                                  if (auto self = weak.lock()) self->ended(e);
                                              }});
    pump_->start();
}

template <class Engine, class Transport>
void http_tcp_connection<Engine, Transport>::abandon() {
    ++attempts_;
    if constexpr (requires { pump_->socket().summary(); }) {  // our own TCP
        const auto summary = pump_ && ready_ ? pump_->socket().summary() : std::nullopt;
        if (summary) walk_->trace("TCP: " + summary_line(*summary));
    }
    if (pump_) pump_->stop();
    pump_.reset();
    boost::system::error_code ignored;
    socket_.close(ignored);
}

template <class Engine, class Transport>
void http_tcp_connection<Engine, Transport>::application(time_point at) {
    if (stopped_ || !pump_) return;
    auto& engine = pump_->engine();
    if (kind_.settle) kind_.settle(engine);
    if (!ready_ && engine.session() != nullptr) {
        if (!kind_.required_alpn.empty() && engine.alpn() != kind_.required_alpn) {
            return fail(
                {failure_class::protocol, walk_->where() + " does not speak " + std::string(to_string(kind_.protocol)), true});
        }
        if (kind_.protocol == http_protocol::http2 && engine.alpn() != http::alpn_h2) kind_.protocol = http_protocol::http1;
        ready_ = true;
        walk_->times().secured = at;
        if constexpr (requires { engine.resumed(); }) {
            if (engine.resumed()) walk_->trace("resumed an earlier TLS session");
        }
        walk_->succeeded();
        if (hooks_.ready) hooks_.ready();
    }
    if (ready_ && !stopped_ && hooks_.activity) hooks_.activity(at);
    if (!stopped_ && pump_ && pump_->engine().error()) ended({});
}

template <class Engine, class Transport>
http_error http_tcp_connection<Engine, Transport>::describe(boost::system::error_code error) const {
    if (pump_->engine().error()) return kind_.describe(pump_->engine());
    if (!ready_) {
        auto what = error ? error.message() : std::string("the server closed the connection");
        return {failure_class::tls, "TLS handshake with " + walk_->where() + " failed: " + what, true};
    }
    return {failure_class::lost, "connection to " + walk_->where() + " lost" + (error ? ": " + error.message() : ""), false};
}

template <class Engine, class Transport>
void http_tcp_connection<Engine, Transport>::ended(boost::system::error_code error) {
    if (stopped_ || !pump_) return;
    auto why = describe(error);
    if (ready_) return over(std::move(why));
    fail(std::move(why));
}

// The attempt under way failed.
template <class Engine, class Transport>
void http_tcp_connection<Engine, Transport>::fail(http_error why) {
    abandon();
    auto walk = walk_;
    walk->failed(std::move(why));
}

template <class Engine, class Transport>
void http_tcp_connection<Engine, Transport>::over(http_error why) {
    if (std::exchange(stopped_, true)) return;
    // Posted: the owner may destroy everything, and we are deep in its own calls.
    boost::asio::post(executor_, [why = std::move(why), self = this->shared_from_this()] {
        if (!self->muted_ && self->hooks_.over) self->hooks_.over(why);
    });
}

template <class Engine, class Transport>
void http_tcp_connection<Engine, Transport>::stop() {
    stopped_ = muted_ = true;
    if (walk_) walk_->stop();
    abandon();
}

}  // namespace tandem::net
