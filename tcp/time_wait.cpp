#include <tandem/tcp/time_wait.hpp>

#include <algorithm>

namespace tandem::tcp {

ip_path time_wait_table::path_of(const entry& e) {
    const bool v6 = e.is_v6 != 0;
    return {{{e.local, v6}, e.local_port}, {{e.remote, v6}, e.remote_port}};
}

// Rounded up: nothing ends before its time.
time_wait_table::tick time_wait_table::tick_of(time_point t) {
    return static_cast<tick>(std::chrono::ceil<std::chrono::milliseconds>(t.time_since_epoch()).count());
}

// Where the index of the path's entry is held; holds `none` if there is none. The table is not empty.
std::uint32_t* time_wait_table::link_to(const ip_path& path) {
    auto* link = &buckets_[hash_->slot(path) & (buckets_.size() - 1)];
    while (*link != none && path_of(at(*link)) != path) link = &at(*link).next;
    return link;
}

const time_wait_table::entry* time_wait_table::lookup(const ip_path& path) const {
    if (size_ == 0) return nullptr;
    const auto i = *const_cast<time_wait_table*>(this)->link_to(path);
    return i == none ? nullptr : &at(i);
}

std::uint32_t time_wait_table::allocate() {
    if (free_ == none) {
        const auto first = static_cast<std::uint32_t>(chunks_.size() * chunk_size);
        chunks_.push_back(std::make_unique<chunk>());
        for (auto i = first + static_cast<std::uint32_t>(chunk_size); i-- > first;) release(i);
    }
    const auto out = free_;
    free_ = at(out).next;
    return out;
}

void time_wait_table::release(std::uint32_t i) {
    at(i).next = free_;
    free_ = i;
}

void time_wait_table::grow() {
    std::vector<std::uint32_t> old(std::max<std::size_t>(64, 2 * buckets_.size()), none);
    old.swap(buckets_);
    for (auto head : old) {
        while (head != none) {
            auto& e = at(head);
            const auto next = e.next;
            auto& bucket = buckets_[hash_->slot(path_of(e)) & (buckets_.size() - 1)];
            e.next = bucket;
            bucket = head;
            head = next;
        }
    }
}

void time_wait_table::schedule(std::uint32_t i) {
    auto& e = at(i);
    auto& s = slot_of(e);
    e.next_due = s.head;
    s.head = i;
    s.earliest = std::min(s.earliest, full(e.until));
    earliest_ = std::min(earliest_, s.earliest);
}

void time_wait_table::unschedule(std::uint32_t i) {
    auto* link = &slot_of(at(i)).head;
    while (*link != i) link = &at(*link).next_due;
    *link = at(i).next_due;
}

void time_wait_table::insert(const time_wait_record& record, time_point until) {
    wheel_.resize(wheel_size);
    present_ = std::max(present_, tick_of(until - record.lifetime));
    if (size_ == buckets_.size()) grow();
    const auto i = allocate();
    const auto lifetime = std::clamp<duration>(record.lifetime, duration::zero(), max_lifetime);
    at(i) = {.local = record.path.local.address.bytes,
             .remote = record.path.remote.address.bytes,
             .local_port = record.path.local.port,
             .remote_port = record.path.remote.port,
             .next_sequence = record.next_sequence,
             .expected = record.expected,
             .recent_timestamp = record.recent_timestamp,
             .next = none,
             .next_due = none,
             .until = static_cast<std::uint32_t>(tick_of(until)),
             .lifetime = static_cast<std::uint32_t>(lifetime / std::chrono::milliseconds(1)) & 0x3fffffff,
             .timestamps = record.timestamps,
             .is_v6 = record.path.local.address.is_v6};
    auto& bucket = buckets_[hash_->slot(record.path) & (buckets_.size() - 1)];
    at(i).next = bucket;
    bucket = i;
    ++size_;
    schedule(i);
}

std::optional<time_wait_record> time_wait_table::find(const ip_path& path) const {
    const auto* e = lookup(path);
    if (!e) return std::nullopt;
    return time_wait_record{
        path, e->next_sequence, e->expected, e->recent_timestamp, e->timestamps != 0, std::chrono::milliseconds(e->lifetime)};
}

std::optional<time_point> time_wait_table::until(const ip_path& path) const {
    const auto* e = lookup(path);
    return e ? std::optional(time_of(full(e->until))) : std::nullopt;
}

void time_wait_table::restart(const ip_path& path, time_point now) {
    if (size_ == 0) return;
    const auto i = *link_to(path);
    if (i == none) return;
    unschedule(i);
    present_ = std::max(present_, tick_of(now));
    at(i).until = static_cast<std::uint32_t>(tick_of(now + std::chrono::milliseconds(at(i).lifetime)));
    schedule(i);
}

bool time_wait_table::erase(const ip_path& path) {
    if (size_ == 0) return false;
    auto* link = link_to(path);
    const auto i = *link;
    if (i == none) return false;
    *link = at(i).next;
    unschedule(i);
    release(i);
    --size_;
    return true;
}

void time_wait_table::expire_slot(slot& s) {
    auto i = s.head;
    s = {};
    while (i != none) {
        auto& e = at(i);
        const auto next = e.next_due;
        if (full(e.until) > present_) {
            schedule(i);
        } else {
            *link_to(path_of(e)) = e.next;
            release(i);
            --size_;
        }
        i = next;
    }
}

void time_wait_table::expire(time_point now) {
    if (size_ == 0) return;
    present_ = std::max(present_, static_cast<tick>(now.time_since_epoch() / std::chrono::milliseconds(1)));
    if (earliest_ > present_) return;
    earliest_ = ~tick{0};
    for (auto& s : wheel_) {
        if (s.earliest <= present_) expire_slot(s);
        earliest_ = std::min(earliest_, s.earliest);
    }
}

std::size_t time_wait_table::memory() const {
    return chunks_.size() * sizeof(chunk) + chunks_.capacity() * sizeof(chunks_[0]) +
           buckets_.capacity() * sizeof(std::uint32_t) + wheel_.capacity() * sizeof(slot);
}

}  // namespace tandem::tcp
