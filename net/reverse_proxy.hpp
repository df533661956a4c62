// A handler that passes requests on to another HTTP server (a gateway, RFC 9110 3.7).
#pragma once

#include <boost/asio/any_io_executor.hpp>

#include <tandem/http/url.hpp>
#include <tandem/net/http_client.hpp>
#include <tandem/net/http_exchange.hpp>

namespace tandem::net {

struct reverse_proxy_options {
    http::url origin;        // scheme, host and port; the path is put before that of each request
    std::string strip;       // taken off the front of each request's path: "/api"
    bool keep_host = false;  // the origin sees the client's Host; else its own
    http_client_options client;
    std::size_t max_requests = 1000;  // under way or waiting for a connection; more are answered 503
    // No response head, or no byte of a body, for this long: 504, or the response is cut off.
    duration first_byte_timeout = std::chrono::seconds(60);
    duration stall_timeout = std::chrono::seconds(60);
};

// Bodies stream both ways; whichever side is slow holds the other back. The origin learns of the client by Forwarded (RFC 7239),
// X-Forwarded-For, X-Forwarded-Proto and X-Forwarded-Host, which clients cannot forge: theirs are replaced. Interim responses and
// trailers are passed on. Errors: 502 where the origin cannot be reached or breaks off, 504 where it takes too long.
http_handler reverse_proxy(boost::asio::any_io_executor executor, reverse_proxy_options options);

}  // namespace tandem::net
