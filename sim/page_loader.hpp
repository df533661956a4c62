// The browser of a simulated host: fetches a page over the connections it is given and writes down what happened.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include <tandem/bytes/time.hpp>
#include <tandem/http/client_session.hpp>
#include <tandem/sim/page.hpp>

namespace tandem::sim {

class page_loader {
public:
    // Both must outlive it. `record_waits`: the sessions keep intervals (http::limits::record_waits).
    page_loader(const page& wanted, const page_bytes& expected);

    // A connection that may take requests from now on. Must outlive the loader, or end with a `closed` event before.
    void add(http::client_session& session);
    // Submits what the connections take, reads what has arrived, checks it byte by byte. Returns whether anything happened.
    bool run(time_point now);

    bool done() const { return open_ == 0; }  // every object finished or failed
    bool succeeded() const { return done() && failed_ == 0; }
    const std::vector<object_record>& objects() const { return objects_; }
    // Which object a request of the n-th added connection was for.
    std::optional<std::size_t> object(std::size_t index, http::request_id request) const;
    // Nothing can be fetched any more (no connection came about, or all are gone).
    void fail_rest(std::string_view why, time_point now);

private:
    struct connection {
        http::client_session* session = nullptr;
        std::vector<std::size_t> requested;  // object by request_id
        bool closing = false;                // takes no more requests
        bool gone = false;                   // over; the session is not touched any more
    };

    bool submit(connection& c, time_point now);
    void on_event(connection& c, const http::client_event& event, time_point now);
    void read(connection& c, http::request_id request, time_point now);
    void finish(object_record& object, const wait_ledger& ledger, time_point now);
    void fail(object_record& object, std::string_view why, time_point now);
    object_record* record(const connection& c, http::request_id request);

    const page& page_;
    const page_bytes& bytes_;
    std::vector<connection> connections_;
    std::vector<object_record> objects_;
    std::vector<std::uint8_t> scratch_;
    std::size_t next_ = 0;  // index of the object to request next
    std::size_t open_;
    std::size_t failed_ = 0;
    std::optional<time_point> ready_since_;  // when the first connection could have taken any request
};

}  // namespace tandem::sim
