#include <tandem/net/http_quic_connection.hpp>

#include <utility>
#include <variant>

#include <boost/asio/post.hpp>

#include <tandem/http/alpn.hpp>
#include <tandem/http/quic_client.hpp>
#include <tandem/net/address_walk.hpp>
#include <tandem/net/connection_summary.hpp>
#include <tandem/net/detail/path_follower.hpp>
#include <tandem/net/driver.hpp>
#include <tandem/net/entropy.hpp>
#include <tandem/net/http_sessions.hpp>
#include <tandem/net/route.hpp>
#include <tandem/quic/endpoint.hpp>

namespace tandem::net {

namespace {

class quic_connection_client final : public http_connection, public std::enable_shared_from_this<quic_connection_client> {
public:
    quic_connection_client(const boost::asio::any_io_executor& executor, const http_target& target,
                           const http_connection_options& options, http_connection_hooks hooks)
        : executor_(executor),
          target_(target),
          options_(options),
          hooks_(std::move(hooks)),
          sessions_(options.sessions, target, version_name(options.quic.version)) {}
    ~quic_connection_client() override { quic_connection_client::stop(); }

    void start();

    void stop() override;
    http::client_session* session() override { return ready_ && attempt_ ? &attempt_->http.session() : nullptr; }
    void wake() override {
        if (attempt_) attempt_->io->wake();
    }
    const connection_times& times() const override { return walk_->times(); }
    ip_endpoint remote() const override { return walk_->current(); }
    http_protocol protocol() const override { return http_protocol::http3; }
    std::uint64_t bytes_received() const;
    std::uint64_t acknowledged() const override {
        const auto* transport = attempt_ ? attempt_->endpoint->find(attempt_->handle) : nullptr;
        return transport ? transport->statistics().packets_acknowledged : 0;
    }
    bool awaits_acknowledgment() const override {
        const auto* transport = attempt_ ? attempt_->endpoint->find(attempt_->handle) : nullptr;
        return transport != nullptr && transport->statistics().bytes_in_flight > 0;
    }
    void probe() override {
        if (auto* transport = attempt_ ? attempt_->endpoint->find(attempt_->handle) : nullptr) transport->ping();
        wake();
    }
    std::optional<duration> round_trip() const override {
        const auto* transport = attempt_ ? attempt_->endpoint->find(attempt_->handle) : nullptr;
        if (transport == nullptr || transport->statistics().latest_rtt == duration::zero()) return std::nullopt;
        return transport->statistics().smoothed_rtt;
    }

private:
    // A socket and an endpoint of its own for each address that is tried.
    struct attempt {
        attempt(std::unique_ptr<quic::endpoint> e, quic::connection_handle h, const http::limits& limits)
            : endpoint(std::move(e)), handle(h), http(*endpoint->find(h), limits) {}
        std::unique_ptr<quic::endpoint> endpoint;
        quic::connection_handle handle;
        http::quic_client http;
        ip_endpoint remote;                          // where the server is now
        std::optional<ip_address> source;            // from which the kernel sent when it was last asked
        std::unique_ptr<driver<quic::endpoint>> io;  // first to be destroyed
    };

    void try_address(const ip_endpoint& remote);
    void abandon();
    void end_attempt();
    void application(time_point at);
    void on_event(const quic::connection_event& event, time_point at);
    void become_ready(time_point at);
    void fail(http_error why);
    void over(http_error why);
    void note_move(const ip_path& to);
    void follow_addresses();
    bool look_at_addresses();

