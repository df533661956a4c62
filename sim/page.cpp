#include <tandem/sim/page.hpp>

#include <algorithm>
#include <charconv>
#include <numeric>

#include <tandem/bytes/random.hpp>

namespace tandem::sim {

namespace {

constexpr std::string_view path_prefix = "/object/";
constexpr std::uint64_t content_seed = 0x7a6e64656d;
constexpr std::size_t shift_per_object = 61;  // odd, so that no two objects of a page begin alike

}  // namespace

std::uint64_t page::bytes() const { return std::accumulate(objects.begin(), objects.end(), std::uint64_t{0}); }

std::uint64_t page::largest() const { return objects.empty() ? 0 : *std::max_element(objects.begin(), objects.end()); }

std::string object_path(std::size_t id) { return std::string(path_prefix) + std::to_string(id); }

std::optional<std::size_t> object_of_path(std::string_view path) {
    if (!path.starts_with(path_prefix)) return std::nullopt;
    path.remove_prefix(path_prefix.size());
    std::size_t id = 0;
    const auto [end, error] = std::from_chars(path.data(), path.data() + path.size(), id);
    if (error != std::errc{} || end != path.data() + path.size() || id == 0) return std::nullopt;
    return id;
}

page_bytes::page_bytes(const page& p)
    : bytes_(std::make_shared<std::vector<std::uint8_t>>(p.largest() + shift_per_object * (p.objects.size() + 1))),
      sizes_(p.objects) {
    random_source random(content_seed);
    random.fill(*bytes_);
}

std::span<const std::uint8_t> page_bytes::body(std::size_t id) const {
    if (id == 0 || id > sizes_.size()) return {};
    return std::span(*bytes_).subspan(id * shift_per_object, sizes_[id - 1]);
}

}  // namespace tandem::sim
