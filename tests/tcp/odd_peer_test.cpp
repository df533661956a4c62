// A peer that is within its rights, and sends in whatever order, size and repetition it likes, with other people's forgeries in
// between: what is read is what it wrote, what it gets is what was written, and nothing goes beyond the window it offered.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include <tandem/bytes/random.hpp>
#include <tandem/bytes/range_set.hpp>
#include <tandem/tcp/connection.hpp>

#include "seed.hpp"
#include "tcp/hosts.hpp"
#include "tcp/script.hpp"

namespace tandem::tcp::test {
namespace {

using std::chrono::milliseconds;

constexpr std::uint8_t forged = 0xee;
std::uint8_t theirs(std::uint64_t offset) { return static_cast<std::uint8_t>(offset % 223); }
std::uint8_t ours(std::uint64_t offset) { return static_cast<std::uint8_t>(offset % 211); }

class odd_peer {
public:
    explicit odd_peer(std::uint64_t seed) : random_(seed), with_timestamps_(chance(0.5)), with_sack_(chance(0.6)) {
        auto c = with_timestamps_ ? script::plain() : script::no_timestamps();
        c.receive_window = c.max_receive_window = 4096 + random_.below(60'000);
        c.nagle = chance(0.5);
        object_ = connection::connect(path_, c, {.initial_sequence = 0xffff8000, .random = seed}, now_);
        look();
        segment s{.sequence = their_first - 1, .acknowledgment = our_first, .flags = flag::syn | flag::ack, .window = 30'000};
        s.options.mss = static_cast<std::uint16_t>(200 + random_.below(1260));
        s.options.sack_permitted = with_sack_;
        edge_ = 30'000;
        give(s);
    }

    void run() {
        for (int i = 0; i < 1500 && alive(); ++i) {
            pass(milliseconds(random_.below(60)));
            if (chance(0.25)) forge();
            if (chance(0.5)) send_anything();
            if (chance(0.5)) acknowledge_oddly();
        }
        for (int i = 0; i < 2000 && alive() && !done(); ++i) {
            pass(milliseconds(5));
            send_next();
            acknowledge(65535);
            if (i % 10 == 9) pass(std::chrono::seconds(1));
        }
        EXPECT_TRUE(alive()) << to_string(object_->state());
        EXPECT_EQ(read_, their_size);
        EXPECT_TRUE(end_read_);
        EXPECT_TRUE(has_fin_ && received_.contains({0, our_size})) << "of " << our_size;
    }

private:
    static constexpr std::uint32_t our_first = 0xffff8001, their_first = 1001;
    static constexpr std::uint64_t our_size = 60'000, their_size = 60'000;

    bool chance(double p) { return random_.uniform() < p; }
    bool alive() const { return !ended_; }
    bool done() const { return end_read_ && has_fin_ && received_.contains({0, our_size}) && read_ == their_size; }

    // All that the connection received in order, and what it has to acknowledge: told by its latest segment.
    std::uint64_t acknowledged() const { return acknowledged_; }
    // All that arrived here in order.
    std::uint64_t in_order() const {
        const auto end = received_.empty() || received_.front().begin > 0 ? 0 : received_.front().end;
        return end == our_size && has_fin_ ? end + 1 : end;
    }

    void pass(duration d) {
        now_ += d;
        if (const auto at = object_->next_timeout(); at && *at <= now_) object_->on_timeout(now_);
        work();
        look();
    }

    // The application: writes all it has and the end of it, reads now and then.
    void work() {
        while (const auto e = object_->poll_event()) {
            ended_ = ended_ || *e == event::reset || *e == event::timed_out || *e == event::unreachable;
        }
        std::vector<std::uint8_t> data;
        for (auto n = std::min<std::uint64_t>({object_->send_room(), our_size - written_, random_.below(600)}); n > 0; --n) {
            data.push_back(ours(written_ + data.size()));
        }
        written_ += object_->write(data);
        if (written_ == our_size) object_->shutdown_send();
        if (chance(0.3)) return;
        std::vector<std::uint8_t> buffer(1 + random_.below(5000));
        const auto n = object_->read(buffer, now_);
        for (std::size_t i = 0; i < n; ++i) {
            if (buffer[i] != theirs(read_ + i)) FAIL() << "read: at " << read_ + i;
        }
        read_ += n;
        end_read_ = object_->peer_closed() && object_->readable() == 0;
    }

    // What the connection sends now.
    void look() {
        train out;
        out.buffer = buffer_;
        while (object_->transmit(now_, out)) {
            for (std::size_t i = 0; i < out.count(); ++i) {
                packet p;
                ASSERT_EQ(parse_packet(out.datagram(i), p), drop_reason::none);
                look_at(p.tcp);
            }
        }
    }

    void look_at(const segment& s) {
        if (s.has(flag::syn) || s.has(flag::rst)) return;
        if (s.options.timestamps) echo_ = s.options.timestamps->value;
        acknowledged_ = std::max<std::uint64_t>(acknowledged_, s.acknowledgment - their_first);
        window_ = std::max(window_, s.acknowledgment - their_first + std::uint64_t{s.window});
        const std::uint64_t begin = static_cast<std::uint32_t>(s.sequence - our_first);
        const auto end = begin + s.payload.size();
        if (s.payload.empty() && !s.has(flag::fin)) return;
        ASSERT_LE(end, our_size);
        ASSERT_LE(end, edge_ + 1) << "beyond the window";
        for (std::size_t i = 0; i < s.payload.size(); ++i) {
            if (s.payload[i] != ours(begin + i)) FAIL() << "sent: at " << begin + i;
        }
        if (chance(0.2)) return;  // lost
        if (end > edge_) return;  // a probe of the window: not taken
        received_.insert({begin, end});
        if (s.has(flag::fin)) {
            ASSERT_EQ(end, our_size);
            has_fin_ = true;
        }
    }

    void give(segment s) {
        if (with_timestamps_ && !s.options.timestamps && !bare_) s.options.timestamps = timestamp_option{stamp(), echo_};
        object_->receive(s, now_);
        work();
        look();
    }
    std::uint32_t stamp() const { return static_cast<std::uint32_t>(now_.time_since_epoch() / milliseconds(1)); }
    segment ordinary() {
        auto s = segment{.sequence = static_cast<std::uint32_t>(their_first + acknowledged_),
                         .acknowledgment = static_cast<std::uint32_t>(our_first + in_order()),
                         .flags = flag::ack};
        offer(s, last_window_);
        return s;
    }
    // The right edge never goes back.
    void offer(segment& s, std::uint64_t window) {
        const std::uint64_t at = static_cast<std::uint32_t>(s.acknowledgment - our_first);
        window = std::min<std::uint64_t>(65535, std::max(window, edge_ > at ? edge_ - at : 0));
        s.window = static_cast<std::uint16_t>(window);
        edge_ = std::max(edge_, at + window);
    }

    // Bytes of the stream, perhaps its end; within the window as far as it is known.
    void send(std::uint64_t begin, std::uint64_t size) {
        begin = std::min(begin, their_size);
        const auto limit = std::min(their_size, std::max(window_, begin));
        const auto end = std::min(begin + size, limit);
        bytes_.clear();
        for (auto i = begin; i < end; ++i) bytes_.push_back(theirs(i));
        auto s = ordinary();
        s.sequence = static_cast<std::uint32_t>(their_first + begin);
        s.payload = bytes_;
        if (end == their_size) s.flags |= flag::fin;
        if (s.payload.empty() && !s.has(flag::fin)) return;
        give(s);
    }
    void send_anything() {
        const auto around = acknowledged_ + random_.below(9000);
        send(around > 3000 ? around - 3000 : 0, 1 + random_.below(1400));
    }
    void send_next() {
        for (int i = 0; i < 4; ++i) send(std::min(acknowledged_, their_size), 1000);
    }

    void add_sack(segment& s) {
        if (!with_sack_) return;
        for (const auto& r : received_) {
            if (r.begin <= in_order() || !chance(0.7)) continue;
            s.options.add_sack({static_cast<std::uint32_t>(our_first + r.begin), static_cast<std::uint32_t>(our_first + r.end)});
            if (s.options.sack_count == 3) break;
        }
    }
    void acknowledge(std::uint64_t window) {
        last_window_ = window;
        auto s = ordinary();
        add_sack(s);
        give(s);
    }
    void acknowledge_oddly() {
        last_window_ = chance(0.2) ? 0 : random_.below(20'000);
        auto s = ordinary();
        if (chance(0.2)) {  // an old one that comes late
            s.acknowledgment -= static_cast<std::uint32_t>(random_.below(std::min<std::uint64_t>(in_order(), 5000) + 1));
            offer(s, last_window_);
        }
        add_sack(s);
        if (with_sack_ && chance(0.05)) {  // numbers without sense
            s.options.add_sack({static_cast<std::uint32_t>(random_()), static_cast<std::uint32_t>(random_())});
            s.options.add_sack({our_first + 1, our_first});
        }
        if (chance(0.1)) s.flags |= flag::urg;
        s.urgent_pointer = static_cast<std::uint16_t>(random_());
        give(s);
    }

    // Somebody else's: each has a fault for which it must not be taken.
    void forge() {
        bytes_.assign(1 + random_.below(1400), forged);
        auto s = segment{.sequence = static_cast<std::uint32_t>(their_first + acknowledged_ + random_.below(3000)),
                         .acknowledgment = static_cast<std::uint32_t>(our_first + in_order()),
                         .flags = flag::ack,
                         .window = 65535,
                         .payload = bytes_};
        const auto kind = random_.below(with_timestamps_ ? 8 : 6);
        switch (kind) {
            case 0:  // acknowledges what was never sent
                s.acknowledgment += 1'000'000;
                if (with_timestamps_) s.options.timestamps = timestamp_option{stamp() + 1'000'000'000, echo_};
                break;
            case 1:
                s.flags = chance(0.5) ? 0 : flag::fin;
                break;
            case 2:
                s.sequence += 1U << 30;
                break;
            case 3:
                s.sequence -= 200'000;
                break;
            case 4:  // in the window, and not exact
                s.payload = {};
                s.flags = flag::rst;
                s.sequence = static_cast<std::uint32_t>(their_first + their_size + 7);
                break;
            case 5:
                s.flags |= flag::syn;
                break;
            case 6:
                s.options.timestamps = timestamp_option{stamp() - 1'000'000, echo_};
                break;
            default:
                bare_ = true;
                break;
        }
        give(s);
        bare_ = false;
    }

    random_source random_;
    bool with_timestamps_;
    bool with_sack_;
    ip_path path_{{client_address, 1}, {server_address, 2}};
    time_point now_ = start_time;
    std::unique_ptr<connection> object_;
    std::vector<std::uint8_t> bytes_;
    std::vector<std::uint8_t> buffer_ = std::vector<std::uint8_t>(65536);
    range_set received_;      // of the connection's stream
    bool has_fin_ = false;    // of the connection
    std::uint64_t edge_ = 0;  // offered to the connection
    std::uint64_t last_window_ = 30'000;
    std::uint64_t acknowledged_ = 0;  // by the connection
    std::uint64_t window_ = 0;        // its right edge
    std::uint32_t echo_ = 0;
    bool bare_ = false;  // without timestamps
    std::uint64_t written_ = 0, read_ = 0;
    bool end_read_ = false, ended_ = false;
};

TEST(odd_peer, gets_and_gives_every_byte) {
    for (std::uint64_t n = 0; n < 4; ++n) {
        SCOPED_TRACE("run " + std::to_string(n));
        odd_peer(tandem::test::seed() + n).run();
        if (HasFatalFailure() || HasNonfatalFailure()) return;
    }
}

}  // namespace
}  // namespace tandem::tcp::test
