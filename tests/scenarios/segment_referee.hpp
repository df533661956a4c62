// Looks at every segment of one connection as its sender made it, and checks what must hold whatever the path does to it.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include <tandem/tcp/segment.hpp>

namespace tandem::tcp::test {

class segment_referee {
public:
    // Byte `offset` of what one side sends.
    using contents = std::function<std::uint8_t(bool from_client, std::uint64_t offset)>;

    explicit segment_referee(contents expected) : expected_(std::move(expected)) {}
    void look(bool from_client, const segment& s);

private:
    // What one side has said so far. Numbers are of its own sequence space but for those it acknowledges.
    struct side {
        std::optional<std::uint32_t> initial;
        std::uint64_t sent = 0;            // the highest number after what it sent; its SYN is 0
        std::uint64_t acknowledged = 0;    // of the other's
        std::uint64_t edge = 0;            // of the window it offered the other: the highest so far
        std::optional<std::uint64_t> end;  // where its FIN is
        std::optional<std::uint8_t> scale;
        std::optional<std::uint32_t> clock;  // its latest timestamp
    };

    void check_numbers(const segment& s, side& from, const side& to, bool from_client);
    void check_acknowledgment(const segment& s, side& from, const side& to);
    static void check_sack(const segment& s, const side& from, const side& to);
    static void check_timestamps(const segment& s, side& from, const side& to);

    contents expected_;
    side client_, server_;
};

}  // namespace tandem::tcp::test
