#include <tandem/net/http_origin.hpp>

#include <algorithm>
#include <array>
#include <utility>
#include <variant>

#include <boost/asio/post.hpp>

#include <tandem/http/alpn.hpp>
#include <tandem/http/binary_fields.hpp>
#include <tandem/http/race.hpp>
#include <tandem/net/clock.hpp>
#include <tandem/net/http_race.hpp>
#include <tandem/net/network_name.hpp>

namespace tandem::net {

namespace {

constexpr duration sweep_interval = std::chrono::milliseconds(100);  // how exact the timeouts of a request are

http_error describe(const http::request_failure& failure) {
    using http::failure_kind;
    // RFC 9113 7, RFC 9114 8.1: the server wants to be asked over HTTP/1.1.
    if (failure.kind == failure_kind::reset && failure.code == static_cast<std::uint64_t>(http::h3_error::version_fallback))
        return {failure_class::unsupported, failure.text, false};
    switch (failure.kind) {
        case failure_kind::malformed:
        case failure_kind::too_large:
            return {failure_class::protocol, failure.text, failure.retryable};
        case failure_kind::unsupported:
            return {failure_class::unsupported, failure.text, failure.retryable};
        case failure_kind::cancelled:
            return {failure_class::cancelled, failure.text, failure.retryable};
        default:
            return {failure_class::lost, failure.text, failure.retryable};
    }
}

}  // namespace

http_origin::http_origin(boost::asio::any_io_executor executor, const http_client_options& options, http_target target)
    : executor_(std::move(executor)),
      options_(options),
      target_(std::move(target)),
      name_((target_.secure ? "https://" : "http://") + target_.host + ":" + std::to_string(target_.port)),
      protocols_(options.protocols),
      watch_(executor_),
      sweep_timer_(executor_),
      idle_timer_(executor_) {
    if (!target_.secure) protocols_ = {http_protocol::http1};
    shape_ = protocols_.size() == 1 ? protocols_.front() : http_protocol::http2;
}

std::size_t http_origin::max_links() const { return shape_ == http_protocol::http1 ? options_.http1_connections : 1; }

// Those that may be used now: not QUIC where it fell silent under our hands.
std::vector<http_protocol> http_origin::permitted() const {
    auto out = protocols_;
    if (quic_silent_ && out.size() > 1) std::erase(out, http_protocol::http3);
    return out;
}

void http_origin::submit(std::unique_ptr<pending_transfer> transfer) {
    queue_.push_back(std::move(transfer));
    schedule_dispatch();
}

void http_origin::schedule_dispatch() {
    if (std::exchange(dispatching_, true)) return;
    boost::asio::post(executor_, [self = shared_from_this()] {
        self->dispatching_ = false;
        if (!self->stopped_) self->dispatch();
    });
}

// Gives queued requests to connections that can take one; opens connections while more are needed and permitted.
void http_origin::dispatch() {
    for (auto& l : links_) {
        bool any = false;
        while (!queue_.empty() && active_ < options_.concurrent_requests && submit_to(l)) any = true;
        if (any) l.connection->wake();
    }
    auto connecting =
        static_cast<std::size_t>(std::count_if(links_.begin(), links_.end(), [](const link& l) { return !l.ready; }));
    auto usable =
        static_cast<std::size_t>(std::count_if(links_.begin(), links_.end(), [](const link& l) { return !l.going_away; }));
    // HTTP/1.1: one connection per request that waits; the others are under way already.
    auto wanted = std::min(queue_.size(), options_.concurrent_requests - std::min(active_, options_.concurrent_requests));
    while (connecting < wanted && usable < max_links()) {
        open_link();
        ++connecting;
        ++usable;
    }
    note_idle();
}

bool http_origin::submit_to(link& l) {
    auto* session = l.ready && !l.going_away ? l.connection->session() : nullptr;
    if (session == nullptr || !session->can_submit()) return false;
    auto transfer = std::move(queue_.front());
    queue_.pop_front();
    auto at = now();
    auto& info = transfer->info;
    info.protocol = l.connection->protocol();
    info.remote = l.connection->remote();
    info.reused_connection = l.served++ > 0;
    info.connection = l.connection->times();
    info.submitted = at;
    ++info.attempts;
    transfer->moved = at;
    const auto& wanted = transfer->request;
    http::request request;
    request.method = wanted.method;
    request.scheme = wanted.url.scheme;
    request.authority = wanted.url.authority();
    request.path = wanted.url.path;
    request.fields = wanted.fields;
    if (transfer->resuming) transfer->rest.ask_for_rest(request.fields);
    request.protocol = wanted.protocol;
    request.datagrams = wanted.datagrams;
    if (!request.protocol.empty()) request.method = "CONNECT";
    if (wanted.prepare) wanted.prepare(request, info.protocol);
    std::unique_ptr<http::body_source> body;
    if (wanted.source) {
        body = wanted.source();
        if (!body)
            return end(std::move(transfer),
                       http_error{failure_class::lost, "the request's body cannot be sent a second time", false}),
                   true;
    } else if (wanted.has_body || !wanted.body.empty()) {
        body = std::make_unique<http::memory_body>(wanted.body);
    }
    auto id = session->submit(std::move(request), std::move(body), at);
    l.active.emplace(id, std::move(transfer));
    ++active_;
    watch();
    sweep();
    return true;
}

void http_origin::open_link() {
    auto l = links_.emplace(links_.end());
    std::weak_ptr<http_origin> weak = weak_from_this();
    http_connection_hooks hooks;
    hooks.ready = [weak, l] {
        if (auto self = weak.lock(); self && !self->stopped_) self->on_ready(l);
    };
    hooks.activity = [weak, l](time_point at) {
        if (auto self = weak.lock(); self && !self->stopped_) self->on_activity(l, at);
    };
    hooks.over = [weak, l](const http_error& why) {
        if (auto self = weak.lock(); self && !self->stopped_) self->on_over(l, why);
    };
    auto options = options_.connection;
    options.decided = [weak, tell = options.decided](const http::race& race) {
        if (auto self = weak.lock(); self && !self->stopped_) self->on_race(race);
        if (tell) tell(race);
    };
    l->connection = open_raced_connection(executor_, permitted(), target_, options, {options_.known, name_}, std::move(hooks));
}

void http_origin::on_ready(links::iterator l) {
    l->ready = true;
    if (options_.known) l->network = network_name(l->connection->remote().address);
    shape_ = l->connection->protocol();
    dispatch();
}

// Remembers whether QUIC can be used here. That it was slower says nothing.
void http_origin::on_race(const http::race& race) {
    if (!options_.known || !race.winner()) return;
    const auto& won = race.candidates()[*race.winner()];
    if (won.protocol == http::race_protocol::quic) {
        options_.known->worked(name_, network_name(won.address), http::alpn_h3);
    } else if (race.tried(http::race_protocol::quic) && !race.answered(http::race_protocol::quic)) {
        options_.known->broken(name_, network_name(won.address), http::alpn_h3, wall_seconds());
    }
}

void http_origin::learn(const link& l, const http::response& message) {
    if (!options_.known || !target_.secure) return;
    if (message.status == 421) options_.known->forget(name_);  // RFC 7838 6
    auto age = http::parse_content_length(message.fields.find("age").value_or("0"));
    if (message.fields.contains("alt-svc"))
        options_.known->learn(name_, l.network, message.fields.joined("alt-svc"), age.value_or(0), wall_seconds());
}

// How long the round trip is, for the next race.
void http_origin::remember(const link& l) {
    if (!options_.known || !target_.secure) return;
    const auto alpn = l.connection->protocol() == http_protocol::http3 ? http::alpn_h3 : http::alpn_h2;
    if (auto trip = l.connection->round_trip()) options_.known->visited(name_, l.network, alpn, *trip, wall_seconds());
}

void http_origin::on_activity(links::iterator l, time_point at) {
    auto* session = l->connection->session();
    if (session == nullptr) return;
    while (auto event = session->poll_event()) on_event(*l, *event, at);
    dispatch();
}

void http_origin::on_event(link& l, http::client_event& event, time_point at) {
    if (auto* interim = std::get_if<http::client_events::interim>(&event)) {
        auto it = l.active.find(interim->id);
        if (it != l.active.end()) it->second->sink->on_interim(interim->message, it->second->info);
    } else if (auto* response = std::get_if<http::client_events::response>(&event)) {
        auto it = l.active.find(response->id);
        if (it == l.active.end()) return;
        // RFC 8470 5.2: the server does not want to answer what may be a copy. The handshake is complete by now.
        if (response->message.status == 425 && it->second->info.attempts < max_attempts &&
            http::is_safe_method(it->second->request.method)) {
            auto node = l.active.extract(it);
            --active_;
            l.connection->session()->cancel(response->id, at);
            queue_.push_front(std::move(node.mapped()));
            return;
        }
        on_answer(l, response->id, response->message, at);
    } else if (auto* body = std::get_if<http::client_events::body>(&event)) {
        read_body(l, body->id, at);
    } else if (auto* received = std::get_if<http::client_events::received>(&event)) {
        auto it = l.active.find(received->id);
        if (it != l.active.end()) it->second->sink->on_body_end();
    } else if (auto* trailers = std::get_if<http::client_events::trailers>(&event)) {
        auto it = l.active.find(trailers->id);
        if (it != l.active.end()) it->second->sink->on_trailers(trailers->fields);
    } else if (auto* finished = std::get_if<http::client_events::finished>(&event)) {
        auto node = l.active.extract(finished->id);
        if (node.empty()) return;
        --active_;
        node.mapped()->info.finished = at;
        remember(l);
        end(std::move(node.mapped()), std::nullopt);
    } else if (auto* failed = std::get_if<http::client_events::failed>(&event)) {
        request_failed(l, failed->id, failed->failure, at);
    } else if (auto* datagrams = std::get_if<http::client_events::datagrams>(&event)) {
        read_datagrams(l, datagrams->id);
    } else if (std::holds_alternative<http::client_events::going_away>(event) ||
               std::holds_alternative<http::client_events::closed>(event)) {
        l.going_away = true;
    }
}

void http_origin::on_answer(link& l, http::request_id id, const http::response& message, time_point at) {
    auto& t = *l.active.find(id)->second;
    t.moved = at;
    if (t.resuming && resumes(l, id, message, at)) return;
    t.info.first_byte = at;
    t.answered = true;
    if (t.plain_get()) t.rest.on_response(message);
    learn(l, message);
    t.sink->on_response(message, t.info);
}

// The answer to a request for the rest of a response. False: it is another one, which the sink takes from its beginning.
bool http_origin::resumes(link& l, http::request_id id, const http::response& message, time_point at) {
    auto& t = *l.active.find(id)->second;
    t.resuming = false;
    const auto answer = t.rest.examine(message);
    if (answer != http::resumption::answer::different) {
        t.answered = true;
        t.skip = answer == http::resumption::answer::same ? t.rest.received() : 0;
        if (options_.connection.trace)
            options_.connection.trace("going on at byte " + std::to_string(t.rest.received()) + " of the response");
        return t.sink->on_resumed(t.rest.received(), t.info), true;
    }
    t.info.body_bytes = 0;
    if (t.sink->on_restart()) return false;
    auto node = l.active.extract(id);
    --active_;
    l.connection->session()->cancel(id, at);
    end(std::move(node.mapped()),
        http_error{failure_class::lost, "the connection died, and the server has another version by now", false});
    return true;
}

void http_origin::read_body(link& l, http::request_id id, time_point at) {
    static thread_local std::vector<std::uint8_t> buffer(256 * 1024);
    auto* session = l.connection->session();
    for (;;) {
        auto it = l.active.find(id);  // looked up each time: the sink may have cancelled it
        if (it == l.active.end() || !it->second->sink->wants_body()) return;
        auto n = session->read_body(id, buffer, at);
        if (n == 0) return;
        auto& t = *it->second;
        t.moved = at;
        const auto known = static_cast<std::size_t>(std::min<std::uint64_t>(n, t.skip));
        t.skip -= known;
        if (known == n) continue;
        t.info.body_bytes += n - known;
        t.rest.on_body(n - known);
        if (t.sink->on_body({buffer.data() + known, n - known})) continue;
        auto node = l.active.extract(it);
        --active_;
        session->cancel(id, at);
        end(std::move(node.mapped()), http_error{failure_class::cancelled, "no more was wanted", false});
        return;
    }
}

void http_origin::request_failed(link& l, http::request_id id, const http::request_failure& failure, time_point at) {
    auto it = l.active.find(id);
    if (it == l.active.end()) return;
    if (failure.kind == http::failure_kind::connection_lost && !failure.retryable) {
        // The connection's own last word says better why; it comes at once.
        it->second->info.finished = at;
        return;
    }
    auto node = l.active.extract(it);
    --active_;
    auto why = describe(failure);
    const bool elsewhere = why.kind == failure_class::unsupported && unserved_ && target_.secure && !node.mapped()->answered &&
                           l.connection->protocol() != http_protocol::http1;
    if (!elsewhere) return retry_or_end(std::move(node.mapped()), why);
    if (options_.connection.trace) options_.connection.trace(why.text + "; asking over HTTP/1.1");
    unserved_(std::move(node.mapped()));
}

void http_origin::on_over(links::iterator l, const http_error& why) {
    const bool was_ready = l->ready;
    auto gone = std::move(*l);
    links_.erase(l);
    active_ -= gone.active.size();
    const bool in_the_middle = was_ready && gone.connection->protocol() == http_protocol::http3 && protocols_.size() > 1;
    for (auto& [id, transfer] : gone.active) {
        if (in_the_middle && transfer->answered && transfer->rest.complete()) {
            end(std::move(transfer), std::nullopt);
        } else if (in_the_middle && transfer->answered && carry_over(*transfer)) {
            queue_.push_front(std::move(transfer));
        } else {
            retry_or_end(std::move(transfer), why);
        }
    }
    const bool others =
        std::any_of(links_.begin(), links_.end(), [](const link& other) { return other.ready && !other.going_away; });
    if (!was_ready && !others) {
        // No way to the origin: everything that waits for it has failed.
        for (auto& transfer : std::exchange(queue_, {})) end(std::move(transfer), why);
    }
    schedule_dispatch();
}

void http_origin::retry_or_end(std::unique_ptr<pending_transfer> transfer, const http_error& why) {
    bool again =
        why.retryable && !transfer->answered && transfer->info.attempts < max_attempts && why.kind != failure_class::cancelled;
    if (!again) return end(std::move(transfer), why);
    queue_.push_front(std::move(transfer));
    schedule_dispatch();
}

void http_origin::end(std::unique_ptr<pending_transfer> transfer, const std::optional<http_error>& why) {
    transfer->timer.reset();
    if (!transfer->info.finished) transfer->info.finished = now();
    transfer->sink->on_end(why, transfer->info);
}

bool http_origin::resume(std::uint64_t handle) {
    for (auto& l : links_) {
        for (auto& [id, transfer] : l.active) {
            if (transfer->handle != handle) continue;
            auto* session = l.connection->session();
            if (session == nullptr) return true;
            session->resume_body(id);
            const auto found = id;  // the sink may end the transfer
            read_body(l, found, now());
            l.connection->wake();
            return true;
        }
    }
    return false;
}

// Timeouts of requests under way.

void http_origin::sweep() {
    const bool any = std::any_of(links_.begin(), links_.end(), [](const link& l) {
        return std::any_of(l.active.begin(), l.active.end(), [](const auto& active) {
            const auto& r = active.second->request;
            return r.first_byte_timeout > duration::zero() || r.stall_timeout > duration::zero();
        });
    });
    if (!any || std::exchange(sweeping_, true)) return;
    sweep_timer_.expires_after(sweep_interval);
    sweep_timer_.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
        auto self = weak.lock();
        if (!self || self->stopped_ || error) return;
        self->sweeping_ = false;
        std::vector<std::pair<std::uint64_t, http_error>> late;
        for (const auto& l : self->links_) {
            for (const auto& [id, transfer] : l.active) {
                if (auto why = self->overdue(*transfer, now())) late.emplace_back(transfer->handle, std::move(*why));
            }
        }
        for (const auto& [handle, why] : late) self->cancel(handle, why);
        self->sweep();
    });
}

