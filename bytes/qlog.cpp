#include <tandem/bytes/qlog.hpp>

#include <utility>

namespace tandem::qlog {
namespace {

constexpr std::string_view record_separator = "\x1e";  // RFC 7464 2.2
constexpr std::uint64_t farewell_size = 256;           // more than the record that says that the log ends

}  // namespace

log::log(std::unique_ptr<sink> out, const log_header& header, time_point start, std::uint64_t max_size)
    : out_(std::move(out)), start_(start), max_size_(max_size), latest_(start) {
    record_.raw(record_separator);
    record_.raw("{");
    record_.field("file_schema", "urn:ietf:params:qlog:file:sequential");
    record_.field("serialization_format", "application/qlog+json-seq");
    record_.field("title", header.title);
    record_.begin_object("trace");
    record_.begin_object("common_fields");
    record_.field("group_id", header.group_id);
    record_.field("time_format", "relative_to_epoch");
    record_.begin_object("reference_time").field("clock_type", "monotonic").field("epoch", "unknown");
    if (!header.wall_clock.empty()) record_.field("wall_clock_time", header.wall_clock);
    record_.end_object().end_object();
    record_.begin_object("vantage_point").field("name", "tandem").field("type", header.vantage_point).end_object();
    record_.begin_array("event_schemas");
    record_.element(header.event_schema).element("urn:ietf:params:qlog:events:loglevel-13");
    record_.end_array().end_object().end_object();
    write();
}

json_text& log::begin(time_point now, std::string_view name) {
    latest_ = now;
    record_.clear();
    record_.raw(record_separator);
    record_.raw("{");
    record_.milliseconds("time", now - start_);
    record_.field("name", name);
    record_.begin_object("data");
    return record_;
}

void log::end() {
    record_.end_object().end_object();
    if (size_ + record_.text().size() + farewell_size <= max_size_) return write();
    if (!open_) return;
    open_ = false;
    begin(latest_, "loglevel:warning")
        .field("message", "the log ends here: it has reached its largest size")
        .end_object()
        .end_object();
    write();
}

void log::write() {
    record_.raw("\n");
    size_ += record_.text().size();
    out_->write(record_.text());
}

}  // namespace tandem::qlog
