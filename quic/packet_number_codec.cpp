#include <tandem/quic/packet_number_codec.hpp>

namespace tandem::quic {

std::size_t packet_number_size(std::uint64_t number, std::optional<std::uint64_t> largest_acknowledged) {
    // RFC 9000 A.2: the range must be more than twice the number of packets that may be unacknowledged.
    std::uint64_t unacknowledged = largest_acknowledged ? number - *largest_acknowledged : number + 1;
    if (unacknowledged < std::uint64_t{1} << 7) return 1;
    if (unacknowledged < std::uint64_t{1} << 15) return 2;
    if (unacknowledged < std::uint64_t{1} << 23) return 3;
    return 4;
}

std::uint64_t decode_packet_number(std::uint64_t truncated, std::size_t size, std::optional<std::uint64_t> largest_received) {
    // RFC 9000 A.3
    std::uint64_t expected = largest_received ? *largest_received + 1 : 0;
    std::uint64_t window = std::uint64_t{1} << (8 * size);
    std::uint64_t half = window / 2;
    std::uint64_t candidate = (expected & ~(window - 1)) | truncated;
    if (candidate + half <= expected && candidate <= max_packet_number - window) return candidate + window;
    if ((candidate > expected + half || candidate > max_packet_number) && candidate >= window) return candidate - window;
    return candidate;
}

}  // namespace tandem::quic
