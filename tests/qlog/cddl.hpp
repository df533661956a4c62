// Checks JSON against a description in a small part of CDDL (RFC 8610): what the qlog documents use. Strict where they leave
// room: a field or an event that is not described is an error.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json.hpp>

namespace tandem::qlog::test {

struct cddl_type;

struct cddl_field {
    std::string key;
    bool optional = false;
    std::shared_ptr<cddl_type> type;
};

struct cddl_type {
    enum class kind { choice, map, array, literal, name };
    kind is = kind::choice;
    std::vector<std::shared_ptr<cddl_type>> parts;  // of a choice; an array's elements
    std::vector<cddl_field> fields;                 // of a map
    std::size_t least = 0, most = SIZE_MAX;         // elements of an array
    std::string text;                               // literal, name
    std::size_t size = 0;                           // .size of a hexstring
    std::string pattern;                            // .regexp
};

class cddl {
public:
    // Adds the definitions of a file. Throws std::runtime_error where it does not understand it.
    void add(std::string_view text);
    // What is wrong with the value, where; nothing: it is as described.
    std::optional<std::string> check(const boost::json::value& value, const std::string& rule) const;
    // The rule that describes the data of an event of this name.
    std::optional<std::string> event_rule(const std::string& name) const;

private:
    friend class cddl_parser;
    std::optional<std::string> check(const boost::json::value& value, const cddl_type& type, const std::string& where) const;
    std::optional<std::string> check_map(const boost::json::value& value, const cddl_type& type, const std::string& where) const;
    std::optional<std::string> check_name(const boost::json::value& value, const cddl_type& type, const std::string& where) const;

    std::map<std::string, std::shared_ptr<cddl_type>> rules_;
    std::map<std::string, std::string> events_;
};

}  // namespace tandem::qlog::test
