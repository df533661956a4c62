// One QUIC connection (RFC 9000, 9001, 9002) as a sans-IO value: it is told datagrams and times, and asked for trains of
// datagrams to send. Made and owned by an endpoint; the application uses the stream verbs and `close`.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <tandem/bytes/address.hpp>
#include <tandem/bytes/datagram.hpp>
#include <tandem/bytes/front_vector.hpp>
#include <tandem/bytes/random.hpp>
#include <tandem/bytes/time.hpp>
#include <tandem/bytes/wait_ledger.hpp>
#include <tandem/quic/ack_frequency.hpp>
#include <tandem/quic/application_keys.hpp>
#include <tandem/quic/close.hpp>
#include <tandem/quic/config.hpp>
#include <tandem/quic/datagrams.hpp>
#include <tandem/quic/early_data.hpp>
#include <tandem/quic/event.hpp>
#include <tandem/quic/frame_reader.hpp>
#include <tandem/quic/handshake.hpp>
#include <tandem/quic/idle_timer.hpp>
#include <tandem/quic/intrusive_list.hpp>
#include <tandem/quic/local_connection_ids.hpp>
#include <tandem/quic/packet_builder.hpp>
#include <tandem/quic/packet_space.hpp>
#include <tandem/quic/path.hpp>
#include <tandem/quic/peer_connection_ids.hpp>
#include <tandem/quic/statistics.hpp>
#include <tandem/quic/streams.hpp>
#include <tandem/quic/timer_heap.hpp>
#include <tandem/quic/token.hpp>
#include <tandem/quic/trace.hpp>
#include <tandem/quic/types.hpp>
#include <tandem/quic/undecryptable_packets.hpp>
#include <tandem/recovery/limits.hpp>
#include <tandem/recovery/reordering.hpp>
#include <tandem/recovery/statistics.hpp>

namespace tandem::quic {

// Names a connection at its endpoint. Never used twice; 0 names none.
using connection_handle = std::uint64_t;

enum class connection_state : std::uint8_t {
    handshaking,
    established,  // handshake complete: streams work
    closing,      // we sent CONNECTION_CLOSE, and repeat it (RFC 9000 10.2.1)
    draining,     // the peer closed: nothing is sent (RFC 9000 10.2.2)
    closed,       // over
};

class connection;
struct connection_host;

// What an endpoint knows when it makes a connection.
struct connection_start {
    connection_handle handle = 0;
    perspective side = perspective::client;
    quic::version version = version::v1;
    ip_path addresses;
    bool address_validated = false;  // server: the client showed a good token
    quic::config settings;
    connection_id local;                        // the first of ours
    connection_id destination;                  // of our first packets
    connection_id original_destination;         // of the client's very first Initial
    std::optional<connection_id> retry_source;  // server: of the Retry that it sent

    std::optional<preferred_address> preferred;  // server: what it offers

    std::shared_ptr<const tls::client_context> client_tls;
    std::string server_name;
    std::vector<std::uint8_t> ticket;  // see resumption.hpp
    std::vector<std::uint8_t> token;
    std::shared_ptr<const tls::server_context> server_tls;
};

// What an endpoint notes of a connection.
struct endpoint_notes {
    std::vector<connection_id> ids;              // that find it
    std::optional<stateless_reset_token> token;  // that finds it
    bool half_open = false;
    bool end_taken = false;  // the application knows that it is over
    bool dead = false;       // to be dropped
};

class connection {
public:
    ~connection();
    connection(const connection&) = delete;
    connection& operator=(const connection&) = delete;

    connection_handle handle() const { return start_.handle; }
    perspective side() const { return start_.side; }
    connection_state state() const { return connection_state_; }
    bool handshake_confirmed() const { return confirmed_; }      // RFC 9001 4.1.2
    bool handshake_complete() const { return complete_; }        // RFC 9001 4.1.1
    std::string_view alpn() const { return handshake_.alpn(); }  // the selected application protocol; empty before it is known
    quic::version version() const { return start_.version; }
    std::string_view server_name() const { return handshake_.server_name(); }  // server: what the client asked for
    const ip_path& path() const { return path_.addresses(); }
    bool path_validated() const { return path_.validated(); }  // RFC 9000 8: the peer was shown to receive at its address

