#include "quic_fault_peer.hpp"

#include <algorithm>

#include <tandem/quic/handshake.hpp>

#include "allocation_counter.hpp"

namespace tandem::quic::test {
namespace {

constexpr encryption_level all_levels[] = {encryption_level::initial, encryption_level::handshake, encryption_level::one_rtt};

endpoint_config victim_endpoint(const fault_peer::options& o) {
    if (o.side == perspective::server) return {};
    auto c = pipe::defaults().server;
    c.accepted = o.victim;
    c.retry = o.retry;
    return c;
}

connection_id numbered(std::uint64_t seed, std::uint8_t last) {
    std::array<std::uint8_t, 8> id{};
    for (std::size_t i = 0; i < 7; ++i) id[i] = static_cast<std::uint8_t>(seed >> (8 * i));
    id[7] = last;
    return connection_id(id);
}

}  // namespace

bytes frames(const std::function<void(frame_writer&)>& write) {
    bytes room(1100);
    frame_writer out(room);
    write(out);
    return {out.written().begin(), out.written().end()};
}

quic::config fault_peer::default_victim() {
    config c;
    c.alpn = {"test"};
    c.mtu_discovery = false;
    c.skip_packet_numbers = false;
    return c;
}

fault_peer::fault_peer(options o)
    : target(victim_endpoint(o), o.seed),
      path(o.side == perspective::client ? ip_path{pipe::server_address, pipe::client_address}
                                         : ip_path{pipe::client_address, pipe::server_address}),
      source(numbered(o.seed, 0xaa)),
      options_(std::move(o)) {}

transport_parameters fault_peer::declared() const {
    transport_parameters p;
    p.initial_source_connection_id = source;
    if (options_.side == perspective::server) p.original_destination_connection_id = original_destination;
    p.initial_max_data = p.initial_max_stream_data_bidi_local = p.initial_max_stream_data_bidi_remote =
        p.initial_max_stream_data_uni = 1'000'000;
    p.initial_max_streams_bidi = p.initial_max_streams_uni = 100;
    p.active_connection_id_limit = 4;
    if (options_.parameters) options_.parameters(p);
    return p;
}

bytes fault_peer::extension() const {
    auto encoded = emit(declared());
    if (options_.encoded_parameters) options_.encoded_parameters(encoded);
    return encoded;
}

void fault_peer::begin_as_client() {
    destination = original_destination = numbered(options_.seed, 0xbb);
    initial = initial_keys(version::v1, destination, perspective::client);
    tls::error why;
    engine =
        tls::quic_handshake::client(localhost().client, {.server_name = "localhost", .alpn = options_.alpn}, extension(), why);
    ASSERT_TRUE(engine) << why.text;
    flush_crypto(tls::level::initial);
}

void fault_peer::begin_as_server(const packet_header& first) {
    original_destination = first.destination;
    destination = first.source;
    initial = initial_keys(version::v1, original_destination, perspective::server);
    tls::error why;
    engine = tls::quic_handshake::server(options_.certificate->server, {.alpn = options_.alpn}, extension(), why);
    ASSERT_TRUE(engine) << why.text;
}

bool fault_peer::reach_initial() {
    if (!begun_) {
        begun_ = true;
        if (options_.side == perspective::client) {
            begin_as_client();
        } else {
            auto o = pipe::defaults();
            o.client = options_.victim;
            connect_options c{.remote = pipe::server_address,
                              .local = pipe::client_address,
                              .server_name = "localhost",
                              .config = options_.victim};
            c.tls = localhost().client;
            tls::error why;
            const auto made = target.connect(c, now, why);
            EXPECT_TRUE(made) << why.text;
            handle_ = made.value_or(0);
        }
        receive_all();
    }
    return victim() != nullptr && engine != nullptr;
}

bool fault_peer::reach_handshake() {
    if (!reach_initial()) return false;
    flush_crypto(tls::level::initial);
    return handshake_keys.write && (options_.side == perspective::client || handshake_keys.read);
}

bool fault_peer::reach_established() {
    if (!reach_handshake()) return false;
    for (int round = 0; round < 6 && victim() != nullptr && closes_.empty(); ++round) {
        flush_crypto();
        for (const auto level : all_levels) {
            if (ack_owed_[space_of(level)] && (level != encryption_level::initial || !engine->complete())) acknowledge(level);
        }
        if (options_.side == perspective::server && engine->complete() && !done_) {
            done_ = true;
            send(encryption_level::one_rtt, frames_of(handshake_done_frame{}));
        }
        receive_all();
        if (done_ && victim() != nullptr && victim()->handshake_confirmed() && round > 2) return true;
    }
    return false;
}

bool fault_peer::reach(encryption_level level) {
    return level == encryption_level::initial     ? reach_initial()
           : level == encryption_level::handshake ? reach_handshake()
                                                  : reach_established();
}

packet_key_pair& fault_peer::keys(encryption_level level) {
    return level == encryption_level::initial ? initial : level == encryption_level::handshake ? handshake_keys : application;
}

bytes fault_peer::packet(encryption_level level, std::span<const std::uint8_t> payload, const packet_faults& faults) {
    constexpr std::size_t number_size = 4;
    auto& next = next_[static_cast<std::size_t>(space_of(level))];
    const auto number = faults.number.value_or(next);
    next = std::max(next, number + 1);
    bytes out(datagram_size + 300);
    writer head(out);
    const auto& to = faults.destination ? *faults.destination : destination;
    const auto& from = faults.source ? *faults.source : source;
    const auto header =
        level == encryption_level::one_rtt
            ? write_short_header(head, to, number, number_size, false, key_phase)
            : write_long_header(head, level == encryption_level::initial ? packet_type::initial : packet_type::handshake,
                                faults.version, to, from, faults.token, number, number_size);
    EXPECT_TRUE(header);
    auto size = header->payload_offset() + payload.size() + tls::aead_tag_size;
    if (level == encryption_level::initial && faults.expand) size = std::max(size, datagram_size);
    EXPECT_LE(size, out.size());
    out.resize(size);
    // PADDING goes before the frames, so that what is cut short stays so.
    std::copy(payload.begin(), payload.end(), out.end() - static_cast<std::ptrdiff_t>(payload.size() + tls::aead_tag_size));
    if (header->length_offset != 0) set_packet_length(out, *header);
    out[0] ^= faults.first_byte_bits;
    EXPECT_TRUE(keys(level).write.seal(out, header->number_offset, header->number_size, number));
    return out;
}

void fault_peer::deliver(bytes datagram) {
    bytes_sent += datagram.size();
    received_datagram d{.payload = datagram, .path = path};
    const auto before = tandem::test::live_bytes();
    const auto count = tandem::test::allocations();
    target.receive(d, now);
    most_allocations = std::max(most_allocations, tandem::test::allocations() - count);
    victim_bytes += static_cast<std::int64_t>(tandem::test::live_bytes() - before);
    poll_events();
}

void fault_peer::send(encryption_level level, std::span<const std::uint8_t> payload, const packet_faults& faults) {
    deliver(packet(level, payload, faults));
}

void fault_peer::acknowledge(encryption_level level) {
    const auto& seen = seen_[space_of(level)];
    if (seen.empty() || !keys(level).write) return;
    ack_owed_[space_of(level)] = false;
    std::vector<range> ranges(seen.begin(), seen.end());
    std::reverse(ranges.begin(), ranges.end());
    ack_frame f{.ranges = ranges};
    if (counts_ecn) f.ecn = marks_[space_of(level)];
    send(level, frames_of(f));
}

void fault_peer::flush_crypto(tls::level level) {
    const auto to = to_encryption_level(level);
    const auto said = engine->output(level);
    if (said.empty()) return;
    bytes out(said.begin(), said.end());
    engine->discard_output(level);
    advance();
    if (options_.crypto) options_.crypto(to, out);
    for (std::size_t at = 0; at < out.size(); at += 1000) {
        const auto piece = std::span(out).subspan(at, std::min<std::size_t>(1000, out.size() - at));
        send(to, frames_of(crypto_frame{crypto_out_[to], piece}));
        crypto_out_[to] += piece.size();
    }
}

void fault_peer::flush_crypto() {
    flush_crypto(tls::level::initial);
    flush_crypto(tls::level::handshake);
    flush_crypto(tls::level::application);
}

void fault_peer::advance() {
    while (const auto secret = engine->poll_secret()) {
        if (secret->level == tls::level::early_data) continue;
        auto& pair = keys(to_encryption_level(secret->level));
        auto& half = secret->direction == tls::installed_secret::use::read ? pair.read : pair.write;
        half = packet_keys(version::v1, secret->suite, secret->secret());
    }
}

connection* fault_peer::victim() { return handle_ == 0 ? nullptr : target.find(handle_); }

void fault_peer::poll_events() {
    const auto before = tandem::test::live_bytes();
    while (auto e = target.poll_event()) {
        if (handle_ == 0) handle_ = e->connection;
        if (remembers) events.push_back(std::move(e->event));
    }
    if (!remembers) victim_bytes += static_cast<std::int64_t>(tandem::test::live_bytes() - before);
}

void fault_peer::wait(duration d) {
    const auto until = now + d;
    while (true) {
        const auto next = target.next_timeout();
        if (!next || *next > until) break;
        now = std::max(now, *next);
        receive_all();
    }
    now = until;
    receive_all();
}

void fault_peer::receive_all() {
    bytes buffer(65536);
    train out;
    out.buffer = buffer;
    now += 100us;  // a round trip takes some time, or the pacer thinks of infinite rates
    const auto transmit = [&] {
        const auto before = tandem::test::live_bytes();
        const bool any = target.transmit(now, out);
        victim_bytes += static_cast<std::int64_t>(tandem::test::live_bytes() - before);
        return any;
    };
    target.on_timeout(now);
    while (transmit()) {
        for (std::size_t i = 0; i < out.count(); ++i) {
            ++datagrams_received;
            bytes_received += out.datagram(i).size();
            receive(out.datagram(i), out.path, out.mark);
        }
    }
    poll_events();
}

std::optional<packet_number> fault_peer::largest(encryption_level level) const {
    const auto it = seen_.find(space_of(level));
    if (it == seen_.end() || it->second.empty()) return std::nullopt;
    return it->second.back().end - 1;
}

std::vector<fault_peer::heard> fault_peer::heard_of(std::uint64_t type) const {
    std::vector<heard> all;
    std::copy_if(heard_.begin(), heard_.end(), std::back_inserter(all), [&](const auto& h) { return h.type == type; });
    return all;
}

void fault_peer::receive(std::span<std::uint8_t> datagram, const ip_path& from, ecn mark) {
    const auto whole = datagram.size();
    while (!datagram.empty()) {
        const auto parsed = parse_packet(datagram, source.size());
        if (!parsed) return;
        const auto& h = parsed.header;
        if (!engine && h.type == packet_type::initial && options_.side == perspective::server) begin_as_server(h);
        if (h.type == packet_type::initial || h.type == packet_type::handshake || h.type == packet_type::one_rtt) {
            const auto level = h.type == packet_type::initial     ? encryption_level::initial
                               : h.type == packet_type::handshake ? encryption_level::handshake
                                                                  : encryption_level::one_rtt;
            auto& read = keys(level).read;
            opened_packet opened;
            if (read && read.open(datagram.first(h.size), h.number_offset, largest(level), opened) == open_error::none) {
                if (level == encryption_level::initial) destination = h.source;
                if (largest(level)) {
                    EXPECT_GT(opened.header.number, *largest(level)) << "RFC 9000 12.3";
                }
                seen_[space_of(level)].insert({opened.header.number, opened.header.number + 1});
                marks_[space_of(level)].ect0 += mark == ecn::ect0 ? 1 : 0;
                receive_frames(opened.payload, level,
                               {0, level, whole, from, mark, h.destination, {h.token.begin(), h.token.end()}});
            }
        }
        datagram = datagram.subspan(h.size);
    }
}

void fault_peer::receive_frames(std::span<const std::uint8_t> payload, encryption_level level, const heard& where) {
    ack_ranges ranges;
    frame_reader in(payload, level, ranges);
    frame f;
    while (in.next(f)) {
        if (remembers) {
            heard_.push_back(where);
            heard_.back().type = in.type();
        }
        if (is_ack_eliciting(in.type())) ack_owed_[space_of(level)] = true;
        if (const auto* c = std::get_if<crypto_frame>(&f)) {
            if (level == encryption_level::initial && c->offset == 0) hellos_.emplace_back(c->data.begin(), c->data.end());
            auto& stream = crypto_in_[level];
            stream.receive(*c, now);
            while (!stream.front().empty()) {
                const auto tls_level =
                    level == encryption_level::one_rtt ? tls::level::application : to_tls_level(space_of(level));
                engine->provide(tls_level, stream.front());
                stream.consume(stream.front().size());
                advance();
            }
        } else if (const auto* end = std::get_if<connection_close_frame>(&f)) {
            closes_.push_back(
                {level, end->error_code, end->frame_type, {end->reason.begin(), end->reason.end()}, end->application});
        } else if (std::holds_alternative<handshake_done_frame>(f)) {
            done_ = true;
        } else if (const auto* ack = std::get_if<ack_frame>(&f)) {
            EXPECT_LE(ack->ranges.front().end, next_number(level)) << "acknowledges what was never sent in this space";
            for (const auto& r : ack->ranges) acknowledged_[space_of(level)].insert(r);
        } else if (const auto* data = std::get_if<stream_frame>(&f)) {
            stream_bytes_received += data->data.size();
        } else if (!std::holds_alternative<new_token_frame>(f) && !std::holds_alternative<datagram_frame>(f)) {
            if (remembers) frames_.push_back(f);
        }
    }
    EXPECT_FALSE(in.error());
}

}  // namespace tandem::quic::test
