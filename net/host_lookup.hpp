// Finds the addresses of a host: overrides first, then a literal address, then the system's resolver.
#pragma once

#include <functional>
#include <memory>
#include <variant>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/steady_timer.hpp>

#include <tandem/net/http_connection.hpp>

namespace tandem::net {

class host_lookup : public std::enable_shared_from_this<host_lookup> {
public:
    // Without duplicates, in the resolver's order of preference; at least one.
    using result = std::variant<std::vector<ip_address>, http_error>;

    explicit host_lookup(const boost::asio::any_io_executor& executor)
        : executor_(executor), resolver_(executor), timer_(executor) {}

    // Calls `done` once, not from within, after at most options.connect_timeout; not at all after stop().
    void start(const http_target& target, const http_connection_options& options, std::function<void(result)> done);
    void stop();

private:
    void finish(result r);

    boost::asio::any_io_executor executor_;
    boost::asio::ip::udp::resolver resolver_;
    boost::asio::steady_timer timer_;
    std::function<void(result)> done_;
};

}  // namespace tandem::net
