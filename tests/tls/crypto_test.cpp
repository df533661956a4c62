// AEAD, header masks, HKDF and HMAC against published vectors. The QUIC packets of RFC 9001 are in tests/quic.
#include <gtest/gtest.h>

#include <allocation_counter.hpp>
#include <hex.hpp>
#include <tandem/tls/aead.hpp>
#include <tandem/tls/header_mask.hpp>
#include <tandem/tls/hkdf.hpp>

namespace tandem::tls {
namespace {

using tandem::test::byte_vector;
using tandem::test::from_hex;
using tandem::test::from_text;
using tandem::test::to_hex;

std::span<const std::uint8_t, 12> nonce_of(const byte_vector& v) { return std::span<const std::uint8_t>(v).first<12>(); }

struct aead_vector {
    cipher_suite suite;
    const char* key;
    const char* nonce;
    const char* plaintext;
    const char* associated;
    const char* ciphertext;
    const char* tag;
};

class aead : public testing::TestWithParam<aead_vector> {};

constexpr aead_vector vectors[] = {
    // The GCM specification (McGrew and Viega), test cases 4 and 16
    {cipher_suite::aes_128_gcm_sha256, "feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888",
     "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
     "feedfacedeadbeeffeedfacedeadbeefabaddad2",
     "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091",
     "5bc94fbc3221a5db94fae95ae7121a47"},
    {cipher_suite::aes_256_gcm_sha384, "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
     "cafebabefacedbaddecaf888",
     "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
     "feedfacedeadbeeffeedfacedeadbeefabaddad2",
     "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662",
     "76fc6ece0f4e1768cddf8853bb2d551b"},
    // RFC 8439 2.8.2
    {cipher_suite::chacha20_poly1305_sha256, "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f",
     "070000004041424344454647",
     "4c616469657320616e642047656e746c656d656e206f662074686520636c617373206f66202739393a204966204920636f756c64206f6666657220796f"
     "75206f6e6c79206f6e652074697020666f7220746865206675747572652c2073756e73637265656e20776f756c642062652069742e",
     "50515253c0c1c2c3c4c5c6c7",
     "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67e"
     "cd3b3692ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc3ff4def08e4b7a9de576d26586cec64b6116",
     "1ae10b594f09e26a7e902ecbd0600691"},
};
INSTANTIATE_TEST_SUITE_P(published, aead, testing::ValuesIn(vectors));

TEST_P(aead, seals_and_opens) {
    const auto& v = GetParam();
    aead_key key(v.suite, from_hex(v.key), nonce_of(from_hex(v.nonce)));
    auto associated = from_hex(v.associated);
    auto buffer = from_hex(v.plaintext);
    buffer.resize(buffer.size() + aead_tag_size);
    ASSERT_TRUE(key.seal(buffer, associated, std::uint64_t{0}));
    EXPECT_EQ(to_hex(buffer), std::string(v.ciphertext) + v.tag);
    ASSERT_TRUE(key.open(buffer, associated, std::uint64_t{0}));
    EXPECT_EQ(to_hex(std::span(buffer).first(buffer.size() - aead_tag_size)), v.plaintext);
}

TEST_P(aead, the_number_is_combined_with_the_last_eight_bytes_of_the_iv) {
    const auto& v = GetParam();
    auto iv = from_hex(v.nonce);
    constexpr std::uint64_t number = 0x0102030405060708;
    auto nonce = iv;
    for (std::size_t i = 0; i < 8; ++i) nonce[4 + i] ^= static_cast<std::uint8_t>(i + 1);
    aead_key key(v.suite, from_hex(v.key), nonce_of(iv));
    byte_vector by_number(40, 1);
    byte_vector by_nonce(40, 1);
    ASSERT_TRUE(key.seal(by_number, {}, number));
    ASSERT_TRUE(key.seal(by_nonce, {}, nonce_of(nonce)));
    EXPECT_EQ(by_number, by_nonce);
    EXPECT_TRUE(key.open(by_number, {}, number));
}

TEST_P(aead, a_failure_leaves_the_tag) {
    const auto& v = GetParam();
    aead_key key(v.suite, from_hex(v.key), nonce_of(from_hex(v.nonce)));
    byte_vector buffer(40, 1);
    ASSERT_TRUE(key.seal(buffer, {}, std::uint64_t{1}));
    auto tag = to_hex(std::span(buffer).last(16));
    EXPECT_FALSE(key.open(buffer, {}, std::uint64_t{2}));
    EXPECT_EQ(to_hex(std::span(buffer).last(16)), tag);
}

TEST_P(aead, shorter_than_a_tag_or_without_a_key) {
    const auto& v = GetParam();
    aead_key key(v.suite, from_hex(v.key), nonce_of(from_hex(v.nonce)));
    byte_vector buffer(15);
    EXPECT_FALSE(key.seal(buffer, {}, std::uint64_t{0}));
    EXPECT_FALSE(key.open(buffer, {}, std::uint64_t{0}));
    buffer.resize(16);
    EXPECT_TRUE(key.seal(buffer, {}, std::uint64_t{0}));
    EXPECT_TRUE(key.open(buffer, {}, std::uint64_t{0}));
    aead_key none;
    EXPECT_FALSE(none);
    EXPECT_FALSE(none.seal(buffer, {}, std::uint64_t{0}));
    EXPECT_FALSE(none.open(buffer, {}, std::uint64_t{0}));
    EXPECT_FALSE(aead_key(v.suite, byte_vector(7), nonce_of(from_hex(v.nonce))));
}

TEST_P(aead, sealing_opening_and_masking_allocate_nothing) {
    const auto& v = GetParam();
    aead_key key(v.suite, from_hex(v.key), nonce_of(from_hex(v.nonce)));
    header_mask mask(v.suite, from_hex(v.key));
    byte_vector buffer(1452, 1);
    std::array<std::uint8_t, 16> sample{};
    const auto before = tandem::test::allocations();
    for (std::uint64_t i = 0; i < 100; ++i) {
        ASSERT_TRUE(key.seal(buffer, sample, i));
        sample[0] = mask(sample)[0];
        ASSERT_FALSE(key.open(buffer, sample, i + 1));
    }
    EXPECT_EQ(tandem::test::allocations(), before);
}

TEST(hkdf, extract_of_rfc5869_a1) {
    byte_vector out(32);
    hkdf_extract(cipher_suite::aes_128_gcm_sha256, out, from_hex("000102030405060708090a0b0c"), byte_vector(22, 0x0b));
    EXPECT_EQ(to_hex(out), "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5");
}

TEST(hkdf, expand_label_of_rfc8448_3) {
    // "Simple 1-RTT Handshake": the server's handshake traffic key and IV
    auto secret = from_hex("b67b7d690cc16c4e75e54213cb2d37b4e9c912bcded9105d42befd59d391ad38");
    byte_vector key(16);
    byte_vector iv(12);
    hkdf_expand_label(cipher_suite::aes_128_gcm_sha256, key, secret, "key");
    hkdf_expand_label(cipher_suite::aes_128_gcm_sha256, iv, secret, "iv");
    EXPECT_EQ(to_hex(key), "3fce516009c21727d0f2e4e86ee403bc");
    EXPECT_EQ(to_hex(iv), "5d313eb2671276ee13000b30");
}

TEST(hkdf, sha384_differs_from_sha256) {
    byte_vector a(32);
    byte_vector b(32);
    hkdf_expand_label(cipher_suite::aes_256_gcm_sha384, a, byte_vector(48, 1), "quic key");
    hkdf_expand_label(cipher_suite::chacha20_poly1305_sha256, b, byte_vector(48, 1), "quic key");
    EXPECT_NE(a, b);
}

TEST(hmac, rfc4231_case_2) {
    EXPECT_EQ(to_hex(hmac_sha256(from_text("Jefe"), from_text("what do ya want for nothing?"))),
              "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

TEST(equal_constant_time, compares) {
    EXPECT_TRUE(equal_constant_time(from_text("abc"), from_text("abc")));
    EXPECT_FALSE(equal_constant_time(from_text("abc"), from_text("abd")));
    EXPECT_FALSE(equal_constant_time(from_text("abc"), from_text("abcd")));
    EXPECT_TRUE(equal_constant_time({}, {}));
}

TEST(header_mask, without_a_key_is_zero) {
    std::array<std::uint8_t, 16> sample{1, 2, 3};
    EXPECT_EQ(header_mask()(sample), (std::array<std::uint8_t, 5>{}));
    EXPECT_EQ(header_mask(cipher_suite::aes_128_gcm_sha256, byte_vector(7))(sample), (std::array<std::uint8_t, 5>{}));
}

}  // namespace
}  // namespace tandem::tls
