#include "segment_referee.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include <tandem/tcp/sequence.hpp>

namespace tandem::tcp::test {
namespace {

std::uint64_t number(std::uint32_t wire, const std::optional<std::uint32_t>& initial) { return wire - initial.value_or(0); }

}  // namespace

void segment_referee::look(bool from_client, const segment& s) {
    auto& from = from_client ? client_ : server_;
    auto& to = from_client ? server_ : client_;
    EXPECT_FALSE(s.has(flag::rst)) << "a reset";
    if (s.has(flag::rst)) return;
    if (!from.initial) {
        EXPECT_TRUE(s.has(flag::syn));
        from.initial = s.sequence;
    }
    check_numbers(s, from, to, from_client);
    if (s.has(flag::ack)) check_acknowledgment(s, from, to);
    check_timestamps(s, from, to);
}

void segment_referee::check_numbers(const segment& s, side& from, const side& to, bool from_client) {
    const auto begin = number(s.sequence, from.initial), end = begin + s.length();
    EXPECT_LE(begin, from.sent) << "a segment leaves out what comes before it";
    EXPECT_EQ(s.has(flag::syn), begin == 0 && s.length() > 0) << "a SYN is where it began";
    if (s.has(flag::syn)) from.scale = s.options.window_scale;
    for (std::size_t i = 0; i < s.payload.size(); ++i) {
        ASSERT_EQ(s.payload[i], expected_(from_client, begin + i - 1)) << "another byte at " << begin + i;
    }
    if (s.has(flag::fin)) {
        EXPECT_EQ(from.end.value_or(end - 1), end - 1) << "the FIN has moved";
        from.end = end - 1;
    }
    if (from.end) {
        EXPECT_LE(end, *from.end + 1) << "bytes after the end";
    }
    // A window probe is one number beyond the window (RFC 9293 3.8.6.1).
    const bool probe = s.length() == 1 && begin == to.edge;
    if (!s.has(flag::syn) && s.length() > 0 && !probe) {
        EXPECT_LE(end, to.edge) << "beyond the peer's window";
    }
    from.sent = std::max(from.sent, end);
}

void segment_referee::check_acknowledgment(const segment& s, side& from, const side& to) {
    const auto ack = number(s.acknowledgment, to.initial);
    EXPECT_LE(ack, to.sent) << "an acknowledgment of what was never sent";
    EXPECT_GE(ack, from.acknowledged) << "an acknowledgment goes back";
    from.acknowledged = std::max(from.acknowledged, ack);
    // Windows of SYNs are not scaled (RFC 7323 2.2), and all are only if both sides said so.
    const unsigned shift = !s.has(flag::syn) && from.scale && to.scale ? *from.scale : 0;
    const auto edge = ack + (std::uint64_t{s.window} << shift);
    // Less than a unit of the scale may be lost to rounding (RFC 7323 2.4).
    EXPECT_GT(edge + (std::uint64_t{1} << shift), from.edge) << "the window shrinks";
    from.edge = std::max(from.edge, edge);
    check_sack(s, from, to);
}

void segment_referee::check_sack(const segment& s, const side& from, const side& to) {
    const auto blocks = s.options.sack_blocks();
    for (std::size_t i = 0; i < blocks.size(); ++i) {
        const auto begin = number(blocks[i].begin, to.initial), end = number(blocks[i].end, to.initial);
        EXPECT_LT(begin, end);
        EXPECT_LE(end, to.sent) << "a SACK block of what was never sent";
        if (i > 0) {
            EXPECT_GT(begin, from.acknowledged) << "only the first block may tell of duplicates (RFC 2883)";
        }
        for (std::size_t k = 1; k < i; ++k) {
            const auto other_begin = number(blocks[k].begin, to.initial), other_end = number(blocks[k].end, to.initial);
            EXPECT_TRUE(end < other_begin || other_end < begin) << "SACK blocks touch each other";
        }
    }
}

void segment_referee::check_timestamps(const segment& s, side& from, const side& to) {
    const auto& t = s.options.timestamps;
    if (!t) return;
    EXPECT_GE(static_cast<std::int32_t>(t->value - from.clock.value_or(t->value)), 0) << "the clock goes back";
    from.clock = t->value;
    if (s.has(flag::ack) && to.clock) {
        EXPECT_LE(static_cast<std::int32_t>(t->echo - *to.clock), 0) << "an echo of what was never said";
    }
}

}  // namespace tandem::tcp::test
