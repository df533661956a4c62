// A QMux server that is given hostile records, in pieces, while its application reads and answers. The first byte says whether
// well-formed transport parameters come first, the second how the rest is cut.
#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "fuzz.hpp"

#include <tandem/http/qmux.hpp>

using namespace tandem;
using namespace tandem::http;

namespace {

// What the session sends is whole records of whole frames, whatever it received.
void check_output(std::span<const std::uint8_t> out) {
    reader records(out);
    while (!records.empty()) {
        const auto frames = records.bytes(records.varint());
        FUZZ_CHECK(records.ok() && !frames.empty());
        std::size_t at = 0;
        while (at < frames.size()) {
            reader own(frames.subspan(at));
            const auto type = own.varint();
            if (type == qmux::transport_parameters_type) {
                own.skip(own.varint());
                at += own.offset();
            } else if (type == qmux::ping_type || type == qmux::pong_type) {
                own.varint();
                at += own.offset();
            } else {
                quic::ack_ranges none;
                quic::frame_reader in(frames.subspan(at), quic::encryption_level::one_rtt, none);
                quic::frame f;
                FUZZ_CHECK(in.next(f));
                at += in.offset();
            }
            FUZZ_CHECK(own.ok());
        }
    }
}

void act(qmux::session& s, time_point now) {
    std::array<std::uint8_t, 700> room;
    while (const auto event = s.poll_stream_event()) {
        if (event->what == stream_event::kind::readable) {
            if (event->id.index() % 5 == 4) s.stop_sending(event->id, 7);
            s.read(event->id, room, now, nullptr);
            s.write(event->id, std::span(room).first(300), event->id.index() % 2, now);
        }
        if (event->what == stream_event::kind::streams_available) s.open(event->way);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) return 0;
    const bool begin_well = data[0] & 1;
    const std::size_t piece = 1 + data[1] * 8U;
    std::span rest(data + 2, size - 2);
    time_point now{};
    qmux::config config;
    config.streams.initial_max_data = 20000;
    config.streams.max_connection_window = 20000;
    config.streams.initial_max_stream_data_bidi_remote = config.streams.initial_max_stream_data_uni = 8000;
    qmux::session server(quic::perspective::server, config, now);
    server.open(quic::direction::unidirectional);
    std::vector<std::uint8_t> room(3000);
    if (begin_well) {
        qmux::session client(quic::perspective::client, config, now);
        const auto n = client.transmit(room, now);
        server.receive(std::span(room).first(n), {}, now);
        FUZZ_CHECK(server.ready());
    }
    while (!rest.empty() && !server.error()) {
        const auto now_read = rest.first(std::min(piece, rest.size()));
        rest = rest.subspan(now_read.size());
        now += std::chrono::milliseconds(3);
        // The last byte came first.
        std::vector<tls::record_times> times{{now_read.size() - 1, now, now, now},
                                             {1, now - std::chrono::milliseconds(2), now, now}};
        if (now_read.size() == 1) times.erase(times.begin());
        server.receive(now_read, times, now);
        act(server, now);
        const auto n = server.transmit(room, now);
        check_output(std::span(room).first(n));
    }
    FUZZ_CHECK(server.ledger().sum() == server.ledger().total());
    FUZZ_CHECK(!server.error() || server.next_timeout() == std::nullopt);
    return 0;
}
