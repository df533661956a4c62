// Resolves a host and tries its addresses one after the other, within one time limit.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <tandem/net/host_lookup.hpp>
#include <tandem/net/http_connection.hpp>

namespace tandem::net {

struct address_walk_hooks {
    // Start an attempt; answer with succeeded() or failed().
    std::function<void(const ip_endpoint&)> attempt;
    // Give the attempt under way up: its time is over.
    std::function<void()> abandon;
    // Nothing is left to try.
    std::function<void(const http_error&)> exhausted;
};

// Each address gets an equal share of the time that is left, so that one that never answers does not use up that of the next.
class address_walk : public std::enable_shared_from_this<address_walk> {
public:
    address_walk(boost::asio::any_io_executor executor, http_target target, const http_connection_options& options,
                 address_walk_hooks hooks);

    void start();
    // What the attempt does now may take so long; zero: as long as the attempt may.
    void begin_phase(duration limit, const std::string& what);
    void succeeded();
    void failed(http_error why);  // this address; the next one is tried, except where that makes no sense
    void stop();

    const connection_times& times() const { return times_; }
    connection_times& times() { return times_; }
    const ip_endpoint& current() const { return current_; }
    std::string where() const;  // "localhost port 443 (127.0.0.1)"
    void trace(const std::string& line) const;

private:
    void resolved(std::vector<ip_address> addresses);
    void next();
    void exhaust(http_error why);

    boost::asio::any_io_executor executor_;
    http_target target_;
    http_connection_options options_;
    address_walk_hooks hooks_;
    std::shared_ptr<host_lookup> lookup_;
    boost::asio::steady_timer timer_;
    boost::asio::steady_timer phase_timer_;
    connection_times times_;
    std::vector<ip_address> left_;
    ip_endpoint current_;
    std::optional<http_error> last_error_;
    std::uint64_t attempt_ = 0;
    bool over_ = false;
};

}  // namespace tandem::net