    // Streams; what each verb does is said in streams.hpp. Nothing can be opened before the handshake is complete, unless early
    // data flows (early_data_started), and after the connection closed nothing is sent; what was received can still be read.
    std::optional<stream_id> open(direction kind);  // nothing: the peer permits no more (streams_available follows)
    bool can_open(direction kind) const;
    std::size_t write(stream_id id, std::span<const std::uint8_t> data, bool fin, time_point now);
    std::size_t write_room(stream_id id) const;  // bytes that write would take
    read_result read(stream_id id, std::span<std::uint8_t> out, time_point now, wait_ledger* waits = nullptr);
    std::span<const std::uint8_t> front(stream_id id) const;  // the first contiguous piece that can be read, without copying
    read_result consume(stream_id id, std::size_t n, time_point now, wait_ledger* waits = nullptr);
    std::size_t readable(stream_id id) const;
    // Server: data of this stream came in 0-RTT packets. Until handshake_complete it may be a copy that somebody else sent
    // (RFC 9001 9.2).
    bool arrived_early(stream_id id) const { return streams_.arrived_early(id); }
    void reset(stream_id id, std::uint64_t application_code, time_point now);
    bool reset_at(stream_id id, std::uint64_t reliable_size, std::uint64_t application_code, time_point now);
    void stop_sending(stream_id id, std::uint64_t application_code, time_point now);
    void set_priority(stream_id id, std::uint8_t urgency, bool incremental);  // RFC 9218: urgency 0 to 7
    // What the bytes of all streams waited for, by cause.
    const wait_ledger& ledger() const { return streams_.ledger(); }

    // Unreliable datagrams (RFC 9221). The largest that can be sent now, in bytes: 0 before the handshake is complete, and if the
    // peer takes none. It grows as the path is found to carry more, and may shrink.
    std::size_t max_datagram_payload() const;
    bool takes_datagrams() const { return datagrams_.taken(); }  // this side offered to
    datagram_result send_datagram(std::span<const std::uint8_t> data);
    std::optional<std::vector<std::uint8_t>> receive_datagram() { return datagrams_.poll(); }  // the oldest, if there is one

    // Ends the connection with a code of the application protocol. Streams are not flushed.
    void close(std::uint64_t application_code, std::string_view reason, time_point now);
    // Client: goes on from another local address (RFC 9000 9.2), with a connection ID that nobody saw yet; the driver must send
    // from there what is for that path. Falls back to the path before if nothing comes back. False, and nothing happens, before
    // the handshake is confirmed, if the server does not permit it, or if it gave no connection ID to spare.
    bool migrate(const ip_endpoint& local, time_point now);
    // Whether `migrate` can do it now; and whether it will never be able to (a server, forbidden by the peer, closing).
    bool may_move() const;
    bool never_moves() const;
    // Client: asks whether the server answers at another local address, and goes on from the present one meanwhile (RFC
    // 9000 9.1). Event path_validated or path_failed tells; after the former `migrate` need not ask again. One at a time. False
    // where migrate would be.
    bool probe(const ip_endpoint& local, time_point now);
    // The driver could not send datagrams of this size on this path (EMSGSIZE): smaller ones go from now on, and what was in them
    // again.
    void datagram_too_large(const ip_path& path, std::size_t size, time_point now);
    // The local interface takes UDP payloads of so many bytes on this path. No effect on another path than the present one.
    void interface_takes(const ip_path& path, std::size_t bytes) {
        if (path == path_.addresses()) path_.interface_takes(bytes);
    }
    // Sends a PING soon: keeps the connection, and the NATs on the path, alive.
    void ping();

