// What `tandem get` tells about transfers: -w and --json.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "get_transfer.hpp"

namespace tandem::apps {

// Fills in the %{variables} and \n, \t, \r of a -w format.
std::string write_out(std::string_view format, const get_result&);

// {"transfers": [...], "exit_code": n}
std::string json_report(const std::vector<get_result>&, int exit_code);

}  // namespace tandem::apps
