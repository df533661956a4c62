// Fetches files over one QUIC connection and does meanwhile what no option of `tandem get` asks for: key updates, a migration,
// datagrams.
//   quic_client --ca FILE --port PORT [--alpn h3|hq-interop] [--packets-per-key N] [--migrate-after BYTES] [--datagrams N]
//               [--version v2] [--prefer v2] [--qlog-dir DIR] --out DIR PATH...
// Prints what happened as one JSON object.
#include <algorithm>
#include <fstream>
#include <iostream>
#include <optional>

#include <boost/asio.hpp>

#include <tandem/net/quic_endpoint.hpp>
#include <tandem/tls/context.hpp>

#include "arguments.hpp"
#include "http3_by_hand.hpp"

namespace asio = boost::asio;
using asio::use_awaitable;
using tandem::test::arguments;
using namespace tandem::net;

namespace {

constexpr auto patience = std::chrono::seconds(20);

tandem::ip_endpoint loopback(std::uint64_t port) {
    return {tandem::ip_address::v4(127, 0, 0, 1), static_cast<std::uint16_t>(port)};
}

tandem::quic::connect_options connect_options(const arguments& given) {
    tandem::tls::client_options trust;
    trust.ca_file = given.text("ca");
    tandem::tls::error why;
    tandem::quic::connect_options options;
    options.tls = tandem::tls::client_context::create(trust, why);
    if (!options.tls) throw std::runtime_error(why.text);
    options.remote = loopback(given.number("port"));
    options.server_name = "localhost";
    options.config.alpn = {given.text("alpn", "h3")};
    if (given.text("prefer") == "v2") options.config.versions = {tandem::quic::version::v2, tandem::quic::version::v1};
    if (given.text("version") == "v2") options.config.version = tandem::quic::version::v2;
    options.config.packets_per_key = given.number("packets-per-key");
    options.config.max_datagram_frame_size = 65535;
    options.config.tracer = given.tracer();
    return options;
}

class session {
public:
    session(const arguments& given, quic_connection connection) : given_(given), connection_(std::move(connection)) {}

    asio::awaitable<void> run() {
        const auto before = connection_.local_endpoint().port;
        const bool http3 = connection_.alpn() == "h3";
        quic_send_stream control;
        if (http3) {
            control = co_await connection_.async_open_send_stream(use_awaitable);
            co_await asio::async_write(control, asio::buffer(tandem::test::http3_control_stream), use_awaitable);
            asio::co_spawn(connection_.get_executor(), take_peers_streams(), asio::detached);
        }
        for (const auto& path : given_.rest()) co_await fetch(path, http3);
        for (std::uint64_t i = 0; i < given_.number("datagrams"); ++i) co_await exchange_datagram(i);
        if (migrating_) co_await wait_for_migration();
        report(before);
        connection_.close(http3 ? 0x100 : 0);  // H3_NO_ERROR
    }

private:
    asio::awaitable<void> fetch(const std::string& path, bool http3) {
        auto stream = co_await connection_.async_open_stream(use_awaitable);
        const auto request = http3 ? tandem::test::http3_get("localhost", path) : "GET " + path + "\r\n";
        co_await asio::async_write(stream, asio::buffer(request), use_awaitable);
        stream.shutdown();
        tandem::test::http3_response response;
        std::string plain;
        std::string piece(16384, '\0');
        for (;;) {
            auto [error, n] = co_await stream.async_read_some(asio::buffer(piece), asio::as_tuple(use_awaitable));
            const auto text = std::string_view(piece).substr(0, n);
            if (http3)
                response.feed(text);
            else
                plain += text;
            received_ += n;
            maybe_migrate();
            if (error == asio::error::eof) break;
            if (error) throw boost::system::system_error(error, path);
        }
        if (!response.whole()) throw std::runtime_error(path + ": the stream ends within a frame");
        std::ofstream(given_.text("out") + path.substr(path.rfind('/')), std::ios::binary) << (http3 ? response.body() : plain);
    }

    // Goes on from another port, once, in the middle of what is being received.
    void maybe_migrate() {
        const auto after = given_.number("migrate-after");
        if (after == 0 || migrating_ || received_ < after) return;
        migrating_ = true;
        connection_.async_migrate(loopback(0), [this](boost::system::error_code error) { migrated_ = error; });
    }
    asio::awaitable<void> wait_for_migration() {
        asio::steady_timer timer(connection_.get_executor());
        while (!migrated_) {
            timer.expires_after(std::chrono::milliseconds(1));
            co_await timer.async_wait(use_awaitable);
        }
        if (*migrated_) throw boost::system::system_error(*migrated_, "migration");
    }

    // To a peer that sends every datagram back.
    asio::awaitable<void> exchange_datagram(std::uint64_t number) {
        // Of sizes that every peer's way back carries too.
        const auto largest = std::min<std::size_t>(connection_.max_datagram_payload(), 1000);
        const std::vector<std::uint8_t> sent(largest / (number + 1), static_cast<std::uint8_t>(number));
        if (connection_.send_datagram(sent) != tandem::quic::datagram_result::queued)
            throw std::runtime_error("a datagram could not be sent");
        const auto back = co_await connection_.async_receive_datagram(use_awaitable);
        if (back != sent) throw std::runtime_error("a datagram came back different");
        ++datagrams_;
        datagram_bytes_ += sent.size();
    }

    asio::awaitable<void> take_peers_streams() {
        std::vector<quic_receive_stream> streams;
        for (;;) {
            auto [error, stream] = co_await connection_.async_accept_receive_stream(asio::as_tuple(use_awaitable));
            if (error) co_return;
            streams.push_back(std::move(stream));  // control and QPACK streams live as long as the connection
        }
    }

    void report(std::uint16_t port_before) const {
        const auto s = connection_.statistics();
        std::cout << "{\"alpn\": \"" << connection_.alpn() << "\", \"received\": " << received_
                  << ", \"key_updates\": " << s.key_updates << ", \"ecn_capable\": " << (s.ecn_capable ? "true" : "false")
                  << ", \"port_before\": " << port_before << ", \"port_after\": " << connection_.local_endpoint().port
                  << ", \"datagrams\": " << datagrams_ << ", \"datagram_bytes\": " << datagram_bytes_ << "}" << std::endl;
    }

    const arguments& given_;
    quic_connection connection_;
    std::uint64_t received_ = 0;
    std::uint64_t datagrams_ = 0;
    std::uint64_t datagram_bytes_ = 0;
    bool migrating_ = false;
    std::optional<boost::system::error_code> migrated_;
};

asio::awaitable<void> run(const arguments& given, quic_endpoint& endpoint) {
    session s(given, co_await endpoint.async_connect(connect_options(given), use_awaitable));
    co_await s.run();
}

}  // namespace

int main(int argc, char** argv) try {
    const arguments given(argc, argv);
    asio::io_context io(1);
    quic_endpoint endpoint(io.get_executor());
    if (auto error = endpoint.open(loopback(0))) throw boost::system::system_error(error);
    bool done = false;
    asio::co_spawn(io, run(given, endpoint), [&](std::exception_ptr failure) {
        done = true;
        endpoint.close(0);
        if (failure) std::rethrow_exception(failure);
    });
    io.run_for(patience);
    if (!done) throw std::runtime_error("timed out");
    return 0;
} catch (const std::exception& failure) {
    std::cerr << failure.what() << std::endl;
    return 1;
}
