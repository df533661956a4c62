#include <tandem/quic/packet_protection.hpp>

#include <gtest/gtest.h>

#include <hex.hpp>
#include <seed.hpp>
#include <tandem/bytes/random.hpp>
#include <tandem/bytes/writer.hpp>
#include <tandem/quic/packet_header.hpp>
#include <tandem/quic/retry.hpp>
#include <tandem/quic/version_parameters.hpp>
#include <tandem/tls/hkdf.hpp>
#include <vectors/packet_protection.hpp>

namespace tandem::quic {
namespace {

using test::byte_vector;
using test::from_hex;
using test::to_hex;

// The sample packets of RFC 9001 Appendix A and RFC 9369 Appendix A.
class packet_protection_vectors : public testing::TestWithParam<vectors::packet_protection> {
protected:
    const vectors::packet_protection& v = GetParam();
    connection_id original{from_hex(vectors::original_destination)};
};

INSTANTIATE_TEST_SUITE_P(rfc9001, packet_protection_vectors, testing::Values(vectors::rfc9001));
INSTANTIATE_TEST_SUITE_P(rfc9369, packet_protection_vectors, testing::Values(vectors::rfc9369));

std::string expand(tls::cipher_suite suite, std::string_view secret, std::string_view label, std::size_t size) {
    byte_vector out(size);
    tls::hkdf_expand_label(suite, out, from_hex(secret), label);
    return to_hex(out);
}

TEST_P(packet_protection_vectors, a1_keys) {
    constexpr auto suite = tls::cipher_suite::aes_128_gcm_sha256;
    const auto& p = *parameters_of(v.version);
    byte_vector initial(32);
    tls::hkdf_extract(suite, initial, p.initial_salt, original.bytes());
    EXPECT_EQ(to_hex(initial), v.initial_secret);
    EXPECT_EQ(expand(suite, v.initial_secret, "client in", 32), v.client_secret);
    EXPECT_EQ(expand(suite, v.initial_secret, "server in", 32), v.server_secret);
    EXPECT_EQ(expand(suite, v.client_secret, p.key_label, 16), v.client_key);
    EXPECT_EQ(expand(suite, v.client_secret, p.iv_label, 12), v.client_iv);
    EXPECT_EQ(expand(suite, v.client_secret, p.header_protection_label, 16), v.client_hp);
    EXPECT_EQ(expand(suite, v.server_secret, p.key_label, 16), v.server_key);
    EXPECT_EQ(expand(suite, v.server_secret, p.iv_label, 12), v.server_iv);
    EXPECT_EQ(expand(suite, v.server_secret, p.header_protection_label, 16), v.server_hp);
}

TEST_P(packet_protection_vectors, a2_client_initial) {
    auto client = initial_keys(v.version, original, perspective::client);
    byte_vector packet(1200);
    writer out(packet);
    auto header = write_long_header(out, packet_type::initial, v.version, original, {}, {}, 2, 4);
    ASSERT_TRUE(header);
    set_packet_length(packet, *header);
    EXPECT_EQ(to_hex(out.written()), v.client_header);
    auto frames = from_hex(v.client_frames);
    out.bytes(frames);
    ASSERT_TRUE(client.write.seal(packet, header->number_offset, header->number_size, 2));
    EXPECT_EQ(to_hex(packet), v.client_packet);

    auto server = initial_keys(v.version, original, perspective::server);
    auto parsed = parse_packet(packet, 8);
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed.header.size, packet.size());
    opened_packet opened;
    ASSERT_EQ(server.read.open(packet, parsed.header.number_offset, std::nullopt, opened), open_error::none);
    EXPECT_EQ(opened.header.number, 2U);
    EXPECT_EQ(opened.header.number_size, 4U);
    EXPECT_FALSE(opened.header.reserved_bits());
    frames.resize(vectors::client_payload_size);
    EXPECT_EQ(to_hex(opened.payload), to_hex(frames));
}

TEST_P(packet_protection_vectors, a2_sample_and_mask) {
    tls::header_mask mask(tls::cipher_suite::aes_128_gcm_sha256, from_hex(v.client_hp));
    auto sample = from_hex(v.client_sample);
    EXPECT_EQ(to_hex(mask(std::span<const std::uint8_t>(sample).first<16>())), v.client_mask);
}

TEST_P(packet_protection_vectors, a3_server_initial) {
    auto server = initial_keys(v.version, original, perspective::server);
    auto frames = from_hex(v.server_frames);
    byte_vector packet(from_hex(v.server_header).size() + frames.size() + tls::aead_tag_size);
    writer out(packet);
    connection_id source(from_hex(vectors::server_source));
    auto header = write_long_header(out, packet_type::initial, v.version, {}, source, {}, 1, 2);
    ASSERT_TRUE(header);
    set_packet_length(packet, *header);
    EXPECT_EQ(to_hex(out.written()), v.server_header);
    out.bytes(frames);
    ASSERT_TRUE(server.write.seal(packet, header->number_offset, header->number_size, 1));
    EXPECT_EQ(to_hex(packet), v.server_packet);

    auto client = initial_keys(v.version, original, perspective::client);
    auto parsed = parse_packet(packet, 0);
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed.header.source, source);
    opened_packet opened;
    ASSERT_EQ(client.read.open(packet, parsed.header.number_offset, std::nullopt, opened), open_error::none);
    EXPECT_EQ(opened.header.number, 1U);
    EXPECT_EQ(to_hex(opened.payload), v.server_frames);
}

