#include "log_reader.hpp"

#include <fstream>
#include <sstream>

#include <gtest/gtest.h>

#include <boost/json/src.hpp>

#include "cddl.hpp"

namespace tandem::qlog::test {
namespace {

const cddl& schema() {
    static const cddl loaded = [] {
        cddl c;
        for (const auto* name : {"main.cddl", "quic.cddl", "tcp.cddl"}) {
            std::ifstream in(std::string(TANDEM_QLOG_SCHEMAS) + "/" + name);
            std::ostringstream text;
            text << in.rdbuf();
            EXPECT_TRUE(in) << name;
            c.add(text.str());
        }
        return c;
    }();
    return loaded;
}

class memory_sink final : public sink {
public:
    explicit memory_sink(std::string& out) : out_(out) {}
    void write(std::string_view records) override { out_ += records; }

private:
    std::string& out_;
};

}  // namespace

std::unique_ptr<sink> memory_store::open(std::string_view name) { return std::make_unique<memory_sink>(logs[std::string(name)]); }

const std::string& memory_store::of(std::string_view ending) const {
    const std::string* found = nullptr;
    for (const auto& [name, text] : logs) {
        if (!name.ends_with(ending)) continue;
        EXPECT_EQ(found, nullptr) << "more than one log ends with " << ending;
        found = &text;
    }
    static const std::string none;
    EXPECT_NE(found, nullptr) << "no log ends with " << ending;
    return found == nullptr ? none : *found;
}

std::size_t read_log::count(std::string_view name) const { return all(name).size(); }

const event* read_log::first(std::string_view name) const {
    const auto found = all(name);
    return found.empty() ? nullptr : found.front();
}

std::vector<const event*> read_log::all(std::string_view name) const {
    std::vector<const event*> found;
    for (const auto& e : events) {
        if (e.name == name) found.push_back(&e);
    }
    return found;
}

read_log read(const std::string& text) {
    read_log log;
    std::size_t at = 0, records = 0;
    double latest = 0;
    while (at < text.size()) {
        // RFC 7464 2.2
        const auto end = text.find('\n', at);
        if (text[at] != '\x1e' || end == std::string::npos) {
            ADD_FAILURE() << "no record at " << at;
            return log;
        }
        const auto record = text.substr(at + 1, end - at - 1);
        at = end + 1;
        boost::json::error_code error;
        const auto value = boost::json::parse(record, error);
        if (error || !value.is_object()) {
            ADD_FAILURE() << "no JSON: " << record;
            return log;
        }
        const auto& object = value.as_object();
        if (records++ == 0) {
            const auto wrong = schema().check(value, "QlogFileSeq");
            EXPECT_FALSE(wrong) << *wrong;
            log.header = object;
            continue;
        }
        if (object.size() != 3 || !object.contains("time") || !object.contains("name") || !object.contains("data")) {
            ADD_FAILURE() << "no event: " << record;
            return log;
        }
        event e{object.at("time").to_number<double>(), std::string(object.at("name").as_string()), object.at("data").as_object()};
        EXPECT_GE(e.time, latest) << record;
        latest = e.time;
        const auto rule = schema().event_rule(e.name);
        if (!rule) {
            ADD_FAILURE() << "an event that is not described: " << record;
            return log;
        }
        if (const auto wrong = schema().check(object.at("data"), *rule)) {
            ADD_FAILURE() << *wrong << "\nin " << record;
            return log;
        }
        log.events.push_back(std::move(e));
    }
    return log;
}

}  // namespace tandem::qlog::test