std::optional<http_error> http_origin::overdue(const pending_transfer& t, time_point at) const {
    const auto& r = t.request;
    if (!t.answered && r.first_byte_timeout > duration::zero() && at - t.moved >= r.first_byte_timeout) {
        return http_error{failure_class::timed_out, "no response within " + seconds_text(r.first_byte_timeout), false};
    }
    if (t.answered && r.stall_timeout > duration::zero() && at - t.moved >= r.stall_timeout && t.sink->wants_body()) {
        return http_error{failure_class::timed_out, "not a byte of the response for " + seconds_text(r.stall_timeout), false};
    }
    return std::nullopt;
}

bool http_origin::cancel(std::uint64_t handle, const http_error& why, http::h3_error code) {
    auto queued = std::find_if(queue_.begin(), queue_.end(), [&](const auto& t) { return t->handle == handle; });
    if (queued != queue_.end()) {
        auto transfer = std::move(*queued);
        queue_.erase(queued);
        end(std::move(transfer), why);
        return true;
    }
    for (auto& l : links_) {
        for (auto it = l.active.begin(); it != l.active.end(); ++it) {
            if (it->second->handle != handle) continue;
            auto node = l.active.extract(it);
            --active_;
            if (auto* session = l.connection->session()) session->cancel(node.key(), now(), code);
            l.connection->wake();
            end(std::move(node.mapped()), why);
            return true;
        }
    }
    return false;
}

