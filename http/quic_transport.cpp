#include <tandem/http/quic_transport.hpp>

#include <string>
#include <variant>

namespace tandem::http {
namespace {

std::optional<stream_event> translate(const quic::stream_event& e) {
    using from = quic::stream_event_kind;
    using to = stream_event::kind;
    auto make = [&](to kind) { return stream_event{kind, e.id, e.which, e.code}; };
    switch (e.kind) {
        case from::opened:
            return make(to::opened);
        case from::readable:
        case from::reset:
            return make(to::readable);  // a read tells the code
        case from::writable:
            return make(to::writable);
        case from::stop_sending:
            return make(to::stop_sending);
        case from::closed:
            return make(to::finished);
        case from::streams_available:
            return make(to::streams_available);
        case from::finished:
            return std::nullopt;  // delivered in one direction: nothing waits for that
    }
    return std::nullopt;
}

// RFC 8446 6.2: alerts that say that a certificate was not accepted.
bool is_certificate_alert(std::uint64_t alert) { return (alert >= 42 && alert <= 46) || alert == 48 || alert == 116; }

std::string describe(const quic::connection_closed& closed) {
    using enum quic::close_cause;
    switch (closed.cause) {
        case idle_timeout:
            return "nothing came from the peer for too long";
        case handshake_timeout:
            return "the peer did not complete the handshake in time";
        case stateless_reset:
            return "the peer does not know the connection any more";
        case version:
            return "the peer speaks no version of QUIC that this side speaks";
        case application:
        case peer:
        case protocol_error:
            break;
    }
    if (!closed.error.application) return quic::to_string(closed.error);
    auto text = h3_error_name(closed.error.code);
    return closed.error.reason.empty() ? text : text + ": " + closed.error.reason;
}

session_error translate(const quic::connection_closed& closed) {
    session_error why;
    why.by_peer = closed.cause == quic::close_cause::peer;
    why.text = describe(closed);
    if (closed.error.application) why.code = closed.error.code;
    auto crypto = static_cast<std::uint64_t>(quic::transport_error::crypto_error);
    if (!closed.error.application && closed.error.code >= crypto && closed.error.code < crypto + 256) {
        bool certificate = !why.by_peer && is_certificate_alert(closed.error.code - crypto);
        why.tls = certificate ? tls::error_code::verification : tls::error_code::protocol;
    }
    return why;
}

}  // namespace

std::optional<session_error> quic_transport::take(const quic::connection_event& event, time_point now) {
    now_ = now;
    if (const auto* stream = std::get_if<quic::stream_event>(&event)) {
        if (auto translated = translate(*stream)) events_.push_back(*translated);
    }
    if (std::holds_alternative<quic::datagrams_available>(event)) events_.push_back({stream_event::kind::datagrams});
    if (const auto* closed = std::get_if<quic::connection_closed>(&event)) return translate(*closed);
    return std::nullopt;
}

std::optional<quic::stream_id> quic_transport::open(quic::direction way) { return connection_.open(way); }

std::size_t quic_transport::write(quic::stream_id id, std::span<const std::uint8_t> data, bool end, time_point now) {
    return connection_.write(id, data, end, now);
}

stream_transport::read_result quic_transport::read(quic::stream_id id, std::span<std::uint8_t> out, time_point now,
                                                   wait_ledger* ledger) {
    auto result = connection_.read(id, out, now, ledger);
    return {result.n, result.end, result.reset};
}

void quic_transport::reset(quic::stream_id id, std::uint64_t code) { connection_.reset(id, code, now_); }
void quic_transport::stop_sending(quic::stream_id id, std::uint64_t code) { connection_.stop_sending(id, code, now_); }
void quic_transport::set_priority(quic::stream_id id, const priority& p) {
    connection_.set_priority(id, p.urgency, p.incremental);
}

bool quic_transport::send_datagram(std::span<const std::uint8_t> data) {
    return connection_.send_datagram(data) == quic::datagram_result::queued;
}

void quic_transport::close(std::uint64_t code, std::string_view reason, time_point now) { connection_.close(code, reason, now); }

std::optional<stream_event> quic_transport::poll_stream_event() {
    if (events_.empty()) return std::nullopt;
    auto event = events_.front();
    events_.pop_front();
    return event;
}

}  // namespace tandem::http
