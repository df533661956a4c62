#include "compare_run.hpp"

#include <algorithm>
#include <memory>

#include <tandem/http/alpn.hpp>
#include <tandem/quic/qlog.hpp>
#include <tandem/sim/network.hpp>
#include <tandem/sim/quic_hosts.hpp>
#include <tandem/sim/seed.hpp>
#include <tandem/sim/tcp_hosts.hpp>
#include <tandem/tcp/qlog.hpp>

namespace tandem::compare {

namespace {

enum purpose : std::uint64_t { for_run = 1, for_network, for_client, for_server };

const ip_endpoint client_address{ip_address::v4(192, 0, 2, 1), 0};
const ip_endpoint server_address{ip_address::v4(198, 51, 100, 1), sim::web_port};
constexpr std::uint16_t quic_client_port = 50000;
constexpr std::size_t browser_connections = 6;  // what browsers open to one host for HTTP/1.1

// Both transports: packets of the same size on the wire, the same first window in bytes, acknowledgments delayed alike.
constexpr std::uint64_t datagram = mtu - sim::udp_overhead(false);
constexpr std::uint64_t initial_window = 10 * datagram;
constexpr duration ack_delay = std::chrono::milliseconds(25);

quic::config quic_config(const scenario& s, const std::shared_ptr<qlog::store>& logs) {
    quic::config config;
    if (logs) config.tracer = quic::make_qlog_tracer(logs);
    config.alpn = {std::string(http::alpn_h3)};
    config.max_datagram_size = datagram;
    config.mtu_discovery = false;  // TCP has its segment size from the start
    config.ack_frequency = false;  // and nothing that makes the other side acknowledge less
    config.max_ack_delay = ack_delay;
    config.handshake_timeout = std::chrono::seconds(60);  // as patient as TCP: a lost run says nothing about the page
    config.controller = s.controller;
    config.initial_window = initial_window;
    // A number left out looks like a lost packet and calls for an acknowledgment at once, which TCP would not send.
    config.skip_packet_numbers = false;
    config.fixed_window = s.effective_window();
    return config;
}

tcp::config tcp_config(const scenario& s, const std::shared_ptr<qlog::store>& logs) {
    tcp::config config;
    if (logs) config.tracer = tcp::make_qlog_tracer(logs);
    config.mtu = mtu;
    config.ack_delay = ack_delay;
    config.nagle = false;
    config.controller.kind = s.controller;
    config.controller.initial_window = initial_window;
    config.controller.fixed_window = s.effective_window();
    return config;
}

// No dynamic table: what the encoders say of theirs would be bytes on the wire that differ from one transport to the other.
http::limits server_limits() {
    http::limits limits;
    limits.qpack_table = 0;
    return limits;
}

http::limits client_limits() {
    auto limits = server_limits();
    limits.record_waits = true;
    return limits;
}

struct hosts {
    std::unique_ptr<sim::web_client> client;
    std::unique_ptr<sim::web_server> server;
};

hosts make_hosts(cell which, const scenario& s, const sim::credentials& identity, const sim::page_bytes& contents,
                 std::uint64_t seed, const std::shared_ptr<qlog::store>& logs) {
    const auto client_seed = sim::derive_seed(seed, for_client), server_seed = sim::derive_seed(seed, for_server);
    hosts made;
    if (which == cell::h3_quic) {
        auto local = client_address;
        local.port = quic_client_port;
        made.client = std::make_unique<sim::quic_web_client>(identity, quic_config(s, logs), client_limits(), s.page, contents,
                                                             local, server_address, client_seed);
        made.server =
            std::make_unique<sim::quic_web_server>(identity, quic_config(s, logs), server_limits(), contents, server_seed);
        return made;
    }
    const auto alpn = which == cell::h3_tcp ? http::alpn_h3_qmux : http::alpn_http1;
    const auto connections = which == cell::h1_6conn ? std::min(browser_connections, s.page.objects.size()) : std::size_t{1};
    made.client = std::make_unique<sim::tcp_web_client>(identity, tcp_config(s, logs), client_limits(), alpn, connections, s.page,
                                                        contents, client_address, server_address, client_seed);
    made.server = std::make_unique<sim::tcp_web_server>(identity, tcp_config(s, logs), server_limits(), contents, server_address,
                                                        s.tls_record, !s.drops.empty(), server_seed);
    return made;
}

// Counts the packets that carry bytes of each object, and chooses those the scenario wants lost.
class drop_counter {
public:
    drop_counter(const std::vector<object_drop>& drops, std::size_t objects) : drops_(drops), seen_(objects + 1) {}

