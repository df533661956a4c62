// Bodies of tunnels, for tests.
#pragma once

#include <memory>

#include <tandem/http/body.hpp>

namespace tandem::http::test {

// Says nothing until it ends.
class quiet_body final : public body_source {
public:
    explicit quiet_body(std::shared_ptr<bool> end) : end_(std::move(end)) {}
    result read(std::span<std::uint8_t>) override { return {.end = *end_}; }

private:
    std::shared_ptr<bool> end_;
};

}  // namespace tandem::http::test
