// Connections in TIME-WAIT that nobody holds any more (RFC 9293 3.6.1): what is left of each is 64 bytes, not a connection
// object.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include <tandem/bytes/address.hpp>
#include <tandem/bytes/time.hpp>
#include <tandem/tcp/isn.hpp>
#include <tandem/tcp/sequence.hpp>

namespace tandem::tcp {

// All that a segment in TIME-WAIT is judged by.
struct time_wait_record {
    ip_path path;
    std::uint32_t next_sequence = 0;     // SND.NXT
    std::uint32_t expected = 0;          // RCV.NXT
    std::uint32_t recent_timestamp = 0;  // TS.Recent, if timestamps are used
    bool timestamps = false;
    duration lifetime{};  // 2 MSL; at most max_lifetime
};

class time_wait_table {
public:
    static constexpr duration max_lifetime = std::chrono::hours(24);

    // `hash` places the entries: peers do not know it, so they cannot make them collide. It outlives the table.
    explicit time_wait_table(const isn_generator& hash) : hash_(&hash) {}

    // The path must not be in it.
    void insert(const time_wait_record& record, time_point until);
    std::optional<time_wait_record> find(const ip_path& path) const;
    std::optional<time_point> until(const ip_path& path) const;
    // TIME-WAIT begins again: the peer has sent its FIN again.
    void restart(const ip_path& path, time_point now);
    bool erase(const ip_path& path);

    // When expire() is to be called next: nothing goes before its time, nothing stays more than a millisecond longer.
    std::optional<time_point> next_timeout() const { return size_ == 0 ? std::nullopt : std::optional(time_of(earliest_)); }
    void expire(time_point now);

    std::size_t size() const { return size_; }
    std::size_t memory() const;  // bytes of heap
    // f(const ip_path&, time_point until)
    template <class F>
    void for_each(F&& f) const {
        for (const auto head : buckets_) {
            for (auto i = head; i != none; i = at(i).next) f(path_of(at(i)), time_of(full(at(i).until)));
        }
    }

private:
    using tick = std::uint64_t;  // milliseconds of the clock; entries hold the low 32 bits
    static constexpr std::uint32_t none = ~std::uint32_t{0};
    static constexpr std::size_t chunk_size = 128;
    static constexpr std::size_t wheel_size = 1024;
    static constexpr std::uint32_t slot_width = 64;

    struct entry {
        std::array<std::uint8_t, 16> local, remote;
        std::uint16_t local_port, remote_port;
        std::uint32_t next_sequence, expected, recent_timestamp;
        std::uint32_t next;  // in its bucket, or of the free ones
        std::uint32_t next_due;
        std::uint32_t until;
        std::uint32_t lifetime : 30;
        std::uint32_t timestamps : 1;
        std::uint32_t is_v6 : 1;
    };
    static_assert(sizeof(entry) == 64);
    using chunk = std::array<entry, chunk_size>;

    struct slot {
        std::uint32_t head = none;
        tick earliest = ~tick{0};  // not later than any in it
    };

    entry& at(std::uint32_t i) { return (*chunks_[i / chunk_size])[i % chunk_size]; }
    const entry& at(std::uint32_t i) const { return (*chunks_[i / chunk_size])[i % chunk_size]; }
    static ip_path path_of(const entry& e);
    static tick tick_of(time_point t);
    static time_point time_of(tick t) { return time_point(std::chrono::milliseconds(t)); }
    tick full(std::uint32_t low) const { return unwrap(low, present_); }
    slot& slot_of(const entry& e) { return wheel_[e.until / slot_width % wheel_size]; }
    std::uint32_t* link_to(const ip_path& path);
    const entry* lookup(const ip_path& path) const;
    std::uint32_t allocate();
    void release(std::uint32_t i);
    void grow();
    void schedule(std::uint32_t i);
    void unschedule(std::uint32_t i);
    void expire_slot(slot& s);

    const isn_generator* hash_;
    tick present_ = 0;  // as far as was told: what the 32 bits are near to
    tick earliest_ = ~tick{0};
    std::size_t size_ = 0;
    std::uint32_t free_ = none;
    std::vector<std::unique_ptr<chunk>> chunks_;
    std::vector<std::uint32_t> buckets_;  // a power of two, or empty
    std::vector<slot> wheel_;             // by when they end; what ends later than one turn is passed over
};

}  // namespace tandem::tcp