    bool operator()(const std::vector<std::size_t>& objects) {
        bool drop = false;
        for (const auto object : objects) {
            if (object >= seen_.size()) continue;
            const auto nth = ++seen_[object];
            drop |= std::find(drops_.begin(), drops_.end(), object_drop{object, nth}) != drops_.end();
        }
        return drop;
    }

private:
    std::vector<object_drop> drops_;
    std::vector<std::size_t> seen_;
};

object_result result_of(const sim::object_record& record) {
    object_result object;
    object.bytes = record.received;
    object.start = record.start;
    object.first_byte = record.first_byte;
    object.finish = record.finish;
    object.ledger.add(record.ledger);
    object.stalls = record.ledger.intervals();
    return object;
}

run_result result_of(const hosts& h, sim::run_result how) {
    run_result result;
    for (const auto& record : h.client->loader().objects()) {
        result.objects.push_back(result_of(record));
        result.page = std::max(result.page, record.finish);
        result.ledger.add(result.objects.back().ledger);
        if (result.failure.empty()) result.failure = record.failure;
    }
    result.ledger.add(wait_cause::flow_control, h.server->flow_control());
    result.congestion = h.server->congestion().points();
    if (const auto at = h.server->first_response()) result.first_response = *at - sim::event_queue::start;
    if (how == sim::run_result::finished) return result;
    if (how == sim::run_result::deadline)
        result.failure = "not finished after " + std::to_string(laboratory::time_limit / std::chrono::minutes(1)) + " minutes";
    if (how == sim::run_result::idle) result.failure = "both hosts fell silent before the page was complete";
    if (how == sim::run_result::stuck) result.failure = "a host kept working without time passing";
    return result;
}

}  // namespace

laboratory::laboratory(const scenario& what, sim::credentials identity)
    : scenario_(what), identity_(std::move(identity)), contents_(scenario_.page) {}

std::optional<laboratory> laboratory::make(const scenario& what, tls::error& why, tls::key_log key_log) {
    auto identity = sim::credentials::make(why, std::move(key_log));
    if (!identity) return std::nullopt;
    return laboratory(what, std::move(*identity));
}

std::uint64_t laboratory::run_seed(std::size_t i) const { return sim::derive_seed(scenario_.seed, for_run, i); }

run_result laboratory::run(cell which, std::uint64_t seed, sim::packet_recorder* recorder,
                           const std::shared_ptr<qlog::store>& logs) const {
    auto h = make_hosts(which, scenario_, identity_, contents_, seed, logs);
    sim::network network(sim::derive_seed(seed, for_network));
    const auto client = network.attach(*h.client, client_address.address);
    const auto server = network.attach(*h.server, server_address.address);
    network.connect(client, server, scenario_.link());

    drop_counter drops(scenario_.drops, scenario_.page.objects.size());
    if (!scenario_.drops.empty()) {
        network.set_drop_filter(server, client,
                                [&](const sim::packet_view& packet) { return drops(h.server->objects_in(packet)); });
    }
    std::uint64_t server_packets = 0, lost = 0;
    network.add_tap([&](const sim::packet_view& packet, const sim::passage& fate) {
        server_packets += packet.from == server;
        lost += fate.result != sim::verdict::delivered;
        if (recorder != nullptr) recorder->add(packet, fate);
    });

    const auto how = network.run(sim::event_queue::start + time_limit, [&] { return h.client->loader().done(); });
    auto result = result_of(h, how);
    result.seed = seed;
    result.packets = network.packets();
    result.server_packets = server_packets;
    result.lost = lost;
    return result;
}

std::vector<cell_result> run_all(const laboratory& lab, const std::function<void(std::size_t, std::size_t)>& progress) {
    const auto& s = lab.what();
    std::vector<cell_result> results;
    for (const auto which : s.cells) results.push_back({which, {}});
    std::size_t done = 0;
    for (std::size_t i = 0; i < s.runs; ++i) {
        for (auto& c : results) {
            c.runs.push_back(lab.run(c.which, lab.run_seed(i)));
            if (progress) progress(++done, s.runs * s.cells.size());
        }
    }
    return results;
}

}  // namespace tandem::compare
