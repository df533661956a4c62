#include <tandem/sim/network.hpp>

#include <algorithm>

#include <tandem/sim/seed.hpp>

namespace tandem::sim {

namespace {

// Event arguments: a packet's slot, or a node's id with the top bit set.
constexpr std::uint64_t timer_bit = std::uint64_t{1} << 63;
constexpr node_id nowhere = static_cast<node_id>(-1);

}  // namespace

network::network(std::uint64_t seed) : seed_(seed), train_buffer_(train_bytes) {}

node_id network::attach(node& n, const ip_address& address) {
    nodes_.push_back({&n, address, std::nullopt, true});
    return nodes_.size() - 1;
}

void network::connect(node_id a, node_id b, const link_config& a_to_b, const link_config& b_to_a) {
    routes_[{a, b}].carrier = std::make_shared<link>(a_to_b, derive_seed(seed_, a, b));
    routes_[{b, a}].carrier = std::make_shared<link>(b_to_a, derive_seed(seed_, b, a));
}

void network::set_drop_filter(node_id from, node_id to, drop_filter filter) { routes_[{from, to}].filter = std::move(filter); }

void network::wake(node_id id, time_point at) { clock_.schedule(at, *this, id | timer_bit); }

run_result network::run(time_point deadline, const std::function<bool()>& finished) {
    for (auto& n : nodes_) n.needs_service = true;
    for (;;) {
        for (node_id id = 0; id < nodes_.size(); ++id) {
            if (nodes_[id].needs_service && !serve(id)) return run_result::stuck;
        }
        if (finished && finished()) return run_result::finished;
        const auto next = clock_.next_time();
        if (!next) return run_result::idle;
        if (*next > deadline) return run_result::deadline;
        clock_.step();
    }
}

void network::on_event(std::uint64_t argument) {
    if ((argument & timer_bit) == 0) return deliver(argument);
    auto& n = nodes_[argument & ~timer_bit];
    if (n.timer && *n.timer <= clock_.now()) n.timer.reset();
    n.needs_service = true;
}

void network::deliver(std::size_t slot) {
    auto& f = pool_[slot];
    received_datagram in{f.payload, f.path, f.mark};
    nodes_[f.to].object->receive(in, clock_.now());
    nodes_[f.to].needs_service = true;
    free_.push_back(slot);
}

// Everything that is due at one time was received before this, so a batch costs one round of work, as it does on a real socket.
bool network::serve(node_id id) {
    const auto now = clock_.now();
    nodes_[id].needs_service = false;
    auto& object = *nodes_[id].object;
    for (int round = 0; round < attention_limit; ++round) {
        if (const auto due = object.next_timeout(); due && *due <= now) object.on_timeout(now);
        object.run(now);
        bool sent = false;
        train out{.buffer = train_buffer_};
        while (object.transmit(now, out)) {
            send_train(id, out);
            sent = true;
            out = train{.buffer = train_buffer_};
        }
        const auto next = object.next_timeout();
        if (!sent && !(next && *next <= now)) {
            arm_timer(id);
            return true;
        }
    }
    return false;
}

void network::arm_timer(node_id id) {
    const auto next = nodes_[id].object->next_timeout();
    if (!next || (nodes_[id].timer && *nodes_[id].timer <= *next)) return;  // an earlier event looks again
    nodes_[id].timer = *next;
    clock_.schedule(*next, *this, id | timer_bit);
}

void network::send_train(node_id from, const train& out) {
    packet_view packet;
    packet.at = clock_.now();
    packet.from = from;
    packet.to = nowhere;
    packet.wire = nodes_[from].object->wire();
    packet.path = out.path;
    packet.mark = out.mark;
    if (packet.path.local.address == ip_address{} || packet.path.local.address == ip_address{.is_v6 = true}) {
        packet.path.local.address = nodes_[from].address;
    }
    for (node_id id = 0; id < nodes_.size(); ++id) {
        if (nodes_[id].address == out.path.remote.address) packet.to = id;
    }
    for (std::size_t i = 0; i < out.count(); ++i) {
        packet.payload = out.datagram(i);
        packet.size = packet.payload.size() + (packet.wire == wire_format::udp ? udp_overhead(out.path.remote.address.is_v6) : 0);
        packet.offset = i * out.segment_size;
        send(packet);
    }
}

void network::send(const packet_view& packet) {
    ++packets_;
    passage fate;
    fate.departs = packet.at;
    const auto found = routes_.find({packet.from, packet.to});
    if (found != routes_.end() && found->second.carrier) {
        const bool drop = found->second.filter && found->second.filter(packet);
        fate = found->second.carrier->send(packet.at, packet.size, drop);
    }
    for (const auto& t : taps_) t(packet, fate);
    if (fate.result != verdict::delivered) return;
    launch(packet, fate, fate.arrives);
    if (fate.copy_arrives) launch(packet, fate, *fate.copy_arrives);
}

void network::launch(const packet_view& packet, const passage& fate, time_point arrives) {
    if (free_.empty()) {
        free_.push_back(pool_.size());
        pool_.emplace_back();
    }
    const auto slot = free_.back();
    free_.pop_back();
    auto& f = pool_[slot];
    f.payload.assign(packet.payload.begin(), packet.payload.end());
    f.path = {packet.path.remote, packet.path.local};
    f.mark = packet.mark;
    f.to = packet.to;
    if (fate.corrupt_bit && !f.payload.empty()) {
        const auto bit = *fate.corrupt_bit % (f.payload.size() * 8);
        f.payload[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
    }
    clock_.schedule(arrives, *this, slot);
}

}  // namespace tandem::sim
