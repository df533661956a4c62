#include <tandem/bytes/recycled.hpp>

#include <new>

namespace tandem::recycled {

namespace detail {

constinit thread_local pool pool_of_thread{};

namespace {

// What a thread keeps ends with it. Pieces released later still, by objects of the whole program, go back at once.
struct trimmer {
    trimmer() { pool_of_thread.limit = most_kept; }
    ~trimmer() {
        pool_of_thread.limit = 0;
        trim();
    }
};

}  // namespace

// Whole grains, so that a piece serves every size of its class.
void* allocate_anew(std::size_t n) {
    if (!TANDEM_RECYCLES_MEMORY || n > largest || n == 0) return ::operator new(n);
    static thread_local trimmer ends_with_thread;
    return ::operator new(size_class(n) * grain);
}

void release_beyond(void* p, std::size_t) noexcept { ::operator delete(p); }

}  // namespace detail

void trim() noexcept {
    auto& own = detail::pool_of_thread;
    for (auto& first : own.waiting) {
        while (first != nullptr) ::operator delete(std::exchange(first, first->next));
    }
    own.kept = 0;
}

}  // namespace tandem::recycled
