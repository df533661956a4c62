// Loss detection over transmission numbers: one object per packet number space (QUIC), one per connection (TCP).
// RFC 9002 6.1 and RFC 8985 6.2 are the same rule once a tolerance says how much reordering is normal.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include <tandem/bytes/range_set.hpp>
#include <tandem/bytes/time.hpp>
#include <tandem/recovery/persistent_congestion.hpp>
#include <tandem/recovery/reordering.hpp>
#include <tandem/recovery/sender.hpp>
#include <tandem/recovery/sent_log.hpp>
#include <tandem/recovery/transmission.hpp>

namespace tandem::recovery {

// Recovery returns values, it never calls up. The vectors are members of loss_recovery and reused: valid until the next call.
template <class Contents>
struct delivered {
    std::span<transmission<Contents>* const> newly;  // acknowledged just now, ascending by number
    bool any_ack_eliciting = false;
    const transmission<Contents>* largest = nullptr;  // newest of them; nothing if there are none
    std::uint64_t late = 0;                           // how many of them had been declared lost (spurious losses)
    bool undo = false;  // every loss of the present recovery period proved spurious; sender was told
};

template <class Contents>
struct lost {
    std::span<transmission<Contents>* const> packets;  // declared lost just now, ascending
    bool persistent_congestion = false;                // RFC 9002 7.6 (only if asked for); sender was told
};

// The RTT sample of an ACK, decided by the protocol before on_ack.
struct rtt_input {
    bool take_from_largest = true;            // QUIC: now - sent of the largest if it is newly acknowledged and ack-eliciting
    std::optional<duration> explicit_sample;  // TCP: from the timestamp echo, or Karn's rule; used instead if set
    duration ack_delay{};
    bool advances = true;  // TCP: SND.UNA advances with it (RFC 9937 SafeACK); QUIC's ACKs have nothing like it
};

template <class Contents>
class loss_recovery {
public:
    // Lost transmissions are kept, marked, for this many PTOs after the loss, and at most this many numbers behind the oldest
    // outstanding one, so that late acknowledgments can undo; later ones are ignored.
    static constexpr int lost_kept_timeouts = 3;
    static constexpr std::uint64_t max_kept = 16384;

    // Makes detect_lost look for persistent congestion (QUIC), given the peer's max_ack_delay. TCP has its timeout instead.
    void enable_persistent_congestion(duration max_ack_delay) { persistent_.emplace(max_ack_delay); }

    // Remembers it, counts it in flight. Numbers ascend; gaps are allowed (skipped packet numbers).
    void on_sent(transmission<Contents> t, sender& s);

    // ranges: acknowledged numbers as half-open ranges in any order (QUIC's ACK ranges, TCP's transmission numbers).
    // Numbers never sent are the caller's business to refuse (largest_sent()); unknown or settled ones are ignored.
    // Also feeds the tolerance with late arrivals of what was declared lost. detect_lost is to be called next.
    delivered<Contents> on_ack(std::span<const range> ranges, rtt_input rtt, reordering_tolerance&, sender&, time_point now);

    // Declares lost what the tolerance says (RFC 9002 6.1). Lost ones stay in the log, marked, so that late ACKs undo.
    lost<Contents> detect_lost(const reordering_tolerance&, sender&, time_point now);
    // TCP's retransmission timeout. The sender is told of the losses and of persistent congestion.
    lost<Contents> lose_all(sender&, time_point now);
    // A transmission declared lost is taken to be in flight after all, without an acknowledgment (TCP: a timeout proved
    // spurious).
    void revive(std::uint64_t number, sender&);
    void forget(std::uint64_t number, sender&);
    void forget_all(sender&);  // the space's keys are gone: RFC 9002 6.4
    // Another path is used from now on: what was sent on this one is still acknowledged or lost, but counts for neither (RFC
    // 9000 9.4).
    void leave_path(sender& old);

    // For connections that rest: if nothing is outstanding, forgets what might still have been acknowledged late, and gives back
    // all memory.
    void shrink();

    std::optional<time_point> loss_time() const { return loss_time_; }  // when detect_lost is to be called next (RFC 9002 A.3)
    std::optional<std::uint64_t> largest_acknowledged() const { return largest_acknowledged_; }
    std::optional<std::uint64_t> largest_sent() const { return largest_sent_; }
    std::uint64_t ack_eliciting_outstanding() const { return ack_eliciting_outstanding_; }
    std::optional<time_point> last_ack_eliciting_sent() const { return last_ack_eliciting_sent_; }
    transmission<Contents>* find(std::uint64_t number) { return log_.find(number); }
    const transmission<Contents>* find(std::uint64_t number) const { return log_.find(number); }
    // Visits outstanding transmissions, oldest first, until f returns false.
    template <class F>
    void for_each_outstanding(F f);
    std::uint64_t total_lost() const { return total_lost_; }          // transmissions declared lost so far
    std::uint64_t total_spurious() const { return total_spurious_; }  // of these, arrived after all
    std::size_t log_capacity() const { return log_.capacity(); }      // transmissions there is memory for

private:
    using entry = transmission<Contents>;

    void acknowledge(entry& t, delivered<Contents>& out, ack_summary& sum, std::uint64_t& disproved,
                     reordering_tolerance& tolerance, sender& s, time_point now);
    void sort_newly();
    void settle(entry& t, fate state);
    bool declare_lost(entry& t, const sender& s, time_point now);
    lost<Contents> report_lost(bool persistent, sender& s, time_point now);
    void pass_settled();
    void release(const sender& s, time_point now);

    sent_log<Contents> log_;
    range_set acknowledged_;    // numbers held in the log: acknowledgments repeat what they said before
    std::uint64_t oldest_ = 0;  // no number below is outstanding
    std::optional<std::uint64_t> largest_acknowledged_;
    std::optional<std::uint64_t> largest_sent_;
    std::optional<time_point> last_ack_eliciting_sent_;
    std::optional<time_point> loss_time_;
    std::optional<persistent_congestion> persistent_;
    std::uint64_t ack_eliciting_outstanding_ = 0;
    std::uint64_t total_lost_ = 0;
    std::uint64_t total_spurious_ = 0;
    std::vector<entry*> newly_;  // what delivered and lost point to
    std::vector<entry*> lost_;
};

}  // namespace tandem::recovery

#include <tandem/recovery/loss_recovery_impl.hpp>
