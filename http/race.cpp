#include <tandem/http/race.hpp>

#include <algorithm>
#include <cstdio>
#include <utility>

namespace tandem::http {
namespace {

std::string milliseconds(duration d) {
    char out[32];
    std::snprintf(out, sizeof out, "%.1f ms", std::chrono::duration<double, std::milli>(d).count());
    return out;
}

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

std::string_view to_string(race_protocol p) { return p == race_protocol::quic ? "QUIC" : "TCP"; }

std::vector<race_candidate> interleave(const std::vector<race_protocol>& protocols, const std::vector<ip_address>& addresses) {
    std::vector<race_candidate> out;
    for (const auto& address : alternate_families(addresses)) {
        for (auto protocol : protocols) out.push_back({protocol, address});
    }
    return out;
}

race::race(std::vector<race_candidate> candidates, std::optional<duration> round_trip, time_point now)
    : candidates_(std::move(candidates)),
      attempts_(candidates_.size()),
      delay_(round_trip ? std::clamp(*round_trip * 3 / 2, shortest_delay, longest_delay) : default_delay),
      began_(now) {}

bool race::any_running() const {
    return std::any_of(attempts_.begin(), attempts_.end(), [](const attempt& a) { return a.what == state::running; });
}

// Half as long while not one byte came back from anywhere: then it is likely that something drops what we send.
duration race::delay() const {
    const bool heard = std::any_of(attempts_.begin(), attempts_.end(), [](const attempt& a) { return a.what == state::running && a.bytes; });
    return heard ? delay_ : std::max(delay_ / 2, shortest_delay);
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
    std::string text = std::string(to_string(won.protocol)) + " to " + won.address.to_string() + " won";
    if (*winner_ == 0) return text + ": it was tried first and completed after " + milliseconds(*attempts_[0].ended - *attempts_[0].started);
    const auto& first = attempts_[0];
    text += ": " + std::string(to_string(candidates_[0].protocol)) + " to " + candidates_[0].address.to_string();
    if (first.what == state::failed) return text + " failed (" + first.why + ")";
    if (!first.bytes) return text + " had not answered after " + milliseconds(*attempts_[*winner_].ended - *first.started);
    return text + " had answered but was slower to complete";
}

std::string race::timeline() const {
    std::string out;
    for (std::size_t i = 0; i < attempts_.size(); ++i) {
        const auto& a = attempts_[i];
        if (!a.started) continue;
        out += milliseconds(*a.started - began_) + "  " + std::string(to_string(candidates_[i].protocol)) + " to " + candidates_[i].address.to_string();
        out += a.bytes ? ", answered at " + milliseconds(*a.bytes - began_) : ", no answer";
        if (a.what == state::won) out += ", complete at " + milliseconds(*a.ended - began_) + ": used";
        if (a.what == state::failed) out += ", failed at " + milliseconds(*a.ended - began_) + ": " + a.why;
        if (a.what == state::running) out += winner_ ? ", cancelled" : ", under way";
        out += '\n';
    }
    return out;
}

}  // namespace tandem::http
