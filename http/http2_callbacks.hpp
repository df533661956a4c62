// nghttp2's callbacks, for http2_core. A private part of the sessions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include <nghttp2/nghttp2.h>

#include <tandem/http/http2_core.hpp>

namespace tandem::http {

struct http2_callbacks {
    static void set(nghttp2_session_callbacks*);
    static ssize_t read_data(nghttp2_session*, std::int32_t stream, std::uint8_t* out, std::size_t room, std::uint32_t* flags,
                             nghttp2_data_source*, void* user);

private:
    static http2_core& core(void* user) { return *static_cast<http2_core*>(user); }

    static int begin_frame(nghttp2_session*, const nghttp2_frame_hd*, void* user);
    static int begin_section(nghttp2_session*, const nghttp2_frame*, void* user);
    static int field_line(nghttp2_session*, const nghttp2_frame*, const std::uint8_t* name, std::size_t name_size,
                          const std::uint8_t* value, std::size_t value_size, std::uint8_t flags, void* user);
    static int frame_received(nghttp2_session*, const nghttp2_frame*, void* user);
    static int data(nghttp2_session*, std::uint8_t flags, std::int32_t stream, const std::uint8_t* bytes, std::size_t count,
                    void* user);
    static int frame_sent(nghttp2_session*, const nghttp2_frame*, void* user);
    static int frame_not_sent(nghttp2_session*, const nghttp2_frame*, int error, void* user);
    static int stream_closed(nghttp2_session*, std::int32_t stream, std::uint32_t code, void* user);
    static int error_text(nghttp2_session*, int error, const char* text, std::size_t size, void* user);

    static void section_received(http2_core&, http2_exchange&, bool end);
    static bool take_pseudo(http2_exchange&, std::string_view name, std::string_view value);
    static bool add_trailers(nghttp2_session*, http2_exchange&);
};

}  // namespace tandem::http
