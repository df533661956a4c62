// A list of objects that live elsewhere: adding and removing allocate nothing and take constant time.
#pragma once

namespace tandem::quic {

template <class T>
struct list_hook {
    T* previous = nullptr;
    T* next = nullptr;
    bool linked = false;
};

template <class T, list_hook<T> T::*Hook>
class intrusive_list {
public:
    intrusive_list() = default;
    intrusive_list(const intrusive_list&) = delete;
    intrusive_list& operator=(const intrusive_list&) = delete;

    bool empty() const { return first_ == nullptr; }
    T* front() const { return first_; }
    T* next(const T& item) const { return (item.*Hook).next; }

    // Nothing happens if it is in the list.
    void push_back(T& item) {
        auto& hook = item.*Hook;
        if (hook.linked) return;
        hook = {last_, nullptr, true};
        (last_ != nullptr ? (last_->*Hook).next : first_) = &item;
        last_ = &item;
    }
    void remove(T& item) {
        auto& hook = item.*Hook;
        if (!hook.linked) return;
        (hook.previous != nullptr ? (hook.previous->*Hook).next : first_) = hook.next;
        (hook.next != nullptr ? (hook.next->*Hook).previous : last_) = hook.previous;
        hook = {};
    }

private:
    T* first_ = nullptr;
    T* last_ = nullptr;
};

}  // namespace tandem::quic
