// Serves as no option of `tandem serve` asks for: updates keys, moves clients to QUIC version 2, echoes datagrams.
//   quic_server --cert FILE --key FILE [--packets-per-key N] [--move-to v2] [--qlog-dir DIR] DIRECTORY    HTTP/3
//   quic_server --cert FILE --key FILE [--qlog-dir DIR] --echo ALPN    streams and datagrams come back
#include <csignal>
#include <ctime>
#include <fstream>
#include <iostream>
#include <iterator>

#include <boost/asio.hpp>

#include <tandem/net/http_server.hpp>
#include <tandem/net/quic_endpoint.hpp>
#include <tandem/net/static_files.hpp>
#include <tandem/tls/certificate.hpp>

#include "arguments.hpp"

namespace asio = boost::asio;
using asio::use_awaitable;
using tandem::test::arguments;
using namespace tandem::net;

namespace {

std::shared_ptr<const tandem::tls::server_context> make_tls(const arguments& given) {
    tandem::tls::error why;
    tandem::tls::server_options options;
    auto certificate = tandem::tls::load_certificate(given.text("cert"), given.text("key"), why);
    if (certificate) options.certificate = *certificate;
    auto context = certificate ? tandem::tls::server_context::create(options, why) : nullptr;
    if (!context) throw std::runtime_error(why.text);
    return context;
}

void say_ready(std::uint16_t port) { std::cout << "listening on https://127.0.0.1:" << port << "/" << std::endl; }

void stop_on_signal(asio::signal_set& signals, asio::io_context& io) {
    signals.async_wait([&](auto, int) { io.stop(); });
}

void configure(const arguments& given, tandem::quic::config& config) {
    config.packets_per_key = given.number("packets-per-key");
    config.max_probed_size = 1452;  // files of a few MB are to take packets enough for every case
    if (given.text("move-to") == "v2") config.move_clients_to = tandem::quic::version::v2;
    config.early_data = true;
    config.tracer = given.tracer();
}

int serve_files(const arguments& given, asio::io_context& io) {
    boost::system::error_code error;
    const auto files = static_files::open(given.rest().at(0), {}, error);
    if (!files) throw boost::system::system_error(error);
    http_server_options options;
    options.tls = make_tls(given);
    options.tcp = false;
    configure(given, options.quic_config.accepted);
    http_server server(io.get_executor(), options, [&](const tandem::http::request& request, const request_source&) {
        return files->respond(request, std::time(nullptr));
    });
    if (auto failed = server.start()) throw boost::system::system_error(failed.code, failed.what);
    say_ready(server.port());
    io.run();
    return 0;
}

// A request `GET /path` is answered with a file, as the interoperability runner's protocol hq-interop has it; everything else
// comes back.
std::string answer(const std::string& directory, const std::string& request) {
    if (!request.starts_with("GET /")) return request;
    std::ifstream file(directory + request.substr(4, request.find_last_not_of("\r\n") - 3), std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

asio::awaitable<void> serve_stream(quic_stream stream, std::string directory) {
    std::string request;
    auto [error, n] = co_await asio::async_read(stream, asio::dynamic_buffer(request), asio::as_tuple(use_awaitable));
    if (error != asio::error::eof) co_return;
    const auto response = answer(directory, request);
    co_await asio::async_write(stream, asio::buffer(response), use_awaitable);
    co_await stream.async_shutdown(use_awaitable);
}

asio::awaitable<void> echo_datagrams(std::shared_ptr<quic_connection> connection) {
    for (;;) {
        auto [error, datagram] = co_await connection->async_receive_datagram(asio::as_tuple(use_awaitable));
        if (error) co_return;
        connection->send_datagram(datagram);
    }
}

asio::awaitable<void> serve_raw(quic_connection accepted, std::string directory) {
    auto connection = std::make_shared<quic_connection>(std::move(accepted));
    asio::co_spawn(connection->get_executor(), echo_datagrams(connection), asio::detached);
    for (;;) {
        auto [error, stream] = co_await connection->async_accept_stream(asio::as_tuple(use_awaitable));
        if (error) co_return;
        asio::co_spawn(connection->get_executor(), serve_stream(std::move(stream), directory), asio::detached);
    }
}

asio::awaitable<void> accept_all(quic_endpoint& endpoint, std::string directory) {
    for (;;) {
        auto connection = co_await endpoint.async_accept(use_awaitable);
        asio::co_spawn(endpoint.get_executor(), serve_raw(std::move(connection), directory), asio::detached);
    }
}

int serve_raw(const arguments& given, asio::io_context& io) {
    tandem::quic::endpoint_config config;
    config.server = make_tls(given);
    config.accepted.alpn = {given.text("raw")};
    config.accepted.max_datagram_frame_size = 65535;
    configure(given, config.accepted);
    quic_endpoint endpoint(io.get_executor(), config);
    if (auto error = endpoint.open({tandem::ip_address::v4(127, 0, 0, 1), 0})) throw boost::system::system_error(error);
    asio::co_spawn(io, accept_all(endpoint, given.rest().at(0)), asio::detached);
    say_ready(endpoint.local_endpoint().port);
    io.run();
    return 0;
}

}  // namespace

int main(int argc, char** argv) try {
    const arguments given(argc, argv);
    asio::io_context io(1);
    asio::signal_set signals(io, SIGINT, SIGTERM);
    stop_on_signal(signals, io);
    return given.text("raw").empty() ? serve_files(given, io) : serve_raw(given, io);
} catch (const std::exception& failure) {
    std::cerr << failure.what() << std::endl;
    return 1;
}
