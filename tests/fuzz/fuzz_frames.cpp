// Frames: whatever parses is emitted so that it parses to the same again. The first byte chooses the packet type.
#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "fuzz.hpp"

#include <tandem/quic/frame_reader.hpp>
#include <tandem/quic/frame_writer.hpp>

using namespace tandem;
using namespace tandem::quic;

namespace {

std::vector<std::uint8_t> emit(const frame& f, std::size_t input_size) {
    // Types and numbers may become longer than they came: Length is always written, and PADDING stays what it is.
    std::vector<std::uint8_t> room(input_size + 64);
    frame_writer out(room);
    FUZZ_CHECK(out.write(f));
    return {out.written().begin(), out.written().end()};
}

void check_ack(const ack_frame& ack) {
    FUZZ_CHECK(!ack.ranges.empty() && ack.ranges.size() <= max_ack_ranges);
    const range* above = nullptr;
    for (const auto& r : ack.ranges) {
        FUZZ_CHECK(!r.empty() && r.end <= varint_max + 1);
        FUZZ_CHECK(!above || r.end < above->begin);  // descending, with a gap
        above = &r;
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const auto level = static_cast<encryption_level>(data[0] & 3);
    const std::span payload(data + 1, size - 1);
    ack_ranges ranges;
    frame_reader in(payload, level, ranges);
    frame f;
    while (in.next(f)) {
        FUZZ_CHECK(frame_permitted(in.type(), level));
        if (const auto* ack = std::get_if<ack_frame>(&f)) check_ack(*ack);
        const auto once = emit(f, size);
        ack_ranges again_ranges;
        frame_reader again(once, level, again_ranges);
        frame same;
        FUZZ_CHECK(again.next(same));
        FUZZ_CHECK(again.offset() == once.size());
        FUZZ_CHECK(emit(same, size) == once);
        FUZZ_CHECK(same.index() == f.index());
    }
    FUZZ_CHECK(in.error() || in.offset() == payload.size());
    return 0;
}
