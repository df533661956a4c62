// What a client keeps of servers it spoke to: tickets to resume with, and tokens that prove its address. Bounded, in memory; an
// owner may write it to a file and read it again. Treat it as a secret: whoever has a ticket can pretend to be this client.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tandem::tls {

// Not for several threads at one time.
class session_cache {
public:
    struct limits {
        std::size_t origins = 256;        // keys; the one that was touched least recently goes first
        std::size_t entries_per_key = 4;  // the oldest goes first
        std::size_t entry_size = 16384;   // bytes; larger ones are not kept
    };
    static constexpr std::size_t max_key_size = 512;
    static constexpr std::size_t max_file_size = 8 * 1024 * 1024;  // load does not look at more

    session_cache() : session_cache(limits{}) {}
    explicit session_cache(const limits& limit) : limits_(limit) {}

    // `key` says for whom and what it is good, for example "quic https://host:443 h3". Times are seconds since 1970.
    void put(std::string_view key, std::span<const std::uint8_t> entry, std::int64_t expires);
    // The newest that is still good, which is removed: neither tickets nor tokens should be shown twice, so that nobody can link
    // connections by them (RFC 8446 C.4, RFC 9000 8.1.3).
    std::optional<std::vector<std::uint8_t>> take(std::string_view key, std::int64_t now);
    void remove(std::string_view key);
    std::size_t size() const;  // entries in all

    // For a file; load adds what is still good. False if it is not such a file; then nothing changes.
    std::vector<std::uint8_t> save() const;
    bool load(std::span<const std::uint8_t> file, std::int64_t now);

private:
    struct entry {
        std::int64_t expires = 0;
        std::vector<std::uint8_t> bytes;
    };
    struct origin {
        std::string key;
        std::vector<entry> entries;  // oldest first
    };
    std::list<origin>::iterator find(std::string_view key);

    limits limits_;
    std::list<origin> origins_;  // least recently touched first
};

}  // namespace tandem::tls
