// Makes one super-segment of a train's packets, as a TUN device takes it (virtio 5.1.6.2: VIRTIO_NET_HDR_GSO_TCPV4/6).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include <sys/uio.h>

#include <tandem/bytes/datagram.hpp>

namespace tandem::net::detail {

// The bytes of the virtio header in front of every packet of a device with IFF_VNET_HDR.
constexpr std::size_t virtio_header_size = 10;
constexpr std::size_t max_super_segment = 65535;  // IPv4's total length, with all headers

struct virtio_offload {  // what such a header says of a packet read
    bool checksum_pending = false;
    std::uint16_t gso_size = 0;
};
virtio_offload read_virtio_header(std::span<const std::uint8_t> header);

// Several packets as one, without copying their payload: `pieces` is for writev, its first is the virtio header and the
// headers of TCP/IP. The object must not move between gather() and the call.
class super_segment {
public:
    static constexpr std::size_t max_packets = 128;

    // Takes the train's packets from byte `begin` on, as many as belong together (all contiguous in one connection's stream, of
    // equal size but the last, with the same headers); at least one. With `segmentation` false it is always one.
    // Returns the bytes of the train it covers. `checksum`: the packets' TCP checksums are pending.
    std::size_t gather(const train& t, std::size_t begin, bool segmentation, bool checksum);

    std::span<const iovec> pieces() const { return {pieces_.data(), count_}; }
    std::size_t packets() const { return packets_; }

private:
    void write_virtio_header(std::size_t header_size, std::size_t ip_size, std::size_t gso_size, bool v6, bool checksum);
    void patch(std::span<const std::uint8_t> last, std::size_t ip_size, std::size_t payload, bool v6);

    static constexpr std::size_t max_header = 40 + 60;
    std::array<std::uint8_t, virtio_header_size + max_header> header_;
    std::array<iovec, max_packets + 1> pieces_;
    std::size_t count_ = 0;
    std::size_t packets_ = 0;
};

}  // namespace tandem::net::detail
