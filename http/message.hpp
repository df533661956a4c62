// HTTP messages without their bodies, the same for every version (RFC 9110).
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>

#include <tandem/bytes/recycled.hpp>
#include <tandem/http/priority.hpp>

namespace tandem::http {

// A field line, where it lies in its section (or anywhere else). The name is in lower case.
struct field {
    std::string_view name;
    std::string_view value;
    friend bool operator==(const field&, const field&) = default;
};

// A header or trailer section: field lines in the order they came (RFC 9110 5.2), in one piece of memory. Names given to it are
// lowered. What it hands out are views, valid until it is changed or moved.
class fields {
public:
    class iterator;

    fields() = default;
    fields(std::initializer_list<field> list);
    fields(const fields& other);
    fields(fields&& other) noexcept;
    fields& operator=(const fields& other);
    fields& operator=(fields&& other) noexcept;
    ~fields() = default;

    void append(std::string_view name, std::string_view value);
    void set(std::string_view name, std::string_view value);  // replaces all lines of that name
    std::size_t erase(std::string_view name);                 // returns how many lines went

    // The first line of that name (given in lower case), or nothing.
    std::optional<std::string_view> find(std::string_view name) const;
    bool contains(std::string_view name) const { return find(name).has_value(); }
    std::size_t count(std::string_view name) const;
    // All lines of that name joined with ", " (RFC 9110 5.3).
    std::string joined(std::string_view name) const;

    inline iterator begin() const;
    inline iterator end() const;
    std::size_t size() const { return count_; }
    bool empty() const { return count_ == 0; }
    void clear();
    friend bool operator==(const fields& a, const fields& b);

private:
    // Each line: the sizes of name and value, then both.
    struct sizes {
        std::uint32_t name = 0;
        std::uint32_t value = 0;
    };
    static sizes sizes_at(const std::uint8_t* line) {
        sizes out;
        std::memcpy(&out, line, sizeof out);
        return out;
    }
    static std::size_t size_of(sizes s) { return sizeof s + s.name + s.value; }
    static field field_at(const std::uint8_t* line) {
        const auto s = sizes_at(line);
        const auto* name = reinterpret_cast<const char*>(line + sizeof s);
        return {{name, s.name}, {name + s.name, s.value}};
    }

    recycled::bytes lines_;
    std::size_t used_ = 0;  // bytes of them
    std::size_t count_ = 0;
};

class fields::iterator {
public:
    using value_type = field;
    using reference = field;
    using difference_type = std::ptrdiff_t;
    using iterator_category = std::input_iterator_tag;  // its fields are made as they are asked for
    struct pointer {
        field f;
        const field* operator->() const { return &f; }
    };

    iterator() = default;
    field operator*() const { return field_at(at_); }
    pointer operator->() const { return {**this}; }
    iterator& operator++() {
        at_ += size_of(sizes_at(at_));
        return *this;
    }
    iterator operator++(int) {
        auto before = *this;
        ++*this;
        return before;
    }
    friend bool operator==(const iterator&, const iterator&) = default;

private:
    friend class fields;
    explicit iterator(const std::uint8_t* at) : at_(at) {}
    const std::uint8_t* at_ = nullptr;
};

inline fields::iterator fields::begin() const { return iterator(lines_.get()); }
inline fields::iterator fields::end() const { return iterator(lines_.get() + used_); }

// `authority` is "host" or "host:port". `path` is origin-form with the query ("/a?b"), or "*" for OPTIONS; empty for CONNECT
// without `protocol` (only a server sees that: sessions are no proxies). No field repeats what these say: no Host, no
// Content-Length for a body source that knows its length, no Transfer-Encoding.
struct request {
    std::string method = "GET";
    std::string scheme = "https";
    std::string authority;
    std::string path = "/";
    http::fields fields;
    std::optional<http::priority> priority;  // RFC 9218; sent as the priority field
    // What the stream or connection is asked to become, in lower case ("websocket"); empty in ordinary requests. The sessions put
    // it as their version does: extended CONNECT (RFC 8441, RFC 9220), or GET with Upgrade (RFC 9110 7.8). A client sets the
    // method CONNECT; a server sees the method that came. Answered with status 101, whatever the version, both bodies are the new
    // protocol's bytes.
    std::string protocol;
    // HTTP datagrams belong to it (RFC 9297), in QUIC datagrams or in capsules, which `protocol`'s bytes are then. A client says
    // so; a server's sessions do for limits::datagram_protocols.
    bool datagrams = false;
};

struct response {
    int status = 200;
    http::fields fields;
};

// RFC 9110 5.6.2: the characters of methods and field names.
bool is_token(std::string_view text);
// A field name as it may be sent in HTTP/2 and HTTP/3: a token without upper case.
bool is_lower_token(std::string_view text);
// RFC 9110 5.5: no CR, LF or NUL and no other control characters but HTAB; no space or HTAB at either end.
bool is_field_value(std::string_view text);
// RFC 9110 4.3.1: host or host:port as an Authority may hold it; no user information, space, slash or control character.
bool is_authority(std::string_view text);
// What a :path or an origin-form request target may be: begins with '/', or is "*"; no space, control character or '#'.
bool is_path(std::string_view text);
// RFC 9114 4.2, RFC 9113 8.2.2: fields that belong to a connection and are not sent in HTTP/2 and HTTP/3.
bool is_connection_specific(std::string_view name);

// Everything of a message that can be checked before it is sent; the text says what is wrong, or is empty.
std::string_view invalid_reason(const request&);
std::string_view invalid_reason(const response&);
std::string_view invalid_interim_reason(const response&);  // of one with status 1xx
std::string_view invalid_reason(const fields&);

// RFC 9110 6.4.1: whether a response may have a body at all (not to HEAD; not 1xx, 204, 304).
bool response_has_body(std::string_view request_method, int status);

// RFC 9110 5.6.1: whether a comma-separated list names the token, in whatever case unless `exact`.
bool list_contains(std::string_view list, std::string_view token, bool exact = false);

// A Content-Length value: digits only, up to 2^63-1, a list of identical values is taken once (RFC 9110 8.6); else nothing.
std::optional<std::uint64_t> parse_content_length(std::string_view value);

std::string to_lower(std::string_view text);
bool equals_ignoring_case(std::string_view a, std::string_view b);  // ASCII

// The reason phrase people expect to a status in HTTP/1.1; empty if it has none.
std::string_view reason_phrase(int status);

}  // namespace tandem::http
