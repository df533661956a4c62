#include <tandem/net/origin_lookup.hpp>

#include <algorithm>
#include <utility>

#include <tandem/http/alpn.hpp>
#include <tandem/http/message.hpp>
#include <tandem/net/clock.hpp>

namespace tandem::net {

namespace {

bool asks_for_records(const http_target& target, const http_connection_options& options) {
    if (!target.secure || !options.https_records || ip_address::parse(target.host)) return false;
    if (!options.name_servers.empty()) return true;
    const bool overridden = std::any_of(options.overrides.begin(), options.overrides.end(), [&](const auto& o) {
        return (o.host == target.host || o.host == "*") && o.port == target.port;
    });
    return !overridden && is_public_name(target.host);
}

}  // namespace

void origin_lookup::start(bool with_records, std::function<void(result)> done) {
    done_ = std::move(done);
    own_ = std::make_shared<host_lookup>(executor_);
    own_->start(target_, options_, [self = shared_from_this()](host_lookup::result found) { self->on_own(std::move(found)); });
    if (!with_records || !asks_for_records(target_, options_)) return resolution_.on_records(now());
    records_ = std::make_shared<https_lookup>(executor_);
    auto servers = options_.name_servers.empty() ? system_name_servers() : options_.name_servers;
    records_->start(target_.host, target_.port, std::move(servers),
                    [self = shared_from_this()](https_lookup::found found) { self->on_records(std::move(found)); });
}

void origin_lookup::on_own(host_lookup::result found) {
    if (auto* why = std::get_if<http_error>(&found))
        failure_ = std::move(*why);
    else
        addresses_ = std::move(std::get<0>(found));
    resolution_.on_addresses(!addresses_.empty(), now());
    check();
}

void origin_lookup::on_records(https_lookup::found found) {
    tell(found);
    const auto own = http::https_record_name(target_.host, 443);
    if (found.aliased && found.records.empty()) {  // RFC 9460 3: the name at the end of the aliases, as if it were the origin's
        alias_alone_ = true;
        services_.push_back({{}, found.name, {}, {}});
    }
    for (auto& r : http::usable_services(std::move(found.records))) {
        auto name = r.target.empty() && found.aliased ? found.name : r.target;
        services_.push_back({std::move(r), name == own ? std::string() : name, {}, {}});
    }
    for (std::size_t i = 0; i < services_.size(); ++i) {
        if (!services_[i].name.empty()) look_up(i);
    }
    if (looking_ == 0) resolution_.on_records(now());
    check();
}

void origin_lookup::look_up(std::size_t i) {
    auto& s = services_[i];
    ++looking_;
    s.lookup = std::make_shared<host_lookup>(executor_);
    const http_target where{true, s.name, s.record.port.value_or(target_.port)};
    s.lookup->start(where, options_, [self = shared_from_this(), i](host_lookup::result found) {
        if (auto* addresses = std::get_if<0>(&found)) self->services_[i].addresses = std::move(*addresses);
        if (--self->looking_ > 0) return;
        self->resolution_.on_records(now());
        self->check();
    });
}

void origin_lookup::tell(const https_lookup::found& found) const {
    if (!options_.trace) return;
    if (!found.trouble.empty()) return options_.trace("HTTPS records of " + target_.host + ": " + found.trouble);
    if (found.aliased) options_.trace("HTTPS record of " + target_.host + ": an alias of " + found.name);
    for (const auto& r : found.records) {
        std::string protocols;
        for (const auto& p : r.alpn) protocols += (protocols.empty() ? "" : ", ") + p;
        auto where = r.target.empty() ? std::string() : " at " + r.target;
        if (r.port) where += " port " + std::to_string(*r.port);
        options_.trace("HTTPS record of " + target_.host + ": " + (protocols.empty() ? "http/1.1" : protocols) + where +
                       (r.usable ? "" : ", cannot be used"));
    }
}

void origin_lookup::check() {
    if (!done_) return;
    const auto at = now();
    if (resolution_.ready(at)) return finish();
    const auto due = resolution_.next_timeout();
    if (!due) return;
    timer_.expires_after(*due - at);
    timer_.async_wait([self = shared_from_this()](const boost::system::error_code& error) {
        if (!error) self->check();
    });
}

void origin_lookup::finish() {
    http::origin_knowledge out;
    out.addresses = addresses_;
    if (alias_alone_)
        out.addresses.insert(out.addresses.begin(), services_.front().addresses.begin(), services_.front().addresses.end());
    for (auto& s : services_) {
        if (alias_alone_) break;
        auto addresses = s.name.empty() ? addresses_ : s.addresses;
        if (addresses.empty()) addresses = s.record.hints;
        if (addresses.size() > http::max_place_addresses) addresses.resize(http::max_place_addresses);
        const auto port = s.record.port.value_or(target_.port);
        http::service_place place{std::move(addresses), port == target_.port ? std::uint16_t{0} : port,
                                  s.record.offers(http::alpn_h3), s.record.offers_tcp()};
        if (!place.addresses.empty()) out.places.push_back(std::move(place));
    }
    auto done = std::exchange(done_, nullptr);
    stop();
    if (out.addresses.empty() && out.places.empty()) return done(std::move(*failure_));
    done(std::move(out));
}

void origin_lookup::stop() {
    done_ = nullptr;
    timer_.cancel();
    if (own_) own_->stop();
    if (records_) records_->stop();
    for (auto& s : services_) {
        if (s.lookup) s.lookup->stop();
    }
}

}  // namespace tandem::net
