// A datagram engine that is given a hostile stream, in pieces, beside datagrams from elsewhere, while somebody reads now and
// then. The first byte says how the rest is cut. What it tells and what it holds obey its limits, and what it finds does not
// depend on the cuts.
#include <cstdint>
#include <span>
#include <vector>

#include "fuzz.hpp"

#include <tandem/http/datagram_engine.hpp>

using namespace tandem::http;

namespace {

using octets = std::vector<std::uint8_t>;
constexpr datagram_limits limit{.size = 300, .receive_buffer = 1000, .send_buffer = 1000};

// All datagrams of a stream, one after another, each written as a capsule again.
octets found(std::span<const std::uint8_t> stream, std::size_t piece, bool& whole) {
    capsule_reader reader(limit.size);
    octets out;
    while (!stream.empty()) {
        const auto given = stream.first(std::min(piece, stream.size()));
        const auto got = reader.receive(given);
        FUZZ_CHECK(got.taken <= given.size());
        FUZZ_CHECK(got.datagram || got.taken == given.size());
        stream = stream.subspan(got.taken);
        if (!got.datagram) continue;
        FUZZ_CHECK(got.datagram->size() <= limit.size);
        append_capsule(out, capsule_type::datagram, *got.datagram);
    }
    whole = !reader.within();
    return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const std::size_t piece = 1 + (data[0] >> 1);
    const std::span<const std::uint8_t> stream(data + 1, size - 1);
    bool whole = false, whole_in_pieces = false;
    const auto all = found(stream, size, whole);
    FUZZ_CHECK(found(stream, piece, whole_in_pieces) == all && whole == whole_in_pieces);
    bool again = false;
    FUZZ_CHECK(found(all, piece, again) == all && again);

    datagram_engine engine(limit);
    std::size_t at = 0, held = 0;
    for (unsigned turn = 0; at < stream.size(); ++turn) {
        const auto taken = engine.receive(stream.subspan(at, std::min(piece, stream.size() - at)));
        FUZZ_CHECK(taken > 0 || !engine.wants_to_receive());
        at += taken;
        if ((data[0] & 1) && turn % 3 == 0) engine.arrived(octets(turn % 400));
        if (taken > 0 && turn % 5 != 0) continue;
        const auto datagram = engine.poll();
        FUZZ_CHECK(datagram || taken > 0);
        if (datagram && engine.send(*datagram)) held += datagram->size();
        octets out(piece);
        held -= std::min(held, engine.transmit(out));
        FUZZ_CHECK(held <= limit.send_buffer);
    }
    if (!(data[0] & 1) && engine.unread() == 0) FUZZ_CHECK(engine.may_end() == whole);
    return 0;
}
