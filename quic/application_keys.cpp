#include <algorithm>
#include <utility>

#include <tandem/quic/application_keys.hpp>

namespace tandem::quic {

void application_keys::install_read(packet_keys keys) {
    // Made in advance: that a packet is of the next generation must not show in the time it takes (RFC 9001 6.3).
    next_.keys = keys.next_generation();
    current_.keys = std::move(keys);
}

bool application_keys::open_with(generation& g, std::span<std::uint8_t> packet, std::size_t number_offset,
                                 const unprotected_header& header, opened_packet& out) {
    if (!g.keys.open_payload(packet, number_offset, header, out.payload)) {
        ++failed_;
        return false;
    }
    out.header = header;
    g.lowest = std::min(g.lowest.value_or(header.number), header.number);
    g.highest = std::max(g.highest.value_or(header.number), header.number);
    return true;
}

application_keys::result application_keys::open(std::span<std::uint8_t> packet, std::size_t number_offset,
                                                std::optional<packet_number> largest_received, time_point now,
                                                time_point old_keys_until, opened_packet& out) {
    const auto header = current_.keys.unprotect_header(packet, number_offset, largest_received);
    if (!header) return result::failed;
    if (header->key_phase() == phase_) {
        const bool followed = !current_.lowest;
        if (!open_with(current_, packet, number_offset, *header, out)) return result::failed;
        if (followed) previous_until_ = old_keys_until;  // RFC 9001 6.5: the time counts from the first packet with new keys
        // RFC 9001 6.4: only the old keys' packets may have lower numbers.
        if (previous_.highest && header->number < *previous_.highest) return result::update_violation;
        return result::opened;
    }
    // The other phase: keys of before the last update, if the number says so; else the peer updates now.
    const bool older = previous_.keys && (!current_.lowest || header->number < *current_.lowest);
    if (older && (now < previous_until_ || !current_.lowest)) {
        return open_with(previous_, packet, number_offset, *header, out) ? result::opened : result::failed;
    }
    if (older || !open_with(next_, packet, number_offset, *header, out)) return result::failed;
    if (current_.highest && header->number < *current_.highest) return result::update_violation;
    advance(old_keys_until);
    return result::opened;
}

void application_keys::advance(time_point old_keys_until) {
    previous_ = std::exchange(current_, std::exchange(next_, {}));
    previous_until_ = old_keys_until;
    next_.keys = current_.keys.next_generation();
    write_ = write_.next_generation();
    phase_ = !phase_;
    ++updates_;
    acknowledged_ = false;
}

bool application_keys::update_due(std::uint64_t packets_per_key, time_point now) const {
    // Also not before the peer followed the last one, which it does before it acknowledges (RFC 9001 6.2): if a faulty one does
    // not, its packets still need the keys that another update would throw away.
    if (!acknowledged_ || now < next_update_ || (updates_ > 0 && !current_.lowest)) return false;
    // Half of the limit leaves room for what is sent until the peer has acknowledged something.
    const auto safe = tls::limits(write_.suite()).confidentiality / 2;
    return write_.sealed() >= (packets_per_key == 0 ? safe : std::min(packets_per_key, safe));
}

}  // namespace tandem::quic
