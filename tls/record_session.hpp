// TLS 1.2 and 1.3 over a byte stream as a pure engine: ciphertext in and out, plaintext in and out, no I/O.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include <tandem/bytes/byte_times.hpp>
#include <tandem/tls/context.hpp>
#include <tandem/tls/session.hpp>

namespace tandem::tls {

// A run of plaintext bytes with the times of the ciphertext they came in. arrived <= readable <= complete.
struct record_times {
    std::uint64_t bytes = 0;
    time_point arrived;   // the byte came from the network
    time_point readable;  // nothing before it in the stream was missing any more
    time_point complete;  // the last byte of its record was readable: only then can it be decrypted
    friend bool operator==(const record_times&, const record_times&) = default;
};

// Which plaintext a sealed record carries: half-open ranges of offsets since the start of the session. The ciphertext includes
// the record's header and tag.
struct sealed_record {
    std::uint64_t ciphertext_begin = 0;
    std::uint64_t ciphertext_end = 0;
    std::uint64_t plaintext_begin = 0;
    std::uint64_t plaintext_end = 0;
    friend bool operator==(const sealed_record&, const sealed_record&) = default;
};

struct record_session_options {
    // Plaintext bytes per record at most: 512 to 16384.
    std::size_t max_record_size = 16384;
    // Ciphertext that may wait for transmit; when there is more, write accepts nothing. The handshake may exceed it.
    std::size_t max_pending_output = 65536;
    bool log_sealed_records = false;  // keep the map for poll_sealed_record
};

class record_session {
public:
    // Ciphertext held at most: a whole record of the largest size, and one read from a socket behind it.
    static constexpr std::size_t max_buffered_input = 65536;

    // A client's first flight is waiting for transmit on return. Nothing on error (an option that makes no sense).
    static std::unique_ptr<record_session> client(std::shared_ptr<const client_context> context,
                                                  const client_session_options& options, const record_session_options& records,
                                                  error& why);
    static std::unique_ptr<record_session> server(std::shared_ptr<const server_context> context,
                                                  const server_session_options& options, const record_session_options& records,
                                                  error& why);
    ~record_session();
    record_session(const record_session&) = delete;
    record_session& operator=(const record_session&) = delete;

    // Takes ciphertext from the stream and runs the handshake. `times` are the times of exactly these bytes, or empty: then
    // nothing is recorded, for the whole session. Returns how many bytes it took: fewer if the buffer is full because the
    // application does not read; offer the rest (with its times) again after a read.
    std::size_t receive(std::span<const std::uint8_t> ciphertext, std::span<const byte_times> times = {});
    std::size_t receive_room() const;  // how many bytes receive would take
    void end_of_input();               // the stream ended (FIN); without close_notify before it, that is truncation

    // Copies decrypted plaintext and returns how much. Zero: none now (see peer_closed, failed). If times were given to receive,
    // appends the runs of these bytes to *times.
    std::size_t read(std::span<std::uint8_t> out, std::vector<record_times>* times = nullptr);
    bool readable();  // whether read would return something now, or the peer has closed, or failed

    // Seals plaintext into records; returns how many bytes it accepted: zero before handshake_complete, fewer than given when
    // max_pending_output is reached.
    std::size_t write(std::span<const std::uint8_t> plaintext);
    std::size_t write_room() const;  // how many bytes write would accept now
    // Copies ciphertext for the stream; returns how much. Never makes records by itself.
    std::size_t transmit(std::span<std::uint8_t> out);
    // The same without a copy: what waits, in order, then how much of it went.
    std::span<const std::uint8_t> pending_output() const;
    void consume_output(std::size_t n);

    void close();  // sends close_notify; what was written before still goes first. Reading goes on
    bool close_sent() const;
    bool peer_closed() const;  // close_notify was read: the plaintext ended as the peer meant it to
    bool truncated() const;    // the stream ended without it: what was read may not be all
    bool handshake_complete() const;
    bool resumed() const;
    bool failed() const;
    std::optional<std::uint8_t> alert() const;  // sent or received, if it failed with one
    const error& failure() const;

    std::string_view alpn() const;              // the selected protocol; empty if none
    std::string_view server_name() const;       // server: the SNI that the client sent; client: the name it asked for
    std::string_view protocol_version() const;  // "TLSv1.3"; empty before the handshake is complete

    std::optional<session_ticket> poll_ticket();        // client: see quic_handshake
    std::optional<sealed_record> poll_sealed_record();  // in order; only with log_sealed_records

private:
    class state;
    explicit record_session(std::unique_ptr<state> s);
    std::unique_ptr<state> state_;
};

}  // namespace tandem::tls
