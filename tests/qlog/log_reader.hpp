// Logs in memory, and their reading: every record is checked against the descriptions in this folder.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include <boost/json.hpp>

#include <tandem/bytes/qlog.hpp>

namespace tandem::qlog::test {

class memory_store final : public store {
public:
    std::unique_ptr<sink> open(std::string_view name) override;
    // The name of the only log whose name ends so; a test fails if there is not exactly one.
    const std::string& of(std::string_view ending) const;

    std::map<std::string, std::string, std::less<>> logs;
};

struct event {
    double time = 0;
    std::string name;
    boost::json::object data;
};

struct read_log {
    boost::json::object header;
    std::vector<event> events;

    std::size_t count(std::string_view name) const;
    const event* first(std::string_view name) const;
    std::vector<const event*> all(std::string_view name) const;
};

// Fails the test with the first record that is not as described, or out of order in time.
read_log read(const std::string& text);

}  // namespace tandem::qlog::test
