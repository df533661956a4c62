// The data of HTTPS and SVCB records (RFC 9460): where a service can be had, and over which protocols, before the first packet to
// it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <tandem/bytes/address.hpp>
#include <tandem/bytes/reader.hpp>

namespace tandem::http {

struct service_binding {
    std::uint16_t priority = 0;  // 0: AliasMode, only `target` counts; else the lowest is to be tried first
    std::string target;          // empty: "."; in ServiceMode the record's owner, in AliasMode nothing
    std::vector<std::string> alpn;
    bool no_default_alpn = false;
    std::optional<std::uint16_t> port;  // not there: the origin's
    std::vector<ip_address> hints;      // ipv6hint, then ipv4hint; may be used until the target's own addresses are known
    bool usable = true;                 // false: it needs what we do not understand ("mandatory"), or contradicts itself

    bool is_alias() const { return priority == 0; }
    bool offers(std::string_view protocol) const;
    // HTTP/1.1 or HTTP/2 over TLS over TCP; HTTP/1.1 is there by default (RFC 9460 7.1.2, 9.2).
    bool offers_tcp() const { return !no_default_alpn || offers("h2") || offers("http/1.1"); }
    friend bool operator==(const service_binding&, const service_binding&) = default;
};

// Of each list, the first so many are kept: nobody publishes more, and each is an attempt to connect that a stranger asks for.
constexpr std::size_t max_service_hints = 8;
constexpr std::size_t max_service_protocols = 16;

// The RDATA of one record. Nothing if it is malformed by RFC 9460 2.2: then the whole answer is not to be believed. Unknown keys
// are skipped.
std::optional<service_binding> parse_service_binding(std::span<const std::uint8_t> rdata);

// A domain name on the wire (RFC 1035 3.1), without compression: lower case, labels joined by dots, none at the end; empty for
// the root. Fails the reader if it is longer than 255 bytes or holds anything but letters, digits, '-' and '_': nobody can
// connect to such a host.
std::string read_domain_name(reader& in);

}  // namespace tandem::http
