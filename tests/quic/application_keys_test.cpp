// Key updates (RFC 9001 6) without a connection: which keys open what, and when.
#include <gtest/gtest.h>

#include <tandem/quic/application_keys.hpp>
#include <tandem/quic/packet_builder.hpp>

namespace tandem::quic::test {
namespace {

using namespace std::chrono_literals;
using result = application_keys::result;

packet_keys keys_of(std::uint8_t n) {
    return packet_keys(version::v1, tls::cipher_suite::aes_128_gcm_sha256, std::vector<std::uint8_t>(32, n));
}

class ApplicationKeys : public testing::Test {
protected:
    ApplicationKeys() {
        ours.install_read(keys_of(1));
        ours.install_write(keys_of(2));
        for (int i = 0; i < 4; ++i) {
            peer.push_back(keys_of(1));
            for (int n = 0; n < i; ++n) peer.back() = peer.back().next_generation();
        }
    }
    // A packet of the peer with the keys after so many updates.
    result receive(packet_number number, int generation, time_point now = time_point{1h}) {
        std::vector<std::uint8_t> bytes(200);
        auto packet = packet_builder::begin(
            bytes, {.level = encryption_level::one_rtt, .number = number, .key_phase = generation % 2 == 1});
        packet->frames().write(ping_frame{});
        packet->seal(peer[static_cast<std::size_t>(generation)]);
        bytes.resize(packet->size());
        opened_packet opened;
        const auto r = ours.open(bytes, 1, largest, now, now + 1s, opened);
        if (r == result::opened) largest = std::max(largest.value_or(0), opened.header.number);
        return r;
    }

