// Accepts QUIC connections and runs HTTP/3 over each.
#include <map>
#include <utility>

#include <tandem/http/quic_server.hpp>
#include <tandem/net/detail/preferred_address.hpp>
#include <tandem/net/driver.hpp>
#include <tandem/net/entropy.hpp>
#include <tandem/net/http_listener.hpp>
#include <tandem/quic/endpoint.hpp>

namespace tandem::net {

namespace {

quic::endpoint_config endpoint_config(const http_server_options& options, const quic_worker& worker) {
    auto config = options.quic_config;
    config.server = options.tls;
    // What clients may remember of HTTP/3's settings (RFC 9114 7.2.4.2).
    const auto& limits = options.limits;
    config.accepted.early_data_application = "h3 " + std::to_string(limits.field_section_size) + ' ' +
                                             std::to_string(limits.qpack_table) + ' ' +
                                             std::to_string(limits.qpack_blocked_streams) +
                                             (limits.tunnel_protocols.empty() || !limits.extended_connect ? "" : " connect") +
                                             (limits.datagram_buffer > 0 ? " datagrams" : "");  // RFC 9297 2.1.1
    if (limits.datagram_buffer > 0) config.accepted.max_datagram_frame_size = 65535;            // RFC 9221 3
    worker.configure(config);
    return config;
}

class quic_listener final : public http_listener {
public:
    quic_listener(http_listener_context& context, const quic_worker& worker)
        : context_(context), worker_(worker), endpoint_(endpoint_config(context.options, worker), random_seed()) {}

    ~quic_listener() override { worker_.detach(); }

    boost::system::error_code open(boost::asio::any_io_executor executor, const ip_endpoint& local,
                                   std::vector<std::string>& warnings);
    ip_endpoint local_endpoint() const override { return driver_->socket().local_endpoint(); }
    boost::system::error_code prefer(const ip_endpoint& where) override {
        return detail::listen_on_preferred(*driver_, endpoint_, where, udp_);
    }
    void renew_tls() override { endpoint_.set_server(context_.options.tls); }
    void sweep(time_point now) override;
    void drain(time_point now) override;
    std::size_t connections() const override { return connections_.size(); }
    void stop(time_point now) override;

private:
    struct connection {
        connection(http_listener_context& c, quic::connection& transport, boost::asio::any_io_executor executor, time_point now)
            : http(transport, c.options.limits),
              requests(c.handlers, c.options.access, c.options.requests, {transport.path().remote, "HTTP/3"}, std::move(executor),
                       now),
              remote(transport.path().remote) {}
        http::quic_server http;
        request_loop requests;
        ip_endpoint remote;
        bool touched = false;
    };

    void application(time_point now);
    void on_event(const quic::endpoint_event& event, time_point now);
    void closed(quic::connection_handle handle, const quic::connection_closed& why);
    using connection_map = std::map<quic::connection_handle, connection>;
    connection_map::iterator find(quic::connection_handle handle);
    void touch(quic::connection_handle handle);