TEST_P(packet_protection_vectors, a4_retry) {
    byte_vector buffer(100);
    writer out(buffer);
    connection_id source(from_hex(vectors::server_source));
    auto token = from_hex(vectors::retry_token);
    ASSERT_TRUE(write_retry(out, v.version, original, {}, source, token, 0x0f));
    EXPECT_EQ(to_hex(out.written()), v.retry_packet);

    auto packet = from_hex(v.retry_packet);
    auto parsed = parse_packet(packet, 0);
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed.header.type, packet_type::retry);
    EXPECT_EQ(parsed.header.source, source);
    EXPECT_EQ(to_hex(parsed.header.token), vectors::retry_token);
    EXPECT_TRUE(verify_retry(v.version, original, packet));
    EXPECT_FALSE(verify_retry(v.version, source, packet));
    for (std::size_t i = 0; i < packet.size(); ++i) {
        auto forged = packet;
        forged[i] ^= 1;
        EXPECT_FALSE(verify_retry(v.version, original, forged)) << i;
    }
    for (std::size_t size = 0; size < packet.size(); ++size) {
        EXPECT_FALSE(verify_retry(v.version, original, std::span(packet).first(size)));
    }
}

TEST_P(packet_protection_vectors, a5_chacha20_short_header) {
    constexpr auto suite = tls::cipher_suite::chacha20_poly1305_sha256;
    const auto& p = *parameters_of(v.version);
    EXPECT_EQ(expand(suite, v.chacha_secret, p.key_label, 32), v.chacha_key);
    EXPECT_EQ(expand(suite, v.chacha_secret, p.iv_label, 12), v.chacha_iv);
    EXPECT_EQ(expand(suite, v.chacha_secret, p.header_protection_label, 32), v.chacha_hp);
    EXPECT_EQ(expand(suite, v.chacha_secret, p.key_update_label, 32), v.chacha_next_secret);

    tls::header_mask mask(suite, from_hex(v.chacha_hp));
    auto sample = from_hex(v.chacha_sample);
    EXPECT_EQ(to_hex(mask(std::span<const std::uint8_t>(sample).first<16>())), v.chacha_mask);

    packet_keys keys(v.version, suite, from_hex(v.chacha_secret));
    byte_vector packet(1 + 3 + 1 + tls::aead_tag_size);
    writer out(packet);
    auto header = write_short_header(out, {}, vectors::chacha_number, 3, false, false);
    ASSERT_TRUE(header);
    out.u8(0x01);  // PING
    ASSERT_TRUE(keys.seal(packet, header->number_offset, header->number_size, vectors::chacha_number));
    EXPECT_EQ(to_hex(packet), v.chacha_packet);

    opened_packet opened;
    ASSERT_EQ(keys.open(packet, 1, vectors::chacha_number - 1, opened), open_error::none);
    EXPECT_EQ(opened.header.number, vectors::chacha_number);
    EXPECT_EQ(to_hex(opened.payload), "01");
}

