// `--tcp` of `tandem serve` and `tandem get`: whose TCP, and how its packets travel.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/any_io_executor.hpp>

#include <tandem/bytes/address.hpp>

namespace CLI {
class App;
}
namespace tandem::net {
class tcp_stack;
}
namespace tandem::qlog {
class store;
}

namespace tandem::apps {

// Our own TCP goes with the program: so long its connections may take to end in order.
constexpr auto tcp_last_words = std::chrono::seconds(1);

struct tcp_options {
    std::string tcp = "kernel";  // kernel, tun, udp
    std::string tun_device = "tandem%d";
    std::vector<std::string> tun_addresses;
    unsigned mtu = 1500;
    std::string ecn = "always";
    std::string mtu_probing = "after-black-hole";
    bool no_offload = false;

    bool own() const { return tcp != "kernel"; }
};

void add_tcp_options(CLI::App& sub, tcp_options& o, const std::string& group);

// Our own TCP, or nothing with one line that says why. `addresses`: of the TUN device's end that is ours; empty for UDP.
struct own_tcp_result {
    std::shared_ptr<net::tcp_stack> stack;
    std::vector<ip_address> addresses;
    std::string error;
    int exit_code = 0;
};
// `logs`: where each connection's goes; may be null.
own_tcp_result make_tcp(const boost::asio::any_io_executor& executor, const tcp_options& o, const std::string& congestion,
                        std::shared_ptr<qlog::store> logs = nullptr);

}  // namespace tandem::apps
