// A TCP connection (RFC 9293) as a value: it is told segments and times, asked for packets, and never looks at a clock.
// RACK-TLP loss detection, congestion control and pacing are those of tandem::recovery, the same objects as QUIC's.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include <tandem/bytes/address.hpp>
#include <tandem/bytes/byte_times.hpp>
#include <tandem/bytes/datagram.hpp>
#include <tandem/bytes/receive_buffer.hpp>
#include <tandem/bytes/send_buffer.hpp>
#include <tandem/bytes/time.hpp>
#include <tandem/bytes/wait_ledger.hpp>
#include <tandem/recovery/limits.hpp>
#include <tandem/recovery/loss_recovery.hpp>
#include <tandem/recovery/mtu_discovery.hpp>
#include <tandem/recovery/sender.hpp>
#include <tandem/recovery/statistics.hpp>
#include <tandem/tcp/challenge_budget.hpp>
#include <tandem/tcp/config.hpp>
#include <tandem/tcp/connection_info.hpp>
#include <tandem/tcp/delayed_ack.hpp>
#include <tandem/tcp/ecn.hpp>
#include <tandem/tcp/event.hpp>
#include <tandem/tcp/nagle.hpp>
#include <tandem/tcp/receive_window.hpp>
#include <tandem/tcp/retransmission_timer.hpp>
#include <tandem/tcp/sack_report.hpp>
#include <tandem/tcp/segment.hpp>
#include <tandem/tcp/sent_segments.hpp>
#include <tandem/tcp/time_wait.hpp>
#include <tandem/tcp/timestamps.hpp>
#include <tandem/tcp/trace.hpp>

namespace tandem::tcp {

enum class state : std::uint8_t {  // RFC 9293 3.3.2; LISTEN belongs to the endpoint
    closed,
    syn_sent,
    syn_received,
    established,
    fin_wait_1,
    fin_wait_2,
    close_wait,
    closing,
    last_ack,
    time_wait
};
std::string_view to_string(state s);

struct statistics {
    std::uint64_t segments_sent = 0;  // all, with pure ACKs
    std::uint64_t segments_received = 0;
    std::uint64_t bytes_sent = 0;         // payload, with retransmissions
    std::uint64_t bytes_received = 0;     // payload, with duplicates
    std::uint64_t retransmissions = 0;    // segments
    std::uint64_t losses = 0;             // transmissions declared lost
    std::uint64_t spurious_losses = 0;    // of these, arrived after all
    std::uint64_t timeouts = 0;           // RTO
    std::uint64_t spurious_timeouts = 0;  // undone (Eifel)
    std::uint64_t tail_loss_probes = 0;
    std::uint64_t window_probes = 0;
    std::uint64_t keepalives = 0;
    std::uint64_t duplicate_acks_received = 0;
    std::uint64_t dsacks_received = 0;
    std::uint64_t dsacks_sent = 0;
    std::uint64_t acks_sent = 0;            // segments without payload, SYN, FIN, RST
    std::uint64_t challenge_acks_sent = 0;  // RFC 5961
    std::uint64_t challenge_acks_suppressed = 0;
    std::uint64_t paws_rejected = 0;  // RFC 7323 5
    std::uint64_t out_of_window = 0;
    std::uint64_t mtu_probes_sent = 0;
    std::uint64_t mtu_probes_lost = 0;
    std::uint64_t mtu_black_holes = 0;                        // timeouts in a row that ended when segments became small
    std::uint64_t ce_received = 0;                            // RFC 3168: segments that the network marked
    std::uint64_t ecn_reductions = 0;                         // times the window shrank because the peer echoed a mark
    std::uint64_t syn_retransmissions = 0;                    // of `retransmissions`: SYN or SYN-ACK,
    std::uint64_t probe_retransmissions = 0;                  // tail loss probes that sent something again,
    std::uint64_t timeout_retransmissions = 0;                // what a timeout gave up; the rest are fast retransmissions
    std::uint64_t gap_limit_drops = 0;                        // segments refused because there were too many holes already
    std::array<std::uint64_t, segment_drop_count> dropped{};  // segments of the connection without effect, by segment_drop
    duration peer_window_limited{};  // time with data to send, room in the congestion window and none in the peer's
    wait_sum peer_window_wait = 0;   // byte-nanoseconds: the unsent bytes over that time (wait_cause::flow_control)

