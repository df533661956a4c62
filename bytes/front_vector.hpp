// A contiguous sequence that is cheap to grow at the back and to shrink at the front.
#pragma once

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include <tandem/bytes/recycled.hpp>

namespace tandem {

// A vector with a free part in front. pop_front is O(1), push_back amortised O(1), and a queue whose length stays within bounds
// stops allocating. Inserting or erasing elsewhere moves what lies behind.
template <class T>
class front_vector {
public:
    bool empty() const { return head_ == items_.size(); }
    std::size_t size() const { return items_.size() - head_; }
    T* begin() { return items_.data() + head_; }
    T* end() { return items_.data() + items_.size(); }
    const T* begin() const { return items_.data() + head_; }
    const T* end() const { return items_.data() + items_.size(); }
    T& front() { return items_[head_]; }
    T& back() { return items_.back(); }
    const T& front() const { return items_[head_]; }
    const T& back() const { return items_.back(); }
    T& operator[](std::size_t i) { return items_[head_ + i]; }
    const T& operator[](std::size_t i) const { return items_[head_ + i]; }

    void push_back(T item) { emplace_back(std::move(item)); }

    // The arguments must not lie in this vector.
    template <class... Arguments>
    T& emplace_back(Arguments&&... arguments) {
        // Moving the items down is paid for by the pops that made the free part.
        if (items_.size() == items_.capacity() && head_ > 0 && 2 * head_ >= items_.size()) {
            items_.erase(items_.begin(), items_.begin() + static_cast<std::ptrdiff_t>(head_));
            head_ = 0;
        }
        return items_.emplace_back(std::forward<Arguments>(arguments)...);
    }

    void pop_front() {
        items_[head_] = T{};  // gives up what it owned
        if (++head_ == items_.size()) clear();
    }

    void pop_back() {
        items_.pop_back();
        if (empty()) clear();
    }

    void insert(const T* at, T item) {
        const auto i = at - begin();
        if (i == 0 && head_ > 0) {
            items_[--head_] = std::move(item);
        } else {
            items_.insert(items_.begin() + static_cast<std::ptrdiff_t>(head_) + i, std::move(item));
        }
    }

    void erase(const T* first, const T* last) {
        if (first == last) return;
        if (first == begin()) {
            for (auto n = last - first; n > 0; --n) pop_front();
            return;
        }
        const auto from = items_.begin() + (first - items_.data());
        items_.erase(from, from + (last - first));
    }

    void clear() {
        items_.clear();
        head_ = 0;
    }

    // Gives back the memory, if nothing is in it.
    void shrink() {
        if (empty()) *this = front_vector();
    }

private:
    std::vector<T, recycled::allocator<T>> items_;
    std::size_t head_ = 0;
};

}  // namespace tandem
