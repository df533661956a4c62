// The 1-RTT keys of both directions, across key updates (RFC 9001 6).
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include <tandem/bytes/time.hpp>
#include <tandem/quic/packet_protection.hpp>
#include <tandem/quic/types.hpp>

namespace tandem::quic {

class application_keys {
public:
    void install_read(packet_keys keys);
    void install_write(packet_keys keys) { write_ = std::move(keys); }

    bool can_read() const { return static_cast<bool>(current_.keys); }
    bool can_write() const { return static_cast<bool>(write_); }
    packet_keys& write() { return write_; }
    bool phase() const { return phase_; }
    std::uint64_t updates() const { return updates_; }  // by either side

    enum class result : std::uint8_t {
        opened,
        failed,            // not authentic
        update_violation,  // KEY_UPDATE_ERROR: a packet with older keys has a number above one with newer keys (RFC 9001 6.4)
    };
    // Opens a packet in place with the keys its key phase asks for. If the peer updated its keys, ours follow (RFC 9001 6.2).
    // Old keys are kept until `old_keys_until`, for packets that were overtaken (RFC 9001 6.5).
    result open(std::span<std::uint8_t> packet, std::size_t number_offset, std::optional<packet_number> largest_received,
                time_point now, time_point old_keys_until, opened_packet& out);

    // So many packets failed to authenticate, with any keys, that a forger may soon succeed (RFC 9001 6.6).
    bool integrity_limit_reached() const { return failed_ >= tls::limits(write_.suite()).integrity; }

    // A packet sealed with the keys after so many updates was acknowledged. The next update is to wait until then.
    void on_acknowledged(std::uint64_t updates_before, time_point next_update) {
        if (acknowledged_ || updates_before != updates_) return;
        acknowledged_ = true;
        next_update_ = next_update;
    }
    // So many packets were sealed with the present keys, and the peer is known to have them: time for an update (RFC 9001 6.1,
    // 6.5).
    bool update_due(std::uint64_t packets_per_key, time_point now) const;
    // The confidentiality limit is reached: nothing more may be sealed (RFC 9001 6.6).
    bool exhausted() const { return write_ && write_.sealed() >= tls::limits(write_.suite()).confidentiality; }
    void update(time_point old_keys_until) { advance(old_keys_until); }

private:
    struct generation {
        std::optional<packet_number> highest;  // received with these keys
        std::optional<packet_number> lowest;
        packet_keys keys;
    };
    bool open_with(generation&, std::span<std::uint8_t> packet, std::size_t number_offset, const unprotected_header&,
                   opened_packet& out);
    void advance(time_point old_keys_until);

    // In the order in which packets ask for them.
    bool phase_ = false;
    bool acknowledged_ = false;  // a packet sealed with the present keys was
    std::uint64_t updates_ = 0;
    time_point next_update_;
    packet_keys write_;
    generation current_;
    generation previous_;
    generation next_;
    time_point previous_until_;
    std::uint64_t failed_ = 0;
};

}  // namespace tandem::quic