    connection_statistics statistics() const;
    // What QUIC and TCP have in common, with the reasons why no more was sent and the time spent in each up to now.
    recovery::connection_statistics summary(time_point now) const;
    std::optional<recovery::stream_statistics> summary(stream_id id) const { return streams_.summary(id); }
    // The observer is the caller's; it must outlive the connection or be taken away with nullptr. A log that the config asked for
    // goes on.
    void set_trace(connection_trace* trace);

    // The verbs; the endpoint calls them.
    void receive(received_datagram& datagram, time_point now);
    bool transmit(time_point now, train& out);
    std::optional<time_point> next_timeout() const;
    void on_timeout(time_point now);
    std::optional<connection_event> poll_event();

    // For the endpoint that owns it. On error returns nothing and says why.
    static std::unique_ptr<connection> create(connection_start start, connection_host& host, time_point now, tls::error& why);
    local_connection_ids& local_ids() { return local_ids_; }
    peer_connection_ids& peer_ids() { return peer_ids_; }
    // What the client addresses its Initials to until it knows an ID of the server's.
    const connection_id& initial_destination() const {
        return start_.retry_source ? *start_.retry_source : start_.original_destination;
    }
    bool heard_from_peer() const { return heard_from_peer_; }  // a packet was authentic
    // Its connection IDs, or the peer's reset token, may be others than the endpoint knows.
    bool ids_changed() const { return local_ids_.changed() || peer_ids_.token_changed(); }
    endpoint_notes notes;
    list_hook<connection> ready_hook;  // in the list of those with something to send
    list_hook<connection> event_hook;  // in the list of those with events
    quic::timer_hook timer_hook;

private:
    static constexpr std::size_t max_peer_token_size =
        512;                                        // a token goes into every Initial and must leave room for the handshake
    static constexpr unsigned max_backoff = 16;     // probe timeouts double at most so often: hours
    static constexpr std::size_t max_off_path = 4;  // frames waiting for other paths than the present one; more are dropped
    static constexpr unsigned max_acks_alone = 32;  // packets with nothing but ACKs between two that elicit one

    // A frame for another path than the present one, in a datagram of its own.
    struct off_path_frame {
        ip_path addresses;
        std::array<std::uint8_t, 8> data{};
        bool response = true;   // PATH_RESPONSE; else PATH_CHALLENGE
        std::size_t limit = 0;  // bytes that may be sent there for it (RFC 9000 8); further answers to one datagram bring none
    };
    void send_off_path(const off_path_frame& f);
    off_path_frame take_off_path();

    connection(connection_start start, connection_host& host, const streams_config& streams,
               std::unique_ptr<tls::quic_handshake> engine, std::optional<transport_parameters> remembered, time_point now);
    std::vector<std::uint8_t> encode_parameters() const;
    bool is_server() const { return start_.side == perspective::server; }
    bool active() const { return connection_state_ <= connection_state::established; }
    bool streams_usable() const {
        return connection_state_ == connection_state::established ||
               (connection_state_ == connection_state::handshaking && early_.flowing);
    }
    packet_space& space(packet_space_id id) { return spaces_[static_cast<std::size_t>(id)]; }
    const packet_space& space(packet_space_id id) const { return spaces_[static_cast<std::size_t>(id)]; }
    // Those whose keys are not gone for good: most of the time the application's alone.
    std::span<packet_space> live_spaces() { return std::span(spaces_).subspan(spaces_discarded_); }
    std::span<const packet_space> live_spaces() const { return std::span(spaces_).subspan(spaces_discarded_); }
    void mark_ready();
    void add_event(connection_event event);
    void drop(drop_reason reason);

    std::size_t frame_room() const;

