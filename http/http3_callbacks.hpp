// nghttp3's callbacks, for http3_core. A private part of the sessions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include <nghttp3/nghttp3.h>

#include <tandem/http/http3_core.hpp>

namespace tandem::http {

// Field lines as nghttp3 takes them; `flags` say whether it copies them.
template <class Lines>
std::vector<nghttp3_nv, recycled::allocator<nghttp3_nv>> nv_of(const Lines& lines, std::uint8_t flags) {
    std::vector<nghttp3_nv, recycled::allocator<nghttp3_nv>> nva;
    nva.reserve(lines.size());
    for (const auto f : lines) {
        nva.push_back({reinterpret_cast<const std::uint8_t*>(f.name.data()),
                       reinterpret_cast<const std::uint8_t*>(f.value.data()), f.name.size(), f.value.size(), flags});
    }
    return nva;
}

struct http3_callbacks {
    static const nghttp3_callbacks& table();
    static nghttp3_ssize read_data(nghttp3_conn* conn, std::int64_t stream, nghttp3_vec* vec, std::size_t count,
                                   std::uint32_t* flags, void* user, void*);

private:
    static http3_core& core(void* user) { return *static_cast<http3_core*>(user); }
    static http3_exchange* exchange(void* user, std::int64_t stream);

    static int begin_section(nghttp3_conn*, std::int64_t stream, void* user, void*);
    static int field_line(nghttp3_conn*, std::int64_t stream, std::int32_t token, nghttp3_rcbuf* name, nghttp3_rcbuf* value,
                          std::uint8_t flags, void* user, void*);
    static int end_headers(nghttp3_conn*, std::int64_t stream, int fin, void* user, void*);
    static int end_trailers(nghttp3_conn*, std::int64_t stream, int fin, void* user, void*);
    static int data(nghttp3_conn*, std::int64_t stream, const std::uint8_t* bytes, std::size_t count, void* user, void*);
    static int deferred_consume(nghttp3_conn*, std::int64_t stream, std::size_t consumed, void* user, void*);
    static int end_stream(nghttp3_conn*, std::int64_t stream, void* user, void*);
    static int stop_sending(nghttp3_conn*, std::int64_t stream, std::uint64_t code, void* user, void*);
    static int reset_stream(nghttp3_conn*, std::int64_t stream, std::uint64_t code, void* user, void*);
    static int acked(nghttp3_conn*, std::int64_t stream, std::uint64_t count, void* user, void*);
    static int goaway(nghttp3_conn*, std::int64_t id, void* user);
    static int settings(nghttp3_conn*, const nghttp3_settings* peer, void* user);

    static bool take_pseudo(http3_exchange& e, std::int32_t token, std::string_view value);
    static void charge_qpack(http3_core& c, http3_exchange& e, std::uint64_t bytes);
};

}  // namespace tandem::http
