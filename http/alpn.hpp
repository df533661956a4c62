// The protocol names of ALPN (RFC 7301).
#pragma once

#include <string_view>

namespace tandem::http {

constexpr std::string_view alpn_http1 = "http/1.1";   // RFC 7301 6
constexpr std::string_view alpn_h2 = "h2";            // RFC 9113 3.2
constexpr std::string_view alpn_h3 = "h3";            // RFC 9114 3.1
constexpr std::string_view alpn_h3_qmux = "h3-02qx";  // HTTP/3 over QMux over TLS; the draft's number is in the name

}  // namespace tandem::http
