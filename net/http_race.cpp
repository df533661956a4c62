#include <tandem/net/http_race.hpp>

#include <algorithm>
#include <optional>
#include <utility>

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include <tandem/http/alpn.hpp>
#include <tandem/http/race_plan.hpp>
#include <tandem/net/clock.hpp>
#include <tandem/net/network_name.hpp>
#include <tandem/net/origin_lookup.hpp>

namespace tandem::net {

namespace {

class raced_connection final : public http_connection, public std::enable_shared_from_this<raced_connection> {
public:
    raced_connection(const boost::asio::any_io_executor& executor, std::vector<http_protocol> protocols,
                     const http_target& target, const http_connection_options& options, race_memory memory,
                     http_connection_hooks hooks)
        : executor_(executor),
          protocols_(std::move(protocols)),
          target_(target),
          options_(options),
          memory_(std::move(memory)),
          hooks_(std::move(hooks)),
          lookup_(std::make_shared<origin_lookup>(executor, target, options)),
          timer_(executor) {}
    ~raced_connection() override { raced_connection::stop(); }

    void start();

    void stop() override;
    http::client_session* session() override { return winner_ ? winner_->session() : nullptr; }
    void wake() override {
        if (winner_) winner_->wake();
    }
    const connection_times& times() const override { return times_; }
    ip_endpoint remote() const override { return winner_ ? winner_->remote() : ip_endpoint{{}, target_.port}; }
    http_protocol protocol() const override { return winner_ ? winner_->protocol() : protocols_.front(); }
    std::uint64_t acknowledged() const override { return winner_ ? winner_->acknowledged() : 0; }
    bool awaits_acknowledgment() const override { return winner_ && winner_->awaits_acknowledgment(); }
    void probe() override {
        if (winner_) winner_->probe();
    }
    std::optional<duration> round_trip() const override { return winner_ ? winner_->round_trip() : std::nullopt; }

private:
    struct attempt {
        std::shared_ptr<http_connection> connection;
        std::optional<http_error> error;
    };

    void resolved(http::origin_knowledge found);
    void keep_family(http::origin_knowledge& found) const;
    void go_on();
    void open(std::size_t candidate);
    void on_ready(std::size_t candidate);
    void on_over(std::size_t candidate, const http_error& why);
    void out_of_time();
    void end(const http_error& why);
    http_protocol protocol_of(std::size_t candidate) const;
    http_error worst() const;
    void report(const std::string& text) const {
        if (options_.trace) options_.trace(text);
    }

    boost::asio::any_io_executor executor_;
    std::vector<http_protocol> protocols_;
    http_target target_;
    http_connection_options options_;
    race_memory memory_;
    http_connection_hooks hooks_;
    std::shared_ptr<origin_lookup> lookup_;
    boost::asio::steady_timer timer_;
    std::optional<http::race> race_;
    std::vector<attempt> attempts_;
    std::shared_ptr<http_connection> winner_;
    connection_times times_;
    bool over_ = false;
};

constexpr http::race_protocol race_protocol_of(http_protocol p) {
    return p == http_protocol::http3 ? http::race_protocol::quic : http::race_protocol::tcp;
}

void raced_connection::start() {
    times_.started = now();
    const bool quic = std::find(protocols_.begin(), protocols_.end(), http_protocol::http3) != protocols_.end();
    lookup_->start(quic, [weak = weak_from_this()](origin_lookup::result found) {
        auto self = weak.lock();
        if (!self || self->over_) return;
        if (auto* why = std::get_if<http_error>(&found)) return self->end(*why);
        self->resolved(std::move(std::get<0>(found)));
    });
}

void raced_connection::keep_family(http::origin_knowledge& found) const {
    using family = http_connection_options::ip_family;
    if (options_.family == family::any) return;
    const auto other = [v6 = options_.family == family::v6](const ip_address& a) { return a.is_v6 != v6; };
    std::erase_if(found.addresses, other);
    for (auto& place : found.places) std::erase_if(place.addresses, other);
    std::erase_if(found.places, [](const auto& place) { return place.addresses.empty(); });
}

void raced_connection::resolved(http::origin_knowledge found) {
    times_.resolved = now();
    keep_family(found);
    if (found.addresses.empty() && found.places.empty()) {
        const char* wanted = options_.family == http_connection_options::ip_family::v6 ? "IPv6" : "IPv4";
        return end(
            {failure_class::resolve, "could not resolve host " + target_.host + ": it has no " + wanted + " address", true});
    }
    std::optional<duration> round_trip;
    if (memory_.known) {
        const auto& first = found.addresses.empty() ? found.places.front().addresses.front() : found.addresses.front();
        const auto network = network_name(first);
        const auto at = wall_seconds();
        if (auto visit = memory_.known->last_visit(memory_.origin, network, at)) {
            round_trip = visit->round_trip;
            found.quic_worked = visit->alpn == http::alpn_h3;
        }
        if (auto other = memory_.known->find(memory_.origin, network, http::alpn_h3, at)) {
            found.alt_svc = other->port == target_.port ? std::uint16_t{0} : other->port;
        }
        found.quic_broken = memory_.known->is_broken(memory_.origin, network, http::alpn_h3, at);
    }
    std::vector<http::race_protocol> protocols;
    for (auto p : protocols_) protocols.push_back(race_protocol_of(p));
    auto plan = http::plan_race(protocols, found);
    race_.emplace(std::move(plan.candidates), round_trip, *times_.resolved, plan.knowledge);
    attempts_.resize(race_->candidates().size());
    go_on();
}

http_protocol raced_connection::protocol_of(std::size_t candidate) const {
    for (auto p : protocols_) {
        if (race_protocol_of(p) == race_->candidates()[candidate].protocol) return p;
    }
    return protocols_.front();
}

// Starts what is due, and sleeps until the next is.
void raced_connection::go_on() {
    if (over_ || winner_) return;
    const auto at = now();
    if (at - times_.started >= options_.connect_timeout) return out_of_time();
    while (auto next = race_->poll_start(at)) open(*next);
    if (race_->exhausted()) return end(worst());
    auto until = times_.started + options_.connect_timeout;
    if (auto due = race_->next_timeout()) until = std::min(until, *due);
    timer_.expires_after(until - at);
    timer_.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
        if (auto self = weak.lock(); self && !error) self->go_on();
    });
}

