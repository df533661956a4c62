// QMux and a peer that breaks its rules.
#include <random>

#include "http/qmux_sessions.hpp"
#include "seed.hpp"

namespace tandem::http::qmux {
namespace {

using namespace test;

TEST(qmux_error, first_frame_must_be_the_parameters) {
    session s(quic::perspective::server, {}, {});
    s.receive(from_hex("0100"), {}, {});
    ASSERT_TRUE(s.error());
    EXPECT_TRUE(s.error()->is(transport_error::protocol_violation));
    lone_server twice;
    auto again = from_hex("ff5153300d0a0d0a00");
    twice.refuses(again, transport_error::protocol_violation);
}

TEST(qmux_error, prohibited_frames) {
    const std::vector<octets> frames{from_hex("01"),                                          // PING
                                     from_hex("0200000000"),                                  // ACK
                                     from_hex("0300000000000000"),                            // ACK with ECN
                                     from_hex("06000161"),                                    // CRYPTO
                                     from_hex("070161"),                                      // NEW_TOKEN
                                     from_hex("1800000101000102030405060708090a0b0c0d0e0f"),  // NEW_CONNECTION_ID
                                     from_hex("1900"),                                        // RETIRE_CONNECTION_ID
                                     from_hex("1a0001020304050607"),
                                     from_hex("1b0001020304050607"),  // PATH_CHALLENGE, PATH_RESPONSE
                                     from_hex("1e"),                  // HANDSHAKE_DONE
                                     from_hex("1f"),
                                     from_hex("4100")};  // unknown
    for (const auto& f : frames) lone_server().refuses(f, transport_error::frame_encoding_error);
}

TEST(qmux_error, datagram_that_was_not_offered) {  // RFC 9221 section 3
    lone_server().refuses(from_hex("30"), transport_error::protocol_violation);
    lone_server().refuses(from_hex("310161"), transport_error::protocol_violation);
}

TEST(qmux_error, truncated_frames_and_records) {
    lone_server().refuses(from_hex("0a000561"), transport_error::frame_encoding_error);
    lone_server().refuses(from_hex("f48c67529ef8c7bd"), transport_error::frame_encoding_error);
    lone_server().refuses({}, transport_error::protocol_violation);
    lone_server too_large;
    too_large.s.receive(from_hex("7fff"), {}, {});  // 16383 in the Size field: refused before a byte of it came
    ASSERT_TRUE(too_large.s.error());
    EXPECT_TRUE(too_large.s.error()->is(transport_error::frame_encoding_error));
    lone_server largest;
    octets padding(quic::default_max_record_size, 0);
    largest.record(padding);
    EXPECT_FALSE(largest.s.error());
}

TEST(qmux_error, stream_data_out_of_order) {
    lone_server gap;
    gap.record(from_hex("0a000161"));
    EXPECT_FALSE(gap.s.error());
    gap.refuses(from_hex("0e00020162"), transport_error::protocol_violation);
    lone_server repeated;
    repeated.record(from_hex("0a000161"));
    repeated.refuses(from_hex("0a000161"), transport_error::protocol_violation);
    lone_server other;  // each stream has an order of its own
    other.record(from_hex("0a000161"));
    other.record(from_hex("0a040161"));
    other.record(from_hex("0e00010162"));
    EXPECT_FALSE(other.s.error());
}

TEST(qmux_error, quic_rules_hold) {
    lone_server().refuses(from_hex("0a010161"), transport_error::stream_state_error);
    lone_server().refuses(from_hex("0a4190"
                                   "0161"),
                          transport_error::stream_limit_error);
    lone_server().refuses(from_hex("040080ffffff"
                                   "80ffffff"),
                          transport_error::flow_control_error);
    lone_server parameters;
    session fresh(quic::perspective::server, {}, {});
    fresh.receive(from_hex("0c"
                           "ff5153300d0a0d0a"
                           "03"
                           "0a0103"),
                  {}, {});  // ack_delay_exponent is forbidden
    ASSERT_TRUE(fresh.error());
    EXPECT_TRUE(fresh.error()->is(transport_error::transport_parameter_error));
    EXPECT_EQ(fresh.error()->frame_type, transport_parameters_type);
}

TEST(qmux_error, pings) {
    two_sessions t;
    t.settle();
    t.client.ping();
    t.settle();
    EXPECT_EQ(t.client.pongs(), 1U);
    t.client.ping();
    t.settle();
    EXPECT_EQ(t.client.pongs(), 2U);
    lone_server unasked;
    unasked.refuses(from_hex("f48c67529ef8c7be00"), transport_error::protocol_violation);
    lone_server falling;
    falling.record(from_hex("f48c67529ef8c7bd05"));
    EXPECT_FALSE(falling.s.error());
    falling.refuses(from_hex("f48c67529ef8c7bd05"), transport_error::protocol_violation);
}

TEST(qmux_error, one_answer_to_many_pings) {
    lone_server s;
    octets out(4000);
    s.s.transmit(out, s.now);
    for (std::uint8_t i = 0; i < 50; ++i) {
        auto ping = from_hex("f48c67529ef8c7bd");
        ping.push_back(i);
        s.record(ping);
    }
    out.resize(s.s.transmit(out, s.now));
    EXPECT_EQ(out, from_hex("4009"
                            "f48c67529ef8c7be"
                            "31"));
}

TEST(qmux_error, floods_of_useless_records_end_the_connection) {
    for (const auto& frames : {from_hex("00"), from_hex("1405"), from_hex("1605")}) {
        lone_server s;
        for (std::uint32_t i = 0; i < session::max_idle_records; ++i) s.record(frames);
        EXPECT_FALSE(s.s.error());
        s.record(frames);
        ASSERT_TRUE(s.s.error());
    }
    // Slowly, they are keep-alives.
    lone_server slow;
    for (std::uint32_t i = 0; i < 3 * session::max_idle_records; ++i) {
        slow.now += 2ms;
        slow.record(from_hex("00"));
    }
    EXPECT_FALSE(slow.s.error());
}

// Random bytes never crash, and after an error nothing more happens.
TEST(qmux_property, random_records) {
    std::mt19937_64 random(tandem::test::seed());
    for (int run = 0; run < 3000; ++run) {
        lone_server s;
        for (int i = 0; i < 30 && !s.s.error(); ++i) {
            octets frames(1 + random() % 30);
            for (auto& b : frames) b = static_cast<std::uint8_t>(random() % 3 ? random() % 24 : random());
            s.record(frames);
        }
        octets out(4000);
        s.s.transmit(out, s.now);
    }
}

}  // namespace
}  // namespace tandem::http::qmux
