#include <tandem/sim/quic_hosts.hpp>

#include <algorithm>

namespace tandem::sim {

namespace {

// Requests are the client's bidirectional streams, opened in page order.
std::optional<std::size_t> object_of_stream(quic::stream_id id) {
    if (id.kind() != quic::direction::bidirectional || id.initiator() != quic::perspective::client) return std::nullopt;
    return static_cast<std::size_t>(id.index()) + 1;
}

quic::endpoint_config server_config(const credentials& identity, const quic::config& config) {
    quic::endpoint_config made;
    made.server = identity.server;
    made.accepted = config;
    made.retry = quic::retry_policy::never;
    return made;
}

}  // namespace

quic_web_client::quic_web_client(const credentials& identity, const quic::config& config, const http::limits& limits,
                                 const page& wanted, const page_bytes& expected, const ip_endpoint& local,
                                 const ip_endpoint& remote, std::uint64_t seed)
    : limits_(limits), endpoint_(quic::endpoint_config{}, seed), loader_(wanted, expected) {
    options_.local = local;
    options_.remote = remote;
    options_.server_name = credentials::server_name;
    options_.tls = identity.client;
    options_.config = config;
}

void quic_web_client::connect(time_point now) {
    started_ = true;
    tls::error why;
    handle_ = endpoint_.connect(options_, now, why);
    if (!handle_) return loader_.fail_rest(why.text, now);
    http_ = std::make_unique<http::quic_client>(*endpoint_.find(*handle_), limits_);
    loader_.add(http_->session());
}

void quic_web_client::run(time_point now) {
    if (!started_) connect(now);
    if (!http_) return;
    while (const auto event = endpoint_.poll_event()) {
        if (event->connection == *handle_) http_->on_event(event->event, now);
    }
    do {
        http_->pump(now);
    } while (loader_.run(now));
    http_->pump(now);
}

struct quic_web_server::session final : quic::connection_trace {
    session(quic_web_server& host, quic::connection& c, std::size_t number)
        : owner(host), connection(c), index(number), http(c, host.limits_), pages(host.contents_) {}

    void on_packet_sent(const quic::traced_packet& packet) override {
        auto& sent = owner.sent_;
        const auto begin = sent.empty() ? 0 : sent.back().end;
        sent.push_back({begin, begin + packet.size, {}});
        for (const auto& data : packet.stream_data) {
            if (const auto object = object_of_stream(data.id)) sent.back().objects.push_back(*object);
        }
    }
    void on_congestion_sample(const quic::congestion_sample& sample) override {
        owner.congestion_.add(index, sample.now, sample.congestion_window, sample.bytes_in_flight);
    }

    quic_web_server& owner;
    quic::connection& connection;
    std::size_t index;
    http::quic_server http;
    page_server pages;
    bool over = false;
};

quic_web_server::quic_web_server(const credentials& identity, const quic::config& config, const http::limits& limits,
                                 const page_bytes& contents, std::uint64_t seed)
    : limits_(limits), contents_(contents), endpoint_(server_config(identity, config), seed) {}

quic_web_server::~quic_web_server() {
    for (auto& s : sessions_) {
        if (!s->over) s->connection.set_trace(nullptr);
    }
}

quic_web_server::session* quic_web_server::find(quic::connection_handle handle) {
    const auto found =
        std::find_if(sessions_.begin(), sessions_.end(), [&](auto& s) { return s->connection.handle() == handle; });
    return found == sessions_.end() ? nullptr : found->get();
}

bool quic_web_server::transmit(time_point now, train& out) {
    sent_.clear();
    return endpoint_.transmit(now, out);
}

void quic_web_server::run(time_point now) {
    while (const auto event = endpoint_.poll_event()) {
        auto* s = find(event->connection);
        if (s == nullptr) {
            auto* c = endpoint_.find(event->connection);
            if (c == nullptr) continue;
            s = sessions_.emplace_back(std::make_unique<session>(*this, *c, sessions_.size())).get();
            c->set_trace(s);
        }
        s->http.on_event(event->event, now);
        if (std::holds_alternative<quic::connection_closed>(event->event)) s->over = true;
    }
    for (auto& s : sessions_) {
        do {
            s->http.pump(now);
        } while (s->pages.run(s->http.session(), now));
    }
}

std::vector<std::size_t> quic_web_server::objects_in(const packet_view& packet) {
    std::vector<std::size_t> objects;
    for (const auto& sent : sent_) {
        if (sent.end <= packet.offset || sent.begin >= packet.offset + packet.payload.size()) continue;
        objects.insert(objects.end(), sent.objects.begin(), sent.objects.end());
    }
    std::sort(objects.begin(), objects.end());
    objects.erase(std::unique(objects.begin(), objects.end()), objects.end());
    return objects;
}

std::optional<time_point> quic_web_server::first_response() const {
    std::optional<time_point> first;
    for (const auto& s : sessions_) {
        if (const auto at = s->pages.first_response(); at && (!first || *at < *first)) first = at;
    }
    return first;
}

wait_sum quic_web_server::flow_control() const {
    wait_sum sum = 0;
    for (const auto& s : sessions_) {
        if (!s->over) sum += s->connection.ledger().byte_nanoseconds(wait_cause::flow_control);
    }
    return sum;
}

}  // namespace tandem::sim
