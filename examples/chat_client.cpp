// Two who chat by datagrams: each says its name until it has heard the other's.
#include <span>

#include <boost/asio.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>

#include "common.hpp"

namespace asio = boost::asio;
using asio::use_awaitable;
using namespace asio::experimental::awaitable_operators;
using namespace tandem::net;

std::span<const std::uint8_t> bytes(const std::string& text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

asio::awaitable<void> repeat(quic_connection& connection, std::string words) {
    asio::steady_timer timer(connection.get_executor());
    for (;;) {  // datagrams may be lost
        connection.send_datagram(bytes(words));
        timer.expires_after(std::chrono::milliseconds(20));
        co_await timer.async_wait(use_awaitable);
    }
}

asio::awaitable<void> chat(quic_endpoint& endpoint, tandem::quic::connect_options options, std::string name) {
    auto connection = co_await endpoint.async_connect(std::move(options), use_awaitable);
    auto heard = co_await (connection.async_receive_datagram(use_awaitable) || repeat(connection, name + " is here"));
    const auto& words = std::get<0>(heard);
    std::cout << name << " hears: " << std::string(words.begin(), words.end()) << "\n";
    for (int i = 0; i < 10; ++i)
        connection.send_datagram(bytes(name + " goes"));  // for the other, who may not have heard anything yet
    asio::steady_timer a_moment(connection.get_executor(), std::chrono::milliseconds(50));
    co_await a_moment.async_wait(use_awaitable);
}

int main(int argc, char** argv) {
    if (argc != 3) return example::usage(argv[0], "CERTIFICATE PORT");
    asio::io_context io(1);
    quic_endpoint endpoint(io.get_executor());
    if (auto error = endpoint.open(example::loopback("0"))) throw boost::system::system_error(error);
    const auto options = example::connect(argv[1], argv[2], "chat");
    auto both = [&]() -> asio::awaitable<void> {
        co_await (chat(endpoint, options, "Ada") && chat(endpoint, options, "Ben"));
        endpoint.close(0);
    };
    asio::co_spawn(io, both(), example::rethrow);
    io.run();
}
