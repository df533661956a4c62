// A hash table in one piece of memory: a lookup touches one or two cache lines, where a table of nodes touches a chain of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace tandem {

// Numbers that count up spread over the table; whoever lets strangers choose keys gives a keyed hash instead.
struct number_hash {
    std::size_t operator()(std::uint64_t n) const {
        n *= 0x9e3779b97f4a7c15;
        return static_cast<std::size_t>(n ^ n >> 32);
    }
};

// Open addressing, linear probing, no tombstones. Value is a pointer of some kind; a null one marks a free slot. Inserting and
// erasing move entries: nothing may refer to a slot across them. Key and Value are cheap to move.
template <class Key, class Value, class Hash = number_hash>
class flat_map {
public:
    explicit flat_map(Hash hash = {}) : hash_(std::move(hash)) {}

    std::size_t size() const { return size_; }
    bool empty() const { return size_ == 0; }

    // Null if there is none.
    const Value* find(const Key& key) const {
        if (slots_.empty()) return nullptr;
        const auto& s = slots_[position(key)];
        return s.value ? &s.value : nullptr;
    }
    bool contains(const Key& key) const { return find(key) != nullptr; }

    // False, and nothing happens, if the key is there already. The value is not null.
    bool insert(const Key& key, Value value) {
        if (contains(key)) return false;
        if (4 * (size_ + 1) > 3 * slots_.size()) grow();
        slots_[position(key)] = {key, std::move(value)};
        ++size_;
        return true;
    }

    bool erase(const Key& key) {
        if (slots_.empty()) return false;
        auto hole = position(key);
        if (!slots_[hole].value) return false;
        [[maybe_unused]] const Value gone =
            std::exchange(slots_[hole].value, Value{});  // dies last: its end may look at the table
        // What was pushed beyond the hole by it moves up, so that every chain stays unbroken.
        for (auto i = next(hole); slots_[i].value; i = next(i)) {
            if (distance(home(slots_[i].key), i) < distance(hole, i)) continue;
            slots_[hole] = {std::move(slots_[i].key), std::exchange(slots_[i].value, Value{})};
            hole = i;
        }
        --size_;
        return true;
    }

    // f(key, value) for each, in no order; it must not insert or erase.
    template <class F>
    void for_each(F f) const {
        for (const auto& s : slots_) {
            if (s.value) f(s.key, s.value);
        }
    }

private:
    struct slot {
        Key key{};
        Value value{};
    };

    std::size_t home(const Key& key) const { return hash_(key) & (slots_.size() - 1); }
    std::size_t next(std::size_t i) const { return (i + 1) & (slots_.size() - 1); }
    std::size_t distance(std::size_t from, std::size_t to) const { return (to - from) & (slots_.size() - 1); }
    // Where the key is, or the free slot where it belongs.
    std::size_t position(const Key& key) const {
        auto i = home(key);
        while (slots_[i].value && !(slots_[i].key == key)) i = next(i);
        return i;
    }
    void grow() {
        std::vector<slot> old(slots_.empty() ? 4 : 2 * slots_.size());
        old.swap(slots_);
        for (auto& s : old) {
            if (s.value) slots_[position(s.key)] = std::move(s);
        }
    }

    [[no_unique_address]] Hash hash_;
    std::size_t size_ = 0;
    std::vector<slot> slots_;  // a power of two, at most three quarters in use
};

}  // namespace tandem
