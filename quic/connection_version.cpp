// Which version the connection is in: what the server moves it to, what a Version Negotiation packet does, and how a forger of
// either is found out (RFC 9368, RFC 9369 4).
#include <algorithm>
#include <utility>

#include <tandem/quic/connection.hpp>
#include <tandem/quic/version_negotiation.hpp>

namespace tandem::quic {
namespace {

bool contains(const std::vector<std::uint32_t>& versions, version v) {
    return std::find(versions.begin(), versions.end(), static_cast<std::uint32_t>(v)) != versions.end();
}

}  // namespace

// Server: compatible version negotiation (RFC 9368 2.3). Parameters that are wrong are found when they are applied. Who sends
// early data stays where he is: it is in the version of the client's first flight.
std::vector<std::uint8_t> connection::choose_parameters(std::span<const std::uint8_t> peers, bool early) {
    const auto& wanted = start_.settings.move_clients_to;
    transport_parameters client;
    if (early || !wanted || *wanted == start_.version || parse(peers, perspective::client, parameter_profile::quic, client))
        return {};
    if (!client.versions || !contains(client.versions->available, *wanted)) return {};
    if (client.versions->chosen != static_cast<std::uint32_t>(start_.version)) return {};
    original_initial_read_ = std::move(space(packet_space_id::initial).read);
    move_to_version(*wanted, initial_keys(*wanted, initial_destination(), start_.side));
    return encode_parameters();
}

// RFC 9369 4.1: Handshake and 1-RTT packets are in the negotiated version. Of Initial packets a server takes those that were sent
// before the client could know, and a client those that tell it.
bool connection::version_acceptable(const packet_header& header) const {
    if (header.type == packet_type::one_rtt || header.type == packet_type::version_negotiation) return true;
    if (header.type == packet_type::zero_rtt) return header.version == original_version_;
    if (header.version == start_.version) return true;
    if (header.type != packet_type::initial) return false;
    if (is_server()) return header.version == original_version_ && static_cast<bool>(original_initial_read_);
    const auto& spoken = start_.settings.versions;
    return start_.version == original_version_ && !space(packet_space_id::handshake).read && !complete_ &&
           std::find(spoken.begin(), spoken.end(), header.version) != spoken.end();
}

// An Initial packet that version_acceptable let through.
std::optional<opened_packet> connection::open_of_other_version(std::span<std::uint8_t> packet, const packet_header& header) {
    opened_packet opened;
    const auto largest = space(packet_space_id::initial).received.largest();
    if (is_server()) {
        if (original_initial_read_.open(packet, header.number_offset, largest, opened) == open_error::none) return opened;
    } else {
        // The client learns of the negotiated version from the first packet that is in another one.
        auto moved = initial_keys(header.version, used_ids_.retry_source.value_or(start_.original_destination), start_.side);
        if (moved.read.open(packet, header.number_offset, largest, opened) == open_error::none) {
            move_to_version(header.version, std::move(moved));
            return opened;
        }
    }
    drop(drop_reason::undecryptable);
    return std::nullopt;
}

// The Initial keys are of the same connection ID, with the other version's salt (RFC 9368 2.3, RFC 9369 3.3.1).
void connection::move_to_version(quic::version v, packet_key_pair keys) {
    auto& s = space(packet_space_id::initial);
    s.read = std::move(keys.read);
    s.write = std::move(keys.write);
    start_.version = v;
}

// What is wrong with what the peer says of versions, if anything (RFC 9368 4).
const char* connection::version_fault(const transport_parameters& peer) const {
    if (is_server()) {
        const bool same = !peer.versions || peer.versions->chosen == static_cast<std::uint32_t>(original_version_);
        return same ? nullptr : "the client has chosen another version than it uses";
    }
    if (peer.versions && peer.versions->chosen != static_cast<std::uint32_t>(start_.version)) {
        return "the server has chosen another version than it uses";
    }
    if (!peer.versions && start_.version != original_version_) return "the version changed, and the server does not say so";
    if (negotiated_ && !would_select(start_.settings.versions, original_version_, peer.versions)) {
        return "the server would have accepted a version that is wanted more";
    }
    return nullptr;
}

// RFC 9000 6.2, RFC 9368 2.1: one such packet is believed, before anything else came, if it does not list the version that was
// tried.
void connection::on_version_negotiation(const packet_header& header, time_point now) {
    if (is_server() || heard_from_peer_ || used_ids_.retry_source || !active() || negotiated_ ||
        header.source != start_.original_destination || lists_version(header.versions, start_.version)) {
        return drop(drop_reason::unexpected_packet);
    }
    if (trace_ != nullptr) trace_received(header, nullptr, now);
    if (const auto other = select_version(start_.settings.versions, listed_versions(header.versions)))
        return begin_again(*other, now);
    close_silently({.reason = start_.version == version::v1 ? "the server does not speak QUIC version 1"
                                                            : "the server does not speak QUIC version 2"},
                   close_cause::version);
}

// A new first flight. Tickets and tokens belong to the version in which they were given (RFC 9369 5).
void connection::begin_again(quic::version v, time_point now) {
    start_.version = original_version_ = v;
    negotiated_ = true;
    token_.clear();
    if (early_.flowing) take_back_early_data(now);
    tls::error why;
    auto engine = tls::quic_handshake::client(
        start_.client_tls, {.server_name = start_.server_name, .alpn = start_.settings.alpn}, encode_parameters(), why);
    if (!engine) return close_silently({.reason = why.text}, close_cause::version);
    handshake_ = handshake(std::move(engine));
    auto& s = space(packet_space_id::initial);
    s.sent.forget_all(path_.sender());
    s.crypto = {};
    move_to_version(v, initial_keys(v, initial_destination(), start_.side));
    handshake_.collect(packet_space_id::initial, s.crypto);
    probe_count_ = 0;
    last_activity_ = now;
}

}  // namespace tandem::quic