    statistics& operator+=(const statistics& other);
};

// Where a connection leaves word that it wants its owner's attention: it may have packets, an event or another timeout.
// `tag` is what the owner gave it to be known by.
class connection_owner {
public:
    virtual void wake(std::uint32_t tag) = 0;

protected:
    ~connection_owner() = default;
};

// What its endpoint decides for a connection: everything that needs a secret or randomness.
struct connection_seed {
    std::uint32_t initial_sequence = 0;  // RFC 6528
    std::uint32_t timestamp_offset = 0;  // per connection, so that timestamps tell neither the uptime nor other connections'
    std::uint64_t random = 0;            // seeds what else wants chance (challenge-ACK budget)
};

class connection {
public:
    // What is kept for traffic to come (blocks, the log of transmissions) is given back after so long without any.
    static constexpr duration rest = std::chrono::seconds(2);

    // An active open: the first transmit() sends the SYN.
    static std::unique_ptr<connection> connect(const ip_path& path, const config& c, const connection_seed& seed, time_point now);
    // A passive open: `syn` is the segment a listener received. The first transmit() sends the SYN-ACK.
    static std::unique_ptr<connection> accept(const ip_path& path, const config& c, const connection_seed& seed,
                                              const segment& syn, time_point now);
    // The same, after somebody else sent the SYN-ACK with these options and `seed.initial_sequence` (SYN cookies). What the peer
    // sent in answer is to be received next.
    static std::unique_ptr<connection> accept_answered(const ip_path& path, const config& c, const connection_seed& seed,
                                                       const segment& syn, time_point now);
    // The MSS in our SYN (RFC 9293 3.7.1), and the peer's if it does not say (MUST-15).
    static std::uint16_t announced_mss(const config& c, const ip_path& path);
    static std::uint16_t default_mss(const ip_path& path) { return path.remote.address.is_v6 ? 1220 : 536; }
    ~connection();
    connection(const connection&) = delete;
    connection& operator=(const connection&) = delete;

    // --- the network's side. `segment_count`: how many segments the network merged into this one (GRO); `mark`: its ECN field.
    void receive(const segment& in, time_point now, unsigned segment_count = 1, ecn mark = ecn::not_ect);
    // Writes packets of equal size (the last may be shorter) into out.buffer, back to back; false: nothing to send now.
    bool transmit(time_point now, train& out);
    std::optional<time_point> next_timeout() const;
    void on_timeout(time_point now);
    std::optional<event> poll_event();
    // ICMP about a segment of this connection; `sequence` is its sequence number (checked: RFC 5927 4). See tcp/icmp.hpp.
    void on_unreachable(std::uint32_t sequence, bool hard, time_point now);
    void on_packet_too_big(std::uint32_t sequence, std::uint16_t mtu, time_point now);

    // --- the application's side
    // Takes as much as the send buffer has room for; returns how much. Nothing after shutdown_send() or a final event.
    std::size_t write(std::span<const std::uint8_t> data);
    // Room in the send buffer.
    std::size_t send_room() const;
    // How much can be written so that no more than what can leave at once (congestion and peer's window), or config's
    // unsent_low_water if that is more, waits unsent. For those who choose late what to send next, and want no deep buffers.
    std::size_t writable_without_queueing() const;
    std::uint64_t unsent() const;                 // bytes written, never sent
    std::uint64_t unacknowledged() const;         // bytes written, not acknowledged
    std::uint32_t oldest_unacknowledged() const;  // SND.UNA, as on the wire
    // FIN after what was written. Reading goes on.
    void shutdown_send();
    // RST; drops everything at once (RFC 9293 3.10.5).
    void abort();

    std::size_t readable() const;                 // bytes in order, not read
    std::span<const std::uint8_t> front() const;  // the first contiguous piece of them, without copying
    void consume(std::size_t n, time_point now, byte_time_runs* times = nullptr);
    std::size_t read(std::span<std::uint8_t> out, time_point now, byte_time_runs* times = nullptr);
    // Copies what read() would, and leaves it there.
    std::size_t peek(std::span<std::uint8_t> out) const;
    bool peer_closed() const;  // the peer's FIN was received in order, and no byte before it was dropped by a reset
    bool at_end() const { return peer_closed() && readable() == 0; }

