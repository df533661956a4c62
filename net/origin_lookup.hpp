// Finds out where an origin is served: its addresses, and what its HTTPS records say, asked at the same time.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include <boost/asio/steady_timer.hpp>

#include <tandem/http/race_plan.hpp>
#include <tandem/net/host_lookup.hpp>
#include <tandem/net/https_lookup.hpp>

namespace tandem::net {

class origin_lookup : public std::enable_shared_from_this<origin_lookup> {
public:
    // `addresses` and `places` are set; there is at least one address in them.
    using result = std::variant<http::origin_knowledge, http_error>;

    origin_lookup(const boost::asio::any_io_executor& executor, const http_target& target, const http_connection_options& options)
        : executor_(executor), target_(target), options_(options), timer_(executor) {}

    // Calls `done` once, not from within, after at most options.connect_timeout; not at all after stop(). Records are not waited
    // for longer than http::resolution says.
    void start(bool with_records, std::function<void(result)> done);
    void stop();

private:
    // A service of the records, and how far the search for its addresses is.
    struct service {
        http::service_binding record;
        std::string name;  // empty: the origin's own addresses
        std::vector<ip_address> addresses;
        std::shared_ptr<host_lookup> lookup;
    };

    void on_own(host_lookup::result found);
    void on_records(https_lookup::found found);
    void look_up(std::size_t service);
    void check();
    void finish();
    void tell(const https_lookup::found& found) const;

    boost::asio::any_io_executor executor_;
    http_target target_;
    http_connection_options options_;
    boost::asio::steady_timer timer_;
    std::shared_ptr<host_lookup> own_;
    std::shared_ptr<https_lookup> records_;
    http::resolution resolution_;
    std::vector<ip_address> addresses_;
    std::vector<service> services_;
    std::size_t looking_ = 0;
    bool alias_alone_ = false;           // the one service is a name, and nothing is known of it
    std::optional<http_error> failure_;  // of the origin's own name
    std::function<void(result)> done_;
};

}  // namespace tandem::net
