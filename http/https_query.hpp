// The question for a host's HTTPS records and its answer, as DNS messages (RFC 1035, RFC 9460). Who carries them is not its
// concern.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <tandem/http/service_binding.hpp>

namespace tandem::http {

constexpr std::uint16_t dns_datagram_size = 1232;  // told as EDNS's buffer: no IPv6 path fragments it
// Of one answer, records beyond these are not looked at: what a resolver gathers has a handful.
constexpr std::size_t max_answer_records = 64;
constexpr std::size_t max_aliases = 8;  // CNAME and AliasMode, in one answer and from answer to answer

// Where an origin's records are (RFC 9460 9.1): "example.org", "_8443._https.example.org".
std::string https_record_name(std::string_view host, std::uint16_t port);

// A question of type HTTPS, recursion desired, with EDNS. Empty if `name` is none.
std::vector<std::uint8_t> make_https_query(std::uint16_t id, std::string_view name);

enum class answer_kind : std::uint8_t {
    foreign,    // no answer to this question, or not a message at all: not from whom we asked, as far as one can tell
    truncated,  // ask again over TCP
    refused,    // the server cannot answer: ask another one
    answered,   // there may be no records in it
};

struct https_answer {
    answer_kind kind = answer_kind::foreign;
    std::string owner;                     // where the aliases of the answer (CNAME) led from the name that was asked for
    std::vector<service_binding> records;  // in their order; all of them, or none if one is malformed
};

// Never reads beyond `message`, whatever it holds; time and memory are bounded by the caps above.
https_answer parse_https_answer(std::span<const std::uint8_t> message, std::uint16_t id, std::string_view name);

}  // namespace tandem::http
