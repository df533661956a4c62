// Where the body of `tandem get -T` comes from.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include <boost/asio/any_io_executor.hpp>

#include <tandem/http/body.hpp>

namespace tandem::apps {

// The contents of a regular file; nothing if it cannot be read.
std::unique_ptr<http::body_source> open_upload(const std::string& file);

// Standard input as it comes, never held as a whole. `more` is called when the source, having given nothing, has something again.
std::unique_ptr<http::body_source> open_standard_input(const boost::asio::any_io_executor& executor, std::function<void()> more);

}  // namespace tandem::apps
