// Which protocol, to which address, when: the race of connection attempts between QUIC and TCP and between address families (RFC
// 8305 and its successor's draft, extended to protocols). A value with an injected clock: it says what to start, and is told how
// it went.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <tandem/bytes/address.hpp>
#include <tandem/bytes/time.hpp>

namespace tandem::http {

std::string milliseconds_text(duration);  // "12.5 ms"

enum class race_protocol : std::uint8_t { quic, tcp };
std::string_view to_string(race_protocol);  // "QUIC", "TCP"

struct race_candidate {
    race_protocol protocol = race_protocol::tcp;
    ip_address address;
    std::uint16_t port = 0;  // 0: the origin's
    friend bool operator==(const race_candidate&, const race_candidate&) = default;
};

// "QUIC to 192.0.2.1", "QUIC to 192.0.2.1 port 8443" where it is not the origin's.
std::string to_string(const race_candidate&);

// The order to try them in: both protocols to the first address, then to the first of the other family, and so on; the preferred
// protocol first each time. `protocols` and `addresses` are in order of preference.
std::vector<race_candidate> interleave(const std::vector<race_protocol>& protocols, const std::vector<ip_address>& addresses,
                                       std::uint16_t port = 0);

// From where it is known whether QUIC is served.
enum class quic_knowledge : std::uint8_t {
    none,          // it is tried all the same
    earlier,       // it worked the last time, on this network
    alt_svc,       // RFC 7838
    https_record,  // RFC 9460
};
std::string_view to_string(quic_knowledge);  // "nothing", "prior knowledge", "Alt-Svc", "an HTTPS record"

class race {
public:
    static constexpr duration default_delay = std::chrono::milliseconds(250);  // between starts, where no round trip is known
    static constexpr duration shortest_delay = std::chrono::milliseconds(10);
    static constexpr duration longest_delay = std::chrono::seconds(2);

    // `round_trip`: the smoothed round-trip time to this server, if one is remembered. `knowledge` is only told.
    race(std::vector<race_candidate> candidates, std::optional<duration> round_trip, time_point now,
         quic_knowledge knowledge = quic_knowledge::none);

    // The next candidate to start an attempt with now, by its index; nothing if it is not time yet. Ask until there is none.
    std::optional<std::size_t> poll_start(time_point now);
    // When to ask again, if nothing happens before.
    std::optional<time_point> next_timeout() const;

    void on_bytes(std::size_t candidate, time_point now);  // the first bytes came back from there
    void on_failed(std::size_t candidate, std::string why, time_point now);
    void on_completed(std::size_t candidate, time_point now);  // the handshake, TLS's included, is complete: it has won

    const std::vector<race_candidate>& candidates() const { return candidates_; }
    quic_knowledge knowledge() const { return knowledge_; }
    std::optional<duration> round_trip() const { return round_trip_; }
    std::optional<std::size_t> winner() const { return winner_; }
    // Every candidate failed; why says the last.
    bool exhausted() const;
    const std::string& last_failure() const { return last_failure_; }
    bool tried(race_protocol) const;     // an attempt of this protocol was started
    bool answered(race_protocol) const;  // and bytes came back
    // Attempts that were started and did neither fail nor win: to be cancelled when there is a winner.
    std::vector<std::size_t> under_way() const;

    // One line for people: why this protocol won.
    std::string verdict() const;
    // The attempts on a time line, a line each, milliseconds from the start of the race.
    std::string timeline() const;

private:
    enum class state : std::uint8_t { waiting, running, failed, won };
    struct attempt {
        state what = state::waiting;
        std::optional<time_point> started, bytes, ended;
        std::string why;
    };

    bool any_running() const;
    duration delay() const;

    std::vector<race_candidate> candidates_;
    std::vector<attempt> attempts_;
    std::optional<duration> round_trip_;
    duration delay_;
    quic_knowledge knowledge_;
    time_point began_;
    std::optional<time_point> last_start_;
    std::size_t next_ = 0;
    bool hurry_ = true;  // an attempt failed, or none was started yet: the next one starts at once
    std::optional<std::size_t> winner_;
    std::string last_failure_;
};

}  // namespace tandem::http
