// A page: the objects a browser fetches at once, what a server sends for them, and what became of them.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <tandem/bytes/time.hpp>
#include <tandem/bytes/wait_ledger.hpp>

namespace tandem::sim {

// Objects have the identities 1, 2, 3... in this order.
struct page {
    std::vector<std::uint64_t> objects;  // bytes of each body
    bool incremental = true;             // RFC 9218 i: HTTP/3 sends them in turns, packet by packet; false: one after the other

    std::uint64_t bytes() const;
    std::uint64_t largest() const;
};

std::string object_path(std::size_t id);  // "/object/3"
std::optional<std::size_t> object_of_path(std::string_view path);

// Bodies: pseudo-random bytes, the same for every run, different for different objects of one page. Shared, never copied.
class page_bytes {
public:
    explicit page_bytes(const page& p);

    std::span<const std::uint8_t> body(std::size_t id) const;  // empty if there is no such object
    std::shared_ptr<const void> owner() const { return bytes_; }

private:
    std::shared_ptr<std::vector<std::uint8_t>> bytes_;
    std::vector<std::uint64_t> sizes_;
};

enum class object_state : std::uint8_t { waiting, requested, responding, finished, failed };

// What the client saw of one object. Times count from the start of virtual time.
struct object_record {
    object_state state = object_state::waiting;
    std::uint64_t received = 0;  // body bytes read
    duration start{};            // the request was handed to a connection that could send it
    duration first_byte{};       // of the body read by the application
    duration finish{};           // last byte read
    wait_ledger ledger;
    std::string failure;  // one line, if it failed
};

}  // namespace tandem::sim
