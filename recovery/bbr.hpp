// BBR version 3 (draft-ietf-ccwg-bbr-05): sends at the rate at which the path delivers, with no more in flight than that takes.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>

#include <tandem/bytes/random.hpp>
#include <tandem/recovery/bbr_model.hpp>
#include <tandem/recovery/congestion_controller.hpp>

namespace tandem::recovery {

// Where the draft leaves the response to Classic ECN open (3.7), a CE mark is taken for what a loss at that place would have
// meant: outside of probing, the short-term bounds shrink by Beta at the end of the round; while probing, the volume in flight
// was too high; in Startup, two rounds in a row with marks mean that the pipe is full.
class bbr final : public congestion_controller {
public:
    // Draft sections 2.4 to 2.13 and 5.6.1
    static constexpr double startup_pacing_gain = 2.77;
    static constexpr double drain_pacing_gain = 0.5;
    static constexpr double down_pacing_gain = 0.9;
    static constexpr double up_pacing_gain = 1.25;
    static constexpr double default_window_gain = 2;
    static constexpr double up_window_gain = 2.25;
    static constexpr double probe_rtt_window_gain = 0.5;
    static constexpr double pacing_margin = 0.01;
    static constexpr double loss_threshold = 0.02;
    static constexpr double beta = 0.7;
    static constexpr double headroom = 0.15;
    static constexpr std::uint64_t min_pipe_datagrams = 4;  // MinPipeCwnd
    static constexpr int startup_full_losses = 6;           // BBRStartupFullLossCnt
    static constexpr int startup_full_marks = 2;            // rounds with CE marks
    static constexpr std::uint64_t drain_rounds = 3;        // at most
    static constexpr std::uint64_t reno_rounds = 63;        // between probes for bandwidth, at most (5.3.3.5.3)
    static constexpr duration probe_rtt_duration = std::chrono::milliseconds(200);
    static constexpr duration min_probe_wait = std::chrono::seconds(2);
    static constexpr duration probe_wait_spread = std::chrono::seconds(1);

    enum class state : std::uint8_t { startup, drain, probe_bw_down, probe_bw_cruise, probe_bw_refill, probe_bw_up, probe_rtt };

    explicit bbr(const controller_config&);

    std::string_view name() const override { return "bbr"; }
    void on_restart(time_point now, bool app_limited) override;
    void on_ack(const ack_event&) override;
    void on_congestion(const congestion_event&) override;
    void on_loss(const loss_event&) override;
    void on_persistent_congestion(time_point) override;
    void on_spurious_congestion() override;
    void on_max_datagram_size(std::uint64_t bytes) override;

    state phase() const { return state_; }
    std::uint64_t bandwidth() const { return std::min(max_bw_.value(), bw_shortterm_); }  // BBR.bw, bytes per second
    std::uint64_t max_bandwidth_seen() const { return max_bw_.value(); }
    std::optional<duration> min_rtt() const { return min_rtt_.value(); }
    std::uint64_t inflight_longterm() const { return inflight_longterm_; }  // bytes; unlimited: not known
    std::uint64_t inflight_shortterm() const { return inflight_shortterm_; }

    static constexpr std::uint64_t unlimited = std::numeric_limits<std::uint64_t>::max();

private:
    // Which part of a probe for bandwidth the ACKs that come in now tell of.
    enum class ack_phase : std::uint8_t { none, probe_starting, probe_feedback, probe_stopping, refilling };

    // bbr.cpp: events and control parameters (5.2, 5.6)
    void update_latest_delivery_signals();
    void update_round_and_bandwidth();
    void advance_latest_delivery_signals();
    void leave_recovery(const ack_event&);
    void set_pacing_rate(double gain);
    void set_window(std::uint64_t acknowledged);
    void bound_window_for_model();
    double pacing_gain() const;
    double window_gain() const;
    std::uint64_t send_quantum() const;
    std::uint64_t bdp(std::uint64_t bandwidth, double gain) const;
    std::uint64_t with_budget(std::uint64_t in_flight) const;
    std::uint64_t inflight(std::uint64_t bandwidth, double gain) const { return with_budget(bdp(bandwidth, gain)); }
    std::uint64_t inflight_with_headroom() const;
    std::uint64_t min_pipe() const { return min_pipe_datagrams * datagram_; }
    std::uint64_t probe_rtt_window() const;
    std::uint64_t target_inflight() const { return std::min(bdp(bandwidth(), 1), window_); }
    void save_window();
    void restore_window() { window_ = std::max(window_, prior_window_); }