void raced_connection::open(std::size_t candidate) {
    auto weak = weak_from_this();
    http_connection_hooks hooks;
    hooks.heard = [weak, candidate] {
        if (auto self = weak.lock(); self && !self->over_ && !self->winner_) self->race_->on_bytes(candidate, now());
    };
    hooks.ready = [weak, candidate] {
        if (auto self = weak.lock(); self && !self->over_) self->on_ready(candidate);
    };
    hooks.activity = [weak, candidate](time_point at) {
        auto self = weak.lock();
        if (self && !self->over_ && self->race_->winner() == candidate && self->hooks_.activity) self->hooks_.activity(at);
    };
    hooks.over = [weak, candidate](const http_error& why) {
        if (auto self = weak.lock(); self && !self->over_) self->on_over(candidate, why);
    };
    const auto& where = race_->candidates()[candidate];
    auto target = target_;
    if (where.port != 0) target.port = where.port;
    auto options = options_;
    options.overrides = {{target.host, target.port, {where.address}}};
    // A connection with early data is ready before anything came back: that must not decide a race.
    options.early_data = options.early_data && race_->candidates().size() == 1;
    attempts_[candidate].connection = http_connection::open(executor_, protocol_of(candidate), target, options, std::move(hooks));
}

void raced_connection::on_ready(std::size_t candidate) {
    if (winner_) return;
    race_->on_completed(candidate, now());
    timer_.cancel();
    winner_ = attempts_[candidate].connection;
    for (auto loser : race_->under_way()) {
        // Later: the winner is in the middle of its own work, and the losers may be too.
        boost::asio::post(executor_, [connection = std::move(attempts_[loser].connection)] { connection->stop(); });
    }
    const auto& found = winner_->times();
    times_.connected = found.connected;
    times_.secured = found.secured;
    if (race_->candidates().size() > 1) report(race_->verdict());
    if (options_.decided) options_.decided(*race_);
    if (hooks_.ready) hooks_.ready();
}

void raced_connection::on_over(std::size_t candidate, const http_error& why) {
    if (race_->winner() == candidate) return end(why);
    if (winner_) return;
    if (race_->candidates().size() > 1) report(why.text);
    attempts_[candidate].error = why;
    attempts_[candidate].connection.reset();
    race_->on_failed(candidate, why.text, now());
    go_on();
}

// Of several failures the one that helps most: what is wrong with the server's certificate, else what TCP said, else the first.
http_error raced_connection::worst() const {
    const http_error* best = nullptr;
    auto rank = [this](std::size_t i) {
        if (attempts_[i].error->kind == failure_class::certificate) return 2;
        return race_->candidates()[i].protocol == http::race_protocol::tcp ? 1 : 0;
    };
    int highest = -1;
    for (std::size_t i = 0; i < attempts_.size(); ++i) {
        if (attempts_[i].error && rank(i) > highest) {
            highest = rank(i);
            best = &*attempts_[i].error;
        }
    }
    return best ? *best : http_error{failure_class::timed_out, "could not connect to " + target_.host, true};
}

void raced_connection::out_of_time() {
    const auto where = target_.host + " port " + std::to_string(target_.port);
    end({failure_class::timed_out,
         "could not connect to " + where + ": no answer within " + seconds_text(options_.connect_timeout), true});
}

void raced_connection::end(const http_error& why) {
    if (over_) return;
    auto hook = std::move(hooks_.over);
    if (race_ && !winner_ && options_.decided) options_.decided(*race_);
    stop();
    if (hook) hook(why);
}

void raced_connection::stop() {
    over_ = true;
    lookup_->stop();
    timer_.cancel();
    if (winner_) winner_->stop();
    for (auto& a : attempts_) {
        if (a.connection) a.connection->stop();
    }
    attempts_.clear();
}

}  // namespace

std::shared_ptr<http_connection> open_raced_connection(const boost::asio::any_io_executor& executor,
                                                       const std::vector<http_protocol>& protocols, const http_target& target,
                                                       const http_connection_options& options, const race_memory& memory,
                                                       http_connection_hooks hooks) {
    auto connection = std::make_shared<raced_connection>(executor, protocols, target, options, memory, std::move(hooks));
    connection->start();
    return connection;
}

}  // namespace tandem::net
