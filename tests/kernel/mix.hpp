// A mix of conversations between our TCP and the kernel's: what each side of each connection does, drawn from one seed, how it
// may end, and how far it has come. Knows no sockets: both sides are played by the same rules.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace tandem::net {

// What one side of a connection does.
struct part {
    std::uint64_t sends = 0;  // bytes; then it ends its half, and reads on
    bool answers = false;     // sends only after the other half has ended
    // Resets the connection where it has sent, or read, so many bytes.
    std::optional<std::uint64_t> abort_after_sending, abort_after_reading;
    // Stops reading after so many bytes, for so long.
    std::optional<std::uint64_t> pause_after;
    std::chrono::milliseconds pause{};

    bool aborts() const { return abort_after_sending || abort_after_reading; }
};
struct conversation {
    part connector, acceptor;
};

// Sizes are uniform in their logarithm, from nothing to `largest` bytes, as long as all together are below `budget` (then up to
// 100 kB). One of the largest goes each way, and one of 4 MB each way meets a reader that pauses.
std::vector<conversation> draw_mix(std::size_t count, std::uint64_t largest, std::uint64_t budget, std::uint64_t seed);
std::string describe(const std::vector<conversation>& mix);
std::string describe(const conversation& c);

enum class ending : std::uint8_t { not_begun, under_way, complete, was_reset, aborted, wrong_data, failed };
std::string to_string(ending e);

// Whether a side may end like this.
bool may_end(const part& mine, const part& peers, bool accepted, ending e);

// One side under way. `sends` and `reads` are what data() knows its bytes by.
class side {
public:
    side(const part& mine, const part& peers, std::uint64_t sends, std::uint64_t reads)
        : mine_(mine), peers_(peers), sends_(sends), reads_(reads) {}

    const part& mine() const { return mine_; }
    bool over() const { return result_ != ending::under_way; }
    ending result() const { return result_; }

    bool abort_due() const;
    std::span<const std::uint8_t> to_send() const;  // empty: nothing now
    bool end_due() const;                           // all is sent, the half is to be ended
    void sent(std::size_t n) { sent_ += n; }
    void half_ended();

    bool reads() const { return !read_ended_; }
    std::size_t may_read(std::size_t n) const;  // of n bytes, so that an abort or a pause comes at its byte
    void received(std::span<const std::uint8_t> bytes);
    void peer_ended();
    // How long not to read now; asked once before each read.
    std::chrono::milliseconds pause_due();

    void ended(ending e) {
        if (!over()) result_ = e;
    }

private:
    void check_complete();

    const part& mine_;
    const part& peers_;
    std::uint64_t sends_, reads_;
    std::uint64_t sent_ = 0, received_ = 0;
    bool write_ended_ = false, read_ended_ = false, paused_ = false;
    ending result_ = ending::under_way;
};

}  // namespace tandem::net