void http_origin::close_idle() {
    if (!queue_.empty()) return;
    for (auto it = links_.begin(); it != links_.end();) {
        auto l = it++;
        if (!l->active.empty()) continue;
        l->connection->stop();
        links_.erase(l);
    }
    if (links_.empty()) idle_timer_.cancel();
}

// Which connections have nothing to do, and since when.
void http_origin::note_idle() {
    if (options_.idle_timeout <= duration::zero()) return;
    std::optional<time_point> oldest;
    for (auto& l : links_) {
        if (!l.ready || !l.active.empty()) {
            l.idle_since.reset();
            continue;
        }
        if (!l.idle_since) l.idle_since = now();
        oldest = std::min(oldest.value_or(*l.idle_since), *l.idle_since);
    }
    if (!oldest || std::exchange(idle_watched_, true)) return;
    idle_timer_.expires_after(*oldest + options_.idle_timeout - now());
    idle_timer_.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
        auto self = weak.lock();
        if (!self) return;
        self->idle_watched_ = false;
        if (!error && !self->stopped_) self->end_idle();
    });
}

void http_origin::end_idle() {
    for (auto it = links_.begin(); it != links_.end();) {
        auto l = it++;
        if (!l->idle_since || now() - *l->idle_since < options_.idle_timeout) continue;
        l->connection->stop();
        links_.erase(l);
    }
    note_idle();
}

void http_origin::stop() {
    stopped_ = true;
    watch_.cancel();
    sweep_timer_.cancel();
    idle_timer_.cancel();
    for (auto& l : links_) l.connection->stop();
    links_.clear();
    queue_.clear();
}

}  // namespace tandem::net
