// A QUIC connection as a stream_transport. A private part of quic_client and quic_server.
#pragma once

#include <optional>
#include <vector>

#include <tandem/bytes/front_vector.hpp>
#include <tandem/http/error.hpp>
#include <tandem/http/stream_transport.hpp>
#include <tandem/quic/connection.hpp>
#include <tandem/quic/event.hpp>

namespace tandem::http {

class quic_transport : public stream_transport {
public:
    explicit quic_transport(quic::connection& connection) : connection_(connection) {}

    // Keeps what concerns streams for poll_stream_event(); returns why the connection is over, if it is.
    std::optional<session_error> take(const quic::connection_event&, time_point now);
    void set_now(time_point now) { now_ = now; }

    std::optional<quic::stream_id> open(quic::direction) override;
    std::size_t write(quic::stream_id, std::span<const std::uint8_t> data, bool end, time_point now) override;
    read_result read(quic::stream_id, std::span<std::uint8_t> out, time_point now, wait_ledger* ledger) override;
    void reset(quic::stream_id, std::uint64_t code) override;
    void stop_sending(quic::stream_id, std::uint64_t code) override;
    void set_priority(quic::stream_id, const priority&) override;
    bool takes_datagrams() const override { return connection_.takes_datagrams(); }
    std::size_t max_datagram() const override { return connection_.max_datagram_payload(); }
    bool send_datagram(std::span<const std::uint8_t> data) override;
    std::optional<std::vector<std::uint8_t>> receive_datagram() override { return connection_.receive_datagram(); }
    void close(std::uint64_t code, std::string_view reason, time_point now) override;
    std::optional<stream_event> poll_stream_event() override;
    bool sends_early() const override { return !connection_.handshake_complete(); }
    bool may_be_replayed(quic::stream_id id) const override { return sends_early() && connection_.arrived_early(id); }

private:
    quic::connection& connection_;
    front_vector<stream_event> events_;
    time_point now_;
};

}  // namespace tandem::http
