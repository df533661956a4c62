#include <tandem/net/host_lookup.hpp>

#include <algorithm>
#include <string>
#include <utility>

#include <boost/asio/post.hpp>

#include <tandem/net/address.hpp>

namespace tandem::net {

namespace {

std::vector<ip_address> without_duplicates(const std::vector<ip_address>& list) {
    std::vector<ip_address> out;
    for (const auto& a : list) {
        if (std::find(out.begin(), out.end(), a) == out.end()) out.push_back(a);
    }
    return out;
}

}  // namespace

void host_lookup::start(const http_target& target, const http_connection_options& options, std::function<void(result)> done) {
    done_ = std::move(done);
    std::vector<ip_address> known;
    for (const auto& o : options.overrides) {
        if ((o.host == target.host || o.host == "*") && o.port == target.port && known.empty()) known = o.addresses;
    }
    if (auto literal = ip_address::parse(target.host); literal && known.empty()) known = {*literal};
    if (!known.empty()) {
        boost::asio::post(executor_, [self = shared_from_this(), known] { self->finish(without_duplicates(known)); });
        return;
    }
    const auto most = options.resolve_timeout > duration::zero() ? std::min(options.resolve_timeout, options.connect_timeout)
                                                                 : options.connect_timeout;
    timer_.expires_after(most);
    timer_.async_wait([self = shared_from_this(), host = target.host, timeout = most](const boost::system::error_code& error) {
        if (error) return;
        self->finish(
            http_error{failure_class::timed_out, "could not resolve " + host + " within " + seconds_text(timeout), true});
    });
    resolver_.async_resolve(
        target.host, std::to_string(target.port),
        [self = shared_from_this(), host = target.host](const boost::system::error_code& error, const auto& results) {
            std::vector<ip_address> addresses;
            for (const auto& r : results) addresses.push_back(from_asio(r.endpoint().address()));
            if (!error && !addresses.empty()) return self->finish(without_duplicates(addresses));
            auto why = error ? error.message() : std::string("it has no address");
            self->finish(http_error{failure_class::resolve, "could not resolve host " + host + ": " + why, true});
        });
}

void host_lookup::finish(result r) {
    timer_.cancel();
    resolver_.cancel();
    if (auto done = std::exchange(done_, nullptr)) done(std::move(r));
}

void host_lookup::stop() {
    done_ = nullptr;
    timer_.cancel();
    resolver_.cancel();
}

}  // namespace tandem::net
