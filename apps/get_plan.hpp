// From the options of `tandem get` to the list of what is to be transferred.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <tandem/http/message.hpp>
#include <tandem/http/url.hpp>

#include "get_options.hpp"

namespace tandem::apps {

struct get_job {
    http::url url;
    std::string output;  // path; empty: standard output
    bool drop = false;   // the body goes nowhere
};

struct get_plan {
    std::vector<get_job> jobs;
    std::string method = "GET";
    http::fields fields;
    std::string body;
    bool has_body = false;
    std::string upload;                   // file whose contents are the body; "-": standard input
    std::string host;                     // instead of the URL's, of those asked for; empty: the URL's
    std::uint64_t max_size = UINT64_MAX;  // of a response's body
    std::uint64_t rate = 0;               // bytes per second; 0: no limit
};

// An exit code and one line for a person.
struct get_failure {
    int code = 0;
    std::string text;
};

// Returns whether it could be made; if not, says why.
bool make_plan(const get_options&, get_plan& plan, get_failure& why);

}  // namespace tandem::apps