TEST_P(packet_protection_vectors, next_generation_uses_the_next_secret_and_the_same_header_key) {
    constexpr auto suite = tls::cipher_suite::chacha20_poly1305_sha256;
    packet_keys first(v.version, suite, from_hex(v.chacha_secret));
    auto second = first.next_generation();
    packet_keys derived(v.version, suite, from_hex(v.chacha_next_secret));
    byte_vector with_update(60, 0x41);
    byte_vector with_derived(60, 0x41);
    ASSERT_TRUE(second.seal(with_update, 9, 2, 0x4141));
    ASSERT_TRUE(derived.seal(with_derived, 9, 2, 0x4141));
    EXPECT_EQ(to_hex(std::span(with_update).subspan(11)), to_hex(std::span(with_derived).subspan(11)));
    EXPECT_NE(to_hex(std::span(with_update).first(11)), to_hex(std::span(with_derived).first(11)));
    // The old generation can still take the header off, and the new one the payload.
    auto header = first.unprotect_header(with_update, 9, 0x4140);
    ASSERT_TRUE(header);
    EXPECT_EQ(header->number, 0x4141U);
    auto copy = with_update;
    std::span<std::uint8_t> payload;
    EXPECT_FALSE(first.open_payload(copy, 9, *header, payload));
    EXPECT_TRUE(second.open_payload(with_update, 9, *header, payload));
}

class packet_protection : public testing::TestWithParam<tls::cipher_suite> {
protected:
    byte_vector secret = byte_vector(tls::hash_size(GetParam()), 0x5a);
    packet_keys sender{version::v1, GetParam(), secret};
    packet_keys receiver{version::v1, GetParam(), secret};
};

INSTANTIATE_TEST_SUITE_P(suites, packet_protection,
                         testing::Values(tls::cipher_suite::aes_128_gcm_sha256, tls::cipher_suite::aes_256_gcm_sha384,
                                         tls::cipher_suite::chacha20_poly1305_sha256));

TEST_P(packet_protection, every_size_and_number_comes_back) {
    const auto seed = test::seed();
    random_source random(seed);
    for (int i = 0; i < 3000; ++i) {
        byte_vector id(random.below(21));
        random.fill(id);
        auto number_size = 1 + random.below(4);
        auto payload_size = 4 - std::min<std::uint64_t>(number_size, 4) + random.below(1300);
        auto number = random() >> (2 + random.below(60));
        byte_vector packet(1 + id.size() + number_size + payload_size + tls::aead_tag_size);
        writer out(packet);
        auto header = write_short_header(out, connection_id(id), number, number_size, random.below(2) != 0, random.below(2) != 0);
        ASSERT_TRUE(header);
        auto first_byte = packet[0];
        byte_vector payload(payload_size);
        random.fill(payload);
        out.bytes(payload);
        ASSERT_TRUE(sender.seal(packet, header->number_offset, number_size, number));
        opened_packet opened;
        auto before = number == 0 ? std::optional<std::uint64_t>() : number - 1;
        ASSERT_EQ(receiver.open(packet, header->number_offset, before, opened), open_error::none)
            << "seed " << seed << " step " << i;
        EXPECT_EQ(opened.header.number, number);
        EXPECT_EQ(opened.header.number_size, number_size);
        EXPECT_EQ(opened.header.first_byte, first_byte);
        EXPECT_TRUE(std::ranges::equal(opened.payload, payload));
    }
    EXPECT_EQ(sender.sealed(), 3000U);
    EXPECT_EQ(receiver.failed_to_open(), 0U);
}

