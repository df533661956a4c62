// What `tandem serve` is told.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tcp_options.hpp"

namespace tandem::apps {

struct serve_options {
    std::string directory = ".";
    std::uint16_t port = 4433;
    std::vector<std::string> bind;       // empty: the loopback addresses
    std::vector<std::string> preferred;  // ADDR[:PORT], for QUIC clients after the handshake
    std::string cert;
    std::string key;
    std::vector<std::string> names;  // more names for the self-signed certificate
    std::string save_cert;
    std::string congestion = "cubic";
    std::size_t max_datagram_size = 1200;
    bool mtu_discovery = true;
    std::size_t threads = 1;
    bool retry = false;
    bool early_data = true;
    bool no_quic = false;
    bool no_tcp = false;
    bool no_listing = false;
    bool precompressed = false;
    bool hidden = false;
    std::string fallback;
    std::vector<std::string> headers;  // 'Name: value' of every response
    std::vector<std::string> hosts;    // of others' requests: 421
    std::string max_body = "1GiB";
    std::vector<std::string> proxies;  // [PATH=]URL
    bool proxy_insecure = false;
    bool udp_proxy = false;
    std::vector<std::string> udp_proxy_allow;  // ADDR[/BITS][:PORT[-PORT]]
    std::string metrics;                       // path; empty: none
    std::string client_ca;
    std::string config;        // read before, see config_file.hpp
    double idle_timeout = 30;  // seconds
    double drain = 5;          // seconds
    std::string keylog;
    std::string qlog_dir;
    tcp_options tcp;
    std::string control;  // path of the control socket; empty: the default; none: "none"
    bool quiet = false;
    bool log = false;
    std::string log_format = "plain";
};

int run_serve(const serve_options&);

}  // namespace tandem::apps
