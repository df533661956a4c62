// Writes down what sessions tell an application that reads everything at once, so that tests compare lines of text.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <tandem/http/client_session.hpp>
#include <tandem/http/server_session.hpp>

namespace tandem::http::test {

inline std::span<const std::uint8_t> bytes_of(std::string_view text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

inline time_point at(double milliseconds) { return time_point{} + duration(static_cast<std::int64_t>(milliseconds * 1e6)); }

inline std::string_view name_of(failure_kind kind) {
    constexpr std::array<std::string_view, 9> names{"rejected",    "reset",           "cancelled", "malformed",  "too_large",
                                                    "body_failed", "connection_lost", "closed",    "unsupported"};
    return names[static_cast<std::size_t>(kind)];
}

template <class Session>
std::string read_all(Session& session, request_id id, time_point now, std::size_t step = 4096) {
    std::string text;
    std::string buffer(step, '\0');
    while (auto n = session.read_body(id, {reinterpret_cast<std::uint8_t*>(buffer.data()), buffer.size()}, now))
        text.append(buffer, 0, n);
    return text;
}

inline std::string describe(const fields& list) {
    std::string text;
    for (const auto& f : list) text.append(" ").append(f.name).append("=").append(f.value);
    return text;
}

// "response 0 200 a=b; body 0 hello; finished 0; "
struct client_trace {
    std::string text;
    std::map<request_id, std::string> bodies;
    std::map<request_id, wait_ledger> ledgers;
    std::map<request_id, request_failure> failures;
    std::map<request_id, std::vector<std::string>> datagrams;
    bool read_bodies = true;
    bool read_datagrams = true;
    bool with_text = false;

    void run(client_session& session, time_point now) {
        while (auto event = session.poll_event()) std::visit([&](auto& e) { on(session, e, now); }, *event);
    }
    void on(client_session&, client_events::interim& e, time_point) {
        text += "interim " + std::to_string(e.id) + ' ' + std::to_string(e.message.status) + describe(e.message.fields) + "; ";
    }
    void on(client_session&, client_events::response& e, time_point) {
        text += "response " + std::to_string(e.id) + ' ' + std::to_string(e.message.status) + describe(e.message.fields) +
                (e.has_body ? " +body; " : "; ");
    }
    void on(client_session& session, client_events::body& e, time_point now) {
        if (read_bodies) bodies[e.id] += read_all(session, e.id, now);
    }
    void on(client_session&, client_events::trailers& e, time_point) {
        text += "trailers " + std::to_string(e.id) + describe(e.fields) + "; ";
    }
    void on(client_session&, client_events::received& e, time_point) { text += "received " + std::to_string(e.id) + "; "; }
    void on(client_session&, client_events::finished& e, time_point) {
        text += "finished " + std::to_string(e.id) + "; ";
        ledgers[e.id] = e.ledger;
    }
    void on(client_session&, client_events::failed& e, time_point) {
        text += "failed " + std::to_string(e.id) + ' ' + std::string(name_of(e.failure.kind)) +
                (e.failure.retryable ? " retryable; " : "; ");
        failures[e.id] = e.failure;
        ledgers[e.id] = e.ledger;
    }
    void on(client_session& session, client_events::datagrams& e, time_point) {
        text += "datagrams " + std::to_string(e.id) + "; ";
        while (read_datagrams) {
            auto got = session.receive_datagram(e.id);
            if (!got) break;
            datagrams[e.id].emplace_back(got->begin(), got->end());
        }
    }
    void on(client_session&, client_events::going_away&, time_point) { text += "going_away; "; }
    void on(client_session&, client_events::closed& e, time_point) {
        text += "closed" + (with_text ? " " + e.error.text : std::string()) + "; ";
    }
};

// "request 0 GET https://a/b x=y; received 0; "
struct server_trace {
    std::string text;
    std::map<request_id, std::string> bodies;
    std::map<request_id, request> requests;
    std::map<request_id, request_failure> failures;
    std::map<request_id, std::vector<std::string>> datagrams;
    bool read_bodies = true;
    bool read_datagrams = true;

    void run(server_session& session, time_point now) {
        while (auto event = session.poll_event()) std::visit([&](auto& e) { on(session, e, now); }, *event);
    }
    void on(server_session&, server_events::request& e, time_point) {
        text += "request " + std::to_string(e.id) + ' ' + e.message.method + ' ' + e.message.scheme + "://" +
                e.message.authority + e.message.path + describe(e.message.fields) + (e.has_body ? " +body; " : "; ");
        requests[e.id] = e.message;
    }
    void on(server_session& session, server_events::body& e, time_point now) {
        if (read_bodies) bodies[e.id] += read_all(session, e.id, now);
    }
    void on(server_session&, server_events::trailers& e, time_point) {
        text += "trailers " + std::to_string(e.id) + describe(e.fields) + "; ";
    }
    void on(server_session&, server_events::received& e, time_point) { text += "received " + std::to_string(e.id) + "; "; }
    void on(server_session&, server_events::finished& e, time_point) { text += "finished " + std::to_string(e.id) + "; "; }
    void on(server_session&, server_events::failed& e, time_point) {
        text += "failed " + std::to_string(e.id) + ' ' + std::string(name_of(e.failure.kind)) + "; ";
        failures[e.id] = e.failure;
    }
    void on(server_session& session, server_events::datagrams& e, time_point) {
        text += "datagrams " + std::to_string(e.id) + "; ";
        while (read_datagrams) {
            auto got = session.receive_datagram(e.id);
            if (!got) break;
            datagrams[e.id].emplace_back(got->begin(), got->end());
        }
    }
    void on(server_session&, server_events::closed&, time_point) { text += "closed; "; }
};

// A body that comes in pieces, with pauses, of a length that may or may not be known, or that breaks.
class piecewise_body final : public body_source {
public:
    explicit piecewise_body(std::string text, std::size_t piece = 3, fields after = {})
        : text_(std::move(text)), piece_(piece), after_(std::move(after)) {}

    std::optional<std::uint64_t> length;
    std::size_t pause_at = std::string::npos;  // gives nothing once, at this offset
    std::size_t break_at = std::string::npos;
    bool* paused = nullptr;  // set when it gave nothing

    result read(std::span<std::uint8_t> out) override {
        if (at_ == break_at) return {.failed = true};
        if (at_ == pause_at) {
            pause_at = std::string::npos;
            if (paused) *paused = true;
            return {};
        }
        auto n = std::min({out.size(), piece_, text_.size() - at_});
        if (at_ < break_at) n = std::min(n, break_at - at_);
        if (at_ < pause_at) n = std::min(n, pause_at - at_);
        std::copy_n(text_.begin() + static_cast<std::ptrdiff_t>(at_), n, out.begin());
        at_ += n;
        return {.n = n, .end = at_ == text_.size()};
    }
    std::optional<std::uint64_t> content_length() const override { return length; }
    fields trailers() override { return after_; }

private:
    std::string text_;
    std::size_t piece_;
    fields after_;
    std::size_t at_ = 0;
};

}  // namespace tandem::http::test
