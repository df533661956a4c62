#include <tandem/http/content_decoder.hpp>

#include <array>

#include <brotli/decode.h>
#include <zlib.h>
#include <zstd.h>

#include <tandem/http/message.hpp>

namespace tandem::http {

namespace {

constexpr std::size_t piece = 64 * 1024;
constexpr int zstd_window_log = 23;  // 8 MiB: RFC 9659
constexpr int gzip_or_zlib = 32;     // zlib finds out which; added to the window's bits
constexpr int raw = -MAX_WBITS;

std::span<std::uint8_t> scratch() {
    static thread_local std::array<std::uint8_t, piece> buffer;
    return buffer;
}

class inflater final : public content_decoder {
public:
    explicit inflater(bool deflate) : deflate_(deflate) { good_ = inflateInit2(&z_, MAX_WBITS + gzip_or_zlib) == Z_OK; }
    ~inflater() override { inflateEnd(&z_); }
    inflater(const inflater&) = delete;
    inflater& operator=(const inflater&) = delete;

    status feed(std::span<const std::uint8_t> in, const output& out) override {
        if (!good_) return status::broken;
        // "deflate" is zlib's format; some servers send it bare, which the first byte tells.
        if (deflate_ && !begun_ && !in.empty() && (in.front() & 0x0f) != Z_DEFLATED) inflateReset2(&z_, raw);
        begun_ = begun_ || !in.empty();
        z_.next_in = const_cast<Bytef*>(in.data());
        z_.avail_in = static_cast<uInt>(in.size());
        bool full = false;
        while (z_.avail_in > 0 || full) {
            if (complete_) {  // RFC 1952 2.2: members follow each other
                inflateReset(&z_);
                complete_ = false;
            }
            z_.next_out = scratch().data();
            z_.avail_out = static_cast<uInt>(scratch().size());
            const int result = inflate(&z_, Z_NO_FLUSH);
            if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR) return good_ = false, status::broken;
            full = z_.avail_out == 0 && result != Z_STREAM_END;
            complete_ = result == Z_STREAM_END;
            if (auto n = scratch().size() - z_.avail_out; n > 0 && !out(scratch().first(n))) return status::stopped;
        }
        return status::good;
    }
    bool complete() const override { return complete_; }

private:
    z_stream z_{};
    bool deflate_;
    bool good_ = false;
    bool begun_ = false;
    bool complete_ = false;
};

class brotli final : public content_decoder {
public:
    brotli() : state_(BrotliDecoderCreateInstance(nullptr, nullptr, nullptr)) {}
    ~brotli() override { BrotliDecoderDestroyInstance(state_); }
    brotli(const brotli&) = delete;
    brotli& operator=(const brotli&) = delete;

    status feed(std::span<const std::uint8_t> in, const output& out) override {
        auto left = in.size();
        auto from = in.data();
        for (;;) {
            auto room = scratch().size();
            auto to = scratch().data();
            const auto result = BrotliDecoderDecompressStream(state_, &left, &from, &room, &to, nullptr);
            if (result == BROTLI_DECODER_RESULT_ERROR) return status::broken;
            if (auto n = scratch().size() - room; n > 0 && !out(scratch().first(n))) return status::stopped;
            if (result == BROTLI_DECODER_RESULT_SUCCESS) return left == 0 ? status::good : status::broken;
            if (result == BROTLI_DECODER_RESULT_NEEDS_MORE_INPUT) return status::good;
        }
    }
    bool complete() const override { return BrotliDecoderIsFinished(state_) == BROTLI_TRUE; }

private:
    BrotliDecoderState* state_;
};

class zstandard final : public content_decoder {
public:
    zstandard() : state_(ZSTD_createDCtx()) { ZSTD_DCtx_setParameter(state_, ZSTD_d_windowLogMax, zstd_window_log); }
    ~zstandard() override { ZSTD_freeDCtx(state_); }
    zstandard(const zstandard&) = delete;
    zstandard& operator=(const zstandard&) = delete;

    status feed(std::span<const std::uint8_t> in, const output& out) override {
        ZSTD_inBuffer from{in.data(), in.size(), 0};
        bool full = false;
        while (from.pos < from.size || full) {
            ZSTD_outBuffer to{scratch().data(), scratch().size(), 0};
            const auto hint = ZSTD_decompressStream(state_, &to, &from);
            if (ZSTD_isError(hint)) return status::broken;
            complete_ = hint == 0;
            full = to.pos == to.size && hint != 0;
            if (to.pos > 0 && !out(scratch().first(to.pos))) return status::stopped;
        }
        return status::good;
    }
    bool complete() const override { return complete_; }

private:
    ZSTD_DCtx* state_;
    bool complete_ = false;
};

}  // namespace

std::unique_ptr<content_decoder> make_content_decoder(std::string_view coding) {
    const auto name = to_lower(coding);
    if (name == "gzip" || name == "x-gzip") return std::make_unique<inflater>(false);
    if (name == "deflate") return std::make_unique<inflater>(true);
    if (name == "br") return std::make_unique<brotli>();
    if (name == "zstd") return std::make_unique<zstandard>();
    return nullptr;
}

}  // namespace tandem::http
