#include <tandem/sim/page_loader.hpp>

#include <algorithm>
#include <string>

#include <tandem/sim/clock.hpp>
#include <tandem/sim/credentials.hpp>

namespace tandem::sim {

namespace {

constexpr std::size_t scratch_size = 64 * 1024;

template <class... F>
struct overloaded : F... {
    using F::operator()...;
};
template <class... F>
overloaded(F...) -> overloaded<F...>;

}  // namespace

page_loader::page_loader(const page& wanted, const page_bytes& expected)
    : page_(wanted), bytes_(expected), objects_(wanted.objects.size()), scratch_(scratch_size), open_(wanted.objects.size()) {}

void page_loader::add(http::client_session& session) { connections_.push_back({&session, {}}); }

std::optional<std::size_t> page_loader::object(std::size_t index, http::request_id request) const {
    if (index >= connections_.size() || request >= connections_[index].requested.size()) return std::nullopt;
    return connections_[index].requested[request];
}

bool page_loader::run(time_point now) {
    bool progress = false;
    for (auto& c : connections_) {
        while (!c.gone) {
            const auto event = c.session->poll_event();
            if (!event) break;
            on_event(c, *event, now);
            progress = true;
        }
    }
    for (bool again = true; again;) {  // one object to each connection in turn, as browsers spread them
        again = false;
        for (auto& c : connections_) again |= submit(c, now);
        progress |= again;
    }
    return progress;
}

bool page_loader::submit(connection& c, time_point now) {
    if (c.gone || c.closing || next_ == objects_.size() || !c.session->can_submit()) return false;
    if (!ready_since_) ready_since_ = now;
    auto& object = objects_[next_++];
    http::request request;
    request.authority = credentials::server_name;
    request.path = object_path(next_);
    request.priority = http::priority{.urgency = 3, .incremental = page_.incremental};
    const auto id = c.session->submit(std::move(request), nullptr, now);
    c.requested.resize(std::max<std::size_t>(c.requested.size(), id + 1));
    c.requested[id] = next_;
    object.state = object_state::requested;
    object.start = now - event_queue::start;
    return true;
}

object_record* page_loader::record(const connection& c, http::request_id request) {
    if (request >= c.requested.size() || c.requested[request] == 0) return nullptr;
    auto& object = objects_[c.requested[request] - 1];
    return object.state == object_state::finished || object.state == object_state::failed ? nullptr : &object;
}

void page_loader::on_event(connection& c, const http::client_event& event, time_point now) {
    std::visit(overloaded{
                   [&](const http::client_events::interim&) {},
                   [&](const http::client_events::response& e) {
                       auto* object = record(c, e.id);
                       if (object == nullptr) return;
                       object->state = object_state::responding;
                       if (e.message.status != 200) fail(*object, "status " + std::to_string(e.message.status), now);
                   },
                   [&](const http::client_events::body& e) { read(c, e.id, now); },
                   [&](const http::client_events::trailers&) {},
                   [&](const http::client_events::received&) {},
                   [&](const http::client_events::datagrams&) {},
                   [&](const http::client_events::finished& e) {
                       if (auto* object = record(c, e.id)) finish(*object, e.ledger, now);
                   },
                   [&](const http::client_events::failed& e) {
                       if (auto* object = record(c, e.id)) fail(*object, e.failure.text, now);
                   },
                   [&](const http::client_events::going_away&) { c.closing = true; },
                   [&](const http::client_events::closed& e) {
                       c.gone = true;
                       const bool all = std::all_of(connections_.begin(), connections_.end(), [](auto& o) { return o.gone; });
                       if (all) fail_rest(e.error.text, now);
                   },
               },
               event);
}

void page_loader::read(connection& c, http::request_id request, time_point now) {
    while (const auto n = c.session->read_body(request, scratch_, now)) {
        auto* object = record(c, request);
        if (object == nullptr) continue;
        if (object->received == 0) object->first_byte = now - event_queue::start;
        const auto expected = bytes_.body(c.requested[request]);
        if (object->received + n > expected.size() ||
            !std::equal(scratch_.begin(), scratch_.begin() + static_cast<std::ptrdiff_t>(n),
                        expected.begin() + static_cast<std::ptrdiff_t>(object->received))) {
            fail(*object, "the bytes are not those the server has", now);
        } else {
            object->received += n;
        }
    }
}

void page_loader::finish(object_record& object, const wait_ledger& ledger, time_point now) {
    const auto id = static_cast<std::size_t>(&object - objects_.data()) + 1;
    if (object.received != page_.objects[id - 1]) return fail(object, "the body ended early", now);
    object.state = object_state::finished;
    object.finish = now - event_queue::start;
    if (page_.objects[id - 1] == 0) object.first_byte = object.finish;
    object.ledger = ledger;
    // The request stood in line here, in the browser, while every connection was taken.
    const auto submitted = event_queue::start + object.start;
    object.ledger.add(wait_cause::http_queue, object.received, *ready_since_, submitted);
    object.ledger.add_total(object.received, submitted - *ready_since_);
    --open_;
}

void page_loader::fail(object_record& object, std::string_view why, time_point now) {
    object.state = object_state::failed;
    object.finish = now - event_queue::start;
    object.failure = why.empty() ? "failed" : std::string(why);
    ++failed_;
    --open_;
}

void page_loader::fail_rest(std::string_view why, time_point now) {
    next_ = objects_.size();
    for (auto& object : objects_) {
        if (object.state != object_state::finished && object.state != object_state::failed) fail(object, why, now);
    }
}

}  // namespace tandem::sim
