// One packet number space (RFC 9000 12.3): its numbers, what was received and sent in it, its CRYPTO stream and its keys.
#pragma once

#include <cstdint>
#include <optional>

#include <tandem/quic/crypto_stream.hpp>
#include <tandem/quic/packet_number_source.hpp>
#include <tandem/quic/packet_protection.hpp>
#include <tandem/quic/received_packets.hpp>
#include <tandem/quic/sent_frames.hpp>
#include <tandem/quic/types.hpp>
#include <tandem/recovery/loss_recovery.hpp>

namespace tandem::quic {

struct packet_space {
    explicit packet_space(packet_space_id which, duration max_ack_delay = duration::zero())
        : id(which), received(max_ack_delay) {}

    packet_space_id id;
    bool discarded = false;   // the keys are gone for good (RFC 9001 4.9)
    unsigned probes = 0;      // packets that a probe timeout asks for, whatever the window says
    unsigned acks_alone = 0;  // packets sent in a row that elicit no acknowledgment
    packet_number_source numbers;
    received_packets received;
    recovery::loss_recovery<sent_frames> sent;
    crypto_stream crypto;
    packet_keys read;  // Initial and Handshake; the application's are in application_keys
    packet_keys write;
};

}  // namespace tandem::quic
