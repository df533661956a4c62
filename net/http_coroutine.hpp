// Coroutines as handlers of requests.
#pragma once

#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <tandem/net/http_exchange.hpp>

namespace tandem::net {

// Runs `coroutine` for each request: boost::asio::awaitable<void>(std::shared_ptr<http_exchange>). An exception that leaves it is
// a 500, or cuts off the response that has begun; so does returning before the answer is complete.
template <class Coroutine>
http_handler spawn(Coroutine coroutine) {
    return [coroutine = std::move(coroutine)](std::shared_ptr<http_exchange> exchange) {
        auto executor = exchange->get_executor();
        boost::asio::co_spawn(
            executor, [coroutine, exchange = std::move(exchange)]() mutable { return coroutine(std::move(exchange)); },
            [](std::exception_ptr) {});
    };
}

// The whole body of a request. Throws boost::system::system_error: message_size above `limit` bytes, or why it did not come to
// its end.
boost::asio::awaitable<std::string> read_body(http_exchange& exchange, std::size_t limit);

}  // namespace tandem::net
