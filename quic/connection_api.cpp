// Making a connection, and what the application asks of it.
#include <utility>

#include <tandem/quic/connection.hpp>
#include <tandem/quic/resumption.hpp>
#include <tandem/quic/version_negotiation.hpp>

namespace tandem::quic {
namespace {

streams_config make_streams_config(const config& settings, perspective side) {
    return {.side = side,
            .initial_max_data = settings.initial_connection_window,
            .initial_max_stream_data_bidi_local = settings.initial_stream_window,
            .initial_max_stream_data_bidi_remote = settings.initial_stream_window,
            .initial_max_stream_data_uni = settings.initial_stream_window,
            .max_connection_window = settings.max_connection_window,
            .max_stream_window = settings.max_stream_window,
            .max_streams_bidi = settings.max_bidirectional_streams,
            .max_streams_uni = settings.max_unidirectional_streams,
            .send_buffer = settings.stream_send_buffer};
}

transport_parameters make_parameters(const connection_start& start, const streams_config& streams, connection_host& host) {
    auto declared = declared_parameters(start.settings);
    quic::streams(streams).declare(declared);
    declared.initial_source_connection_id = start.local;
    declared.versions = offered_versions(start.version, start.settings.versions, start.settings.grease, host.random);
    if (start.side == perspective::server) {
        declared.original_destination_connection_id = start.original_destination;
        declared.retry_source_connection_id = start.retry_source;
        declared.reset_token = host.ids.token(start.local);
        declared.preferred = start.preferred;
    }
    return declared;
}

// RFC 9369 5: no ticket is good for another version than the one it was given out in.
std::string session_context(version v) { return "QUIC " + std::to_string(static_cast<std::uint32_t>(v)); }

}  // namespace

std::unique_ptr<connection> connection::create(connection_start start, connection_host& host, time_point now, tls::error& why) {
    const auto streams = make_streams_config(start.settings, start.side);
    const auto declared = make_parameters(start, streams, host);
    auto parameters = emit(declared);
    if (start.settings.grease) add_reserved(parameters, host.random);
    std::optional<transport_parameters> remembered;
    std::unique_ptr<tls::quic_handshake> engine;
    if (start.side == perspective::client) {
        tls::client_session_options options{.server_name = start.server_name, .alpn = start.settings.alpn, .ticket = {}};
        if (auto known = decode_resumption(start.ticket); known && known->version == start.version) {
            options.ticket = std::move(known->ticket);
            options.early_data = start.settings.early_data;
            remembered = known->remembered;
        }
        engine = tls::quic_handshake::client(start.client_tls, options, parameters, why);
    } else {
        tls::server_session_options options{.alpn = start.settings.alpn, .session_context = session_context(start.version)};
        if (start.settings.early_data) {
            options.early_data_context = early_data_context(start.version, declared, start.settings.early_data_application);
        }
        engine = tls::quic_handshake::server(start.server_tls, options, parameters, why);
    }
    if (!engine) return nullptr;
    return std::unique_ptr<connection>(
        new connection(std::move(start), host, streams, std::move(engine), std::move(remembered), now));
}

std::vector<std::uint8_t> connection::encode_parameters() const {
    auto parameters = emit(make_parameters(start_, make_streams_config(start_.settings, start_.side), *host_));
    if (start_.settings.grease) add_reserved(parameters, host_->random);
    return parameters;
}

connection::connection(connection_start start, connection_host& host, const streams_config& streams,
                       std::unique_ptr<tls::quic_handshake> engine, std::optional<transport_parameters> remembered,
                       time_point now)
    : host_(&host),
      quic_bit_of_peer_(start.settings.grease ? quic_bit::any : quic_bit::required),
      skips_packet_numbers_(start.settings.skip_packet_numbers),
      packets_per_key_(start.settings.packets_per_key),
      latest_(now),
      last_activity_(now),
      limits_(now),
      idle_(start.settings.max_idle_timeout, start.settings.keep_alive, now),
      tolerance_(start.settings.reordering),
      local_ids_(start.local, host.ids),
      peer_ids_(start.destination, declared_parameters(start.settings).active_connection_id_limit),
      datagrams_(start.settings.max_datagram_frame_size, start.settings.datagram_buffer),
      path_(start.addresses, start.side == perspective::client || start.address_validated, start.settings, host_->hidden()),
      spaces_{packet_space(packet_space_id::initial), packet_space(packet_space_id::handshake),
              packet_space(packet_space_id::application, start.settings.max_ack_delay)},
      streams_(streams),
      handshake_(std::move(engine)),
      start_(std::move(start)),
      used_ids_{start_.destination, start_.original_destination, start_.retry_source},
      original_version_(start_.version),
      token_(start_.token.size() <= max_peer_token_size ? std::move(start_.token) : std::vector<std::uint8_t>()),
      started_(now) {
    // RFC 9001 5.2: of the client's first destination, or of the one that a Retry gave.
    auto keys = initial_keys(start_.version, initial_destination(), start_.side);
    space(packet_space_id::initial).read = std::move(keys.read);
    space(packet_space_id::initial).write = std::move(keys.write);
    if (is_server()) {
        add_event(handshake_started{});
        if (start_.preferred) local_ids_.add_preferred(start_.preferred->id);
        handshake_.set_parameter_chooser([this](auto peers, bool early) { return choose_parameters(peers, early); });
    } else {
        begin_trace(now);
        handshake_.collect(packet_space_id::initial, space(packet_space_id::initial).crypto);
        early_.remembered = std::move(remembered);
        while (const auto secret = handshake_.poll_secret()) install(*secret, now);
    }
    mark_ready();
}

connection::~connection() {
    host_->ready.remove(*this);
    host_->eventful.remove(*this);
}

void connection::mark_ready() {
    host_->ready.push_back(*this);
    host_->eventful.push_back(*this);
}

void connection::add_event(connection_event event) {
    if (const auto* end = std::get_if<connection_closed>(&event)) {
        tell([&](auto& t) { t.on_closed(latest_, end->cause, end->error); });
    }
    events_.push_back(std::move(event));
    host_->eventful.push_back(*this);
}

std::optional<stream_id> connection::open(direction kind) {
    if (!streams_usable()) return std::nullopt;
    mark_ready();  // STREAMS_BLOCKED may be due
    return streams_.open(kind);
}

// What a packet with application data has for frames on this path: RFC 9000 17.3.1, or 17.2.3 as long as it is 0-RTT, with the
// longest packet number.
std::size_t connection::frame_room() const {
    const auto header = application_keys_.can_write()
                            ? 1 + peer_ids_.current().size() + 4
                            : long_header_size(packet_type::zero_rtt, peer_ids_.current(), start_.local, 0, 4);
    return path_.max_datagram_size() - (header + tls::aead_tag_size);
}

std::size_t connection::max_datagram_payload() const {
    if (!streams_usable()) return 0;
    return datagrams_.max_payload(frame_room());
}

datagram_result connection::send_datagram(std::span<const std::uint8_t> data) {
    if (!streams_usable()) return datagram_result::unsupported;
    mark_ready();
    return datagrams_.send(data, frame_room());
}

bool connection::can_open(direction kind) const { return streams_usable() && streams_.can_open(kind); }

std::size_t connection::write(stream_id id, std::span<const std::uint8_t> data, bool fin, time_point now) {
    mark_ready();
    return streams_.write(id, data, fin, now);
}

std::size_t connection::write_room(stream_id id) const { return streams_.write_room(id); }

read_result connection::read(stream_id id, std::span<std::uint8_t> out, time_point now, wait_ledger* waits) {
    mark_ready();  // credit for the peer may be due
    return streams_.read(id, out, now, waits);
}

std::span<const std::uint8_t> connection::front(stream_id id) const { return streams_.front(id); }

read_result connection::consume(stream_id id, std::size_t n, time_point now, wait_ledger* waits) {
    mark_ready();
    return streams_.consume(id, n, now, waits);
}

std::size_t connection::readable(stream_id id) const { return streams_.readable(id); }

void connection::reset(stream_id id, std::uint64_t application_code, time_point now) {
    mark_ready();
    streams_.reset(id, application_code, now);
}

bool connection::reset_at(stream_id id, std::uint64_t reliable_size, std::uint64_t code, time_point now) {
    mark_ready();
    return streams_.reset_at(id, reliable_size, code, now);
}

void connection::stop_sending(stream_id id, std::uint64_t application_code, time_point now) {
    mark_ready();
    streams_.stop_sending(id, application_code, now);
}

void connection::set_priority(stream_id id, std::uint8_t urgency, bool incremental) {
    streams_.set_priority(id, urgency, incremental);
}

void connection::close(std::uint64_t application_code, std::string_view reason, time_point now) {
    if (!active()) return;
    close_with({.code = application_code, .reason = std::string(reason), .application = true}, close_cause::application, now);
}

void connection::ping() {
    ping_owed_ = true;
    mark_ready();
}

connection_statistics connection::statistics() const {
    auto s = statistics_;
    for (const auto& each : spaces_) {
        s.packets_lost += each.sent.total_lost();
        s.packets_spurious += each.sent.total_spurious();
    }
    const auto& sender = path_.sender();
    const auto& rtt = sender.rtt();
    s.congestion_window = sender.congestion_window();
    s.ssthresh = sender.ssthresh();
    s.bytes_in_flight = sender.bytes_in_flight();
    if (rtt.has_sample()) {
        s.latest_rtt = rtt.latest();
        s.minimum_rtt = rtt.minimum();
        s.smoothed_rtt = rtt.smoothed();
        s.rtt_variation = rtt.variation();
    }
    s.key_updates = application_keys_.updates();
    s.ecn_capable = path_.ecn().current() == ecn_validation::state::capable;
    return s;
}

recovery::connection_statistics connection::summary(time_point now) const {
    const auto ours = statistics();
    return {.age = now - started_,
            .packets_sent = ours.packets_sent,
            .packets_received = ours.packets_received,
            .packets_lost = ours.packets_lost,
            .packets_spurious = ours.packets_spurious,
            .timeouts = probe_timeouts_,
            .bytes_sent = ours.bytes_sent,
            .bytes_received = ours.bytes_received,
            .path = recovery::describe(path_.sender(), path_.addresses(), path_.validated()),
            .limited = limits_.current(),
            .limits = limits_.at(now)};
}

// Each in the order in which it happened within its kind; the end comes after everything else.
std::optional<connection_event> connection::poll_event() {
    const bool only_the_end = !events_.empty() && std::holds_alternative<connection_closed>(events_.front());
    if (events_.empty() || only_the_end) {
        if (auto event = streams_.poll_event()) return *event;
    }
    if (events_.empty()) return std::nullopt;
    auto event = std::move(events_.front());
    events_.pop_front();
    return event;
}

}  // namespace tandem::quic
