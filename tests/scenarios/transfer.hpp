// Two hosts that send each other bytes over one stream, over QUIC or over TCP.
#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <tandem/quic/endpoint.hpp>
#include <tandem/sim/credentials.hpp>
#include <tandem/sim/network.hpp>
#include <tandem/tcp/endpoint.hpp>

namespace tandem::test {

inline const ip_endpoint client_end{ip_address::v4(192, 0, 2, 1), 50000};
inline const ip_endpoint server_end{ip_address::v4(198, 51, 100, 1), 443};

// What one side sends and has received. Bytes are checked as they come.
class exchange {
public:
    exchange(std::vector<std::uint8_t> to_send, std::vector<std::uint8_t> expected)
        : outgoing_(std::move(to_send)), expected_(std::move(expected)) {}

    std::span<const std::uint8_t> unsent() const { return std::span(outgoing_).subspan(sent_); }
    void sent(std::size_t n) { sent_ += n; }
    void received(std::span<const std::uint8_t> bytes) {
        wrong_ |= received_ + bytes.size() > expected_.size() ||
                  !std::equal(bytes.begin(), bytes.end(), expected_.begin() + static_cast<std::ptrdiff_t>(received_));
        received_ += bytes.size();
    }
    void end() { ended_ = true; }
    std::size_t bytes_received() const { return received_; }
    bool wrong() const { return wrong_; }
    bool complete() const { return ended_ && !wrong_ && received_ == expected_.size(); }

    std::string failure;  // the connection ended early

private:
    std::vector<std::uint8_t> outgoing_, expected_;
    std::size_t sent_ = 0, received_ = 0;
    bool wrong_ = false, ended_ = false;
};

class quic_peer final : public sim::node {
public:
    static std::unique_ptr<quic_peer> client(const sim::credentials& identity, const quic::config& config, exchange& work,
                                             std::uint64_t seed) {
        auto peer = std::unique_ptr<quic_peer>(new quic_peer({}, work, seed));
        peer->target_.emplace();
        peer->target_->remote = server_end;
        peer->target_->local = client_end;
        peer->target_->server_name = sim::credentials::server_name;
        peer->target_->tls = identity.client;
        peer->target_->config = config;
        return peer;
    }
    static std::unique_ptr<quic_peer> server(const sim::credentials& identity, const quic::config& config, exchange& work,
                                             std::uint64_t seed) {
        quic::endpoint_config c;
        c.server = identity.server;
        c.accepted = config;
        return std::unique_ptr<quic_peer>(new quic_peer(c, work, seed));
    }

    sim::wire_format wire() const override { return sim::wire_format::udp; }
    void receive(received_datagram& in, time_point now) override { endpoint_.receive(in, now); }
    bool transmit(time_point now, train& out) override { return endpoint_.transmit(now, out); }
    std::optional<time_point> next_timeout() override { return endpoint_.next_timeout(); }
    void on_timeout(time_point now) override { endpoint_.on_timeout(now); }

    void run(time_point now) override {
        if (target_ && !connection_) {
            tls::error why;
            connection_ = endpoint_.connect(*target_, now, why);
            if (!connection_) work_.failure = why.text;
        }
        while (const auto event = endpoint_.poll_event()) {
            connection_ = event->connection;
            if (const auto* closed = std::get_if<quic::connection_closed>(&event->event)) {
                if (!work_.complete()) work_.failure = "closed: " + closed->error.reason;
                over_ = true;
            } else if (const auto* stream = std::get_if<quic::stream_event>(&event->event)) {
                if (stream->kind == quic::stream_event_kind::opened) stream_ = stream->id;
            } else if (std::holds_alternative<quic::handshake_completed>(event->event) && target_) {
                stream_ = endpoint_.find(*connection_)->open(quic::direction::bidirectional);
            }
        }
        if (!stream_ || over_) return;
        auto& connection = *endpoint_.find(*connection_);
        if (!all_written_) {
            const auto rest = work_.unsent();
            const auto n = connection.write(*stream_, rest, true, now);
            work_.sent(n);
            all_written_ = n == rest.size();
        }
        for (;;) {
            const auto got = connection.read(*stream_, buffer_, now);
            work_.received(std::span(buffer_).first(got.n));
            if (got.end) work_.end();
            if (got.n == 0) break;
        }
    }

private:
    quic_peer(const quic::endpoint_config& config, exchange& work, std::uint64_t seed) : endpoint_(config, seed), work_(work) {}

    quic::endpoint endpoint_;
    exchange& work_;
    std::optional<quic::connect_options> target_;
    std::optional<quic::connection_handle> connection_;
    std::optional<quic::stream_id> stream_;
    std::vector<std::uint8_t> buffer_ = std::vector<std::uint8_t>(16 * 1024);
    bool all_written_ = false;
    bool over_ = false;
};

class tcp_peer final : public sim::node {
public:
    tcp_peer(bool client, const tcp::config& config, exchange& work, std::uint64_t seed, const ip_endpoint& from = client_end,
             const ip_endpoint& to = server_end)
        : endpoint_(tcp::endpoint_config{}, random_source(seed)),
          config_(config),
          work_(work),
          from_(from),
          to_(to),
          client_(client) {
        if (!client) endpoint_.listen(to_, tcp::listen_config{.connection = config});
    }

    sim::wire_format wire() const override { return sim::wire_format::ip; }
    void receive(received_datagram& in, time_point now) override { endpoint_.receive(in, now); }
    bool transmit(time_point now, train& out) override { return endpoint_.transmit(now, out); }
    std::optional<time_point> next_timeout() override { return endpoint_.next_timeout(); }
    void on_timeout(time_point now) override { endpoint_.on_timeout(now); }

    void run(time_point now) override {
        if (client_ && !connection_) connection_ = endpoint_.connect(from_, to_, config_, now);
        while (const auto event = endpoint_.poll_event()) {
            connection_ = event->connection;
            ready_ |= event->what == tcp::event::accepted || event->what == tcp::event::connected;
            if (tcp::is_final(event->what) && event->what != tcp::event::closed) work_.failure = tcp::to_string(event->what);
        }
        auto* connection = ready_ ? endpoint_.find(connection_) : nullptr;
        if (connection == nullptr) return;
        if (!all_written_) {
            work_.sent(connection->write(work_.unsent()));
            all_written_ = work_.unsent().empty();
            if (all_written_) connection->shutdown_send();
        }
        while (const auto n = connection->read(buffer_, now)) work_.received(std::span(buffer_).first(n));
        if (connection->at_end()) work_.end();
    }

private:
    tcp::endpoint endpoint_;
    tcp::config config_;
    exchange& work_;
    ip_endpoint from_, to_;
    bool client_;
    tcp::connection_handle connection_;
    std::vector<std::uint8_t> buffer_ = std::vector<std::uint8_t>(16 * 1024);
    bool ready_ = false;
    bool all_written_ = false;
};

}  // namespace tandem::test