    // connection_receive.cpp
    void receive_datagram(received_datagram& datagram, time_point now);
    void receive_packet(std::span<std::uint8_t> packet, const packet_header& header, ecn mark, time_point now);
    bool addressed_to_us(const packet_header& header) const;
    void receive_protected(std::span<std::uint8_t> packet, const packet_header& header, encryption_level level, ecn mark,
                           time_point now);
    std::optional<opened_packet> open_packet(std::span<std::uint8_t> packet, const packet_header& header, encryption_level level,
                                             ecn mark, time_point now);
    void before_frames(const packet_header& header, encryption_level level, time_point now);
    struct packet_nature {
        bool ack_eliciting = false;
        bool probing = true;  // RFC 9000 9.1: nothing but frames that probe a path
    };
    std::optional<connection_error> receive_frames(std::span<const std::uint8_t> payload, encryption_level level,
                                                   const connection_id& destination, packet_nature& nature, time_point now);
    void check_stateless_reset(std::span<const std::uint8_t> packet, time_point now);
    void retry_undecryptable(encryption_level level, time_point now);

    // connection_paths.cpp
    void answer_challenge(const path_challenge_frame& f);
    std::optional<connection_error> on_path_response(const path_response_frame& f, time_point now);
    void follow_peer(const connection_id& destination, time_point now);
    void answer_on(quic::path& next);
    void use_path(quic::path next, time_point now);
    void go_over_to(quic::path next, time_point now);
    const connection_id* spare_id_for(const ip_path& where);
    bool advance_id_for(const ip_path& where);
    void begin_validation(time_point now);
    void on_path_failed(time_point now);
    bool begin_probe(const ip_path& where, bool preferred, time_point now);
    void on_probe_answered(time_point now);
    void on_probe_failed();
    void go_to_preferred_address(time_point now);
    void move_to(const ip_path& where, time_point now);
    bool arrives_here(const ip_path& path) const;
    bool accepted_from(const ip_path& path) const;
    bool transmit_path_probe(train& out, time_point now);
    bool transmit_off_path(train& out, time_point now);

    // connection_frames.cpp
    std::optional<connection_error> on_frame(const frame& f, encryption_level level, const connection_id& destination,
                                             time_point now);
    std::optional<connection_error> on_frame(const ack_frame& f, packet_space& s, time_point now);
    std::optional<connection_error> on_control_frame(const frame& f, const connection_id& destination, time_point now);
    std::optional<connection_error> on_extension_frame(const frame& f, time_point now);
    void on_close_frame(const connection_close_frame& f, time_point now);
    void on_acknowledged(packet_space& s, const sent_frames& contents, time_point now);
    void on_lost(packet_space& s, const recovery::lost<sent_frames>& losses, time_point now);
    void on_lost(packet_space& s, const sent_frames& contents, time_point now);
    void validate_ecn(packet_space& s, const recovery::delivered<sent_frames>& delivered, const ack_frame& f, time_point now);
    void detect_lost(packet_space& s, time_point now);

    // connection_handshake.cpp
    void advance_handshake(time_point now);
    bool drain_handshake(time_point now);
    void install(const tls::installed_secret& secret, time_point now);
    std::vector<std::uint8_t> choose_parameters(std::span<const std::uint8_t> peers, bool early);
    void move_to_version(quic::version v, packet_key_pair keys);
    void begin_again(quic::version v, time_point now);
    const char* version_fault(const transport_parameters& peer) const;
    void begin_early_data(time_point now);
    void on_early_data_rejected(time_point now);
    void end_early_data(time_point now);
    void send_early_data_again(time_point now);
    bool apply_peer_parameters(time_point now);
    void on_handshake_complete(time_point now);
    void on_handshake_confirmed(time_point now);
    void discard(packet_space_id id);
    void on_retry(std::span<const std::uint8_t> packet, const packet_header& header, time_point now);
    void on_version_negotiation(const packet_header& header, time_point now);
    bool version_acceptable(const packet_header& header) const;
    std::optional<opened_packet> open_of_other_version(std::span<std::uint8_t> packet, const packet_header& header);
    void take_back_early_data(time_point now);

