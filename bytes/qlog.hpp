// A qlog file as JSON text sequences (draft-ietf-quic-qlog-main-schema-13 5, 11.2; RFC 7464), whatever protocol it tells of. What
// the events are is the protocols' business: quic/qlog, tcp/qlog.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>

#include <tandem/bytes/json_text.hpp>
#include <tandem/bytes/time.hpp>

namespace tandem::qlog {

// Where the text of one log goes. Written to in whole records, destroyed when the log ends.
class sink {
public:
    virtual ~sink() = default;
    virtual void write(std::string_view records) = 0;
};

// Where logs are kept.
class store {
public:
    virtual ~store() = default;
    // `name`: "<group>_client" or "<group>_server", of letters, digits, '_' and '-' only. Null: there is no room for another, and
    // nothing is logged.
    virtual std::unique_ptr<sink> open(std::string_view name) = 0;
    // Of the present moment, as RFC 3339 has it, for people who compare logs; empty if time is virtual.
    virtual std::string wall_clock() { return {}; }
};

// Bytes of one log. A peer decides how much there is to tell, and must not fill a disk: at this size the log says that it ends,
// and does.
constexpr std::uint64_t default_max_size = 64 * 1024 * 1024;

struct log_header {
    std::string_view title;
    std::string_view vantage_point;  // "client" or "server"
    std::string_view group_id;
    std::string_view event_schema;  // URI; that of the loglevel namespace is added
    std::string_view wall_clock;    // may be empty
};

class log {
public:
    // Times are told relative to `start`.
    log(std::unique_ptr<sink> out, const log_header& header, time_point start, std::uint64_t max_size = default_max_size);

    // False once the log is full: nothing more needs to be told.
    bool open() const { return open_; }
    // Begins an event; its data fields are to be written into what is returned, then end() is to be called.
    json_text& begin(time_point now, std::string_view name);
    void end();
    std::uint64_t size() const { return size_; }

private:
    void write();

    std::unique_ptr<sink> out_;
    time_point start_;
    std::uint64_t max_size_;
    std::uint64_t size_ = 0;
    time_point latest_;
    bool open_ = true;
    json_text record_;
};

}  // namespace tandem::qlog
