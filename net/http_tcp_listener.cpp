// Accepts TCP connections and runs TLS with HTTP over each.
#include <list>
#include <utility>

#include <tandem/http/byte_stream_server.hpp>
#include <tandem/net/byte_stream_pump.hpp>
#include <tandem/net/byte_transport.hpp>
#include <tandem/net/http_listener.hpp>

namespace tandem::net {

namespace {

constexpr std::size_t max_accepts_in_a_row = 64;  // then connections there are get their turn

http::byte_stream_server_config engine_config(const http_server_options& options) {
    http::byte_stream_server_config config;
    config.limits = options.limits;
    config.alpn = {std::string(http::alpn_http1)};
    if (options.http2) config.alpn.insert(config.alpn.begin(), std::string(http::alpn_h2));
    if (options.qmux) config.alpn.insert(config.alpn.begin(), std::string(http::alpn_h3_qmux));
    return config;
}

template <class Transport>
class tcp_listener final : public http_listener {
public:
    tcp_listener(const Transport& transport, http_listener_context& context) : context_(context), acceptor_(transport) {}
    ~tcp_listener() override { tcp_listener::stop(now()); }

    boost::system::error_code open(const ip_endpoint& local);
    ip_endpoint local_endpoint() const override { return local_; }
    void sweep(time_point now) override;
    void drain(time_point now) override;
    std::size_t connections() const override { return connections_.size(); }
    void stop(time_point) override;

private:
    using pump = byte_stream_pump<http::byte_stream_server, typename Transport::socket>;

    struct connection {
        connection(http_listener_context& c, const ip_endpoint& from, boost::asio::any_io_executor executor, time_point now)
            : requests(c.handlers, c.options.access, c.options.requests, {from, "HTTP/1.1"}, std::move(executor), now),
              remote(from) {}
        request_loop requests;
        ip_endpoint remote;
        std::shared_ptr<pump> stream;
        std::uint64_t received = 0;
        std::uint64_t sent = 0;
        std::uint64_t unacknowledged = 0;  // at the last sweep
        bool secure = false;               // TLS is done
    };
    using connection_list = std::list<connection>;

    void wait();
    void accept();
    void add(typename Transport::socket socket);
    void run(connection& c, time_point now);
    void ended(typename connection_list::iterator c, boost::system::error_code error);
    bool full() const { return connections_.size() >= context_.options.max_tcp_connections; }

