// A peer made by hand, client or server, whose every byte a test chooses: does a real TLS handshake and keeps no rule of the
// transport that a test wants broken. Plays against a real endpoint, the victim, in virtual time, and remembers what the victim
// answers.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <tandem/quic/endpoint.hpp>
#include <tandem/quic/frame_reader.hpp>
#include <tandem/quic/packet_builder.hpp>
#include <tandem/quic/packet_protection.hpp>
#include <tandem/tls/quic_handshake.hpp>

#include "quic/pipe.hpp"

namespace tandem::quic::test {

using bytes = std::vector<std::uint8_t>;

// The encoding of these frames.
bytes frames(const std::function<void(frame_writer&)>& write);
template <class... F>
bytes frames_of(const F&... each) {
    return frames([&](frame_writer& out) { (out.write(each), ...); });
}

class fault_peer {
public:
    static constexpr std::size_t datagram_size = 1200;

    // The faults that can be switched on before it begins.
    struct options {
        perspective side = perspective::client;  // the peer's own; the victim is the other
        std::function<void(transport_parameters&)> parameters;
        std::function<void(bytes&)> encoded_parameters;        // the extension as it goes out
        std::function<void(encryption_level, bytes&)> crypto;  // what TLS wants to say, once for each level
        std::vector<std::string> alpn = {"test"};
        const identity* certificate = &localhost();  // of a peer that is the server
        quic::config victim = default_victim();
        retry_policy retry = retry_policy::never;  // of a victim that is the server
        std::uint64_t seed = 7;
    };
    // What may be strange about one packet.
    struct packet_faults {
        std::optional<packet_number> number;  // instead of the next
        std::uint8_t first_byte_bits = 0;     // turned over before the packet is protected
        quic::version version = version::v1;
        bytes token;  // of an Initial
        std::optional<connection_id> destination;
        std::optional<connection_id> source;
        bool expand = true;  // an Initial to 1200 bytes
    };
    // One frame of the victim's, and the datagram that it came in.
    struct heard {
        std::uint64_t type = 0;
        encryption_level level{};
        std::size_t datagram_size = 0;
        ip_path path;  // as the victim sees it
        ecn mark = ecn::not_ect;
        connection_id to;
        bytes token;  // of an Initial
    };
    struct close {
        encryption_level level{};
        std::uint64_t code = 0;
        std::uint64_t frame_type = 0;
        std::string reason;
        bool application = false;
    };

    static quic::config default_victim();
    explicit fault_peer(options o);
    explicit fault_peer(perspective side) : fault_peer(options{.side = side}) {}

    // How far the handshake goes; each returns whether it came there.
    bool reach_initial();      // the victim reads our Initial packets
    bool reach_handshake();    // and our Handshake packets; it has seen nothing of them yet
    bool reach_established();  // all is confirmed on both sides
    bool reach(encryption_level level);

    bytes packet(encryption_level level, std::span<const std::uint8_t> payload, const packet_faults& faults);
    bytes packet(encryption_level level, std::span<const std::uint8_t> payload) {
        return packet(level, payload, packet_faults{});
    }
    void deliver(bytes datagram);  // to the victim, from where the peer is
    void send(encryption_level level, std::span<const std::uint8_t> payload, const packet_faults& faults);
    void send(encryption_level level, std::span<const std::uint8_t> payload) { send(level, payload, packet_faults{}); }
    void flush_crypto();  // what TLS has to say
    void flush_crypto(tls::level level);
    void acknowledge(encryption_level level);  // everything received so far
    void receive_all();                        // takes everything that the victim sends now
    void wait(duration d);                     // lets time pass; the victim's timers run

    connection* victim();  // null once it is gone
    perspective side() const { return options_.side; }
    const std::vector<heard>& all_heard() const { return heard_; }
    std::vector<heard> heard_of(std::uint64_t type) const;
    const range_set& acknowledged(encryption_level level) { return acknowledged_[space_of(level)]; }
    const std::vector<bytes>& hellos() const { return hellos_; }  // first CRYPTO frames of the victim's Initial packets
    const std::vector<close>& closes() const { return closes_; }
    std::optional<close> closed() const { return closes_.empty() ? std::nullopt : std::optional(closes_.back()); }
    template <class T>
    std::vector<T> received() const {
        std::vector<T> all;
        for (const auto& f : frames_) {
            if (const auto* is = std::get_if<T>(&f)) all.push_back(*is);
        }
        return all;
    }
    void forget_frames() { frames_.clear(), heard_.clear(); }
    std::optional<packet_number> largest(encryption_level level) const;
    packet_number next_number(encryption_level level) const { return next_[static_cast<std::size_t>(space_of(level))]; }
    std::uint64_t crypto_offset(encryption_level level) { return crypto_out_[level]; }  // of the next CRYPTO byte
    // A stream that we, or the victim, would open.
    stream_id ours(std::uint64_t index, direction kind = direction::bidirectional) const {
        return stream_id::make(options_.side, kind, index);
    }
    stream_id theirs(std::uint64_t index, direction kind = direction::bidirectional) const {
        return stream_id::make(peer_of(options_.side), kind, index);
    }

    endpoint target;
    time_point now{1h};
    ip_path path;  // as the victim sees it
    connection_id source;
    connection_id destination;
    connection_id original_destination;
    packet_key_pair initial;
    packet_key_pair handshake_keys;
    packet_key_pair application;
    bool key_phase = false;
    bool counts_ecn = false;  // tells in ACK frames what marks came
    std::unique_ptr<tls::quic_handshake> engine;
    bool remembers = true;  // frames and events; a flood need not
    // What the victim holds more than before it was made, in bytes, and what it ever allocated for one datagram, in pieces.
    std::int64_t victim_bytes = 0;
    std::uint64_t most_allocations = 0;
    std::vector<connection_event> events;  // of the victim
    std::uint64_t datagrams_received = 0;
    std::uint64_t bytes_received = 0;
    std::uint64_t bytes_sent = 0;
    std::uint64_t stream_bytes_received = 0;

private:
    packet_key_pair& keys(encryption_level level);
    void begin_as_client();
    void begin_as_server(const packet_header& first);
    transport_parameters declared() const;
    bytes extension() const;
    void receive(std::span<std::uint8_t> datagram, const ip_path& from, ecn mark);
    void receive_frames(std::span<const std::uint8_t> payload, encryption_level level, const heard& where);
    void advance();
    void poll_events();

    options options_;
    connection_handle handle_ = 0;
    std::vector<frame> frames_;  // those without views into packets
    std::map<packet_space_id, range_set> seen_;
    std::map<packet_space_id, bool> ack_owed_;
    std::array<packet_number, packet_space_count> next_{};
    std::map<encryption_level, crypto_stream> crypto_in_;
    std::map<encryption_level, std::uint64_t> crypto_out_;
    std::vector<close> closes_;
    std::vector<heard> heard_;
    std::vector<bytes> hellos_;
    std::map<packet_space_id, range_set> acknowledged_;
    std::map<packet_space_id, ecn_counts> marks_;
    bool begun_ = false;
    bool done_ = false;
};

}  // namespace tandem::quic::test
