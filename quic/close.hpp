// The end of a connection (RFC 9000 10.2): what is said to the peer, how often, and for how long.
#pragma once

#include <cstdint>
#include <optional>

#include <tandem/bytes/time.hpp>
#include <tandem/quic/error.hpp>
#include <tandem/quic/event.hpp>
#include <tandem/quic/frame.hpp>
#include <tandem/quic/types.hpp>

namespace tandem::quic {

class close_process {
public:
    static constexpr std::size_t max_reason_size = 200;  // bytes; packets of three levels share a datagram

    // We end the connection: CONNECTION_CLOSE is due at once.
    void begin_closing(connection_error error, time_point until);
    // The peer ended it: nothing is sent any more. What was closing ends when it would have ended (RFC 9000 10.2.2).
    void begin_draining(time_point until);

    bool begun() const { return until_.has_value(); }
    bool closing() const { return begun() && !draining_; }
    const connection_error& error() const { return error_; }
    std::optional<time_point> deadline() const { return until_; }

    // A datagram arrived while closing. Answers get rarer: after 1, 2, 4, 8... datagrams (RFC 9000 10.2.1).
    void on_datagram();
    bool packet_due() const { return due_; }
    void on_packet_sent() { due_ = false; }

    // The frame for a packet of this level. What concerns the application is not said before the handshake is protected:
    // RFC 9000 10.2.3. The frame refers to this object's reason.
    connection_close_frame frame(encryption_level level) const;

private:
    std::optional<time_point> until_;
    bool draining_ = false;
    bool due_ = false;
    std::uint64_t received_ = 0;
    std::uint64_t answer_at_ = 1;
    connection_error error_;
};

}  // namespace tandem::quic
