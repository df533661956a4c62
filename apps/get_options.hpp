// What `tandem get` is told.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "tcp_options.hpp"

namespace tandem::apps {

struct get_options {
    std::vector<std::string> urls;
    std::string from_file;
    bool globoff = false;

    std::vector<std::string> outputs;  // -o, in the order of the URLs
    bool remote_name = false;          // -O
    std::string output_dir;
    bool create_dirs = false;
    bool include_headers = false;
    bool head = false;
    bool fail = false;

    std::string method;
    std::vector<std::string> headers;
    std::vector<std::string> data;            // -d
    std::vector<std::string> raw_data;        // --data-raw
    std::vector<std::string> urlencode_data;  // --data-urlencode
    bool data_in_url = false;                 // -G
    std::string user;                         // -u
    std::string referer;
    std::string range;
    std::string upload;  // -T
    bool resume = false;
    bool location = false;
    unsigned max_redirects = 50;
    bool compressed = false;
    double first_byte_timeout = 0;                                 // seconds; 0: none
    double stall_timeout = 0;                                      // seconds; 0: none
    double resolve_timeout = 0, tcp_timeout = 0, tls_timeout = 0;  // seconds; 0: none
    std::string max_filesize;
    std::string limit_rate;
    std::string cert;
    std::string key;
    std::string user_agent;

    bool insecure = false;
    std::string cacert;
    bool http1 = false;
    bool http3 = false;
    bool http3_only = false;
    bool http2 = false;
    bool qmux = false;
    bool race = false;
    bool https_records = true;
    bool ipv4 = false;
    bool ipv6 = false;
    std::string dns_server;
    std::string alt_svc;
    std::string congestion = "cubic";
    tcp_options tcp;
    std::string quic_version = "v1";
    std::size_t max_datagram_size = 1200;
    bool mtu_discovery = true;
    bool migrate = true;
    bool preferred_address = true;
    std::vector<std::string> resolve;

    bool parallel = false;
    std::size_t parallel_max = 100;
    unsigned retry = 0;
    double max_time = 0;          // seconds; 0: none
    double connect_timeout = 30;  // seconds

    std::string qlog_dir;

    std::string write_out;
    bool json = false;
    bool verbose = false;
    std::string session;
    bool early_data = false;
    bool silent = false;
    bool show_error = false;
};

int run_get(const get_options&);

}  // namespace tandem::apps
