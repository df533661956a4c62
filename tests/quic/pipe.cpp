#include "pipe.hpp"

#include <algorithm>
#include <array>

namespace tandem::quic::test {

const ip_endpoint pipe::client_address{ip_address::v4(192, 0, 2, 1), 50000};
const ip_endpoint pipe::server_address{ip_address::v4(198, 51, 100, 1), 443};

namespace {

identity make_identity(std::vector<std::string> names) {
    identity i;
    tls::error why;
    constexpr std::int64_t day = 86400;
    const auto certificate = tls::self_signed(
        {.names = std::move(names), .key = tls::key_kind::ed25519, .not_before = noon - day, .not_after = noon + day}, why);
    EXPECT_TRUE(certificate) << why.text;
    i.server = tls::server_context::create({.certificate = *certificate, .wall_clock = noon}, why);
    EXPECT_TRUE(i.server) << why.text;
    i.client = tls::client_context::create({.ca_pem = certificate->chain_pem, .wall_clock = noon}, why);
    EXPECT_TRUE(i.client) << why.text;
    return i;
}

}  // namespace

const identity& localhost() {
    static const identity made = make_identity({"localhost", "127.0.0.1"});
    return made;
}

const identity& large_localhost() {
    static const identity made = [] {
        std::vector<std::string> names{"localhost"};
        for (int i = 0; i < 90; ++i) names.push_back("name-" + std::to_string(i) + ".of-a-host-that-has-many.example");
        return make_identity(std::move(names));
    }();
    return made;
}

pipe::options pipe::defaults(const identity& who) {
    options o;
    o.who = &who;
    o.server.server = who.server;
    o.server.accepted.alpn = {"test"};
    o.client.alpn = {"test"};
    o.server.accepted.mtu_discovery = o.client.mtu_discovery = false;  // tests count packets and bytes
    return o;
}

pipe::pipe(options o) : client({}, o.seed), server(o.server, o.seed + 1), options_(std::move(o)), buffer_(64 * 1024) {}

connect_options pipe::connect_to_server() const {
    connect_options c;
    c.remote = server_address;
    c.local = client_address;
    c.server_name = options_.server_name;
    c.tls = options_.who->client;
    c.config = options_.client;
    return c;
}

connection_handle pipe::connect(const connect_options& c) {
    tls::error why;
    const auto handle = client.connect(c, now, why);
    EXPECT_TRUE(handle) << why.text;
    client_handle = handle.value_or(0);
    return client_handle;
}

connection_handle pipe::connect() { return connect(connect_to_server()); }

bool pipe::handshake(duration limit) {
    connect();
    return run_for(limit, [&] {
        return client_connection() != nullptr && client_connection()->handshake_confirmed() && server_connection() != nullptr &&
               server_connection()->handshake_confirmed();
    });
}

void pipe::check_amplification(const flying& f) {
    const auto& peer = f.to_server ? f.path.remote : f.path.local;
    auto& a = accounts_[peer];
    if (f.to_server) return;
    a.sent += f.bytes.size();
    if (!a.validated) {
        EXPECT_LE(a.sent, 3 * a.received) << "amplification";
    }
}

bool pipe::transmit_from(endpoint& from, bool to_server) {
    train out;
    out.buffer = buffer_;
    if (!from.transmit(now, out)) {
        EXPECT_EQ(out.size, 0u);
        return false;
    }
    EXPECT_GT(out.size, 0u);
    EXPECT_GT(out.segment_size, 0u);
    max_train = std::max<std::uint64_t>(max_train, out.count());
    for (std::size_t i = 0; i < out.count(); ++i) {
        auto bytes = out.datagram(i);
        flying f{.to_server = to_server,
                 .index = sent[to_server]++,
                 .bytes = {bytes.begin(), bytes.end()},
                 .path = {out.path.remote, out.path.local},
                 .mark = out.mark,
                 .delay = options_.delay};
        sent_bytes[to_server] += bytes.size();
        check_amplification(f);
        if (on_wire && !on_wire(f)) continue;
        const auto delay = f.delay;
        if (f.twice) wire_.push({now + delay, order_++, std::make_shared<flying>(f)});
        wire_.push({now + delay, order_++, std::make_shared<flying>(std::move(f))});
    }
    return true;
}

void pipe::transmit_all() {
    while (transmit_from(client, true)) {
    }
    while (transmit_from(server, false)) {
    }
}

void pipe::deliver(flying f) {
    if (f.to_server) {
        auto& a = accounts_[f.path.remote];
        a.received += f.bytes.size();
        // What the server may trust: a Handshake packet anywhere in the datagram, or a token (tests with tokens connect afresh).
        std::span<const std::uint8_t> rest = f.bytes;
        for (auto parsed = parse_packet(rest, 8, quic_bit::any); parsed && !rest.empty();
             parsed = parse_packet(rest, 8, quic_bit::any)) {
            if (parsed.header.type == packet_type::handshake || !parsed.header.token.empty()) a.validated = true;
            rest = rest.subspan(parsed.header.size);
        }
    }
    received_datagram d{.payload = f.bytes, .path = f.path, .mark = f.mark};
    (f.to_server ? server : client).receive(d, now);
}

void pipe::poll_events() {
    while (auto e = client.poll_event()) {
        client_events.push_back(*e);
        if (on_client_event) on_client_event(*e);
    }
    while (auto e = server.poll_event()) {
        if (std::holds_alternative<handshake_started>(e->event)) server_handle = e->connection;
        // After the handshake it is for PATH_RESPONSE to prove an address.
        if (const auto* moved = std::get_if<path_changed>(&e->event); moved && moved->validated)
            accounts_[moved->path.remote].validated = true;
        server_events.push_back(*e);
        if (on_server_event) on_server_event(*e);
    }
}

bool pipe::run(time_point until, const std::function<bool()>& done) {
    // Every turn moves time on or sends something; a run that does neither so often has gone wrong.
    for (int turns = 0; turns < 2'000'000; ++turns) {
        poll_events();
        if (done()) return true;
        transmit_all();
        poll_events();
        auto next = until;
        const auto earlier = [&](std::optional<time_point> at) {
            if (at) next = std::min(next, *at);
        };
        earlier(client.next_timeout());
        earlier(server.next_timeout());
        if (!wire_.empty()) earlier(wire_.top().at);
        if (next >= until) {
            now = std::max(now, until);
            return done();
        }
        now = std::max(now, next);
        while (!wire_.empty() && wire_.top().at <= now) {
            auto f = *wire_.top().what;
            wire_.pop();
            deliver(std::move(f));
        }
        client.on_timeout(now);
        server.on_timeout(now);
    }
    ADD_FAILURE() << "the run does not come to an end";
    return false;
}

std::uint8_t pattern(std::uint64_t stream, std::uint64_t offset) {
    return static_cast<std::uint8_t>(offset * 31 + (offset >> 8) * 7 + stream * 13);
}

transfer::transfer(pipe& p, bool from_client, std::uint64_t size, direction kind)
    : pipe_(p),
      from_(from_client ? p.client_handle : p.server_handle),
      to_(from_client ? p.server_handle : p.client_handle),
      from_client_(from_client),
      size_(size) {
    auto* sender = (from_client ? p.client : p.server).find(from_);
    const auto opened = sender != nullptr ? sender->open(kind) : std::nullopt;
    EXPECT_TRUE(opened);
    id_ = opened.value_or(stream_id{});
}

void transfer::step() {
    auto* sender = (from_client_ ? pipe_.client : pipe_.server).find(from_);
    auto* receiver = (from_client_ ? pipe_.server : pipe_.client).find(to_);
    std::array<std::uint8_t, 16384> chunk;
    while (sender != nullptr && !fin_written_) {
        const auto n = std::min<std::uint64_t>(chunk.size(), size_ - written_);
        for (std::size_t i = 0; i < n; ++i) chunk[i] = pattern(id_.value, written_ + i);
        const bool last = written_ + n == size_;
        const auto taken = sender->write(id_, std::span(chunk).first(n), last, pipe_.now);
        written_ += taken;
        fin_written_ = last && taken == n;
        if (taken < n) break;
    }
    while (receiver != nullptr && !finished_) {
        const auto got = receiver->read(id_, chunk, pipe_.now);
        for (std::size_t i = 0; i < got.n; ++i) {
            if (chunk[i] != pattern(id_.value, received_ + i)) {
                ADD_FAILURE() << "wrong byte at " << received_ + i << " of stream " << id_.value;
                finished_ = true;
                return;
            }
        }
        received_ += got.n;
        if (got.end) {
            EXPECT_EQ(received_, size_);
            finished_ = true;
            finished_at_ = pipe_.now;
        }
        if (got.n == 0) break;
    }
}

bool run_transfers(pipe& p, std::vector<transfer*> all, duration limit) {
    return p.run_for(limit, [&] {
        for (auto* t : all) t->step();
        return std::all_of(all.begin(), all.end(), [](auto* t) { return t->done(); });
    });
}

}  // namespace tandem::quic::test