    void set_nagle(bool on);
    // Sends nothing but full segments until it is off again (TCP_CORK), for a retransmission timeout at most; a FIN takes what is
    // left along.
    void set_cork(bool on);
    // As config's; counts for what is outstanding now, too.
    void set_user_timeout(duration limit);
    duration user_timeout() const { return user_timeout_; }
    // Acknowledges the next so many segments with data at once; 0: delays from now on (config::quick_acks).
    void set_quick_ack(std::uint16_t segments);
    void set_keepalive(const std::optional<keepalive_config>& k);
    // What arrives from now on is for nobody: data are answered with RST, FIN-WAIT-2 has a timeout. Unread data: RST at once
    // (RFC 9293 3.6.1, RFC 2525 2.17). `linger`: what is not acknowledged after so long is given up, with RST; zero: at once.
    // endpoint::release calls it.
    void orphan(time_point now, std::optional<duration> linger = std::nullopt);

    tcp::state state() const;
    // In TIME-WAIT: what remains when the object goes, and until when.
    time_wait_record remains() const;
    std::optional<time_point> remains_until() const { return linger_until_; }
    const ip_path& path() const;
    std::uint16_t path_mtu() const { return mtu_; }  // bytes of the largest IP packet sent now
    std::uint16_t send_mss() const;                  // payload bytes of a full segment, options of an ordinary segment subtracted
    const statistics& stats() const;
    congestion_sample congestion(time_point now) const;
    // What QUIC and TCP have in common, with the reasons why no more was sent and the time spent in each up to now.
    recovery::connection_statistics summary(time_point now) const;
    recovery::stream_statistics stream_summary() const;
    const recovery::congestion_controller& controller() const;
    const recovery::rtt_estimator& rtt() const;
    const recovery::reordering_tolerance& reordering() const { return tolerance_; }
    connection_info info() const;  // costs a look at every segment in flight
    std::size_t memory() const;    // bytes of heap held for data
    // May be null; outlives the connection. A log that the config asked for goes on.
    void set_trace(trace_sink* sink);
    void set_owner(connection_owner* owner, std::uint32_t tag);

private:
    using recovery_type = recovery::loss_recovery<sent_segment>;
    using transmission = recovery::transmission<sent_segment>;

    struct outgoing {  // a segment that counts: data, SYN or FIN
        range data;    // stream offsets
        bool syn = false;
        bool fin = false;
        bool again = false;
        std::uint32_t mtu_probe = 0;  // bytes of the IP packet
    };
    struct reset_segment {
        std::uint32_t sequence = 0;
        std::optional<std::uint32_t> acknowledgment;
    };
    struct naming;  // what an acknowledgment says about which transmission arrived

    connection(const ip_path& path, const config& c, const connection_seed& seed, bool active, time_point now);

    // connection_receive.cpp
    void receive_segment(const segment& in, time_point now, unsigned segment_count, ecn mark);
    bool check_timestamp(const segment& in, time_point now);
    bool check_sequence(const segment& in, std::uint64_t sequence, time_point now);
    bool check_reset(const segment& in, std::uint64_t sequence, time_point now);
    void answer_unacceptable(const segment& in, std::uint64_t sequence, time_point now);
    void update_peer_window(const segment& in, std::uint64_t sequence, std::uint64_t ack);
    void receive_text(const segment& in, std::uint64_t sequence, time_point now, unsigned segment_count);
    bool store(std::uint64_t offset, std::span<const std::uint8_t> data, time_point now, unsigned segment_count);
    void receive_fin(std::uint64_t fin_sequence, time_point now);
    void challenge(time_point now);

    // connection_handshake.cpp
    void receive_syn_sent(const segment& in, time_point now, unsigned segment_count);
    void receive_syn_again(const segment& in, time_point now);
    bool leave_syn_received(const segment& in, std::uint64_t ack, time_point now);
    void take_syn(const segment& syn, time_point now);
    void establish(time_point now);
    segment_options syn_options(time_point now) const;
    std::uint16_t path_mss() const;
    void update_mss();
    void follow_mtu();

