// Datagrams for which there is no connection: new ones are accepted, retried or refused; others answered or dropped.
#include <array>
#include <utility>

#include <tandem/quic/endpoint_state.hpp>
#include <tandem/quic/packet_builder.hpp>
#include <tandem/quic/retry.hpp>
#include <tandem/quic/stateless_reset.hpp>
#include <tandem/quic/version_negotiation.hpp>
#include <tandem/quic/version_parameters.hpp>

namespace tandem::quic {

void endpoint::state::receive_unknown(received_datagram& datagram, const invariant_header& header, time_point now) {
    if (!header.long_form) return reset_or_be_reset(datagram, header, now);
    // RFC 9000 6.1: never answer Version Negotiation.
    if (header.version == static_cast<std::uint32_t>(version::negotiation)) return drop(drop_reason::unexpected_packet);
    if (!speaks(static_cast<version>(header.version))) return answer_unknown_version(datagram, header);
    const auto parsed =
        parse_packet(datagram.payload, local_connection_id_size, config_.accepted.grease ? quic_bit::any : quic_bit::required);
    if (!parsed) return drop(drop_reason::malformed);
    if (parsed.header.type == packet_type::zero_rtt && config_.server && config_.accepted.early_data && accepting_) {
        if (early_arrivals_.push(parsed.header.destination, datagram, now)) return;
    }
    if (parsed.header.type != packet_type::initial) return drop(drop_reason::unknown_connection);
    accept(datagram, parsed.header, now);
}

void endpoint::state::answer_unknown_version(const received_datagram& datagram, const invariant_header& header) {
    if (!config_.server) return drop(drop_reason::unknown_connection);
    // RFC 9000 5.2.2, 6.1: only what could begin a connection of the other version is answered.
    if (datagram.payload.size() < min_initial_datagram_size) return drop(drop_reason::too_small);
    answers_.queue(datagram.path, write_version_negotiation(answers_.room(), header, config_.accepted.versions, host_.random));
    ++statistics_.version_negotiations_sent;
}

void endpoint::state::accept(received_datagram& datagram, const packet_header& header, time_point now) {
    if (!config_.server || !accepting_) return drop(drop_reason::unknown_connection);
    if (datagram.payload.size() < min_initial_datagram_size) return drop(drop_reason::too_small);  // RFC 9000 14.1
    std::optional<retry_token> token;
    if (!header.token.empty()) {
        token =
            host_.address_tokens.open_retry(header.token, datagram.path.remote, header.destination, now, retry_token_lifetime());
        if (!token && token_keys::looks_like_retry(header.token)) {
            // RFC 9000 8.1.2: a client that returns a bad Retry token will not be sent another. If only the datagram is damaged,
            // it sends a good one soon.
            if (!is_authentic(datagram, header)) return drop(drop_reason::undecryptable);
            return refuse(datagram, header, transport_error::invalid_token);
        }
    }
    // RFC 9000 8.1.4: a token of NEW_TOKEN is good once. One that is not good is as if there were none (8.1.3).
    const bool known = !token && !header.token.empty() &&
                       host_.address_tokens.open_new_token(header.token, datagram.path.remote.address, now,
                                                           token_keys::key_lifetime, header.version) &&
                       first_shown(header.token, now);
    if (!token && header.destination.size() < min_client_destination_size) return drop(drop_reason::malformed);
    const bool retry = config_.retry == retry_policy::always || (config_.retry == retry_policy::when_busy && busy());
    if (!token && !known && retry) return send_retry(datagram, header, now);
    if (half_open_ >= config_.max_half_open || connections_.size() >= config_.max_connections) {
        return refuse(datagram, header, transport_error::connection_refused);
    }

    connection_start start;
    start.handle = last_handle_ + 1;
    start.side = perspective::server;
    start.version = header.version;
    start.addresses = datagram.path;
    start.address_validated = token.has_value() || known;
    start.settings = config_.accepted;
    start.local = host_.ids.make();
    start.destination = header.source;
    start.original_destination = token ? token->original_destination : header.destination;
    if (token) start.retry_source = token->retry_source;
    start.server_tls = config_.server;
    if (config_.preferred_v4.port != 0 || config_.preferred_v6.port != 0) {
        const auto id = host_.ids.make();
        start.preferred = preferred_address{config_.preferred_v4, config_.preferred_v6, id, host_.ids.token(id)};
    }
    tls::error why;
    auto made = connection::create(std::move(start), host_, now, why);
    if (!made) return refuse(datagram, header, transport_error::internal_error);
    // Nothing is remembered of a datagram that is not authentic.
    made->receive(datagram, now);
    if (!made->heard_from_peer()) return drop(drop_reason::undecryptable);
    ++last_handle_;
    ++statistics_.accepted;
    auto& c = *made;
    insert(std::move(made));
    // To the end: a late copy of the client's first packet must not look like a new client.
    const auto& id = c.initial_destination();
    if (ids_.insert(id, &c)) c.notes.ids.push_back(id);
    if (early_arrivals_.empty()) return;
    for (auto& k : early_arrivals_.take(id, datagram.path.remote)) {
        received_datagram late{.payload = k.bytes, .path = k.path, .mark = k.mark};
        c.receive(late, now);
    }
}

// To this endpoint, or to any of those that share its tokens.
bool endpoint::state::first_shown(std::span<const std::uint8_t> new_token, time_point now) {
    const auto identity = token_keys::identity(new_token);
    if (config_.router && config_.router->tokens()) return config_.router->tokens()(identity, now);
    return tokens_seen_.use(identity, now);
}

// Whether the Initial that the datagram begins with can be opened. It is destroyed.
bool endpoint::state::is_authentic(received_datagram& datagram, const packet_header& header) {
    auto keys = initial_keys(header.version, header.destination, perspective::server);
    opened_packet opened;
    return keys.read.open(datagram.payload.first(header.size), header.number_offset, std::nullopt, opened) == open_error::none;
}

void endpoint::state::send_retry(const received_datagram& datagram, const packet_header& header, time_point now) {
    const auto source = host_.ids.make();
    const auto token = host_.address_tokens.seal_retry({header.destination, source, now}, datagram.path.remote, host_.random);
    writer out(answers_.room());
    if (!write_retry(out, header.version, header.destination, header.source, source, token.span(),
                     static_cast<std::uint8_t>(host_.random()))) {
        return;
    }
    answers_.queue(datagram.path, out.size());
    ++statistics_.retries_sent;
}

// An Initial with CONNECTION_CLOSE, for which nothing needs to be remembered.
void endpoint::state::refuse(const received_datagram& datagram, const packet_header& header, transport_error code) {
    drop(drop_reason::refused);
    auto packet = packet_builder::begin(answers_.room(), {.level = encryption_level::initial,
                                                          .version = header.version,
                                                          .destination = header.source,
                                                          .source = header.destination});
    if (!packet) return;
    packet->frames().write(connection_close_frame{.error_code = static_cast<std::uint64_t>(code)});
    auto keys = initial_keys(header.version, header.destination, perspective::server);
    packet->seal(keys.write);
    answers_.queue(datagram.path, packet->size());
}

// RFC 9000 10.3: either it tells that the peer forgot a connection of ours, or it is told that we know none.
void endpoint::state::reset_or_be_reset(received_datagram& datagram, const invariant_header& header, time_point now) {
    if (datagram.payload.size() >= min_stateless_reset_size) {
        stateless_reset_token token;
        std::copy_n(datagram.payload.end() - token.size(), token.size(), token.begin());
        if (const auto* found = tokens_.find(token)) return (*found)->receive(datagram, now);
    }
    drop(drop_reason::unknown_connection);
    if (!answers_.take_reset_permit(now)) return;
    const auto token = host_.ids.token(connection_id(header.destination));
    const auto size = write_stateless_reset(answers_.room(), token, datagram.payload.size(), host_.random);
    answers_.queue(datagram.path, size);
    if (size != 0) ++statistics_.stateless_resets_sent;
}

}  // namespace tandem::quic
