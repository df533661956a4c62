#include <tandem/net/address_walk.hpp>

#include <algorithm>
#include <cstdio>

#include <tandem/net/clock.hpp>

namespace tandem::net {

std::string seconds_text(duration d) {
    char out[32];
    std::snprintf(out, sizeof out, "%.3g s", std::chrono::duration<double>(d).count());
    return out;
}

address_walk::address_walk(boost::asio::any_io_executor executor, http_target target, const http_connection_options& options,
                           address_walk_hooks hooks)
    : executor_(std::move(executor)),
      target_(std::move(target)),
      options_(options),
      hooks_(std::move(hooks)),
      lookup_(std::make_shared<host_lookup>(executor_)),
      timer_(executor_),
      phase_timer_(executor_) {}

void address_walk::trace(const std::string& line) const {
    if (options_.trace) options_.trace(line);
}

std::string address_walk::where() const {
    auto address = current_.address.to_string();
    auto text = target_.host + " port " + std::to_string(target_.port);
    return current_.port == 0 || address == target_.host ? text : text + " (" + address + ")";
}

void address_walk::start() {
    times_.started = now();
    lookup_->start(target_, options_, [self = shared_from_this()](host_lookup::result found) {
        if (auto* why = std::get_if<http_error>(&found)) return self->exhaust(std::move(*why));
        self->resolved(std::move(std::get<0>(found)));
    });
}

void address_walk::resolved(std::vector<ip_address> addresses) {
    if (over_) return;
    times_.resolved = now();
    std::string list;
    for (const auto& a : addresses) list += (list.empty() ? "" : ", ") + a.to_string();
    left_ = std::move(addresses);
    if (list != target_.host) trace(target_.host + " is " + list);
    std::reverse(left_.begin(), left_.end());  // taken from the back
    next();
}

void address_walk::next() {
    if (over_) return;
    if (left_.empty()) return exhaust(std::move(*last_error_));
    current_ = {left_.back(), target_.port};
    auto left = times_.started + options_.connect_timeout - now();
    auto share = left / static_cast<int>(left_.size());
    left_.pop_back();
    timer_.expires_after(std::max<duration>(share, std::chrono::milliseconds(1)));
    timer_.async_wait([self = shared_from_this(), share, attempt = ++attempt_](const boost::system::error_code& error) {
        if (error || self->over_ || attempt != self->attempt_) return;
        self->hooks_.abandon();
        self->failed({failure_class::timed_out,
                      "could not connect to " + self->where() + ": no answer within " + seconds_text(share), true});
    });
    trace("connecting to " + current_.to_string());
    hooks_.attempt(current_);
}

void address_walk::begin_phase(duration limit, const std::string& what) {
    phase_timer_.cancel();
    if (over_ || limit <= duration::zero()) return;
    phase_timer_.expires_after(limit);
    phase_timer_.async_wait([self = shared_from_this(), limit, what, attempt = attempt_](const boost::system::error_code& error) {
        if (error || self->over_ || attempt != self->attempt_) return;
        self->hooks_.abandon();
        self->failed({failure_class::timed_out,
                      "could not connect to " + self->where() + ": " + what + " not done within " + seconds_text(limit), true});
    });
}

void address_walk::succeeded() {
    over_ = true;
    timer_.cancel();
    phase_timer_.cancel();
}

void address_walk::failed(http_error why) {
    if (over_) return;
    timer_.cancel();
    phase_timer_.cancel();
    // Another address of the same host shows the same certificate and speaks the same protocols.
    bool same_everywhere =
        why.kind == failure_class::certificate || why.kind == failure_class::tls || why.kind == failure_class::protocol;
    if (!left_.empty() && !same_everywhere) trace(why.text);
    last_error_ = std::move(why);
    if (same_everywhere) left_.clear();
    next();
}

void address_walk::exhaust(http_error why) {
    stop();
    hooks_.exhausted(why);
}

void address_walk::stop() {
    over_ = true;
    timer_.cancel();
    phase_timer_.cancel();
    lookup_->stop();
}

}  // namespace tandem::net