    http_listener_context& context_;
    typename Transport::acceptor acceptor_;
    ip_endpoint local_;
    connection_list connections_;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // tells a late handler that this object is gone
    bool waiting_ = false;
    bool draining_ = false;
};

template <class Transport>
boost::system::error_code tcp_listener<Transport>::open(const ip_endpoint& local) {
    if (auto error = acceptor_.listen(local)) return error;
    local_ = acceptor_.local_endpoint();
    wait();
    return {};
}

template <class Transport>
void tcp_listener<Transport>::wait() {
    if (!acceptor_.is_open() || full() || std::exchange(waiting_, true)) return;
    acceptor_.wait([this, alive = std::weak_ptr<bool>(alive_)](const boost::system::error_code& error) {
        if (alive.expired()) return;
        waiting_ = false;
        if (!error) accept();
    });
}

template <class Transport>
void tcp_listener<Transport>::accept() {
    for (std::size_t i = 0; i < max_accepts_in_a_row && !full(); ++i) {
        boost::system::error_code error;
        auto socket = acceptor_.accept(error);
        // Out of descriptors: sweep() tries again.
        if (error == boost::asio::error::no_descriptors || error == boost::system::errc::too_many_files_open_in_system) return;
        if (error == boost::asio::error::would_block || error == boost::asio::error::try_again) break;
        if (!error) add(std::move(socket));
    }
    wait();
}

template <class Transport>
void tcp_listener<Transport>::add(typename Transport::socket socket) {
    boost::system::error_code error;
    auto remote = Transport::remote_endpoint(socket, error);
    if (error) return;  // gone already
    ++context_.counters.tcp_connections;
    auto at = now();
    auto c = connections_.emplace(connections_.end(), context_, remote, socket.get_executor(), at);
    http::byte_stream_server engine(context_.options.tls, engine_config(context_.options), at);
    c->requests.set_common_fields(&context_.tcp_fields);
    c->stream = std::make_shared<pump>(
        std::move(socket), std::move(engine),
        pump_hooks{[this, c](time_point t) { run(*c, t); }, [this, c](boost::system::error_code e) { ended(c, e); }},
        context_.options.lingering);
    c->requests.on_wake([stream = c->stream.get()] { stream->wake(); });
    c->stream->start();
}

template <class Transport>
void tcp_listener<Transport>::run(connection& c, time_point now) {
    auto received = c.stream->bytes_received(), sent = c.stream->bytes_sent();
    if (received != c.received || sent != c.sent) {
        // What comes before TLS is done, and what makes it so, is no part of a request.
        c.requests.progress(now, received != c.received && c.secure);
        c.received = received;
        c.sent = sent;
    }
    auto* session = c.stream->engine().session();
    if (session == nullptr) return;
    c.secure = true;
    if (c.stream->engine().alpn() == http::alpn_h2) c.requests.set_protocol("HTTP/2");
    if (c.stream->engine().alpn() == http::alpn_h3_qmux) c.requests.set_protocol("HTTP/3 over QMux");
    auto before = c.requests.requests();
    c.requests.run(*session, now);
    context_.counters.requests += c.requests.requests() - before;
}

template <class Transport>
void tcp_listener<Transport>::ended(typename connection_list::iterator c, boost::system::error_code error) {
    if (context_.options.log) {
        auto line = "TCP " + c->remote.to_string() + ": ";
        if (const auto& failure = c->stream->engine().error(); failure && !failure->text.empty()) {
            line += failure->text;
        } else {
            line += error ? error.message() : "closed";
        }
        context_.options.log(line);
    }
    // The pump is calling: it must not be destroyed before it returns. Its shared_ptr is held by the handler that runs.
    connections_.erase(c);
    wait();
}

template <class Transport>
void tcp_listener<Transport>::sweep(time_point now) {
    for (auto it = connections_.begin(); it != connections_.end();) {
        auto c = it++;
        auto* session = c->stream->engine().session();
        if (c->stream->lingering()) continue;
        if (const auto due = c->stream->engine().next_timeout(); due && *due <= now)
            continue;  // what it says then goes first: 408
        // TCP takes megabytes that a slow client reads for minutes.
        const auto before = std::exchange(c->unacknowledged, c->stream->unacknowledged());
        if (c->unacknowledged < before) c->requests.still_read(now, before - c->unacknowledged, c->unacknowledged);
        if (c->requests.overdue(session, now)) {
            if (context_.options.log) context_.options.log("TCP " + c->remote.to_string() + ": dropped, nothing came in time");
            c->stream->stop();
            connections_.erase(c);
        } else if (session != nullptr && (draining_ || c->requests.idle_for_long(*session, now))) {
            session->close(now);
            c->stream->wake();
        }
    }
    wait();
}

template <class Transport>
void tcp_listener<Transport>::drain(time_point now) {
    draining_ = true;
    acceptor_.close();
    sweep(now);
}

template <class Transport>
void tcp_listener<Transport>::stop(time_point) {
    acceptor_.close();
    for (auto& c : connections_) c.stream->stop();
    connections_.clear();
}

}  // namespace

std::unique_ptr<http_listener> listen_tcp(boost::asio::any_io_executor executor, const ip_endpoint& local,
                                          http_listener_context& context, port_sharing sharing,
                                          boost::system::error_code& error) {
    const auto over = [&](auto transport) -> std::unique_ptr<http_listener> {
        auto listener = std::make_unique<tcp_listener<decltype(transport)>>(transport, context);
        error = listener->open(local);
        if (error) return nullptr;
        return listener;
    };
    return context.options.tcp_stack ? over(own_tcp{context.options.tcp_stack}) : over(kernel_tcp{std::move(executor), sharing});
}

}  // namespace tandem::net