    http_listener_context& context_;
    boost::asio::any_io_executor executor_;
    quic_worker worker_;
    udp_options udp_;
    quic::endpoint endpoint_;
    std::unique_ptr<driver<quic::endpoint>> driver_;
    connection_map connections_;
    connection_map::iterator recent_ = connections_.end();  // found last: events of a connection come one after another
    std::vector<quic::connection_handle> touched_;          // had events, or were given work by a handler
    std::vector<quic::connection_handle> turn_;             // whose turn it is
    bool draining_ = false;
};

boost::system::error_code quic_listener::open(boost::asio::any_io_executor executor, const ip_endpoint& local,
                                              std::vector<std::string>& warnings) {
    executor_ = executor;
    udp_socket socket(std::move(executor));
    udp_ = context_.options.udp;
    udp_.sharing = worker_.sharing();
    if (auto error = socket.open(local, udp_)) return error;
    for (const auto& shortfall : socket.shortfalls()) warnings.push_back(shortfall.to_string());
    driver_ = std::make_unique<driver<quic::endpoint>>(
        std::move(socket), endpoint_, driver_hooks{[this](time_point now) { application(now); }, {}, divert_to(worker_)});
    attach(worker_, executor_, *driver_);
    driver_->start();
    return {};
}

void quic_listener::application(time_point now) {
    while (auto event = endpoint_.poll_event()) on_event(*event, now);
    turn_.clear();
    std::swap(turn_, touched_);
    for (auto handle : turn_) {
        auto it = find(handle);
        if (it == connections_.end()) continue;
        auto& c = it->second;
        c.touched = false;
        c.http.pump(now);
        auto before = c.requests.requests();
        c.requests.run(c.http.session(), now);
        c.http.pump(now);
        context_.counters.requests += c.requests.requests() - before;
    }
}

void quic_listener::on_event(const quic::endpoint_event& event, time_point now) {
    auto it = find(event.connection);
    if (it == connections_.end()) {
        auto* transport = endpoint_.find(event.connection);
        if (transport == nullptr || std::holds_alternative<quic::connection_closed>(event.event)) return;
        ++context_.counters.quic_connections;
        if (draining_) return transport->close(static_cast<std::uint64_t>(http::h3_error::no_error), "going away", now);
        it = connections_.try_emplace(event.connection, context_, *transport, executor_, now).first;
        it->second.requests.set_common_fields(&context_.quic_fields);
        it->second.requests.on_wake([this, handle = event.connection] {
            touch(handle);
            driver_->wake();
        });
    }
    it->second.http.on_event(event.event, now);
    if (auto* why = std::get_if<quic::connection_closed>(&event.event)) {
        it->second.requests.run(it->second.http.session(), now);  // what was under way has failed: the access log hears of it
        return closed(event.connection, *why);
    }
    const auto* stream = std::get_if<quic::stream_event>(&event.event);
    bool of_request = stream != nullptr && stream->kind == quic::stream_event_kind::readable &&
                      stream->id.kind() == quic::direction::bidirectional;
    it->second.requests.progress(now, of_request);
    touch(event.connection);
}

auto quic_listener::find(quic::connection_handle handle) -> connection_map::iterator {
    if (recent_ == connections_.end() || recent_->first != handle) recent_ = connections_.find(handle);
    return recent_;
}

void quic_listener::touch(quic::connection_handle handle) {
    auto it = find(handle);
    if (it != connections_.end() && !std::exchange(it->second.touched, true)) touched_.push_back(handle);
}

void quic_listener::closed(quic::connection_handle handle, const quic::connection_closed& why) {
    auto it = find(handle);
    if (context_.options.log) {
        auto line = "QUIC " + it->second.remote.to_string() + ": ";
        switch (why.cause) {
            case quic::close_cause::application:
                line += "closed";
                break;
            case quic::close_cause::peer:
                line += "closed by the client";
                break;
            case quic::close_cause::idle_timeout:
                line += "idle for too long";
                break;
            case quic::close_cause::handshake_timeout:
                line += "the handshake took too long";
                break;
            default:
                line += "failed";
                break;
        }
        if (why.error.code != 0 || !why.error.reason.empty()) line += ": " + to_string(why.error);
        context_.options.log(line);
    }
    recent_ = connections_.end();
    connections_.erase(it);
}

void quic_listener::sweep(time_point now) {
    bool any = false;
    for (auto& [handle, c] : connections_) {
        auto* transport = endpoint_.find(handle);
        const bool gone = transport == nullptr || transport->state() > quic::connection_state::established;
        const bool handshaking = !gone && transport->state() == quic::connection_state::handshaking;
        if (gone || (handshaking && !draining_)) continue;
        if (handshaking) {
            transport->close(static_cast<std::uint64_t>(http::h3_error::no_error), "going away", now);
        } else if (c.requests.overdue(&c.http.session(), now)) {
            transport->close(static_cast<std::uint64_t>(http::h3_error::no_error), "nothing came in time", now);
        } else if (draining_ || c.requests.idle_for_long(c.http.session(), now)) {
            c.http.session().close(now);
            c.http.pump(now);
        } else {
            continue;
        }
        any = true;
    }
    if (any) driver_->wake();
}

void quic_listener::drain(time_point now) {
    draining_ = true;
    sweep(now);
}

void quic_listener::stop(time_point now) {
    worker_.detach();
    endpoint_.close(static_cast<std::uint64_t>(http::h3_error::no_error), "going away", now);
    driver_->send_and_stop(now);
}

}  // namespace

std::unique_ptr<http_listener> listen_quic(boost::asio::any_io_executor executor, const ip_endpoint& local,
                                           http_listener_context& context, const quic_worker& worker,
                                           boost::system::error_code& error, std::vector<std::string>& warnings) {
    auto listener = std::make_unique<quic_listener>(context, worker);
    error = listener->open(std::move(executor), local, warnings);
    if (error) return nullptr;
    return listener;
}

}  // namespace tandem::net
