// For what stands behind a tunnel at a server, which lives for as long as operations on its exchange do.
#pragma once

#include <memory>
#include <utility>

namespace tandem::net::detail {

// What an operation on the exchange keeps. One that never completes, since its executor ends, tells the state so.
template <class State>
class state_keeper {
public:
    explicit state_keeper(std::shared_ptr<State> state) : state_(std::move(state)) {}
    ~state_keeper() {
        if (state_) state_->dropped();
    }
    state_keeper(state_keeper&&) noexcept = default;
    state_keeper& operator=(state_keeper&&) = delete;
    std::shared_ptr<State> take() { return std::move(state_); }

private:
    std::shared_ptr<State> state_;
};

}  // namespace tandem::net::detail
