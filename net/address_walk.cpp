#include <tandem/net/address_walk.hpp>

#include <algorithm>
#include <cstdio>

#include <boost/asio/post.hpp>

#include <tandem/net/address.hpp>
#include <tandem/net/clock.hpp>

namespace tandem::net {

namespace {

std::string seconds_text(duration d) {
    char out[32];
    std::snprintf(out, sizeof out, "%.3g s", std::chrono::duration<double>(d).count());
    return out;
}

}  // namespace

address_walk::address_walk(boost::asio::any_io_executor executor, http_target target, const http_connection_options& options,
                           address_walk_hooks hooks)
    : executor_(std::move(executor)),
      target_(std::move(target)),
      timeout_(options.connect_timeout),
      overrides_(options.overrides),
      trace_(options.trace),
      hooks_(std::move(hooks)),
      resolver_(executor_),
      timer_(executor_) {}

void address_walk::trace(const std::string& line) const {
    if (trace_) trace_(line);
}

std::string address_walk::where() const {
    auto address = current_.address.to_string();
    auto text = target_.host + " port " + std::to_string(target_.port);
    return current_.port == 0 || address == target_.host ? text : text + " (" + address + ")";
}

void address_walk::start() {
    times_.started = now();
    timer_.expires_after(timeout_);
    timer_.async_wait([self = shared_from_this()](const boost::system::error_code& error) {
        if (!error && !self->over_ && self->attempt_ == 0) {
            self->exhaust({failure_class::timed_out, "could not resolve " + self->target_.host + " within " + seconds_text(self->timeout_), true});
        }
    });
    for (const auto& o : overrides_) {
        if ((o.host == target_.host || o.host == "*") && o.port == target_.port) {
            boost::asio::post(executor_, [self = shared_from_this(), addresses = o.addresses] { self->resolved(addresses); });
            return;
        }
    }
    if (auto literal = ip_address::parse(target_.host)) {
        boost::asio::post(executor_, [self = shared_from_this(), a = *literal] { self->resolved({a}); });
        return;
    }
    resolver_.async_resolve(target_.host, std::to_string(target_.port),
                            [self = shared_from_this()](const boost::system::error_code& error, const auto& results) {
                                if (self->over_) return;
                                std::vector<ip_address> addresses;
                                for (const auto& r : results) addresses.push_back(from_asio(r.endpoint().address()));
                                if (error || addresses.empty()) {
                                    return self->exhaust({failure_class::resolve, "could not resolve host " + self->target_.host + ": " +
                                                                                      (error ? error.message() : "it has no address"),
                                                          true});
                                }
                                self->resolved(std::move(addresses));
                            });
}

void address_walk::resolved(std::vector<ip_address> addresses) {
    if (over_) return;
    times_.resolved = now();
    std::string list;
    for (const auto& a : addresses) {
        if (std::find(left_.begin(), left_.end(), a) != left_.end()) continue;
        left_.push_back(a);
        list += (list.empty() ? "" : ", ") + a.to_string();
    }
    if (list != target_.host) trace(target_.host + " is " + list);
    std::reverse(left_.begin(), left_.end());  // taken from the back
    next();
}

void address_walk::next() {
    if (over_) return;
    if (left_.empty()) return exhaust(std::move(*last_error_));
    current_ = {left_.back(), target_.port};
    auto left = times_.started + timeout_ - now();
    auto share = left / static_cast<int>(left_.size());
    left_.pop_back();
    timer_.expires_after(std::max<duration>(share, std::chrono::milliseconds(1)));
    timer_.async_wait([self = shared_from_this(), share, attempt = ++attempt_](const boost::system::error_code& error) {
        if (error || self->over_ || attempt != self->attempt_) return;
        self->hooks_.abandon();
        self->failed({failure_class::timed_out, "could not connect to " + self->where() + ": no answer within " + seconds_text(share), true});
    });
    trace("connecting to " + current_.to_string());
    hooks_.attempt(current_);
}

void address_walk::succeeded() {
    over_ = true;
    timer_.cancel();
}

void address_walk::failed(http_error why) {
    if (over_) return;
    timer_.cancel();
    // Another address of the same host shows the same certificate and speaks the same protocols.
    bool same_everywhere = why.kind == failure_class::certificate || why.kind == failure_class::tls || why.kind == failure_class::protocol;
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
    resolver_.cancel();
}

}  // namespace tandem::net
