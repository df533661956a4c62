#include "mix.hpp"

#include <algorithm>
#include <cmath>

#include <tandem/bytes/random.hpp>

#include "fixture.hpp"

namespace tandem::net {
namespace {

std::uint64_t log_uniform(random_source& random, std::uint64_t largest) {
    const auto out = std::exp(random.uniform() * std::log(static_cast<double>(largest) + 1)) - 1;
    return std::min(largest, static_cast<std::uint64_t>(out));
}

part draw_part(random_source& random, std::uint64_t largest, std::uint64_t& budget) {
    part out;
    out.sends = log_uniform(random, largest);
    if (out.sends > budget) out.sends = log_uniform(random, std::min<std::uint64_t>(largest, 100'000));
    budget -= std::min(budget, out.sends);
    return out;
}

void draw_abort(random_source& random, part& who, const part& other) {
    const bool sending = random.below(2) == 0;
    (sending ? who.abort_after_sending : who.abort_after_reading) = random.below((sending ? who.sends : other.sends) + 1);
}

void draw_pause(random_source& random, part& who, const part& other) {
    who.pause_after = random.below(other.sends + 1);
    who.pause = std::chrono::milliseconds(5 + random.below(400));
}

}  // namespace

std::vector<conversation> draw_mix(std::size_t count, std::uint64_t largest, std::uint64_t budget, std::uint64_t seed) {
    random_source random(seed);
    std::vector<conversation> out(count);
    for (auto& c : out) {
        c.connector = draw_part(random, largest, budget);
        c.acceptor = draw_part(random, largest, budget);
        // A third sends both ways at once, a third each is question and answer.
        if (const auto order = random.below(3); order != 0) (order == 1 ? c.acceptor : c.connector).answers = true;
        if (random.below(8) == 0) draw_abort(random, c.connector, c.acceptor);
        if (random.below(8) == 0) draw_abort(random, c.acceptor, c.connector);
        if (random.below(6) == 0) draw_pause(random, c.connector, c.acceptor);
        if (random.below(6) == 0) draw_pause(random, c.acceptor, c.connector);
    }
    out[count / 2] = {.connector = {.sends = largest}, .acceptor = {.sends = largest}};
    part pauses{.sends = 4'000'000, .pause_after = 100'000, .pause = std::chrono::milliseconds(700)};
    out[count / 3] = {.connector = pauses, .acceptor = pauses};
    return out;
}

std::string describe(const conversation& c) {
    const auto one = [](const part& p) {
        auto out = "sends " + std::to_string(p.sends);
        if (p.answers) out += " in answer";
        if (p.abort_after_sending) out += ", aborts after sending " + std::to_string(*p.abort_after_sending);
        if (p.abort_after_reading) out += ", aborts after reading " + std::to_string(*p.abort_after_reading);
        if (p.pause_after)
            out += ", pauses after " + std::to_string(*p.pause_after) + " for " + std::to_string(p.pause.count()) + " ms";
        return out;
    };
    return "connector " + one(c.connector) + "; acceptor " + one(c.acceptor);
}

std::string describe(const std::vector<conversation>& mix) {
    std::uint64_t bytes = 0, aborts = 0, pauses = 0, answers = 0;
    for (const auto& c : mix) {
        for (const auto* p : {&c.connector, &c.acceptor}) {
            bytes += p->sends;
            aborts += p->aborts();
            pauses += p->pause_after.has_value();
            answers += p->answers;
        }
    }
    return std::to_string(mix.size()) + " connections, " + std::to_string(bytes) + " bytes, " + std::to_string(answers) +
           " answers, " + std::to_string(aborts) + " aborts, " + std::to_string(pauses) + " pauses";
}

std::string to_string(ending e) {
    switch (e) {
        case ending::not_begun:
            return "not begun";
        case ending::under_way:
            return "under way";
        case ending::complete:
            return "complete";
        case ending::was_reset:
            return "was reset";
        case ending::aborted:
            return "aborted";
        case ending::wrong_data:
            return "wrong data";
        case ending::failed:
            return "failed";
    }
    return "";
}

bool may_end(const part& mine, const part& peers, bool accepted, ending e) {
    switch (e) {
        case ending::not_begun:
            return accepted && peers.aborts();  // a reset may overtake the handshake's last segment
        // Who aborts while it sends never ends its half. Who does so while it reads may meet a peer that has done its part.
        case ending::complete:
            return !mine.aborts() && !peers.abort_after_sending;
        case ending::was_reset:
            return peers.aborts();
        case ending::aborted:
            return mine.aborts();
        default:
            return false;
    }
}

bool side::abort_due() const {
    return !over() && ((mine_.abort_after_sending && sent_ >= *mine_.abort_after_sending) ||
                       (mine_.abort_after_reading && received_ >= *mine_.abort_after_reading));
}

std::span<const std::uint8_t> side::to_send() const {
    if (over() || write_ended_ || (mine_.answers && !read_ended_)) return {};
    const auto end = std::min(mine_.sends, mine_.abort_after_sending.value_or(mine_.sends));
    return sent_ < end ? data().at(sends_, sent_, end) : std::span<const std::uint8_t>();
}

bool side::end_due() const {
    return !over() && !write_ended_ && sent_ == mine_.sends && (!mine_.answers || read_ended_) && !abort_due();
}

void side::half_ended() {
    write_ended_ = true;
    check_complete();
}

std::size_t side::may_read(std::size_t n) const {
    for (const auto& stop : {mine_.abort_after_reading, paused_ ? std::nullopt : mine_.pause_after}) {
        if (stop && *stop > received_) n = static_cast<std::size_t>(std::min<std::uint64_t>(n, *stop - received_));
    }
    return n;
}

void side::received(std::span<const std::uint8_t> bytes) {
    if (received_ + bytes.size() > peers_.sends || !data().check(reads_, received_, bytes)) ended(ending::wrong_data);
    received_ += bytes.size();
}

void side::peer_ended() {
    read_ended_ = true;
    if (received_ != peers_.sends) ended(ending::wrong_data);
    check_complete();
}

std::chrono::milliseconds side::pause_due() {
    if (paused_ || !mine_.pause_after || received_ < *mine_.pause_after) return {};
    paused_ = true;
    return mine_.pause;
}

void side::check_complete() {
    if (write_ended_ && read_ended_ && !abort_due()) ended(ending::complete);
}

}  // namespace tandem::net