    // connection_transmit.cpp
    struct built_datagram {
        std::size_t size = 0;
        std::size_t in_flight = 0;  // bytes of it that count against the window
    };
    bool transmit_train(time_point now, train& out);
    built_datagram build_datagram(std::span<std::uint8_t> out, bool may_send_data, time_point now);
    bool wants_packet(const packet_space& s, bool may_send_data, time_point now) const;
    bool has_data(const packet_space& s) const;
    bool can_write(packet_space_id id) const;
    packet_start next_packet(packet_space_id id) const;
    void write_frames(packet_space& s, packet_builder& packet, bool may_send_data, time_point now);
    void write_application_frames(packet_builder& packet, time_point now);
    enum class sent_as : std::uint8_t {
        ordinary,   // counts against the congestion window, if it is a packet that does
        mtu_probe,  // its loss says nothing of congestion
        elsewhere,  // on another path than the present one: says nothing of this one, and carries no ECN mark
    };
    std::size_t finish(packet_builder& packet, time_point now, sent_as how = sent_as::ordinary);
    bool transmit_mtu_probe(train& out, time_point now);
    void care_for_keys(time_point now);
    void note_transmission_end(bool had_room, time_point now);
    bool transmit_close(train& out, time_point now);
    recovery::limited_by present_limit(bool had_room, bool wants) const;
    void set_limit(recovery::limited_by why, time_point now);

    // connection_trace.cpp
    template <class F>
    void tell(F f) {
        for (auto* t = trace_; t != nullptr; t = t->next_) f(*t);
    }
    void begin_trace(time_point now);
    void trace_changes(time_point now, key_event update);
    void trace_keys(time_point now, key_event update);
    void trace_handshake(time_point now);
    void trace_path(time_point now);
    void trace_packet(packet_builder& packet, time_point now, bool counts);
    void trace_received(const packet_header& header, const opened_packet* opened, time_point now);
    void trace_sent_datagrams(const train& out, std::uint64_t first, time_point now);
    void trace_lost(const packet_space& s, const recovery::lost<sent_frames>& losses, time_point now);
    void trace_congestion(sample_cause cause, time_point now);

    // connection_timeout.cpp
    struct probe_deadline {
        time_point at;
        packet_space_id space;
    };
    void expire(time_point now);
    duration probe_timeout(packet_space_id id) const;
    std::optional<probe_deadline> next_probe() const;
    std::size_t least_datagram(bool with_initial) const;
    std::optional<time_point> next_loss_time() const;
    bool peer_validated_address() const;
    void on_probe_timeout(packet_space_id id, time_point now);
    void requeue_for_probe(packet_space& s, unsigned count, time_point now);
    void close_with(connection_error error, close_cause cause, time_point now);
    void close_silently(connection_error error, close_cause cause);

