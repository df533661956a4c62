// Datagram Packetization Layer Path MTU Discovery (RFC 8899): which size of datagram a path carries, found by probing. Sizes
// only; what a probe is made of, and whether it arrived, is the protocol's business.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include <tandem/bytes/time.hpp>

namespace tandem::recovery {

class mtu_discovery {
public:
    static constexpr unsigned max_probes = 3;  // RFC 8899 5.1.2: losses of one size before it is taken as too large
    static constexpr duration raise_timer = std::chrono::seconds(600);      // RFC 8899 5.1.1: then a larger size is tried again
    static constexpr duration black_hole_pause = std::chrono::seconds(60);  // before searching again after one
    static constexpr unsigned black_hole_timeouts = 3;                      // probe timeouts in a row without any acknowledgment
    static constexpr std::size_t precision = 16;                            // bytes; not worth a further probe

    // `base` is carried by every path of this protocol, `limit` is not exceeded, and tried first. Equal: nothing is searched.
    mtu_discovery(std::size_t base, std::size_t limit);

    std::size_t size() const { return size_; }  // carried, as far as is known
    // The peer or the local interface takes no more than this. May make size() smaller.
    void lower_limit(std::size_t limit);
    // The local interface takes more than was thought: tried once the limit of before was shown to be carried.
    void raise_limit(std::size_t limit);
    // Starts from this size instead of the base, until it is shown to be too large.
    void assume(std::size_t size);
    // After a black hole this is tried first, and the base when it does not pass either.
    void set_fallback(std::size_t size) { fallback_ = size < base_ ? base_ : size; }
    // The network has said that it carries no more than this (ICMP). After the raise timer more is tried again.
    void on_too_large(std::size_t carried, time_point now);

    // The size to probe with now, if it is time. Call on_probe_sent when it has left.
    std::optional<std::size_t> probe_due(time_point now) const;
    void on_probe_sent(std::size_t size);
    // True if size() grew.
    bool on_probe_acknowledged(std::size_t size, time_point now);
    void on_probe_lost(std::size_t size, time_point now);

    // So many timeouts have passed without a sign that anything arrives. True if that is taken as the path having become
    // narrower: then size() is the fallback, or `base`.
    bool on_timeouts(unsigned count, time_point now);

    // The interface, or a router, refused a datagram of this size, which every path of the protocol may do above `floor`. May
    // make size() smaller. The probe that was refused is not to be told of as lost as well, and is ignored if it is.
    void on_refused(std::size_t size, std::size_t floor, time_point now);

private:
    std::size_t next_size() const;

    std::size_t base_;
    std::size_t fallback_;
    std::size_t limit_;
    std::size_t usual_;  // tried before anything larger
    std::size_t size_;
    std::size_t too_large_;  // the smallest size known not to be carried; limit + 1 if none is
    unsigned losses_ = 0;    // of probes of next_size()
    bool probing_ = false;
    std::size_t refused_ = 0;  // the size of a probe that was
    std::optional<time_point> not_before_;
};

}  // namespace tandem::recovery
