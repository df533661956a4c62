#include <tandem/http/body.hpp>

#include <algorithm>
#include <utility>

namespace tandem::http {

memory_body::memory_body(std::string text) {
    auto owned = std::make_shared<const std::string>(std::move(text));
    bytes_ = {reinterpret_cast<const std::uint8_t*>(owned->data()), owned->size()};
    owner_ = std::move(owned);
}

memory_body::memory_body(std::vector<std::uint8_t> bytes) {
    auto owned = std::make_shared<const std::vector<std::uint8_t>>(std::move(bytes));
    bytes_ = *owned;
    owner_ = std::move(owned);
}

memory_body::memory_body(std::shared_ptr<const void> owner, std::span<const std::uint8_t> bytes)
    : owner_(std::move(owner)), bytes_(bytes) {}

body_source::result memory_body::read(std::span<std::uint8_t> out) {
    auto n = std::min(out.size(), bytes_.size() - at_);
    std::copy_n(bytes_.begin() + static_cast<std::ptrdiff_t>(at_), n, out.begin());
    at_ += n;
    return {.n = n, .end = at_ == bytes_.size()};
}

}  // namespace tandem::http