    boost::asio::any_io_executor executor_;
    http_target target_;
    http_connection_options options_;
    http_connection_hooks hooks_;
    http_sessions sessions_;
    std::shared_ptr<address_walk> walk_;
    std::unique_ptr<attempt> attempt_;
    std::unique_ptr<detail::path_follower> follower_;
    std::optional<http_error> closed_;
    bool heard_ = false;
    bool ready_ = false;
    bool stopped_ = false;
    bool muted_ = false;  // the owner does not want to hear any more
};

void quic_connection_client::start() {
    auto weak = weak_from_this();
    walk_ = std::make_shared<address_walk>(executor_, target_, options_,
                                           address_walk_hooks{[weak](const ip_endpoint& e) {
                                                                  if (auto self = weak.lock()) self->try_address(e);
                                                              },
                                                              [weak] {
                                                                  if (auto self = weak.lock()) self->abandon();
                                                              },
                                                              [weak](const http_error& e) {
                                                                  if (auto self = weak.lock()) self->over(e);
                                                              }});
    walk_->start();
}

void quic_connection_client::try_address(const ip_endpoint& remote) {
    udp_socket socket(executor_);
    udp_options udp;
    udp.report_errors = true;  // a closed port is known at once, not after a timeout
    ip_endpoint local;
    local.address.is_v6 = remote.address.is_v6;
    if (auto error = socket.open(local, udp)) {
        return fail({classify(error), "could not open a UDP socket: " + error.message(), true});
    }
    for (const auto& shortfall : socket.shortfalls()) walk_->trace(shortfall.to_string());
    auto endpoint = std::make_unique<quic::endpoint>(quic::endpoint_config{}, random_seed());
    quic::connect_options connect;
    connect.remote = remote;
    connect.server_name = target_.host;
    connect.tls = options_.tls;
    connect.config = options_.quic;
    connect.config.alpn = {std::string(http::alpn_h3)};
    if (options_.limits.datagram_buffer > 0) connect.config.max_datagram_frame_size = 65535;  // RFC 9297 2.1, RFC 9221 3
    connect.config.handshake_timeout =
        std::max(connect.config.handshake_timeout, options_.connect_timeout);  // the walk keeps the time
    connect.ticket = sessions_.take_ticket();
    connect.token = sessions_.take_token();
    connect.config.early_data = options_.early_data && !connect.ticket.empty();
    tls::error why;
    auto handle = endpoint->connect(connect, now(), why);
    if (!handle) return fail({failure_class::tls, why.text, true});
    attempt_ = std::make_unique<attempt>(std::move(endpoint), *handle, options_.limits);
    attempt_->remote = remote;
    auto weak = weak_from_this();
    attempt_->io = std::make_unique<driver<quic::endpoint>>(
        std::move(socket), *attempt_->endpoint,
        driver_hooks{[weak](time_point at) {
                         if (auto self = weak.lock()) self->application(at);
                     },
                     [weak, remote](const udp_error& error, time_point) {
                         auto self = weak.lock();
                         if (!self || self->ready_ || error.remote != remote) return;
                         self->fail({classify(error.code),
                                     "could not connect to " + self->walk_->where() + " (UDP): " + error.code.message(), true});
                     }});
    attempt_->io->start();
    walk_->begin_phase(options_.tls_timeout, "QUIC's handshake");
}

std::uint64_t quic_connection_client::bytes_received() const {
    const auto* transport = attempt_ ? attempt_->endpoint->find(attempt_->handle) : nullptr;
    return transport ? transport->statistics().bytes_received : 0;
}

void quic_connection_client::abandon() { end_attempt(); }

// Tells the server, which would wait for the rest of the handshake otherwise.
void quic_connection_client::end_attempt() {
    follower_.reset();
    if (!attempt_) return;
    const auto at = now();
    if (const auto* transport = attempt_->endpoint->find(attempt_->handle); transport != nullptr && ready_) {
        walk_->trace("QUIC: " + summary_line(transport->summary(at)));
    }
    attempt_->endpoint->close(static_cast<std::uint64_t>(http::h3_error::no_error), "", at);
    attempt_->io->send_and_stop(at);
    attempt_.reset();
}

void quic_connection_client::application(time_point at) {
    if (stopped_ || !attempt_) return;
    if (!heard_ && bytes_received() > 0) {
        heard_ = true;
        if (hooks_.heard) hooks_.heard();
    }
    while (auto event = attempt_->endpoint->poll_event()) {
        on_event(event->event, at);
        if (stopped_ || !attempt_) return;
    }
    attempt_->http.pump(at);
    if (ready_ && hooks_.activity) hooks_.activity(at);
    if (stopped_ || !attempt_) return;
    attempt_->http.pump(at);
    if (closed_) over(std::move(*closed_));
}

void quic_connection_client::on_event(const quic::connection_event& event, time_point at) {
    attempt_->http.on_event(event, at);
    if (std::holds_alternative<quic::early_data_started>(event)) {
        walk_->trace("sending early data to " + walk_->current().to_string() + " (QUIC)");
        become_ready(at);
    } else if (const auto* done = std::get_if<quic::handshake_completed>(&event)) {
        walk_->trace("connected to " + walk_->current().to_string() + " (QUIC" + (done->resumed ? ", resumed" : "") + ")");
        if (done->early_data == tls::early_data_state::accepted) walk_->trace("early data accepted");
        if (done->early_data == tls::early_data_state::rejected) walk_->trace("early data rejected: sent again");
        if (options_.follow_addresses) follow_addresses();
        become_ready(at);
    } else if (const auto* ticket = std::get_if<quic::ticket_received>(&event)) {
        sessions_.put_ticket(ticket->ticket);
    } else if (const auto* token = std::get_if<quic::token_received>(&event)) {
        sessions_.put_token(token->token);
    } else if (const auto* moved = std::get_if<quic::path_changed>(&event)) {
        if (moved->validated) note_move(moved->path);
    } else if (const auto* failed = std::get_if<quic::path_failed>(&event)) {
        walk_->trace("no answer from " + failed->path.remote.to_string() + ", the server's preferred address: staying (QUIC)");
    } else if (const auto* closed = std::get_if<quic::connection_closed>(&event)) {
        auto why = describe(*closed);
        if (ready_) {
            closed_ = std::move(why);
            return;
        }
        switch (why.kind) {
            case failure_class::certificate:
                why.text = "certificate of " + walk_->where() + " is not accepted: " + why.text;
                break;
            default:
                why.text = "could not connect to " + walk_->where() + ": " + why.text;
                break;
        }
        fail(std::move(why));
    }
}

void quic_connection_client::note_move(const ip_path& to) {
    const bool preferred = std::exchange(attempt_->remote, to.remote) != to.remote;
    walk_->trace("moved to " + (preferred ? to.remote.to_string() + ", the server's preferred address" : to.local.to_string()) +
                 " (QUIC)");
}

void quic_connection_client::follow_addresses() {
    attempt_->source = source_address(attempt_->remote);
    follower_ = std::make_unique<detail::path_follower>(executor_, [this] { return look_at_addresses(); });
    if (auto error = follower_->start()) walk_->trace("changes of addresses are not told here: " + error.message());
}

// False if the connection should move and cannot yet.
bool quic_connection_client::look_at_addresses() {
    auto* transport = attempt_ ? attempt_->endpoint->find(attempt_->handle) : nullptr;
    if (stopped_ || transport == nullptr) return true;
    const auto source = source_address(attempt_->remote);
    if (!source || source == attempt_->source) return true;
    udp_socket socket(executor_);
    udp_options udp;
    udp.report_errors = true;
    const auto needed = [&](const ip_endpoint& bound) { return transport->path().local.port == bound.port; };
    if (socket.open({*source, 0}, udp) || !attempt_->io->make_room(needed) || !transport->migrate(socket.local_endpoint(), now()))
        return false;
    attempt_->source = source;
    attempt_->io->add_socket(std::move(socket));
    attempt_->io->wake();
    return true;
}

// The first time with early data, which is before anything came back.
void quic_connection_client::become_ready(time_point at) {
    walk_->times().secured = at;
    if (std::exchange(ready_, true)) return;
    walk_->succeeded();
    if (hooks_.ready) hooks_.ready();
}

// The attempt under way failed.
void quic_connection_client::fail(http_error why) {
    end_attempt();
    auto walk = walk_;
    walk->failed(std::move(why));
}

void quic_connection_client::over(http_error why) {
    if (std::exchange(stopped_, true)) return;
    // Posted: the owner may destroy everything, and we are deep in its own calls.
    boost::asio::post(executor_, [why = std::move(why), self = shared_from_this()] {
        if (!self->muted_ && self->hooks_.over) self->hooks_.over(why);
    });
}

void quic_connection_client::stop() {
    stopped_ = muted_ = true;
    if (walk_) walk_->stop();
    end_attempt();
}

}  // namespace

std::shared_ptr<http_connection> open_quic_connection(const boost::asio::any_io_executor& executor, const http_target& target,
                                                      const http_connection_options& options, http_connection_hooks hooks) {
    auto connection = std::make_shared<quic_connection_client>(executor, target, options, std::move(hooks));
    connection->start();
    return connection;
}

}  // namespace tandem::net
