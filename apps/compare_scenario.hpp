// What `tandem compare` simulates: a page, a link, a congestion controller, and the ways to fetch the one over the other.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <tandem/bytes/time.hpp>
#include <tandem/recovery/congestion_controller.hpp>
#include <tandem/sim/link.hpp>
#include <tandem/sim/page.hpp>

namespace tandem::compare {

// One way to fetch the page.
enum class cell : std::uint8_t { h1_1conn, h1_6conn, h3_tcp, h3_quic };
constexpr std::size_t cell_count = 4;

std::string_view name(cell);         // "h3-tcp"
std::string_view description(cell);  // "HTTP/3 over QMux over TLS over TCP, 1 connection"
std::optional<cell> parse_cell(std::string_view name);

// Lose the nth packet (from 1) from the server that carries bytes of this object's response (from 1).
struct object_drop {
    std::size_t object = 1;
    std::size_t nth = 1;
    friend bool operator==(const object_drop&, const object_drop&) = default;
};

struct scenario {
    sim::page page{.objects = std::vector<std::uint64_t>(10, 50'000)};
    std::vector<object_drop> drops;

    // Both directions of the link are alike.
    duration rtt = std::chrono::milliseconds(40);
    std::uint64_t rate = 10'000'000;  // bits per second
    std::uint64_t queue = 0;          // bytes; 0: no limit, so that nothing is lost in it
    double loss = 0;                  // 0..1
    double burst = 1;                 // mean length of a loss in packets
    duration jitter{};                // extra delay of up to this much; order is kept
    double reorder = 0;               // share of packets that later ones overtake
    sim::loss_clock loss_by = sim::loss_clock::packet;

    recovery::controller_kind controller = recovery::controller_kind::cubic;
    std::uint64_t window = 0;  // bytes, for controller_kind::fixed_window; 0: twice what the path holds

    std::size_t tls_record = 16 * 1024;  // plaintext bytes of the server's TLS records over TCP, at most

    std::vector<cell> cells{cell::h1_1conn, cell::h1_6conn, cell::h3_tcp, cell::h3_quic};
    std::size_t runs = 1;
    std::uint64_t seed = 1;

    bool random() const { return loss > 0 || jitter > duration::zero() || reorder > 0; }
    std::uint64_t effective_window() const;
    sim::link_config link() const;  // one direction
    duration packet_time() const;   // a full packet on the link
};

constexpr std::size_t mtu = 1500;  // bytes of an IP packet; QUIC datagrams are 28 less
constexpr std::size_t min_tls_record = 512, max_tls_record = 16 * 1024;
constexpr std::size_t max_objects = 1000;  // of a page
constexpr std::uint64_t max_object_bytes = 1'000'000'000;

// The scenario of a bare `tandem compare`: 10 objects of 50 KB, 40 ms, 10 Mbit/s, 1 % loss, 30 runs.
scenario default_scenario();

// "40 ms round trip, 10 Mbit/s, 1 % loss"
std::string describe_link(const scenario&);
// "10 objects of 50 KB"
std::string describe_page(const scenario&);

std::string_view name(recovery::controller_kind);

}  // namespace tandem::compare
