// What is known of an origin, and what follows from it: which connections are tried, in which order (RFC 9460 3, RFC 7838).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <tandem/bytes/address.hpp>
#include <tandem/bytes/time.hpp>
#include <tandem/http/race.hpp>
#include <tandem/http/service_binding.hpp>

namespace tandem::http {

// A place where HTTPS records say the origin is served.
struct service_place {
    std::vector<ip_address> addresses;  // in order of preference
    std::uint16_t port = 0;             // 0: the origin's
    bool quic = false;
    bool tcp = false;
};
// Further ones are not tried: each is a host that a stranger names.
constexpr std::size_t max_service_places = 4;
constexpr std::size_t max_place_addresses = 8;

struct origin_knowledge {
    std::vector<ip_address> addresses;     // of the origin's own name, in order of preference
    std::vector<service_place> places;     // of its HTTPS records, best first; empty: there are none
    std::optional<std::uint16_t> alt_svc;  // the port of its Alt-Svc's "h3"; 0: the origin's
    bool quic_worked = false;              // lately, on this network
    bool quic_broken = false;
};

struct race_plan {
    std::vector<race_candidate> candidates;
    quic_knowledge knowledge = quic_knowledge::none;
};

// `protocols`: those that may be used, the preferred one first. What HTTPS records say comes first and stands above Alt-Svc (RFC
// 9460 9.3): where they do not offer QUIC it is not tried. Behind them, as for every name without records, TCP at the origin's
// own addresses: records are help, not a condition (RFC 9460 3). QUIC goes last where it is broken, and nothing that is the only
// thing permitted is left out.
race_plan plan_race(const std::vector<race_protocol>& protocols, const origin_knowledge&);

// The records that can be used, best first: of one answer, without aliases.
std::vector<service_binding> usable_services(std::vector<service_binding> records);

// How long the race waits for HTTPS records that are not there when the addresses are. A value with an injected clock.
class resolution {
public:
    // The successor of RFC 8305 has 50 ms: about what the answer to a question asked at the same time may come later.
    static constexpr duration resolution_delay = std::chrono::milliseconds(50);
    // Where the name has no address of its own, records are the only hope: an alias may lead to some.
    static constexpr duration last_hope_delay = std::chrono::seconds(1);

    void on_addresses(bool any, time_point now);
    void on_records(time_point) { records_ = true; }  // all of them, with the addresses of their targets; or there are none
    bool ready(time_point now) const;
    // When to ask again, if nothing happens before.
    std::optional<time_point> next_timeout() const;

private:
    std::optional<time_point> addresses_;
    bool any_ = false;
    bool records_ = false;
};

}  // namespace tandem::http
