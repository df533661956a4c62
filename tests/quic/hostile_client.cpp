#include "hostile_client.hpp"

#include <algorithm>

#include <tandem/quic/handshake.hpp>
#include <tandem/quic/retry.hpp>

namespace tandem::quic::test {

hostile_client::hostile_client(endpoint& s, const std::function<void(transport_parameters&)>& parameters) : server(s) {
    static std::uint64_t count = 0;
    std::array<std::uint8_t, 8> bytes{};
    bytes[0] = static_cast<std::uint8_t>(++count);
    bytes[1] = static_cast<std::uint8_t>(count >> 8);
    source = connection_id(bytes);
    bytes[7] = 1;
    original_destination = destination = connection_id(bytes);
    initial = initial_keys(version::v1, destination, perspective::client);
    transport_parameters declared;
    declared.initial_source_connection_id = source;
    declared.initial_max_data = declared.initial_max_stream_data_bidi_local = declared.initial_max_stream_data_bidi_remote =
        declared.initial_max_stream_data_uni = 1'000'000;
    declared.initial_max_streams_bidi = declared.initial_max_streams_uni = 100;
    declared.active_connection_id_limit = 4;
    parameters(declared);
    tls::error why;
    engine = tls::quic_handshake::client(localhost().client, {.server_name = "localhost", .alpn = {"test"}}, emit(declared), why);
    EXPECT_TRUE(engine) << why.text;
}

packet_key_pair& hostile_client::keys(encryption_level level) {
    return level == encryption_level::initial ? initial : level == encryption_level::handshake ? handshake_keys : application;
}

std::vector<std::uint8_t> hostile_client::build(encryption_level level, const writer_function& frames,
                                                std::optional<packet_number> number, bool expand) {
    auto& next = next_[static_cast<std::size_t>(space_of(level))];
    const auto n = number.value_or(next);
    if (!number) ++next;
    std::vector<std::uint8_t> datagram(datagram_size);
    auto packet = packet_builder::begin(
        datagram,
        {.level = level,
         .destination = destination,
         .source = source,
         .token = level == encryption_level::initial ? std::span<const std::uint8_t>(token) : std::span<const std::uint8_t>(),
         .number = n,
         .key_phase = key_phase});
    frames(packet->frames());
    if (expand && level == encryption_level::initial) packet->pad_to(datagram_size);
    packet->seal(keys(level).write);
    datagram.resize(packet->size());
    return datagram;
}

void hostile_client::send_raw(std::vector<std::uint8_t> datagram) {
    received_datagram d{.payload = datagram, .path = path};
    server.receive(d, now);
}

void hostile_client::send(encryption_level level, const writer_function& frames, std::optional<packet_number> number) {
    send_raw(build(level, frames, number));
}

void hostile_client::acknowledge(encryption_level level) {
    const auto& seen = seen_[space_of(level)];
    if (seen.empty()) return;
    std::vector<range> ranges(seen.begin(), seen.end());
    std::reverse(ranges.begin(), ranges.end());
    send(level, [&](frame_writer& out) { out.write(ack_frame{.ranges = ranges}); });
}

void hostile_client::send_crypto(tls::level level) {
    const auto to = to_encryption_level(level);
    const auto bytes = engine->output(level);
    for (std::size_t at = 0; at < bytes.size(); at += 1000) {
        const auto piece = bytes.subspan(at, std::min<std::size_t>(1000, bytes.size() - at));
        send(to, [&](frame_writer& out) { out.write(crypto_frame{crypto_out_[to], piece}); });
        crypto_out_[to] += piece.size();
    }
    engine->discard_output(level);
}

void hostile_client::send_client_hello() {
    if (hello_.empty()) {
        const auto bytes = engine->output(tls::level::initial);
        hello_.assign(bytes.begin(), bytes.end());
        engine->discard_output(tls::level::initial);
    }
    ASSERT_LT(hello_.size(), 1000u);
    send(encryption_level::initial, [&](frame_writer& out) { out.write(crypto_frame{0, hello_}); });
}

void hostile_client::advance() {
    while (const auto secret = engine->poll_secret()) {
        auto& pair = keys(to_encryption_level(secret->level));
        auto& side = secret->direction == tls::installed_secret::use::read ? pair.read : pair.write;
        side = packet_keys(version::v1, secret->suite, secret->secret());
    }
}

void hostile_client::receive_all() {
    std::vector<std::uint8_t> buffer(65536);
    train out;
    out.buffer = buffer;
    now += 100us;  // a round trip takes some time, or the pacer thinks of infinite rates
    server.on_timeout(now);
    while (server.transmit(now, out)) {
        for (std::size_t i = 0; i < out.count(); ++i) {
            ++datagrams_received;
            bytes_received += out.datagram(i).size();
            receive(out.datagram(i));
        }
    }
}

void hostile_client::receive(std::span<std::uint8_t> datagram) {
    while (!datagram.empty()) {
        const auto parsed = parse_packet(datagram, 8, quic_bit::any);
        if (!parsed) return;
        const auto& h = parsed.header;
        if (h.type == packet_type::retry && !retried) {
            EXPECT_TRUE(verify_retry(version::v1, original_destination, datagram));
            retried = true;
            destination = h.source;
            token.assign(h.token.begin(), h.token.end());
            initial = initial_keys(version::v1, destination, perspective::client);
            send_client_hello();
            return;
        }
        const auto level = h.type == packet_type::initial     ? encryption_level::initial
                           : h.type == packet_type::handshake ? encryption_level::handshake
                                                              : encryption_level::one_rtt;
        auto& read = keys(level).read;
        opened_packet opened;
        const auto known = seen_[space_of(level)];
        const auto largest = known.empty() ? std::nullopt : std::optional(known.back().end - 1);
        if (read && read.open(datagram.first(h.size), h.number_offset, largest, opened) == open_error::none) {
            if (level == encryption_level::initial) destination = h.source;
            seen_[space_of(level)].insert({opened.header.number, opened.header.number + 1});
            largest_[space_of(level)] = seen_[space_of(level)].back().end - 1;
            receive_frames(opened.payload, level);
        }
        datagram = datagram.subspan(h.size);
    }
}

void hostile_client::receive_frames(std::span<const std::uint8_t> payload, encryption_level level) {
    ack_ranges ranges;
    frame_reader in(payload, level, ranges);
    frame f;
    while (in.next(f)) {
        if (const auto* c = std::get_if<crypto_frame>(&f)) {
            auto& stream = crypto_in_[level];
            stream.receive(*c, now);
            while (!stream.front().empty()) {
                const auto bytes = stream.front();
                const auto tls_level =
                    level == encryption_level::one_rtt ? tls::level::application : to_tls_level(space_of(level));
                engine->provide(tls_level, bytes);
                stream.consume(bytes.size());
                advance();
            }
        } else if (const auto* close = std::get_if<connection_close_frame>(&f)) {
            close_code_ = close->error_code;
            close_application_ = close->application;
        } else if (std::holds_alternative<handshake_done_frame>(f)) {
            done_ = true;
        } else if (!std::holds_alternative<ack_frame>(f) && !std::holds_alternative<stream_frame>(f) &&
                   !std::holds_alternative<new_token_frame>(f)) {
            frames_.push_back(f);
        }
    }
    EXPECT_FALSE(in.error());
}

bool hostile_client::handshake() {
    send_client_hello();
    receive_all();
    receive_all();  // what came after a Retry
    acknowledge(encryption_level::initial);
    receive_all();
    if (!engine->complete()) return false;
    send_crypto(tls::level::handshake);
    receive_all();
    acknowledge(encryption_level::one_rtt);
    receive_all();
    return done_;
}

}  // namespace tandem::quic::test
