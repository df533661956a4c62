// URLs that stand for many: [1-100], [001-100:2], [a-z], {one,two}.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tandem::apps {

// More than any disk has patience for; a range with too many zeros is a mistake.
constexpr std::size_t max_globbed_urls = 1000000;

struct globbed_url {
    std::string url;
    std::vector<std::string> parts;  // what each pattern stands for here, in order
};

// All that a pattern stands for, the last pattern running fastest. Brackets that hold no range ("[::1]") stay as they are. On
// error returns nothing and says what is wrong.
std::optional<std::vector<globbed_url>> expand_globs(std::string_view pattern, std::string& why);

// Puts parts[0] for "#1", parts[1] for "#2" ... in a file name; a '#' without such a part stays.
std::string fill_in_parts(std::string_view file_name, const std::vector<std::string>& parts);

}  // namespace tandem::apps
