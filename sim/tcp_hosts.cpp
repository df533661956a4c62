#include <tandem/sim/tcp_hosts.hpp>

#include <algorithm>

#include <tandem/tcp/segment.hpp>

namespace tandem::sim {

namespace {

// Moves bytes between a TCP connection and the TLS and HTTP above it, as far as both let it. Plaintext becomes ciphertext only
// when TCP can use it, so that what is sent next is decided late. Returns whether anything moved.
template <class Stream>
bool move_bytes(tcp::connection& transport, Stream& http, stream_buffers& buffers, bool& ended, time_point now) {
    bool moved = false;
    while (transport.readable() > 0 && http.wants_to_receive()) {
        buffers.times.clear();
        const auto n = transport.read(buffers.bytes, now, &buffers.times);
        if (n == 0) break;
        http.receive(std::span(buffers.bytes).first(n), buffers.times, now);
        moved = true;
    }
    if (!ended && transport.at_end()) {
        ended = true;
        http.receive_end(now);
    }
    for (;;) {
        const auto room = std::min(transport.writable_without_queueing(), buffers.bytes.size());
        const auto n = room == 0 ? 0 : http.transmit(std::span(buffers.bytes).first(room), now);
        if (n == 0) break;
        transport.write(std::span(buffers.bytes).first(n));
        moved = true;
    }
    if (http.finished_sending()) transport.shutdown_send();
    return moved;
}

std::optional<time_point> earlier(std::optional<time_point> a, std::optional<time_point> b) {
    if (!a || !b) return a ? a : b;
    return std::min(*a, *b);
}

template <class Sessions>
std::optional<time_point> next_of(tcp::endpoint& endpoint, const Sessions& sessions) {
    auto next = endpoint.next_timeout();
    for (const auto& s : sessions) {
        if (s->http && !s->over) next = earlier(next, s->http->next_timeout());
    }
    return next;
}

template <class Sessions>
void expire(tcp::endpoint& endpoint, const Sessions& sessions, time_point now) {
    if (const auto due = endpoint.next_timeout(); due && *due <= now) endpoint.on_timeout(now);
    for (const auto& s : sessions) {
        if (!s->http || s->over) continue;
        if (const auto due = s->http->next_timeout(); due && *due <= now) s->http->on_timeout(now);
    }
}

}  // namespace

struct tcp_web_client::session {
    tcp::connection_handle handle;
    std::optional<http::byte_stream_client> http;
    bool usable = false;  // the loader has it
    bool ended = false;   // the peer sends no more
    bool over = false;
};

tcp_web_client::tcp_web_client(const credentials& identity, const tcp::config& config, const http::limits& limits,
                               std::string_view alpn, std::size_t connections, const page& wanted, const page_bytes& expected,
                               const ip_endpoint& local, const ip_endpoint& remote, std::uint64_t seed)
    : identity_(identity),
      config_(config),
      connections_(connections),
      local_(local),
      remote_(remote),
      endpoint_(tcp::endpoint_config{}, random_source(seed)),
      loader_(wanted, expected) {
    http_config_.alpn = {std::string(alpn)};
    http_config_.limits = limits;
}

tcp_web_client::~tcp_web_client() = default;

std::optional<time_point> tcp_web_client::next_timeout() { return next_of(endpoint_, sessions_); }
void tcp_web_client::on_timeout(time_point now) { expire(endpoint_, sessions_, now); }

void tcp_web_client::connect(time_point now) {
    started_ = true;
    for (std::size_t i = 0; i < connections_; ++i) {
        const auto handle = endpoint_.connect(local_, remote_, config_, now);
        if (!handle) return loader_.fail_rest("no port is free", now);
        sessions_.push_back(std::make_unique<session>());
        sessions_.back()->handle = handle;
    }
}

void tcp_web_client::take_events(time_point now) {
    while (const auto event = endpoint_.poll_event()) {
        const auto found =
            std::find_if(sessions_.begin(), sessions_.end(), [&](auto& s) { return s->handle == event->connection; });
        if (found == sessions_.end()) continue;
        auto& s = **found;
        if (event->what == tcp::event::connected) {
            s.http.emplace(identity_.client, credentials::server_name, http_config_, now);
        } else if (tcp::is_final(event->what)) {
            if (s.http && !s.ended) s.http->receive_end(now);
            s.ended = s.over = true;
            const bool all = std::all_of(sessions_.begin(), sessions_.end(), [](auto& o) { return o->over; });
            if (all) loader_.fail_rest(tcp::to_string(event->what), now);
        }
    }
}

void tcp_web_client::run(time_point now) {
    if (!started_) connect(now);
    bool progress = true;
    while (progress) {
        progress = false;
        take_events(now);
        for (auto& s : sessions_) {
            auto* transport = endpoint_.find(s->handle);
            if (!s->http || s->over || transport == nullptr) continue;
            progress |= move_bytes(*transport, *s->http, buffers_, s->ended, now);
            if (!s->usable && s->http->session() != nullptr) {
                s->usable = true;
                loader_.add(*s->http->session());
            }
            if (!s->usable && s->http->error()) loader_.fail_rest(s->http->error()->text, now);
        }
        progress |= loader_.run(now);
    }
}

struct tcp_web_server::session final : tcp::trace_sink {
    session(tcp_web_server& host, tcp::connection_handle h, std::size_t number, const ip_endpoint& from, time_point now)
        : owner(host), handle(h), index(number), peer(from), pages(host.contents_) {
        http.emplace(host.identity_.server, host.http_config_, now);
    }

