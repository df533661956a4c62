// The web server of a simulated host: answers requests for a page's objects at once.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include <tandem/bytes/time.hpp>
#include <tandem/http/server_session.hpp>
#include <tandem/sim/page.hpp>

namespace tandem::sim {

class page_server {
public:
    // The contents must outlive it.
    explicit page_server(const page_bytes& contents) : contents_(contents) {}

    // Takes the session's events and answers. Returns whether anything happened.
    bool run(http::server_session& session, time_point now);
    // Which object this request of the session was for.
    std::optional<std::size_t> object(http::request_id request) const;
    std::optional<time_point> first_response() const { return first_response_; }

private:
    const page_bytes& contents_;
    std::vector<std::size_t> requested_;  // object by request_id; 0: none
    std::optional<time_point> first_response_;
};

}  // namespace tandem::sim
