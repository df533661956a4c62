// The CRYPTO stream of one encryption level (RFC 9000 7.5, 19.6): handshake bytes both ways, without flow control.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include <tandem/bytes/receive_buffer.hpp>
#include <tandem/bytes/send_buffer.hpp>
#include <tandem/quic/error.hpp>
#include <tandem/quic/frame.hpp>
#include <tandem/quic/frame_writer.hpp>

namespace tandem::quic {

struct crypto_token {
    std::uint64_t offset = 0;
    std::uint32_t length = 0;
};

class crypto_stream {
public:
    // Bytes beyond what TLS has taken that we hold. RFC 9000 7.5 asks for 4096 at least; large certificate chains need more.
    static constexpr std::uint64_t max_buffered = 65536;

    // CRYPTO_BUFFER_EXCEEDED for bytes beyond the cap; nothing is allocated for them.
    std::optional<connection_error> receive(const crypto_frame&, time_point now);
    // Contiguous bytes for TLS; consume what it took.
    std::span<const std::uint8_t> front() const { return in_.front(); }
    void consume(std::size_t n) { in_.consume(n); }
    std::size_t readable() const { return in_.readable(); }
    std::size_t allocated() const { return in_.allocated(); }  // bytes of heap held for received data
    // The level's keys are gone or replaced while bytes are still waiting or missing (RFC 9001 4.1.3 forbids it for TLS
    // messages).
    bool has_unread() const { return in_.highest_received() > in_.read_offset(); }

    void write(std::span<const std::uint8_t> from_tls) { out_.append(from_tls); }
    bool wants_to_send() const { return out_.has_lost() || out_.unsent() > 0; }
    // One CRYPTO frame with as much as fits; nothing if none fits or there is nothing to send. Call until it returns nothing.
    std::optional<crypto_token> write_frame(frame_writer& out);
    void acknowledged(crypto_token);
    void lost(crypto_token);
    bool all_acknowledged() const { return out_.all_acknowledged(); }

    // Retry or the end of the level (RFC 9001 4.9): everything held is dropped.
    void clear();
    // Everything sent and not acknowledged counts as lost (a Retry or a version change starts again; a probe resends).
    void lose_all();

private:
    receive_buffer in_;
    send_buffer out_;
};

}  // namespace tandem::quic
