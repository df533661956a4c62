// Transport parameters that break a rule of RFC 9000 7.3, 7.4 and 18.2: TRANSPORT_PARAMETER_ERROR, whoever sends them.
#include <gtest/gtest.h>

#include <tandem/bytes/reader.hpp>

#include "quic_fault_peer.hpp"

namespace tandem::quic::test {
namespace {

bytes varint(std::uint64_t value) {
    bytes room(8);
    writer out(room);
    out.varint(value);
    room.resize(out.size());
    return room;
}

void add(bytes& extension, std::uint64_t id, const bytes& value) {
    for (const auto& part : {varint(id), varint(value.size()), value})
        extension.insert(extension.end(), part.begin(), part.end());
}

void remove(bytes& extension, std::uint64_t id) {
    reader in(extension);
    bytes kept;
    while (!in.empty()) {
        const auto each = in.varint();
        const auto value = in.bytes(in.varint());
        if (each != id) add(kept, each, {value.begin(), value.end()});
    }
    extension = kept;
}

struct wrong_parameters {
    std::string name;
    std::function<void(bytes&)> change;
    std::optional<perspective> sender;  // nothing: both
};

wrong_parameters value(const char* name, std::uint64_t id, bytes v, std::optional<perspective> sender = {}) {
    return {name,
            [id, v](bytes& extension) {
                remove(extension, id);
                add(extension, id, v);
            },
            sender};
}

std::vector<wrong_parameters> all_wrong() {
    constexpr auto client = perspective::client;
    constexpr auto server = perspective::server;
    const auto streams = varint((std::uint64_t{1} << 60) + 1);
    return {
        value("max_udp_payload_size_below_1200", 0x03, varint(1199)),
        value("ack_delay_exponent_above_20", 0x0a, varint(21)),
        value("max_ack_delay_of_2_to_the_14", 0x0b, varint(1 << 14)),
        value("active_connection_id_limit_below_2", 0x0e, varint(1)),
        value("min_ack_delay_above_max_ack_delay", 0xff04de1b, varint(varint_max)),
        value("too_many_bidirectional_streams", 0x08, streams),
        value("too_many_unidirectional_streams", 0x09, streams),
        value("number_with_bytes_behind_it", 0x04, {0x01, 0x00}),
        value("number_without_bytes", 0x04, {}),
        value("disable_active_migration_with_a_value", 0x0c, {0x00}),
        value("another_initial_source_connection_id", 0x0f, {1, 2, 3}),
        value("source_connection_id_of_21_bytes", 0x0f, bytes(21)),
        {"no_initial_source_connection_id", [](bytes& e) { remove(e, 0x0f); }, {}},
        {"one_of_them_twice", [](bytes& e) { add(e, 0x0f, bytes(8)); }, {}},
        {"an_unknown_one_twice", [](bytes& e) { add(e, 0x3fff, {}), add(e, 0x3fff, {}); }, {}},
        {"cut_short", [](bytes& e) { e.push_back(0x04), e.push_back(0x04); }, {}},
        value("original_destination_connection_id_from_a_client", 0x00, bytes(8), client),
        value("stateless_reset_token_from_a_client", 0x02, bytes(16), client),
        value("preferred_address_from_a_client", 0x0d, bytes(50), client),
        value("retry_source_connection_id_from_a_client", 0x10, bytes(8), client),
        value("retry_source_connection_id_without_retry", 0x10, bytes(8), server),
        value("another_original_destination_connection_id", 0x00, bytes(8), server),
        {"no_original_destination_connection_id", [](bytes& e) { remove(e, 0x00); }, server},
        value("stateless_reset_token_of_15_bytes", 0x02, bytes(15), server),
        value("preferred_address_without_a_connection_id", 0x0d, bytes(4 + 2 + 16 + 2 + 1 + 16), server),
    };
}

struct parameter_case {
    wrong_parameters what;
    perspective sender;
};

std::vector<parameter_case> from_both() {
    std::vector<parameter_case> all;
    for (const auto sender : {perspective::client, perspective::server}) {
        for (const auto& w : all_wrong()) {
            if (!w.sender || *w.sender == sender) all.push_back({w, sender});
        }
    }
    return all;
}

class QuicTransportParameterError : public testing::TestWithParam<parameter_case> {};

TEST_P(QuicTransportParameterError, EndsTheHandshake) {
    fault_peer peer({.side = GetParam().sender, .encoded_parameters = GetParam().what.change});
    EXPECT_FALSE(peer.reach_established());
    ASSERT_TRUE(peer.closed());
    EXPECT_EQ(peer.closed()->code, static_cast<std::uint64_t>(transport_error::transport_parameter_error))
        << peer.closed()->reason;
    EXPECT_FALSE(peer.closed()->reason.empty());
}

INSTANTIATE_TEST_SUITE_P(, QuicTransportParameterError, testing::ValuesIn(from_both()), [](const auto& one) {
    return one.param.what.name + (one.param.sender == perspective::client ? "_at_a_server" : "_at_a_client");
});

// RFC 9000 7.4.2, 18.1
class QuicTransportParameters : public testing::TestWithParam<perspective> {};

TEST_P(QuicTransportParameters, UnknownOnesAreIgnored) {
    fault_peer peer({.side = GetParam(), .encoded_parameters = [](bytes& e) {
                         add(e, 31 * 7 + 27, {1, 2, 3}), add(e, 0x3fff, {});
                     }});
    EXPECT_TRUE(peer.reach_established());
}

// RFC 9000 18.2: above 2^62-1 nothing can be said, and the largest values must not overflow anything.
TEST_P(QuicTransportParameters, LargestValuesDoNoHarm) {
    fault_peer peer({.side = GetParam(), .encoded_parameters = [](bytes& e) {
                         for (const std::uint64_t id : {0x01, 0x03, 0x04, 0x05, 0x06, 0x07, 0x0e}) {
                             remove(e, id);
                             add(e, id, varint(varint_max));
                         }
                         for (const std::uint64_t id : {0x08, 0x09}) {
                             remove(e, id);
                             add(e, id, varint(std::uint64_t{1} << 60));
                         }
                         remove(e, 0x0a), remove(e, 0x0b);
                         add(e, 0x0a, varint(20)), add(e, 0x0b, varint((1 << 14) - 1));
                     }});
    ASSERT_TRUE(peer.reach_established());
    auto* victim = peer.victim();
    const auto id = victim->open(direction::bidirectional);
    ASSERT_TRUE(id);
    EXPECT_EQ(victim->write(*id, bytes(1000), true, peer.now), 1000u);
    peer.receive_all();
    peer.acknowledge(encryption_level::one_rtt);
    peer.wait(1s);
    EXPECT_EQ(victim->state(), connection_state::established);
}

INSTANTIATE_TEST_SUITE_P(, QuicTransportParameters, testing::Values(perspective::client, perspective::server),
                         [](const auto& one) { return one.param == perspective::client ? "OfAClient" : "OfAServer"; });

}  // namespace
}  // namespace tandem::quic::test
