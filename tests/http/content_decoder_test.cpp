#include <tandem/http/content_decoder.hpp>

#include <gtest/gtest.h>

#include <random>
#include <string>

#include <brotli/encode.h>
#include <zlib.h>
#include <zstd.h>

#include "seed.hpp"

namespace tandem::http {
namespace {

using octets = std::vector<std::uint8_t>;

octets deflated(const std::string& text, int window) {
    z_stream z{};
    deflateInit2(&z, Z_BEST_COMPRESSION, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY);
    octets out(deflateBound(&z, text.size()));
    z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
    z.avail_in = static_cast<uInt>(text.size());
    z.next_out = out.data();
    z.avail_out = static_cast<uInt>(out.size());
    deflate(&z, Z_FINISH);
    out.resize(z.total_out);
    deflateEnd(&z);
    return out;
}

octets encoded(const std::string& coding, const std::string& text, int zstd_window = 20) {
    if (coding == "gzip") return deflated(text, MAX_WBITS + 16);
    if (coding == "deflate") return deflated(text, MAX_WBITS);
    if (coding == "bare deflate") return deflated(text, -MAX_WBITS);
    octets out(text.size() + text.size() / 8 + 1000);
    auto n = out.size();
    auto* bytes = reinterpret_cast<const std::uint8_t*>(text.data());
    if (coding == "br") {
        BrotliEncoderCompress(5, BROTLI_DEFAULT_WINDOW, BROTLI_MODE_GENERIC, text.size(), bytes, &n, out.data());
    } else {
        auto* context = ZSTD_createCCtx();
        ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, zstd_window);
        ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, 0);
        n = ZSTD_compress2(context, out.data(), out.size(), text.data(), text.size());
        ZSTD_freeCCtx(context);
    }
    out.resize(n);
    return out;
}

std::string some_text(std::size_t size) {
    std::mt19937_64 random(test::seed());
    std::string out;
    while (out.size() < size) out += "word" + std::to_string(random() % 1000) + ' ';
    out.resize(size);
    return out;
}

struct decoded {
    std::string text;
    content_decoder::status status = content_decoder::status::good;
    bool complete = false;
};
decoded decode(const std::string& coding, const octets& bytes, std::size_t step) {
    auto decoder = make_content_decoder(coding.ends_with("deflate") ? "deflate" : coding);
    decoded out;
    for (std::size_t at = 0; at < bytes.size() && out.status == content_decoder::status::good; at += step) {
        out.status = decoder->feed(std::span(bytes).subspan(at, std::min(step, bytes.size() - at)),
                                   [&](std::span<const std::uint8_t> piece) {
                                       EXPECT_LE(piece.size(), 64U * 1024);
                                       out.text.append(piece.begin(), piece.end());
                                       return true;
                                   });
    }
    out.complete = decoder->complete();
    return out;
}

class ContentDecoder : public testing::TestWithParam<std::string> {};

TEST_P(ContentDecoder, GivesBackWhatWasEncodedHoweverItIsCut) {
    for (std::size_t size : {0, 1, 1000, 700'000}) {
        const auto text = some_text(size);
        const auto bytes = encoded(GetParam(), text);
        for (std::size_t step : {std::size_t{1}, std::size_t{7}, std::size_t{4096}, bytes.size() + 1}) {
            auto got = decode(GetParam(), bytes, step);
            EXPECT_EQ(got.status, content_decoder::status::good);
            EXPECT_TRUE(got.complete);
            EXPECT_TRUE(got.text == text) << size << " bytes in steps of " << step;
        }
    }
}

TEST_P(ContentDecoder, KnowsWhenTheEndIsMissing) {
    auto bytes = encoded(GetParam(), some_text(10'000));
    bytes.resize(bytes.size() - 1);
    EXPECT_FALSE(decode(GetParam(), bytes, 100).complete);
}

TEST_P(ContentDecoder, BrokenDataIsNeverTakenForComplete) {
    octets junk(1000, 0x2f);
    auto got = decode(GetParam(), junk, 100);
    EXPECT_TRUE(got.status == content_decoder::status::broken || !got.complete);
}

// A hundred megabytes of zeros in a few kilobytes: the reader can stop at any time.
TEST_P(ContentDecoder, ABombCanBeStopped) {
    const auto bytes = encoded(GetParam(), std::string(20'000'000, '\0'));
    auto decoder = make_content_decoder(GetParam().ends_with("deflate") ? "deflate" : GetParam());
    std::size_t seen = 0;
    auto status = decoder->feed(bytes, [&](std::span<const std::uint8_t> piece) { return (seen += piece.size()) < 100'000; });
    EXPECT_EQ(status, content_decoder::status::stopped);
    EXPECT_LT(seen, 200'000U);
}

INSTANTIATE_TEST_SUITE_P(All, ContentDecoder, testing::Values("gzip", "deflate", "bare deflate", "br", "zstd"),
                         [](const auto& p) { return p.param == "bare deflate" ? std::string("bare_deflate") : p.param; });

TEST(ContentDecoders, MembersOfGzipFollowEachOther) {
    auto bytes = encoded("gzip", "one ");
    auto more = encoded("gzip", "two");
    bytes.insert(bytes.end(), more.begin(), more.end());
    EXPECT_EQ(decode("gzip", bytes, 3).text, "one two");
}

TEST(ContentDecoders, LargeWindowsAreRefused) {
    auto bytes = encoded("zstd", some_text(17'000'000), 24);
    EXPECT_EQ(decode("zstd", bytes, 65536).status, content_decoder::status::broken);
}

TEST(ContentDecoders, UnknownCodingsHaveNone) {
    EXPECT_EQ(make_content_decoder("compress"), nullptr);
    EXPECT_EQ(make_content_decoder("gzip, br"), nullptr);
    EXPECT_NE(make_content_decoder("GZIP"), nullptr);
}

}  // namespace
}  // namespace tandem::http
