#include <tandem/http/byte_stream_server.hpp>

#include <algorithm>
#include <deque>
#include <utility>

#include <tandem/http/byte_stream_core.hpp>
#include <tandem/http/http1_server.hpp>
#include <tandem/http/http2_server.hpp>
#include <tandem/http/http3_server.hpp>

namespace tandem::http {
namespace {

// HTTP/1.1 with what only a server has: deadlines, and the map of its output.
class http1_server_peer final : public http1_peer<http1_server> {
public:
    using http1_peer::http1_peer;

    std::optional<time_point> next_timeout() const override { return session_->next_timeout(); }
    void on_timeout(time_point now) override { session_->on_timeout(now); }
    void drain_carried(std::vector<carried_plaintext>& out) override {
        for (const auto& c : session_->drain_carried()) out.push_back({c.begin, c.end, c.request});
    }
};

constexpr std::uint64_t record_header = 5;  // RFC 8446 5.1; the plaintext lies behind it byte for byte (5.2)

}  // namespace

struct byte_stream_server::state {
    state(std::unique_ptr<tls::record_session> tls, const tls::error& why, byte_stream_server_config c, time_point now)
        : config(std::move(c)),
          core(
              std::move(tls), why, config.max_record_size,
              [this](std::string_view alpn, time_point at) { return make(alpn, at); }, now) {}

    std::unique_ptr<plaintext_peer> make(std::string_view alpn, time_point now) {
        if (alpn == alpn_h3_qmux) {
            auto qmux = config.qmux;
            qmux.report_carried = config.report_carried;
            auto peer = std::make_unique<qmux_peer<http3_server>>(quic::perspective::server, qmux, config.limits, now);
            session = &peer->session();
            return peer;
        }
        if (alpn == alpn_h2) {
            auto http2 = std::make_unique<http2_server>(config.limits);
            session = http2.get();
            return std::make_unique<http2_peer<http2_server>>(std::move(http2));
        }
        auto http1 = std::make_unique<http1_server>(config.limits, "https", config.report_carried);
        session = http1.get();
        return std::make_unique<http1_server_peer>(std::move(http1));
    }

    void add_record(const tls::sealed_record& record, std::vector<carried_range>& out);

    byte_stream_server_config config;
    server_session* session = nullptr;
    std::deque<carried_plaintext> plaintext;  // not found in a record yet
    byte_stream_core core;
};

void byte_stream_server::state::add_record(const tls::sealed_record& record, std::vector<carried_range>& out) {
    while (!plaintext.empty() && plaintext.front().begin < record.plaintext_end) {
        auto& c = plaintext.front();
        auto begin = std::max(c.begin, record.plaintext_begin);
        auto end = std::min(c.end, record.plaintext_end);
        if (begin < end) {
            auto at = [&](std::uint64_t offset) {
                return record.ciphertext_begin + record_header + (offset - record.plaintext_begin);
            };
            auto first = begin == record.plaintext_begin ? record.ciphertext_begin : at(begin);
            auto last = end == record.plaintext_end ? record.ciphertext_end : at(end);
            out.push_back({first, last, c.request});
        }
        if (c.end > record.plaintext_end) break;
        plaintext.pop_front();
    }
}

byte_stream_server::byte_stream_server(std::shared_ptr<const tls::server_context> context, byte_stream_server_config config,
                                       time_point now) {
    tls::error why;
    tls::record_session_options records{.max_record_size = config.max_record_size, .log_sealed_records = config.report_carried};
    auto tls = tls::record_session::server(std::move(context), {.alpn = config.alpn}, records, why);
    state_ = std::make_unique<state>(std::move(tls), why, std::move(config), now);
}

byte_stream_server::~byte_stream_server() = default;
byte_stream_server::byte_stream_server(byte_stream_server&&) noexcept = default;
byte_stream_server& byte_stream_server::operator=(byte_stream_server&&) noexcept = default;

void byte_stream_server::receive(std::span<const std::uint8_t> ciphertext, std::span<const byte_times> times, time_point now) {
    state_->core.receive(ciphertext, times, now);
}
void byte_stream_server::receive_end(time_point now) { state_->core.receive_end(now); }
std::size_t byte_stream_server::transmit(std::span<std::uint8_t> out, time_point now) { return state_->core.transmit(out, now); }
bool byte_stream_server::finished_sending() const { return state_->core.finished_sending(); }
bool byte_stream_server::wants_to_receive() const { return state_->core.wants_to_receive(); }
std::optional<time_point> byte_stream_server::next_timeout() const { return state_->core.next_timeout(); }
void byte_stream_server::on_timeout(time_point now) { state_->core.on_timeout(now); }
server_session* byte_stream_server::session() { return state_->session; }
bool byte_stream_server::handshake_complete() const { return state_->core.handshake_complete(); }
std::string_view byte_stream_server::alpn() const { return state_->core.alpn(); }
const std::optional<session_error>& byte_stream_server::error() const { return state_->core.error(); }

std::vector<carried_range> byte_stream_server::drain_carried() {
    std::vector<carried_range> out;
    if (!state_->config.report_carried || !state_->session) return out;
    for (const auto& c : state_->core.drain_carried_plaintext()) state_->plaintext.push_back(c);
    while (auto record = state_->core.poll_sealed_record()) state_->add_record(*record, out);
    return out;
}

}  // namespace tandem::http