    // bbr_states.cpp: the state machine (5.3)
    void check_full_pipe();
    void check_startup_done();
    void check_drain_done();
    void update_probe_bw();
    void adapt_long_term_model();
    void check_probe_rtt();
    void handle_probe_rtt();
    void check_probe_rtt_done();
    void enter_startup() { state_ = state::startup; }
    void enter_drain();
    void start_down();
    void start_refill();
    void start_up();
    bool time_to_probe() const;
    bool time_to_cruise() const;
    bool time_to_go_down();
    bool in_probe_bw() const { return state_ >= state::probe_bw_down && state_ <= state::probe_bw_up; }
    bool probing_bw() const {
        return state_ == state::startup || state_ == state::probe_bw_refill || state_ == state::probe_bw_up;
    }

    // bbr_bounds.cpp: what losses and marks do (5.5.10 and 5.5.11)
    void note_loss();
    void adapt_short_term_model();
    void reset_short_term_model() { bw_shortterm_ = inflight_shortterm_ = unlimited; }
    void reset_congestion_signals();
    void on_inflight_too_high(std::uint64_t in_flight, bool app_limited);
    void check_startup_congestion();
    void raise_longterm_slope();
    void probe_longterm_upward();
    static bool too_much_lost(std::uint64_t lost, std::uint64_t in_flight) {
        return static_cast<double>(lost) > static_cast<double>(in_flight) * loss_threshold;
    }

    struct saved_state {
        state was;
        std::uint64_t bw_shortterm, inflight_shortterm, inflight_longterm;
    };

    random_source random_;
    std::uint64_t datagram_;
    std::uint64_t loss_window_;     // datagrams
    std::uint64_t initial_window_;  // bytes
    bool default_initial_;

    state state_ = state::startup;
    // Of the acknowledgment being dealt with, or the latest one
    time_point now_;
    rate_sample sample_;
    std::uint64_t rate_ = 0;  // sample_'s, bytes per second
    std::uint64_t acknowledged_ = 0;
    std::uint64_t delivered_ = 0;
    std::uint64_t in_flight_ = 0;
    bool window_limited_ = false;

    round_counter rounds_;
    bool round_start_ = false;
    max_bandwidth max_bw_;
    min_rtt_filter min_rtt_;
    ack_aggregation aggregation_;
    full_pipe pipe_;
    std::uint64_t drain_began_ = 0;  // round

    // Short-term and long-term bounds
    std::uint64_t bw_shortterm_ = unlimited;
    std::uint64_t inflight_shortterm_ = unlimited;
    std::uint64_t inflight_longterm_ = unlimited;
    std::uint64_t bw_latest_ = 0;
    std::uint64_t inflight_latest_ = 0;
    std::uint64_t loss_round_ends_ = 0;
    bool loss_round_start_ = false;
    bool loss_in_round_ = false;
    int loss_events_in_round_ = 0;
    std::optional<time_point> last_loss_event_;
    bool ce_in_round_ = false;
    int ce_rounds_ = 0;  // in a row
    std::optional<saved_state> undo_;

    // Probing for bandwidth
    ack_phase acks_ = ack_phase::none;
    bool probe_samples_ = false;  // bw_probe_samples: losses may still be told to a probe that was not answered for yet
    std::uint64_t rounds_since_probe_ = 0;
    duration probe_wait_{};
    time_point cycle_began_;
    int probe_up_rounds_ = 0;
    std::uint64_t probe_up_acks_ = 0;           // bytes
    std::uint64_t probe_up_count_ = unlimited;  // bytes acknowledged for each byte more

    // Probing for the round-trip time
    std::optional<time_point> probe_rtt_ends_;
    bool probe_rtt_round_done_ = false;
    bool idle_restart_ = false;

    // Loss recovery
    std::uint64_t prior_window_ = 0;
    std::optional<time_point> recovery_began_;
    std::optional<std::uint64_t> timeout_recovers_at_;  // delivered_, when what was in flight at a timeout has arrived again
};

}  // namespace tandem::recovery