    void on_congestion_sample(const tcp::congestion_sample& sample) override {
        last = sample;
        owner.congestion_.add(index, sample.now, last.congestion_window, last.bytes_in_flight);
    }
    void on_segment_sent(const tcp::segment_trace& sent) override {
        last.bytes_in_flight += sent.size;
        if (last.congestion_window != 0) owner.congestion_.add(index, sent.now, last.congestion_window, last.bytes_in_flight);
    }

    tcp_web_server& owner;
    tcp::connection_handle handle;
    std::size_t index;
    ip_endpoint peer;
    std::optional<http::byte_stream_server> http;
    page_server pages;
    std::vector<http::carried_range> carried;  // ascending
    tcp::congestion_sample last{};
    wait_sum flow_control = 0;
    bool ended = false;
    bool over = false;
};

tcp_web_server::tcp_web_server(const credentials& identity, const tcp::config& config, const http::limits& limits,
                               const page_bytes& contents, const ip_endpoint& local, std::size_t max_record_size,
                               bool map_objects, std::uint64_t seed)
    : identity_(identity),
      contents_(contents),
      map_objects_(map_objects),
      endpoint_(tcp::endpoint_config{}, random_source(seed)) {
    http_config_.alpn = {std::string(http::alpn_h3_qmux), std::string(http::alpn_http1)};
    http_config_.limits = limits;
    http_config_.max_record_size = max_record_size;
    http_config_.report_carried = map_objects;
    endpoint_.listen(local, tcp::listen_config{.connection = config});
}

tcp_web_server::~tcp_web_server() {
    for (auto& s : sessions_) {
        if (auto* transport = endpoint_.find(s->handle)) transport->set_trace(nullptr);
    }
}

std::optional<time_point> tcp_web_server::next_timeout() { return next_of(endpoint_, sessions_); }
void tcp_web_server::on_timeout(time_point now) { expire(endpoint_, sessions_, now); }

void tcp_web_server::take_events(time_point now) {
    while (const auto event = endpoint_.poll_event()) {
        if (event->what == tcp::event::accepted) {
            auto* transport = endpoint_.find(event->connection);
            if (transport == nullptr) continue;
            sessions_.push_back(
                std::make_unique<session>(*this, event->connection, sessions_.size(), transport->path().remote, now));
            transport->set_trace(sessions_.back().get());
            continue;
        }
        const auto found =
            std::find_if(sessions_.begin(), sessions_.end(), [&](auto& s) { return s->handle == event->connection; });
        if (found == sessions_.end() || !tcp::is_final(event->what)) continue;
        auto& s = **found;
        if (!s.ended) s.http->receive_end(now);
        s.ended = s.over = true;
    }
}

void tcp_web_server::run(time_point now) {
    bool progress = true;
    while (progress) {
        progress = false;
        take_events(now);
        for (auto& s : sessions_) {
            auto* transport = endpoint_.find(s->handle);
            if (s->over || transport == nullptr) continue;
            progress |= move_bytes(*transport, *s->http, buffers_, s->ended, now);
            s->flow_control = transport->stats().peer_window_wait;
            if (s->http->session() != nullptr) progress |= s->pages.run(*s->http->session(), now);
            if (!map_objects_) continue;
            const auto more = s->http->drain_carried();
            s->carried.insert(s->carried.end(), more.begin(), more.end());
        }
    }
}

std::vector<std::size_t> tcp_web_server::objects_in(const packet_view& packet) {
    std::vector<std::size_t> objects;
    tcp::packet parsed;
    if (tcp::parse_packet(packet.payload, parsed) != tcp::drop_reason::none) return objects;
    if (parsed.tcp.has(tcp::flag::syn)) first_byte_[packet.path.remote] = parsed.tcp.sequence + 1;
    const auto found = std::find_if(sessions_.begin(), sessions_.end(), [&](auto& s) { return s->peer == packet.path.remote; });
    if (found == sessions_.end()) return objects;
    const auto& s = **found;
    const auto& carried = s.carried;
    const std::uint32_t begin = parsed.tcp.sequence - first_byte_[packet.path.remote];  // simulated connections stay below 4 GiB
    const auto end = begin + std::uint64_t{parsed.tcp.payload.size()};
    auto it = std::partition_point(carried.begin(), carried.end(), [&](auto& r) { return r.end <= begin; });
    for (; it != carried.end() && it->begin < end; ++it) {
        if (const auto object = s.pages.object(it->request)) objects.push_back(*object);
    }
    std::sort(objects.begin(), objects.end());
    objects.erase(std::unique(objects.begin(), objects.end()), objects.end());
    return objects;
}

std::optional<time_point> tcp_web_server::first_response() const {
    std::optional<time_point> first;
    for (const auto& s : sessions_) {
        if (const auto at = s->pages.first_response(); at && (!first || *at < *first)) first = at;
    }
    return first;
}

wait_sum tcp_web_server::flow_control() const {
    wait_sum sum = 0;
    for (const auto& s : sessions_) sum += s->flow_control;
    return sum;
}

}  // namespace tandem::sim