TEST_P(packet_protection, any_changed_bit_is_noticed_and_the_header_put_back) {
    byte_vector original(60, 0x41);
    ASSERT_TRUE(sender.seal(original, 9, 2, 0x4141));
    opened_packet opened;
    for (std::size_t bit = 0; bit < original.size() * 8; ++bit) {
        auto forged = original;
        forged[bit / 8] ^= static_cast<std::uint8_t>(1 << (bit % 8));
        auto sent = forged;
        EXPECT_EQ(receiver.open(forged, 9, 0x4140, opened), open_error::authentication) << bit;
        // A stateless reset would be seen in the last 16 bytes (RFC 9000 10.3.1).
        EXPECT_TRUE(std::equal(sent.end() - 16, sent.end(), forged.end() - 16)) << bit;
        EXPECT_TRUE(std::equal(sent.begin(), sent.begin() + 10, forged.begin())) << bit;
    }
    EXPECT_EQ(receiver.failed_to_open(), original.size() * 8);
    EXPECT_EQ(receiver.open(original, 9, 0x4140, opened), open_error::none);
}

TEST_P(packet_protection, too_short_for_a_sample) {
    byte_vector packet(1 + 8 + 19, 0x41);
    EXPECT_FALSE(sender.seal(packet, 9, 2, 1));
    EXPECT_EQ(packet, byte_vector(28, 0x41));
    opened_packet opened;
    EXPECT_EQ(receiver.open(packet, 9, std::nullopt, opened), open_error::too_short);
    EXPECT_EQ(receiver.failed_to_open(), 0U);  // says nothing about the keys
    EXPECT_EQ(packet, byte_vector(28, 0x41));
}

TEST_P(packet_protection, limits_of_rfc9001_6_6) {
    auto limits = tls::limits(GetParam());
    bool gcm = GetParam() != tls::cipher_suite::chacha20_poly1305_sha256;
    EXPECT_EQ(limits.confidentiality, gcm ? std::uint64_t{1} << 23 : std::uint64_t{1} << 62);
    EXPECT_EQ(limits.integrity, std::uint64_t{1} << (gcm ? 52 : 36));
}

TEST(packet_protection, reserved_bits_are_told_after_opening) {
    packet_keys keys(version::v1, tls::cipher_suite::aes_128_gcm_sha256, byte_vector(32, 1));
    for (auto [first_byte, expected] : {std::pair{0x41, false},
                                        {0x49, true},
                                        {0x51, true},
                                        {0x45, false},
                                        {0x61, false},
                                        {0xe1, false},
                                        {0xe5, true},
                                        {0xe9, true}}) {
        byte_vector packet(60, 0);
        packet[0] = static_cast<std::uint8_t>(first_byte);
        ASSERT_TRUE(keys.seal(packet, 9, 2, 0));
        opened_packet opened;
        ASSERT_EQ(keys.open(packet, 9, std::nullopt, opened), open_error::none);
        EXPECT_EQ(opened.header.reserved_bits(), expected) << first_byte;
    }
}

TEST(packet_protection, no_keys_open_and_seal_nothing) {
    packet_keys none;
    EXPECT_FALSE(none);
    byte_vector packet(60, 0x41);
    EXPECT_FALSE(none.seal(packet, 9, 2, 1));
    opened_packet opened;
    EXPECT_EQ(none.open(packet, 9, std::nullopt, opened), open_error::authentication);
    EXPECT_FALSE(packet_keys(version{0xfaceb00c}, tls::cipher_suite::aes_128_gcm_sha256, byte_vector(32, 1)));
    EXPECT_FALSE(packet_keys(version::v1, tls::cipher_suite::aes_128_gcm_sha256, byte_vector(31, 1)));
    EXPECT_FALSE(initial_keys(version::negotiation, {}, perspective::client).read);
    EXPECT_FALSE(none.next_generation());
}

TEST(retry, an_oversized_packet_is_refused) {
    byte_vector packet(3000);
    EXPECT_FALSE(verify_retry(version::v1, {}, packet));
    byte_vector buffer(3000);
    byte_vector token(2000);
    writer out(buffer);
    EXPECT_FALSE(write_retry(out, version::v1, {}, {}, {}, token, 0));
    EXPECT_FALSE(write_retry(out, version{0xfaceb00c}, {}, {}, {}, {}, 0));
}

}  // namespace
}  // namespace tandem::quic