    // What every packet touches stands together, in as few cache lines as it fills: among many connections, fetching these lines
    // is what a packet costs.
    connection_host* host_;
    connection_trace* trace_ = nullptr;  // the first observer
    connection_state connection_state_ = connection_state::handshaking;
    std::uint8_t spaces_discarded_ = 0;    // they are, in the order of their IDs
    bool arrived_elsewhere_ = false;       // not on the path in use
    bool challenged_ = false;              // a PATH_CHALLENGE was ever sent
    bool pad_datagram_ = false;            // what is being built probes the path
    bool heard_from_peer_ = false;         // a packet was opened
    bool handshake_acknowledged_ = false;  // client: the server has validated our address (RFC 9002 6.2.2.1)
    bool complete_ = false;
    bool confirmed_ = false;
    bool handshake_done_owed_ = false;
    bool new_token_owed_ = false;  // server: for the address that was validated last
    bool ping_owed_ = false;
    bool grease_quic_bit_ = false;     // the peer takes packets without the QUIC Bit (RFC 9287)
    const quic_bit quic_bit_of_peer_;  // what we take
    const bool skips_packet_numbers_;  // of the configuration, as the next
    const std::uint64_t packets_per_key_;
    unsigned probe_count_ = 0;                 // probe timeouts since the last acknowledgment
    std::size_t off_path_count_ = 0;           // of off_path_
    time_point latest_;                        // of the verb that was called last
    time_point last_activity_;                 // anything sent or received: the anti-deadlock timer counts from here
    std::optional<time_point> pacer_release_;  // data waits for the pacer until then
    connection_id peer_uses_;                  // the ID of ours that the peer's latest packets are addressed to
    ip_path arrival_;                          // of the datagram being received
    std::size_t arrival_size_ = 0;
    std::size_t arrival_credit_ = 0;  // bytes that may be answered to it if it came from elsewhere
    // For observers: what is being received.
    struct arrival_context {
        const packet_header* header = nullptr;
        std::size_t bytes = 0;
        bool was_buffered = false;
    } arriving_;
    struct path_probe;
    std::unique_ptr<path_probe> path_probe_;
    connection_statistics statistics_;
    recovery::limit_clock limits_;
    front_vector<connection_event> events_;
    ack_ranges scratch_ranges_;
    idle_timer idle_;
    recovery::reordering_tolerance tolerance_;
    quic::ack_frequency ack_frequency_;
    local_connection_ids local_ids_;
    peer_connection_ids peer_ids_;
    quic::datagrams datagrams_;
    close_process close_;
    quic::path path_;
    application_keys application_keys_;
    std::array<packet_space, packet_space_count> spaces_;
    quic::streams streams_;

    handshake handshake_;
    connection_start start_;
    early_data early_;
    handshake_ids used_ids_;
    std::unique_ptr<quic::path> fallback_;  // the last path that was validated, while path_ is not
    std::array<off_path_frame, max_off_path> off_path_{};
    std::optional<ip_path> proven_;  // by a probe
    struct shown_id {
        connection_id id;
        ip_path where;
    };
    std::optional<shown_id> spare_shown_;  // the peer's next connection ID, if it was seen beside the one in use
    std::optional<ip_endpoint>
        left_remote_;  // client: the server's address before its preferred one; late packets come from there
    undecryptable_packets undecryptable_;

    // RFC 9368: what the client's first flight is in. start_.version, what the connection is in, may become another one.
    quic::version original_version_;
    packet_keys original_initial_read_;  // server: after the move, for what the client sent before it knew of it
    bool negotiated_ = false;            // client: began again after a Version Negotiation packet

    std::vector<std::uint8_t> token_;  // client: in every Initial
    std::uint64_t probe_timeouts_ = 0;
    time_point started_;

    // What observers were told.
    struct told_before {
        std::array<bool, packet_space_count> can_read{}, can_write{};
        std::uint64_t key_updates = 0;
        bool attempted = false, handshaking = false, complete = false, confirmed = false;
        bool closing = false, draining = false, closed = false;
        bool peer_parameters = false, validating = false;
        ip_path path;
        std::size_t datagram_size = 0;
        std::optional<ecn_validation::state> ecn;
    } told_;
    std::unique_ptr<connection_trace> log_;  // made by the config's tracer
};

// Client: a path that is tried while another one is in use.
struct connection::path_probe {
    ip_path addresses;
    path_validation validation;
    bool preferred = false;  // the server's preferred address: it is gone to by itself
};

using ready_list = intrusive_list<connection, &connection::ready_hook>;
using event_list = intrusive_list<connection, &connection::event_hook>;

// What an endpoint's connections share.
struct connection_host {
    explicit connection_host(std::uint64_t seed)
        : random(derive_seed(seed, "visible")),
          hidden(derive_seed(seed, "hidden")),
          ids(seed),
          address_tokens(derive_secret(seed, "tokens")) {}

    random_source random;  // for what strangers may see
    random_source hidden;  // for choices that must not be foreseen
    connection_id_source ids;
    token_keys address_tokens;
    ready_list ready;
    event_list eventful;
};

}  // namespace tandem::quic