    // connection_acknowledgment.cpp
    bool receive_ack(const segment& in, std::uint64_t sequence, time_point now);
    void process_ack(const segment& in, std::uint64_t ack, time_point now);
    void settle(naming& how);
    void react_to_echo(const segment& in, std::uint64_t ack, time_point now);
    void find_lost(time_point now);
    void advance(std::uint64_t ack, naming& how, time_point now);
    void process_sack(const segment& in, std::uint64_t ack, naming& how);
    void process_dsack(const segment& in, std::uint64_t ack, time_point now);
    void count_duplicate_ack(std::uint64_t ack, naming& how);
    void name(const sent_segments::entry& e, naming& how, bool left_edge);
    transmission* arrived(const sent_segments::entry& e, const naming& how, bool left_edge, bool& certain);
    void on_fin_acknowledged(time_point now);
    void lose(const recovery::lost<sent_segment>& lost, time_point now);
    void note_mtu_probe(const transmission& t, time_point now);
    void lose_bytes(std::uint64_t begin, std::uint64_t end);
    void renege();
    void undo_timeout(time_point now);

    // connection_trace.cpp
    template <class F>
    void tell(F f) {
        for (auto* t = trace_; t != nullptr; t = t->next_) f(*t);
    }
    void begin_trace(time_point now);
    void trace_changes(time_point now);
    void trace_handshake(time_point now);
    void trace_sent(const packet& p);
    void drop(segment_drop why, const segment& in, time_point now);
    void sample(time_point now);
    recovery::limited_by present_limit() const;
    void set_limit(recovery::limited_by why, time_point now);

    // connection_transmit.cpp
    bool transmit_train(time_point now, train& out);
    bool transmit_reset(time_point now, train& out);
    void transmit_counted(time_point now, train& out);
    void transmit_window_probe(time_point now, train& out);
    bool transmit_mtu_probe(time_point now, train& out);
    void transmit_ack(std::uint64_t sequence, time_point now, train& out);
    void transmit_syn(time_point now, train& out);
    std::optional<outgoing> next_segment(std::uint64_t mss, bool override = false) const;
    std::optional<outgoing> next_lost(std::uint64_t mss, std::uint64_t edge) const;
    std::optional<outgoing> next_new(std::uint64_t begin, std::uint64_t mss, std::uint64_t edge, bool override) const;
    std::optional<outgoing> probe_segment(std::uint64_t mss) const;
    void push_last(train& out) const;
    bool append(const outgoing& next, const segment_options& options, time_point now, train& out);
    void count_retransmission(const outgoing& sent, std::uint64_t previous);
    void record(const outgoing& sent, const packet& p, std::size_t size, time_point now);
    bool add_to_train(const packet& p, train& out);
    packet addressed_packet() const;
    packet make_packet(std::uint64_t sequence, std::uint8_t flags, const segment_options& options);
    segment_options ordinary_options(time_point now) const;
    std::uint64_t acceptable_sequence() const;
    bool has_unsent() const;
    void note_window_limit(std::uint64_t blocked_bytes, time_point now);

    // connection_timeout.cpp
    void expire(time_point now);
    void arm_timer(time_point now);
    void on_retransmission_timer(time_point now);
    void on_retransmission_timeout(time_point now);
    void check_black_hole(time_point now);
    void send_again_smaller(time_point now);
    void on_keepalive(time_point now);
    std::optional<time_point> give_up_at() const;
    std::optional<time_point> keepalive_at() const;

    void release_memory();

    // connection_api.cpp
    void reset_peer();
    void raise(event e);
    void drop_unread();
    void finish(event e);
    void enter_time_wait(time_point now);
    void check_writable();
    void wake();
    bool synchronized() const { return state_ >= state::established; }
    bool can_send_data() const { return state_ == state::established || state_ == state::close_wait; }
    bool fin_sent() const { return snd_nxt_ > base() + out_.end_offset(); }

    // Sequence number of the first byte of the stream we send; offset of a sequence number; the same for what we receive.
    std::uint64_t base() const { return iss_ + 1; }
    std::uint64_t offset_of(std::uint64_t sequence) const { return sequence - base(); }
    std::uint64_t receive_base() const { return irs_ + 1; }
    std::uint64_t received_offset() const { return rcv_nxt_ - receive_base() - (fin_received_ ? 1 : 0); }
    std::uint64_t window_edge() const { return snd_una_ + snd_wnd_; }  // sequence number

