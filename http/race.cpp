#include <tandem/http/race.hpp>

#include <algorithm>
#include <cstdio>
#include <utility>

namespace tandem::http {
namespace {

// RFC 8305 4: families in turn, beginning with the one preferred.
std::vector<ip_address> alternate_families(const std::vector<ip_address>& addresses) {
    std::vector<ip_address> first, second, out;
    for (const auto& a : addresses) (a.is_v6 == addresses.front().is_v6 ? first : second).push_back(a);
    for (std::size_t i = 0; i < std::max(first.size(), second.size()); ++i) {
        if (i < first.size()) out.push_back(first[i]);
        if (i < second.size()) out.push_back(second[i]);
    }
    return out;
}

}  // namespace

std::string milliseconds_text(duration d) {
    char out[32];
    std::snprintf(out, sizeof out, "%.1f ms", std::chrono::duration<double, std::milli>(d).count());
    return out;
}

std::string_view to_string(race_protocol p) { return p == race_protocol::quic ? "QUIC" : "TCP"; }

std::string_view to_string(quic_knowledge k) {
    switch (k) {
        case quic_knowledge::earlier:
            return "prior knowledge";
        case quic_knowledge::alt_svc:
            return "Alt-Svc";
        case quic_knowledge::https_record:
            return "an HTTPS record";
        default:
            return "nothing";
    }
}

std::string to_string(const race_candidate& c) {
    auto text = std::string(to_string(c.protocol)) + " to " + c.address.to_string();
    return c.port == 0 ? text : text + " port " + std::to_string(c.port);
}

std::vector<race_candidate> interleave(const std::vector<race_protocol>& protocols, const std::vector<ip_address>& addresses,
                                       std::uint16_t port) {
    std::vector<race_candidate> out;
    for (const auto& address : alternate_families(addresses)) {
        for (auto protocol : protocols) out.push_back({protocol, address, port});
    }
    return out;
}

race::race(std::vector<race_candidate> candidates, std::optional<duration> round_trip, time_point now, quic_knowledge knowledge)
    : candidates_(std::move(candidates)),
      attempts_(candidates_.size()),
      round_trip_(round_trip),
      delay_(round_trip ? std::clamp(*round_trip * 3 / 2, shortest_delay, longest_delay) : default_delay),
      knowledge_(knowledge),
      began_(now) {}

bool race::any_running() const {
    return std::any_of(attempts_.begin(), attempts_.end(), [](const attempt& a) { return a.what == state::running; });
}

// Half as long while not one byte came back from anywhere: then it is likely that something drops what we send. Where the round
// trip is known no answer can have come before it is over: not to wait for it would be to start two attempts each time.
duration race::delay() const {
    const bool heard =
        std::any_of(attempts_.begin(), attempts_.end(), [](const attempt& a) { return a.what == state::running && a.bytes; });
    if (heard) return delay_;
    const auto soonest_answer = round_trip_ ? std::min<duration>(*round_trip_ * 5 / 4, delay_) : duration::zero();
    return std::max({duration(delay_ / 2), shortest_delay, soonest_answer});
}

std::optional<time_point> race::next_timeout() const {
    if (winner_ || next_ == candidates_.size()) return std::nullopt;
    if (hurry_ || !last_start_) return began_;
    return *last_start_ + delay();
}

std::optional<std::size_t> race::poll_start(time_point now) {
    const auto due = next_timeout();
    if (!due || now < *due) return std::nullopt;
    auto& a = attempts_[next_];
    a.what = state::running;
    a.started = now;
    last_start_ = now;
    hurry_ = false;
    return next_++;
}

void race::on_bytes(std::size_t candidate, time_point now) {
    auto& a = attempts_[candidate];
    if (!a.bytes) a.bytes = now;
}

void race::on_failed(std::size_t candidate, std::string why, time_point now) {
    auto& a = attempts_[candidate];
    if (a.what != state::running) return;
    a.what = state::failed;
    a.ended = now;
    a.why = why;
    last_failure_ = std::move(why);
    hurry_ = true;
}

void race::on_completed(std::size_t candidate, time_point now) {
    auto& a = attempts_[candidate];
    if (a.what != state::running || winner_) return;
    a.what = state::won;
    a.ended = now;
    winner_ = candidate;
}

bool race::exhausted() const { return !winner_ && next_ == candidates_.size() && !any_running(); }

bool race::tried(race_protocol p) const {
    for (std::size_t i = 0; i < attempts_.size(); ++i) {
        if (candidates_[i].protocol == p && attempts_[i].started) return true;
    }
    return false;
}

bool race::answered(race_protocol p) const {
    for (std::size_t i = 0; i < attempts_.size(); ++i) {
        if (candidates_[i].protocol == p && attempts_[i].bytes) return true;
    }
    return false;
}

std::vector<std::size_t> race::under_way() const {
    std::vector<std::size_t> out;
    for (std::size_t i = 0; i < attempts_.size(); ++i) {
        if (attempts_[i].what == state::running) out.push_back(i);
    }
    return out;
}

std::string race::verdict() const {
    if (!winner_) return exhausted() ? "nothing could be reached: " + last_failure_ : "undecided";
    const auto& won = candidates_[*winner_];
    std::string text = to_string(won) + " won";
    if (*winner_ == 0)
        return text + ": it was tried first and completed after " +
               milliseconds_text(*attempts_[0].ended - *attempts_[0].started);
    const auto& first = attempts_[0];
    text += ": " + to_string(candidates_[0]);
    if (first.what == state::failed) return text + " failed (" + first.why + ")";
    if (!first.bytes) return text + " had not answered after " + milliseconds_text(*attempts_[*winner_].ended - *first.started);
    return text + " had answered but was slower to complete";
}

std::string race::timeline() const {
    std::string out;
    for (std::size_t i = 0; i < attempts_.size(); ++i) {
        const auto& a = attempts_[i];
        if (!a.started) continue;
        out += milliseconds_text(*a.started - began_) + "  " + to_string(candidates_[i]);
        out += a.bytes ? ", answered at " + milliseconds_text(*a.bytes - began_) : ", no answer";
        if (a.what == state::won) out += ", complete at " + milliseconds_text(*a.ended - began_) + ": used";
        if (a.what == state::failed) out += ", failed at " + milliseconds_text(*a.ended - began_) + ": " + a.why;
        if (a.what == state::running) out += winner_ ? ", cancelled" : ", under way";
        out += '\n';
    }
    return out;
}

}  // namespace tandem::http
