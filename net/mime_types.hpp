// What a file's name says about its contents.
#pragma once

#include <string_view>

namespace tandem::net {

// The media type for a file name's extension, with the charset for text; "application/octet-stream" if it is not known.
std::string_view mime_type(std::string_view file_name);

}  // namespace tandem::net
