#include <tandem/net/http_coroutine.hpp>

namespace tandem::net {

boost::asio::awaitable<std::string> read_body(http_exchange& exchange, std::size_t limit) {
    std::string out;
    for (;;) {
        char piece[16 * 1024];
        boost::system::error_code error;
        auto n = co_await exchange.async_read_some(boost::asio::buffer(piece),
                                                   boost::asio::redirect_error(boost::asio::use_awaitable, error));
        if (error == boost::asio::error::eof) co_return out;
        if (error) throw boost::system::system_error(error);
        if (out.size() + n > limit) throw boost::system::system_error(boost::asio::error::message_size);
        out.append(piece, n);
    }
}

}  // namespace tandem::net
