// TCP segments in IP packets: whatever is accepted is written so that it parses to the same.
#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "fuzz.hpp"

#include <tandem/tcp/icmp.hpp>
#include <tandem/tcp/segment.hpp>

using namespace tandem;
using namespace tandem::tcp;

namespace {

void check_same(const segment& a, const segment& b) {
    FUZZ_CHECK(a.source_port == b.source_port && a.destination_port == b.destination_port);
    FUZZ_CHECK(a.sequence == b.sequence && a.acknowledgment == b.acknowledgment && a.flags == b.flags);
    FUZZ_CHECK(a.window == b.window && a.urgent_pointer == b.urgent_pointer && a.options == b.options);
    FUZZ_CHECK(std::ranges::equal(a.payload, b.payload));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::span bytes(data, size);
    parse_icmp_error(bytes);
    if (const auto answer = answer_echo_request(bytes); !answer.empty()) {
        FUZZ_CHECK(answer.size() <= size && answer_echo_request(answer).empty());  // no echo of an echo
    }
    if (const auto s = parse_segment(bytes)) {
        FUZZ_CHECK(s->payload.size() <= size && s->options.sack_count <= max_sack_blocks);
    }
    // The TCP checksum counts as verified, or nearly nothing would get past it.
    packet p;
    if (parse_packet(bytes, p, {.checksum_pending = true}) != drop_reason::none) return 0;
    FUZZ_CHECK(p.source.is_v6 == p.destination.is_v6);
    std::vector<std::uint8_t> out(packet_size(p));
    FUZZ_CHECK(write_packet(p, out) == out.size());
    packet again;
    FUZZ_CHECK(parse_packet(out, again) == drop_reason::none);  // now with both checksums
    FUZZ_CHECK(again.source == p.source && again.destination == p.destination && again.hop_limit == p.hop_limit &&
               again.mark == p.mark);
    check_same(p.tcp, again.tcp);
    return 0;
}
