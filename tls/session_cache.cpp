#include <tandem/tls/session_cache.hpp>

#include <algorithm>
#include <iterator>

#include <tandem/bytes/reader.hpp>

namespace tandem::tls {
namespace {

constexpr std::string_view file_mark = "tandem sessions 1\n";

void put_u32(std::vector<std::uint8_t>& out, std::size_t value) {
    for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<std::uint8_t>(value >> shift));
}

}  // namespace

std::list<session_cache::origin>::iterator session_cache::find(std::string_view key) {
    return std::find_if(origins_.begin(), origins_.end(), [&](const origin& o) { return o.key == key; });
}

void session_cache::put(std::string_view key, std::span<const std::uint8_t> bytes, std::int64_t expires) {
    if (key.size() > max_key_size || bytes.size() > limits_.entry_size || limits_.origins == 0 || limits_.entries_per_key == 0)
        return;
    auto it = find(key);
    if (it == origins_.end()) {
        if (origins_.size() >= limits_.origins) origins_.pop_front();
        it = origins_.insert(origins_.end(), {std::string(key), {}});
    } else {
        origins_.splice(origins_.end(), origins_, it);
    }
    if (it->entries.size() >= limits_.entries_per_key) it->entries.erase(it->entries.begin());
    it->entries.push_back({expires, {bytes.begin(), bytes.end()}});
}

std::optional<std::vector<std::uint8_t>> session_cache::take(std::string_view key, std::int64_t now) {
    const auto it = find(key);
    if (it == origins_.end()) return std::nullopt;
    origins_.splice(origins_.end(), origins_, it);
    std::optional<std::vector<std::uint8_t>> found;
    while (!it->entries.empty() && !found) {
        if (it->entries.back().expires > now) found = std::move(it->entries.back().bytes);
        it->entries.pop_back();
    }
    if (it->entries.empty()) origins_.erase(it);
    return found;
}

void session_cache::remove(std::string_view key) {
    if (const auto it = find(key); it != origins_.end()) origins_.erase(it);
}

std::size_t session_cache::size() const {
    std::size_t n = 0;
    for (const auto& o : origins_) n += o.entries.size();
    return n;
}

std::vector<std::uint8_t> session_cache::save() const {
    std::vector<std::uint8_t> out(file_mark.begin(), file_mark.end());
    for (const auto& o : origins_) {
        for (const auto& e : o.entries) {
            put_u32(out, o.key.size());
            out.insert(out.end(), o.key.begin(), o.key.end());
            put_u32(out, static_cast<std::uint64_t>(e.expires) >> 32);
            put_u32(out, static_cast<std::uint64_t>(e.expires) & 0xffffffff);
            put_u32(out, e.bytes.size());
            out.insert(out.end(), e.bytes.begin(), e.bytes.end());
        }
    }
    return out;
}

bool session_cache::load(std::span<const std::uint8_t> file, std::int64_t now) {
    if (file.size() > max_file_size || file.size() < file_mark.size()) return false;
    if (!std::equal(file_mark.begin(), file_mark.end(), file.begin())) return false;
    session_cache read(limits_);
    reader in(file.subspan(file_mark.size()));
    while (in.ok() && !in.empty()) {
        const auto key = in.bytes(in.u32());
        const auto expires = static_cast<std::int64_t>(in.u64());
        const auto bytes = in.bytes(in.u32());
        if (!in.ok()) return false;
        if (expires > now) read.put({reinterpret_cast<const char*>(key.data()), key.size()}, bytes, expires);
    }
    for (auto& o : read.origins_) {
        for (auto& e : o.entries) put(o.key, e.bytes, e.expires);
    }
    return true;
}

}  // namespace tandem::tls
