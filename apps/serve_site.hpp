// What `tandem serve` answers with: files, and where asked for other servers' answers and how things go.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/any_io_executor.hpp>

#include <tandem/net/http_server.hpp>
#include <tandem/net/reverse_proxy.hpp>
#include <tandem/net/static_files.hpp>
#include <tandem/net/udp_proxy.hpp>

#include "metrics.hpp"
#include "serve_options.hpp"

namespace tandem::apps {

class site {
public:
    // Adds up what all threads have counted and tells it, on any thread.
    using totals = std::function<void(std::function<void(const metrics&, const net::http_server::counters&)>)>;

    // `threads`: how many will serve it. Nothing if an option is wrong, then `why` says which.
    static std::optional<site> make(const serve_options& o, const net::static_files& files, std::size_t threads,
                                    std::string& why);

    // For one thread: what answers there, and counts into `counted` (if there is anywhere to read it) what `access` logs.
    net::server_handlers handlers(const boost::asio::any_io_executor& executor, metrics& counted, const totals& ask,
                                  net::access_log& access) const;

private:
    explicit site(const net::static_files& files) : files_(&files) {}

    const net::static_files* files_;
    std::vector<net::reverse_proxy_options> proxies_;
    std::optional<net::udp_proxy_options> udp_proxy_;
    std::string metrics_;  // path
};

}  // namespace tandem::apps
