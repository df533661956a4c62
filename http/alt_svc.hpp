// Alternative services (RFC 7838): what a server says of where else it can be reached, and a cache of it that can be kept in a
// file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <tandem/bytes/time.hpp>

namespace tandem::http {

struct alternative {
    std::string alpn;  // "h3"
    std::string host;  // empty: the origin's
    std::uint16_t port = 0;
    std::uint64_t max_age = 86400;  // seconds
    bool persist = false;           // stays when the network changes
    friend bool operator==(const alternative&, const alternative&) = default;
};

// The value of an Alt-Svc field: the alternatives in order of preference; empty for "clear". Nothing if it is malformed (then it
// is ignored, RFC 7838 3). Parameters that are not known are skipped.
std::optional<std::vector<alternative>> parse_alt_svc(std::string_view value);

// What is known of origins: their alternatives, how long a round trip to them takes, and where a protocol did not work. What was
// learnt on one network need not hold on another (RFC 7838 2.2), so everything but an alternative with "persist" counts only on
// the network it was learnt on. `network` is any name that tells networks apart; `origin` is "https://host:port". Times are
// seconds since 1970, so that the cache outlives the process.
class alt_svc_cache {
public:
    static constexpr std::size_t max_origins = 1000;  // of each kind of knowledge; the one that ends first makes room
    static constexpr std::size_t max_alternatives = 8;
    static constexpr std::uint64_t longest_age = 90 * 86400;  // whatever the server says
    // A broken alternative is not used for 5 minutes, doubled with each failure in a row, at most two days. For two days after
    // that it is remembered how many they were: what fails again then is not new.
    static constexpr std::int64_t first_break = 300;
    static constexpr std::int64_t longest_break = 2 * 86400;
    static constexpr std::int64_t visit_age = 30 * 86400;
    static constexpr duration longest_round_trip = std::chrono::seconds(10);  // what is longer says something else

    // An Alt-Svc field in a response of this origin, received over TLS. `age` is the response's Age.
    void learn(std::string_view origin, std::string_view network, std::string_view value, std::uint64_t age, std::int64_t now);
    // A 421 (RFC 7838 6), or the caller's wish.
    void forget(std::string_view origin);
    // The first usable alternative of that protocol: alive, and not known as broken. Only on the origin's own host.
    std::optional<alternative> find(std::string_view origin, std::string_view network, std::string_view alpn,
                                    std::int64_t now) const;

    // The protocol could not be used with this origin, or it could.
    void broken(std::string_view origin, std::string_view network, std::string_view alpn, std::int64_t now);
    void worked(std::string_view origin, std::string_view network, std::string_view alpn);
    bool is_broken(std::string_view origin, std::string_view network, std::string_view alpn, std::int64_t now) const;

    // A connection to the origin was used: its smoothed round trip, and over which protocol.
    struct visit {
        duration round_trip{};
        std::string alpn;
        std::int64_t until = 0;
    };
    void visited(std::string_view origin, std::string_view network, std::string_view alpn, duration round_trip, std::int64_t now);
    // The last one.
    std::optional<visit> last_visit(std::string_view origin, std::string_view network, std::int64_t now) const;

    // One line each; load() skips what it does not understand and what has ended.
    std::string save() const;
    void load(std::string_view text, std::int64_t now);

    std::size_t size() const { return origins_.size(); }

private:
    struct entry {
        alternative what;
        std::int64_t until = 0;
        std::string network;
    };
    struct failure {
        std::int64_t until = 0;
        unsigned count = 0;
    };

    void load_line(const std::string& line, std::int64_t now);

    std::map<std::string, std::vector<entry>, std::less<>> origins_;
    std::map<std::string, failure, std::less<>> broken_;  // by "origin network alpn"
    std::map<std::string, visit, std::less<>> visits_;    // by "origin network"
};

}  // namespace tandem::http