    application_keys ours;
    std::vector<packet_keys> peer;  // write keys by generation
    std::optional<packet_number> largest;
};

TEST_F(ApplicationKeys, FollowThePeersUpdates) {
    EXPECT_EQ(receive(0, 0), result::opened);
    EXPECT_EQ(receive(1, 1), result::opened);
    EXPECT_EQ(ours.updates(), 1u);
    EXPECT_TRUE(ours.phase());
    EXPECT_EQ(receive(2, 1), result::opened);
    EXPECT_EQ(receive(3, 2), result::opened);
    EXPECT_EQ(receive(4, 3), result::opened);
    EXPECT_EQ(ours.updates(), 3u);
}

TEST_F(ApplicationKeys, OldKeysOpenWhatWasOvertakenForAWhile) {
    EXPECT_EQ(receive(0, 0), result::opened);
    EXPECT_EQ(receive(5, 1), result::opened);
    EXPECT_EQ(receive(4, 0), result::opened);
    EXPECT_EQ(receive(3, 0, time_point{1h} + 999ms), result::opened);
    EXPECT_EQ(receive(2, 0, time_point{1h} + 1s), result::failed) << "RFC 9001 6.5";
    EXPECT_EQ(ours.updates(), 1u);
}

// However long the peer takes to follow an update of ours, what its first packet with new keys overtook is still read.
TEST_F(ApplicationKeys, OldKeysAreKeptFromTheFirstPacketWithNewOnesOn) {
    const time_point begin{1h};
    EXPECT_EQ(receive(0, 0, begin), result::opened);
    ours.update(begin + 1s);
    EXPECT_EQ(receive(2, 1, begin + 5s), result::opened);
    EXPECT_EQ(receive(1, 0, begin + 5s + 999ms), result::opened) << "RFC 9001 6.5";
}

// A peer that acknowledges an update and does not follow it (RFC 9001 6.2 forbids that) can still be read.
TEST_F(ApplicationKeys, NoSecondUpdateBeforeThePeerFollowed) {
    const time_point begin{1h};
    EXPECT_EQ(receive(0, 0, begin), result::opened);
    ours.update(begin + 1s);
    std::vector<std::uint8_t> bytes(200);
    auto packet = packet_builder::begin(bytes, {.level = encryption_level::one_rtt});
    packet->frames().write(ping_frame{});
    packet->seal(ours.write());
    ours.on_acknowledged(1, begin);
    EXPECT_FALSE(ours.update_due(1, begin + 10s));
    EXPECT_EQ(receive(1, 1, begin + 10s), result::opened);
    EXPECT_TRUE(ours.update_due(1, begin + 10s));
}

TEST_F(ApplicationKeys, NewKeysForAnOlderNumberAreAnError) {
    EXPECT_EQ(receive(0, 0), result::opened);
    EXPECT_EQ(receive(7, 0), result::opened);
    EXPECT_EQ(receive(6, 1), result::update_violation) << "RFC 9001 6.4";
}

TEST_F(ApplicationKeys, OldKeysForANewerNumberThanTheNewOnesHadAreAnError) {
    EXPECT_EQ(receive(0, 0), result::opened);
    EXPECT_EQ(receive(5, 1), result::opened);
    // Looks like the next update, and does not open.
    EXPECT_EQ(receive(6, 0), result::failed);
}

TEST_F(ApplicationKeys, ForgedPacketsUpdateNothing) {
    EXPECT_EQ(receive(0, 0), result::opened);
    EXPECT_EQ(receive(1, 3), result::failed);
    EXPECT_EQ(ours.updates(), 0u);
}

TEST_F(ApplicationKeys, OwnUpdateReadsOldPacketsUntilThePeerFollows) {
    EXPECT_EQ(receive(0, 0), result::opened);
    ours.update(time_point{1h} + 1s);
    EXPECT_EQ(receive(1, 0, time_point{1h} + 10s), result::opened) << "the peer may not know yet";
    EXPECT_EQ(receive(2, 1), result::opened);
    EXPECT_EQ(receive(3, 1), result::opened);
    EXPECT_EQ(ours.updates(), 1u);
}

// RFC 9001 6.1, 6.5, 6.6
TEST_F(ApplicationKeys, UpdatesAreDueOnceThePresentKeysAreAcknowledged) {
    std::vector<std::uint8_t> packet(100);
    const auto seal = [&](int n) {
        for (int i = 0; i < n; ++i) ours.write().seal(packet, 1, 1, 0);
    };
    constexpr time_point now{1h};
    seal(10);
    EXPECT_FALSE(ours.update_due(10, now)) << "nothing acknowledged";
    ours.on_acknowledged(0, now + 1s);
    EXPECT_FALSE(ours.update_due(10, now)) << "too soon";
    EXPECT_TRUE(ours.update_due(10, now + 1s));
    EXPECT_FALSE(ours.update_due(11, now + 1s));
    EXPECT_FALSE(ours.update_due(0, now + 1s)) << "far from the limit";
    ours.update(now);
    seal(10);
    ours.on_acknowledged(0, now);
    EXPECT_FALSE(ours.update_due(10, now)) << "only packets of older keys were acknowledged";
    EXPECT_EQ(receive(0, 1), result::opened);  // the peer has followed
    ours.on_acknowledged(1, now);
    EXPECT_TRUE(ours.update_due(10, now));
    EXPECT_FALSE(ours.exhausted());
    EXPECT_FALSE(ours.integrity_limit_reached());
}

TEST(PacketBuilder, PadsSmallPayloadsForTheSample) {
    std::vector<std::uint8_t> bytes(200);
    auto packet = packet_builder::begin(bytes, {.level = encryption_level::one_rtt, .number = 0});
    ASSERT_TRUE(packet);
    packet->frames().write(ping_frame{});
    auto write = keys_of(1);
    packet->seal(write);
    EXPECT_EQ(packet->size(), 1u + 4 + 16) << "RFC 9001 5.4.2";
    auto read = keys_of(1);
    opened_packet opened;
    ASSERT_EQ(read.open(std::span(bytes).first(packet->size()), 1, {}, opened), open_error::none);
    EXPECT_EQ(opened.payload.size(), 3u);
    EXPECT_FALSE(packet->in_flight() && !packet->ack_eliciting());
}

TEST(PacketBuilder, PaddingMakesAPacketCount) {
    std::vector<std::uint8_t> bytes(1200);
    const std::vector<range> ranges{{0, 1}};
    auto packet = packet_builder::begin(bytes, {.level = encryption_level::initial, .number = 0});
    ASSERT_TRUE(packet);
    packet->frames().write(ack_frame{.ranges = ranges});
    EXPECT_FALSE(packet->in_flight());
    packet->pad_to(1200);
    EXPECT_EQ(packet->size(), 1200u);
    EXPECT_TRUE(packet->in_flight()) << "RFC 9002 2";
    EXPECT_FALSE(packet->ack_eliciting());
}

TEST(PacketBuilder, NeedsRoom) {
    std::vector<std::uint8_t> bytes(1200);
    const std::vector<std::uint8_t> token(1150);
    EXPECT_FALSE(packet_builder::begin(bytes, {.level = encryption_level::initial, .token = token}));
    EXPECT_FALSE(packet_builder::begin(std::span(bytes).first(40), {.level = encryption_level::one_rtt}));
    EXPECT_FALSE(packet_builder::begin({}, {.level = encryption_level::one_rtt}));
}

}  // namespace
}  // namespace tandem::quic::test
