// The certificate of `tandem serve`, and what goes with it into TLS.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <tandem/tls/context.hpp>

#include "serve_options.hpp"

namespace tandem::apps {

// The one of the files, or one made now for `names`. Nothing on error.
std::optional<tls::certificate> find_certificate(const serve_options& o, std::vector<std::string>& names, tls::error& why);
// Null on error; then `text` says why, and `code` is the program's exit code.
std::shared_ptr<const tls::server_context> make_context(const serve_options& o, const tls::certificate& certificate,
                                                        std::string& text, int& code);
// Reads the files again and hands over what they make. What is broken leaves everything as it is.
void renew_certificate(const serve_options& o, const std::function<void(std::shared_ptr<const tls::server_context>)>& use);

}  // namespace tandem::apps
