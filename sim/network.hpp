// Nodes, the links between them, and the loop that carries packets through virtual time.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include <tandem/bytes/datagram.hpp>
#include <tandem/sim/clock.hpp>
#include <tandem/sim/link.hpp>
#include <tandem/sim/node.hpp>

namespace tandem::sim {

using node_id = std::size_t;

// One packet at the moment it is put on a link, as the sender made it. The payload is valid only during the call.
struct packet_view {
    time_point at;
    node_id from = 0;
    node_id to = 0;
    wire_format wire = wire_format::udp;
    ip_path path;  // as the sender sees it, both ends known
    ecn mark = ecn::not_ect;
    std::span<const std::uint8_t> payload;
    std::size_t size = 0;    // of the IP packet
    std::size_t offset = 0;  // where the payload lies in its train
};

using tap = std::function<void(const packet_view&, const passage&)>;
using drop_filter = std::function<bool(const packet_view&)>;

enum class run_result : std::uint8_t {
    finished,  // the caller's condition holds
    idle,      // nothing will ever happen again
    deadline,  // virtual time is up
    stuck,     // a node keeps asking for attention without time passing
};

// Everything it is given must outlive it. Same nodes, same seed, same calls: same run.
class network final : private event_target {
public:
    static constexpr std::size_t train_bytes = 65535;
    static constexpr int attention_limit = 10'000;  // rounds of work of one node at one time; a sound node needs a handful

    explicit network(std::uint64_t seed);
    network(const network&) = delete;
    network& operator=(const network&) = delete;

    node_id attach(node& n, const ip_address& address);
    // A link each way. Each direction draws from its own streams, derived from the seed and both ids.
    void connect(node_id a, node_id b, const link_config& a_to_b, const link_config& b_to_a);
    void connect(node_id a, node_id b, const link_config& both) { connect(a, b, both, both); }

    // Packets c -> d take the link a -> b, which is connected already: they share its rate and its queue.
    void share(node_id a, node_id b, node_id c, node_id d) { routes_[{c, d}].carrier = routes_.at({a, b}).carrier; }

    void add_tap(tap t) { taps_.push_back(std::move(t)); }
    // Packets from -> to for which it says true are lost on the way (verdict::listed). Asked about every packet.
    void set_drop_filter(node_id from, node_id to, drop_filter filter);

    time_point now() const { return clock_.now(); }
    // A node wants to act although nothing arrived: it is served at this time.
    void wake(node_id id, time_point at);

    // Runs until finished() holds (asked after each step; may be empty), at the latest until the deadline. Every node is served
    // once at the beginning. Can be called again to go on.
    run_result run(time_point deadline, const std::function<bool()>& finished = {});

    std::uint64_t packets() const { return packets_; }  // put on links so far
    std::size_t pooled_buffers() const { return pool_.size(); }

private:
    struct attached {
        node* object = nullptr;
        ip_address address;
        std::optional<time_point> timer;  // when an event is due for it
        bool needs_service = true;
    };
    struct route {
        std::shared_ptr<link> carrier;
        drop_filter filter;
    };
    struct flight {  // a packet under way; buffers are used again
        std::vector<std::uint8_t> payload;
        ip_path path;
        ecn mark = ecn::not_ect;
        node_id to = 0;
    };

    void on_event(std::uint64_t argument) override;
    void deliver(std::size_t slot);
    bool serve(node_id id);
    void send_train(node_id from, const train& out);
    void send(const packet_view& packet);
    void launch(const packet_view& packet, const passage& fate, time_point arrives);
    void arm_timer(node_id id);

    std::uint64_t seed_;
    event_queue clock_;
    std::vector<attached> nodes_;
    std::map<std::pair<node_id, node_id>, route> routes_;
    std::vector<tap> taps_;
    std::vector<flight> pool_;
    std::vector<std::size_t> free_;
    std::vector<std::uint8_t> train_buffer_;
    std::uint64_t packets_ = 0;
};

}  // namespace tandem::sim
