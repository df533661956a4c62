#include <cstdint>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "seed.hpp"

#include <tandem/quic/transport_parameters.hpp>

namespace tandem::quic {
namespace {

using octets = std::vector<std::uint8_t>;
using std::chrono::milliseconds;

std::optional<connection_error> check(const octets& wire, perspective from = perspective::server,
                                      parameter_profile profile = parameter_profile::quic) {
    transport_parameters p;
    return parse(wire, from, profile, p);
}

void refused(const octets& wire, perspective from = perspective::server, parameter_profile profile = parameter_profile::quic) {
    const auto error = check(wire, from, profile);
    ASSERT_TRUE(error);
    EXPECT_TRUE(error->is(transport_error::transport_parameter_error)) << to_string(*error);
}

transport_parameters everything() {
    transport_parameters p;
    p.original_destination_connection_id = connection_id(octets{1, 2, 3, 4, 5, 6, 7, 8});
    p.initial_source_connection_id = connection_id(octets{});
    p.retry_source_connection_id = connection_id(octets(20, 7));
    p.reset_token = stateless_reset_token{1, 2, 3};
    preferred_address a;
    a.v4 = {ip_address::v4(192, 0, 2, 1), 443};
    a.v6.address.is_v6 = true;
    a.v6.address.bytes[0] = 0x20;
    a.v6.port = 4433;
    a.id = connection_id(octets{9});
    a.reset_token[15] = 0xaa;
    p.preferred = a;
    p.max_idle_timeout = milliseconds(30000);
    p.max_udp_payload_size = 1472;
    p.initial_max_data = 1 << 20;
    p.initial_max_stream_data_bidi_local = 1;
    p.initial_max_stream_data_bidi_remote = 2;
    p.initial_max_stream_data_uni = 3;
    p.initial_max_streams_bidi = std::uint64_t{1} << 60;
    p.initial_max_streams_uni = 100;
    p.ack_delay_exponent = 20;
    p.max_ack_delay = milliseconds(16383);
    p.disable_active_migration = true;
    p.active_connection_id_limit = 8;
    p.min_ack_delay = std::chrono::microseconds(1000);
    p.reset_stream_at = true;
    p.grease_quic_bit = true;
    return p;
}

TEST(TransportParameters, VersionInformation) {  // RFC 9368 3
    transport_parameters p;
    p.versions = version_information{1, {1, 0x6b3343cf}};
    const auto bytes = emit(p);
    EXPECT_EQ(bytes, (std::vector<std::uint8_t>{0x11, 12, 0, 0, 0, 1, 0, 0, 0, 1, 0x6b, 0x33, 0x43, 0xcf}));
    transport_parameters again;
    EXPECT_FALSE(parse(bytes, perspective::client, parameter_profile::quic, again));
    EXPECT_EQ(again, p);
    for (std::vector<std::uint8_t> wrong :
         {std::vector<std::uint8_t>{0x11, 0}, {0x11, 3, 0, 0, 1}, {0x11, 4, 0, 0, 0, 0}, {0x11, 8, 0, 0, 0, 1, 0, 0, 0, 0}}) {
        transport_parameters out;
        EXPECT_TRUE(parse(wrong, perspective::server, parameter_profile::quic, out));
    }
    // Chosen but not offered: nonsense from a client.
    const std::vector<std::uint8_t> other{0x11, 8, 0, 0, 0, 1, 0, 0, 0, 2};
    transport_parameters out;
    EXPECT_TRUE(parse(other, perspective::client, parameter_profile::quic, out));
    out = {};
    EXPECT_FALSE(parse(other, perspective::server, parameter_profile::quic, out));
}

TEST(TransportParameters, ExtensionsLiterally) {
    transport_parameters p;
    const octets wire{0xc0, 0,    0,    0,    0xff, 0x04, 0xde, 0x1b, 2, 0x43, 0xe8,  // min_ack_delay 1000
                      0x1d, 0,                                                        // reset_stream_at
                      0xc0, 0x17, 0xf7, 0x58, 0x6d, 0x2c, 0xb5, 0x71, 0,              // the same, draft 7
                      0x6a, 0xb2, 0};                                                 // grease_quic_bit
    ASSERT_FALSE(parse(wire, perspective::client, parameter_profile::quic, p));
    EXPECT_EQ(p.min_ack_delay, std::chrono::microseconds(1000));
    EXPECT_TRUE(p.reset_stream_at);
    EXPECT_TRUE(p.grease_quic_bit);
    EXPECT_EQ(emit(p), wire);
    refused({0x1d, 1, 0});
    refused({0x6a, 0xb2, 1, 1});
    refused({0x6a, 0xb2, 0, 0x6a, 0xb2, 0});
    refused({0xc0, 0, 0, 0, 0xff, 0x04, 0xde, 0x1b, 4, 0x80, 0, 0x61, 0xa9});     // 25001 us, max_ack_delay is 25 ms
    refused({0xc0, 0, 0, 0, 0xff, 0x04, 0xde, 0x1b, 2, 0x43, 0xe8, 0x0b, 1, 0});  // the same with a max_ack_delay behind it
}

TEST(TransportParameters, ReservedOnesAreIgnored) {  // RFC 9000 18.1
    random_source random(tandem::test::seed());
    for (int i = 0; i < 100; ++i) {
        auto wire = emit(everything());
        const auto size = wire.size();
        add_reserved(wire, random);
        EXPECT_GT(wire.size(), size);
        transport_parameters p;
        ASSERT_FALSE(parse(wire, perspective::server, parameter_profile::quic, p));
        EXPECT_EQ(p, everything());
    }
}

TEST(transport_parameters, literal) {
    transport_parameters p;
    const octets wire{0x01, 0x02, 0x67, 0x10,              // max_idle_timeout 10000
                      0x04, 0x04, 0x80, 0x10, 0x00, 0x00,  // initial_max_data 2^20
                      0x0f, 0x03, 0xaa, 0xbb, 0xcc,        // initial_source_connection_id
                      0x0c, 0x00};                         // disable_active_migration
    ASSERT_FALSE(parse(wire, perspective::client, parameter_profile::quic, p));
    EXPECT_EQ(p.max_idle_timeout, milliseconds(10000));
    EXPECT_EQ(p.initial_max_data, 1U << 20);
    EXPECT_TRUE(p.disable_active_migration);
    EXPECT_EQ(p.initial_source_connection_id, connection_id(octets{0xaa, 0xbb, 0xcc}));
    EXPECT_FALSE(p.original_destination_connection_id);
    EXPECT_EQ(emit(p), wire);
}

TEST(transport_parameters, absent_ones_have_the_defaults_of_section_18_2) {
    transport_parameters p;
    ASSERT_FALSE(parse({}, perspective::client, parameter_profile::quic, p));
    EXPECT_EQ(p.max_udp_payload_size, 65527U);
    EXPECT_EQ(p.ack_delay_exponent, 3U);
    EXPECT_EQ(p.max_ack_delay, milliseconds(25));
    EXPECT_EQ(p.active_connection_id_limit, 2U);
    EXPECT_EQ(p.initial_max_data, 0U);
    EXPECT_EQ(p.initial_max_streams_bidi, 0U);
    EXPECT_EQ(p.max_idle_timeout, milliseconds(0));
    EXPECT_FALSE(p.disable_active_migration);
    EXPECT_TRUE(emit(p).empty());
}

TEST(transport_parameters, emit_and_parse_everything) {
    const auto p = everything();
    transport_parameters again;
    const auto error = parse(emit(p), perspective::server, parameter_profile::quic, again);
    ASSERT_FALSE(error) << to_string(*error);
    EXPECT_EQ(again, p);
}

TEST(transport_parameters, invalid_values) {
    refused({0x03, 0x02, 0x44, 0xaf});              // max_udp_payload_size 1199
    EXPECT_FALSE(check({0x03, 0x02, 0x44, 0xb0}));  // 1200
    refused({0x0a, 0x01, 21});                      // ack_delay_exponent
    EXPECT_FALSE(check({0x0a, 0x01, 20}));
    refused({0x0b, 0x04, 0x80, 0x00, 0x40, 0x00});     // max_ack_delay 2^14
    EXPECT_FALSE(check({0x0b, 0x02, 0x7f, 0xff}));     // 2^14-1
    refused({0x0e, 0x01, 1});                          // active_connection_id_limit
    refused({0x08, 0x08, 0xd0, 0, 0, 0, 0, 0, 0, 1});  // more than 2^60 streams
    refused({0x09, 0x08, 0xd0, 0, 0, 0, 0, 0, 0, 1});
    EXPECT_FALSE(check({0x09, 0x08, 0xd0, 0, 0, 0, 0, 0, 0, 0}));
    refused({0x0c, 0x01, 0x01});                                              // a flag with a value
    refused({0x02, 0x0f, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14});  // token of 15 bytes
    refused({0x04, 0x02, 0x01, 0x01});                                        // bytes behind the integer
    refused({0x04, 0x00});                                                    // no integer
    refused({0x04, 0x01, 0x40});                                              // half an integer
    octets long_id{0x0f, 21};
    long_id.resize(23);
    refused(long_id);
}

TEST(transport_parameters, truncation_anywhere) {
    const auto whole = emit(everything());
    std::size_t accepted = 0;
    for (std::size_t n = 0; n < whole.size(); ++n) {
        accepted += !check({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(n)});
    }
    EXPECT_EQ(accepted, 21U);  // where a parameter ends, and the empty one
}

TEST(transport_parameters, preferred_address_must_be_whole) {
    transport_parameters p;
    p.preferred = everything().preferred;
    auto wire = emit(p);
    EXPECT_FALSE(check(wire));
    wire[1] = static_cast<std::uint8_t>(wire[1] - 1);
    wire.pop_back();
    refused(wire);
    auto empty_id = emit(p);
    empty_id[26] = 0;  // RFC 9000 18.2: a zero-length connection ID
    refused(empty_id);
}

TEST(transport_parameters, duplicates_are_refused) {
    refused({0x04, 0x01, 0x05, 0x04, 0x01, 0x05});
    refused({0x0c, 0x00, 0x0c, 0x00});
    refused({0x40, 0xaa, 0x00, 0x40, 0xaa, 0x00});  // unknown ones as well
}

TEST(transport_parameters, unknown_ones_are_ignored) {
    transport_parameters p;
    // 31 * N + 27 is reserved for exactly this (RFC 9000 18.1).
    ASSERT_FALSE(parse(octets{27, 0x03, 1, 2, 3, 0x04, 0x01, 0x05, 58, 0x00}, perspective::client, parameter_profile::quic, p));
    EXPECT_EQ(p.initial_max_data, 5U);
    octets many;
    for (std::uint8_t i = 0; i < 200; ++i) many.insert(many.end(), {0x50, i, 0x00});
    EXPECT_FALSE(check(many));
}

TEST(transport_parameters, clients_must_not_send_what_is_a_servers) {
    refused({0x00, 0x01, 0xaa}, perspective::client);
    refused({0x10, 0x01, 0xaa}, perspective::client);
    octets token{0x02, 0x10};
    token.resize(18);
    refused(token, perspective::client);
    EXPECT_FALSE(check(token, perspective::server));
    transport_parameters p;
    p.preferred = everything().preferred;
    refused(emit(p), perspective::client);
}

TEST(transport_parameters, qmux_permits_only_some) {
    transport_parameters p;
    p.max_idle_timeout = milliseconds(5000);
    p.initial_max_data = 10;
    p.initial_max_stream_data_bidi_local = 11;
    p.initial_max_stream_data_bidi_remote = 12;
    p.initial_max_stream_data_uni = 13;
    p.initial_max_streams_bidi = 14;
    p.initial_max_streams_uni = 15;
    p.max_record_size = 20000;
    transport_parameters again;
    ASSERT_FALSE(parse(emit(p, parameter_profile::qmux), perspective::client, parameter_profile::qmux, again));
    EXPECT_EQ(again, p);
    // What is not permitted is not emitted either.
    EXPECT_FALSE(check(emit(everything(), parameter_profile::qmux), perspective::server, parameter_profile::qmux));
    for (std::uint8_t id : {0x00, 0x0f, 0x10}) refused({id, 0x01, 0xaa}, perspective::server, parameter_profile::qmux);
    refused({0x03, 0x02, 0x45, 0x00}, perspective::server, parameter_profile::qmux);
    refused({0x0a, 0x01, 0x03}, perspective::server, parameter_profile::qmux);
    refused({0x0b, 0x01, 0x03}, perspective::server, parameter_profile::qmux);
    refused({0x0c, 0x00}, perspective::server, parameter_profile::qmux);
    refused({0x0e, 0x01, 0x03}, perspective::server, parameter_profile::qmux);
    transport_parameters preferred;
    preferred.preferred = everything().preferred;
    refused(emit(preferred), perspective::server, parameter_profile::qmux);
    // Other extensions' parameters are ignored.
    EXPECT_FALSE(check({0x20, 0x01, 0x05}, perspective::server, parameter_profile::qmux));
}

TEST(transport_parameters, qmux_max_record_size) {
    const octets below{0xc5, 0x71, 0xc5, 0x94, 0x29, 0xcd, 0x08, 0x45, 0x02, 0x7f, 0xfd};  // 16381
    refused(below, perspective::server, parameter_profile::qmux);
    EXPECT_FALSE(check(below, perspective::server, parameter_profile::quic));  // to QUIC it is unknown
    auto exact = below;
    exact.back() = 0xfe;
    EXPECT_FALSE(check(exact, perspective::server, parameter_profile::qmux));
    auto twice = exact;
    twice.insert(twice.end(), exact.begin(), exact.end());
    refused(twice, perspective::server, parameter_profile::qmux);
}

TEST(transport_parameters, random_bytes_parse_to_what_can_be_emitted_again) {
    std::mt19937_64 random(tandem::test::seed());
    int parsed = 0;
    for (int i = 0; i < 200000; ++i) {
        octets wire;
        for (auto n = random() % 4; n > 0; --n) {
            wire.push_back(static_cast<std::uint8_t>(random() % 20));
            const auto size = random() % 5;
            wire.push_back(static_cast<std::uint8_t>(size));
            for (std::uint64_t b = 0; b < size; ++b) wire.push_back(static_cast<std::uint8_t>(random()));
        }
        const auto profile = random() % 2 ? parameter_profile::quic : parameter_profile::qmux;
        transport_parameters p;
        if (parse(wire, perspective::server, profile, p)) continue;
        ++parsed;
        transport_parameters again;
        ASSERT_FALSE(parse(emit(p, profile), perspective::server, profile, again));
        ASSERT_EQ(again, p);
    }
    EXPECT_GT(parsed, 10000);
}

}  // namespace
}  // namespace tandem::quic
