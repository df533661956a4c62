// Passes each datagram of a client on to all the others: what is lost is lost, and holds nothing up.
#include <list>
#include <vector>

#include <boost/asio.hpp>

#include "common.hpp"

namespace asio = boost::asio;
using asio::use_awaitable;
using namespace tandem::net;

struct room {
    std::list<quic_connection> members;

    asio::awaitable<void> join(quic_connection connection) {
        auto me = members.insert(members.end(), std::move(connection));
        for (;;) {
            auto [error, words] = co_await me->async_receive_datagram(asio::as_tuple(use_awaitable));
            if (error) break;
            for (auto member = members.begin(); member != members.end(); ++member) {
                if (member != me) member->send_datagram(words);
            }
        }
        members.erase(me);
    }
};

int main(int argc, char** argv) {
    if (argc != 3) return example::usage(argv[0], "CERTIFICATE PORT");
    asio::io_context io(1);
    room room;
    quic_endpoint endpoint(io.get_executor(), example::serve(argv[1], "chat"));
    if (auto error = endpoint.open(example::loopback(argv[2]))) throw boost::system::system_error(error);
    example::say_ready(endpoint);
    asio::co_spawn(
        io,
        [&]() -> asio::awaitable<void> {
            for (;;) asio::co_spawn(io, room.join(co_await endpoint.async_accept(use_awaitable)), asio::detached);
        },
        example::rethrow);
    io.run();
}