    ip_path path_;
    config config_;
    tcp::state state_;
    bool active_;  // we sent the first SYN
    bool orphaned_ = false;
    connection_owner* owner_ = nullptr;
    std::uint32_t owner_tag_ = 0;

    // What we send (RFC 9293 3.3.1; tcp/sequence.hpp).
    std::uint64_t iss_;
    std::uint64_t snd_una_;
    std::uint64_t snd_nxt_;
    std::uint64_t snd_max_;  // above snd_nxt_ by what window probes sent
    std::uint64_t snd_wnd_ = 0;
    std::uint64_t snd_wl1_ = 0;
    std::uint64_t snd_wl2_ = 0;
    std::uint64_t largest_snd_wnd_ = 0;
    std::uint8_t snd_scale_ = 0;
    std::uint16_t mtu_;
    recovery::mtu_discovery mtu_search_;
    std::uint16_t peer_mss_;
    std::uint16_t mss_ = 0;  // payload and options of a full segment
    bool sack_;              // both sides permit it
    send_buffer out_;
    bool syn_pending_ = true;
    bool fin_queued_ = false;
    bool fin_lost_ = false;
    nagle nagle_;

    // What we receive.
    std::uint64_t irs_ = 0;
    std::uint64_t rcv_nxt_ = 0;
    std::uint64_t last_ack_sent_ = 0;
    receive_buffer in_;
    receive_window window_;
    sack_report sack_report_;
    delayed_ack ack_;
    std::optional<std::uint64_t> early_fin_;  // sequence number of a FIN that came before the bytes in front of it
    bool fin_received_ = false;

    // Loss recovery.
    recovery::sender sender_;
    recovery_type recovery_;
    recovery::reordering_tolerance tolerance_;
    sent_segments segments_;
    std::uint64_t next_number_ = 0;
    std::vector<range> numbers_;  // named by the acknowledgment in work
    std::vector<range> missing_;
    bool delivered_ = false;            // by the acknowledgment in work
    std::uint64_t tail_probe_end_ = 0;  // RFC 8985 7.3 TLP.end_seq; 0: none
    bool sampled_since_probe_ = true;
    bool probe_pending_ = false;
    std::uint64_t timeout_end_ = 0;           // numbers below it were sent before the last timeout
    std::uint64_t timeout_recovery_end_ = 0;  // numbers below it were lost by the last timeout, which may prove spurious
    unsigned handshake_timeouts_ = 0;

    // Timers.
    timestamps timestamps_;
    retransmission_timer timer_;
    bool window_probe_pending_ = false;
    bool keepalive_pending_ = false;
    unsigned keepalives_unanswered_ = 0;
    time_point created_;
    time_point progress_at_;  // the peer last acknowledged something new, or had nothing to acknowledge
    time_point heard_at_;
    std::optional<time_point> pacer_at_;
    duration user_timeout_;
    std::optional<time_point> rest_at_;       // when memory is given back if nothing is going on
    std::optional<time_point> reset_at_;      // orphaned: what is outstanding then is given up
    std::optional<time_point> linger_until_;  // TIME-WAIT, orphaned FIN-WAIT-2
    time_point window_limited_since_;
    std::uint64_t window_limited_bytes_ = 0;  // unsent, while only the peer's window holds them back

    ecn_state ecn_;
    challenge_budget challenges_;
    bool unreachable_ = false;            // ICMP said so; what a timeout is then called
    std::optional<reset_segment> reset_;  // to be sent
    packet first_of_train_;               // in work; its payload may be gone
    std::uint32_t pending_events_ = 0;    // a bit per event
    mutable bool wants_writable_ = false;
    mutable bool wants_low_water_ = false;
    statistics stats_;
    recovery::limit_clock limits_;

    // For observers.
    time_point latest_;           // of the verb that was called last
    std::optional<event> ended_;  // not told yet
    tcp::state told_state_ = state::closed;
    std::uint16_t told_mtu_ = 0;
    std::unique_ptr<trace_sink> log_;  // made by the config's tracer
    trace_sink* trace_ = nullptr;      // the first observer
};

}  // namespace tandem::tcp
