// What an endpoint consists of. Included by endpoint*.cpp only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <tandem/bytes/flat_map.hpp>
#include <tandem/bytes/single_use_filter.hpp>
#include <tandem/quic/early_arrivals.hpp>
#include <tandem/quic/endpoint.hpp>
#include <tandem/quic/packet_header.hpp>
#include <tandem/quic/stateless_answers.hpp>
#include <tandem/quic/timer_heap.hpp>
#include <tandem/quic/token.hpp>
#include <tandem/quic/version_parameters.hpp>

namespace tandem::quic {

// Mixes a secret in, so that nobody can choose connection IDs that collide in a table.
class keyed_hash {
public:
    explicit keyed_hash(std::uint64_t key) : key_(key) {}
    std::size_t operator()(const connection_id& id) const { return mix(id.bytes()); }
    std::size_t operator()(const stateless_reset_token& token) const { return mix(token); }

private:
    std::size_t mix(std::span<const std::uint8_t> bytes) const {
        std::uint64_t state = key_ ^ bytes.size();
        for (; !bytes.empty(); bytes = bytes.subspan(std::min<std::size_t>(bytes.size(), 8))) {
            std::uint64_t word = 0;
            std::memcpy(&word, bytes.data(), std::min<std::size_t>(bytes.size(), 8));
            state ^= word;
            state = splitmix64(state);
        }
        return static_cast<std::size_t>(state);
    }

    std::uint64_t key_;
};

class endpoint::state {
public:
    state(endpoint_config config, std::uint64_t seed);

    std::optional<connection_handle> connect(const connect_options& options, time_point now, tls::error& why);
    void receive(received_datagram& datagram, time_point now);
    bool transmit(time_point now, train& out);
    std::optional<time_point> next_timeout();
    void on_timeout(time_point now);
    std::optional<endpoint_event> poll_event();
    quic::connection* find(connection_handle handle);
    void set_server(std::shared_ptr<const tls::server_context> server) { config_.server = std::move(server); }
    void set_preferred(const ip_endpoint& where) { (where.address.is_v6 ? config_.preferred_v6 : config_.preferred_v4) = where; }
    void close(std::uint64_t application_code, std::string_view reason, time_point now);
    void datagram_too_large(const ip_path& path, std::size_t size, time_point now);
    std::optional<new_path> poll_new_path();
    endpoint_statistics statistics() const;

private:
    // As long as the client may take for its handshake: it shows the token with each retransmission.
    duration retry_token_lifetime() const { return config_.accepted.handshake_timeout; }
    static constexpr std::size_t max_tokens_seen = 65536;          // of one day; more NEW_TOKENs than this prove nothing
    static constexpr std::size_t min_client_destination_size = 8;  // RFC 9000 7.2
    static constexpr std::size_t max_new_paths = 1024;             // of one turn of a driver that asks

    void drop(drop_reason reason) { statistics_.dropped.add(reason); }
    // Takes over what changed at a connection that did something.
    void refresh(quic::connection& c);
    void refresh_ids(quic::connection& c);
    void insert(std::unique_ptr<quic::connection> made);
    void mark_dead(quic::connection& c);
    void note_new_path(const quic::connection& c);
    void erase(connection_handle handle);
    void reap();

    // endpoint_accept.cpp: what no connection is there for
    bool first_shown(std::span<const std::uint8_t> new_token, time_point now);
    void receive_unknown(received_datagram& datagram, const invariant_header& header, time_point now);
    void answer_unknown_version(const received_datagram& datagram, const invariant_header& header);
    void accept(received_datagram& datagram, const packet_header& header, time_point now);
    void send_retry(const received_datagram& datagram, const packet_header& header, time_point now);
    void refuse(const received_datagram& datagram, const packet_header& header, transport_error code);
    static bool is_authentic(received_datagram& datagram, const packet_header& header);
    void reset_or_be_reset(received_datagram& datagram, const invariant_header& header, time_point now);
    bool speaks(version v) const {
        const auto& all = config_.accepted.versions;
        return parameters_of(v) != nullptr && std::find(all.begin(), all.end(), v) != all.end();
    }
    bool busy() const { return half_open_ >= config_.retry_threshold; }

    endpoint_config config_;
    connection_host host_;
    single_use_filter tokens_seen_{token_keys::key_lifetime, max_tokens_seen};
    flat_map<connection_handle, std::unique_ptr<quic::connection>> connections_;
    flat_map<connection_id, quic::connection*, keyed_hash> ids_;
    flat_map<stateless_reset_token, quic::connection*, keyed_hash> tokens_;
    timer_heap<quic::connection, &quic::connection::timer_hook> timers_;
    stateless_answers answers_;
    early_arrivals early_arrivals_;
    std::vector<connection_handle> dead_;
    std::vector<new_path> new_paths_;
    connection_handle last_handle_ = 0;
    std::size_t half_open_ = 0;
    bool accepting_ = true;
    endpoint_statistics statistics_;
};

}  // namespace tandem::quic
