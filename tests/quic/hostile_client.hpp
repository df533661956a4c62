// A client made by hand that can say anything: plays the attacks against a real endpoint. Does a real TLS handshake, keeps no
// rule of the transport that a test wants broken.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include <tandem/quic/endpoint.hpp>
#include <tandem/quic/frame_reader.hpp>
#include <tandem/quic/packet_builder.hpp>
#include <tandem/quic/packet_protection.hpp>
#include <tandem/tls/quic_handshake.hpp>

#include "pipe.hpp"

namespace tandem::quic::test {

class hostile_client {
public:
    using writer_function = std::function<void(frame_writer&)>;
    static constexpr std::size_t datagram_size = 1200;

    // `parameters` may change what is declared before it goes out.
    explicit hostile_client(
        endpoint& server, const std::function<void(transport_parameters&)>& parameters = [](auto&) {});

    bool handshake();  // to the end, HANDSHAKE_DONE received
    void send_client_hello();
    void receive_all();  // takes everything the server sends now, acknowledging nothing

    // One packet in one datagram; `number` of the caller's choice, else the next.
    void send(encryption_level level, const writer_function& frames, std::optional<packet_number> number = {});
    std::vector<std::uint8_t> build(encryption_level level, const writer_function& frames,
                                    std::optional<packet_number> number = {}, bool expand = true);
    void send_raw(std::vector<std::uint8_t> datagram);
    void acknowledge(encryption_level level);  // everything received so far

    template <class T>
    std::vector<T> received() const {
        std::vector<T> all;
        for (const auto& f : frames_) {
            if (const auto* is = std::get_if<T>(&f)) all.push_back(*is);
        }
        return all;
    }
    // The server's CONNECTION_CLOSE, if it sent one.
    std::optional<std::uint64_t> close_code() const { return close_code_; }
    bool close_is_application() const { return close_application_; }
    std::uint64_t largest(encryption_level level) const { return largest_.at(space_of(level)); }
    packet_number next_number(encryption_level level) const { return next_[static_cast<std::size_t>(space_of(level))]; }
    void forget_frames() { frames_.clear(); }

    endpoint& server;
    time_point now{1h};
    ip_path path{pipe::server_address, pipe::client_address};  // as the server sees it
    connection_id source;
    connection_id original_destination;
    connection_id destination;
    std::vector<std::uint8_t> token;
    packet_key_pair initial;
    packet_key_pair handshake_keys;
    packet_key_pair application;
    bool key_phase = false;
    std::unique_ptr<tls::quic_handshake> engine;
    std::uint64_t datagrams_received = 0;
    std::uint64_t bytes_received = 0;
    bool retried = false;

private:
    void receive(std::span<std::uint8_t> datagram);
    void receive_frames(std::span<const std::uint8_t> payload, encryption_level level);
    packet_key_pair& keys(encryption_level level);
    void advance();
    void send_crypto(tls::level level);

    std::vector<std::uint8_t> hello_;
    std::vector<frame> frames_;  // those without views into packets
    std::map<packet_space_id, std::uint64_t> largest_;
    std::map<packet_space_id, range_set> seen_;
    std::array<packet_number, packet_space_count> next_{};
    std::map<encryption_level, crypto_stream> crypto_in_;
    std::map<encryption_level, std::uint64_t> crypto_out_;
    std::optional<std::uint64_t> close_code_;
    bool close_application_ = false;
    bool done_ = false;
};

}  // namespace tandem::quic::test
