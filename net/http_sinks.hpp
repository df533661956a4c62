// What an http_client puts between a request and the user's sink: redirections, content codings.
#pragma once

#include <functional>
#include <memory>

#include <tandem/net/http_client.hpp>

namespace tandem::net {

// Sends a request on; called outside of the calls of a sink.
using request_starter = std::function<void(http_request, std::shared_ptr<transfer_sink>)>;

// Follows up to request.max_redirects redirections; one more is failure_class::redirects.
std::shared_ptr<transfer_sink> follow_redirects(const http_request& request, std::shared_ptr<transfer_sink> sink,
                                                request_starter start);

// Adds Accept-Encoding to the request unless it has one, and decodes what comes.
std::shared_ptr<transfer_sink> decode_body(http_request& request, std::shared_ptr<transfer_sink> sink);

}  // namespace tandem::net
