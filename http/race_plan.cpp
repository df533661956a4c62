#include <tandem/http/race_plan.hpp>

#include <algorithm>

#include <tandem/http/alpn.hpp>

namespace tandem::http {
namespace {

bool has(const std::vector<race_protocol>& list, race_protocol p) { return std::find(list.begin(), list.end(), p) != list.end(); }

void add(std::vector<race_candidate>& to, const std::vector<race_candidate>& more) {
    for (const auto& c : more) {
        if (std::find(to.begin(), to.end(), c) == to.end()) to.push_back(c);
    }
}

// What the records say.
std::vector<race_candidate> at_places(const std::vector<race_protocol>& protocols, const std::vector<service_place>& places) {
    std::vector<race_candidate> out;
    for (const auto& place : places) {
        std::vector<race_protocol> offered;
        for (const auto p : protocols) {
            if (p == race_protocol::quic ? place.quic : place.tcp) offered.push_back(p);
        }
        add(out, interleave(offered, place.addresses, place.port));
    }
    return out;
}

}  // namespace

race_plan plan_race(const std::vector<race_protocol>& protocols, const origin_knowledge& known) {
    race_plan out;
    const bool choice = protocols.size() > 1;
    if (!known.places.empty()) {
        out.knowledge = quic_knowledge::https_record;
        out.candidates = at_places(protocols, known.places);
        auto beside = protocols;
        if (choice) std::erase(beside, race_protocol::quic);
        add(out.candidates, interleave(beside, known.addresses));
    } else {
        if (known.alt_svc)
            out.knowledge = quic_knowledge::alt_svc;
        else if (known.quic_worked)
            out.knowledge = quic_knowledge::earlier;
        out.candidates = interleave(protocols, known.addresses);
        for (auto& c : out.candidates) {
            if (c.protocol == race_protocol::quic) c.port = known.alt_svc.value_or(0);
        }
    }
    if (known.quic_broken && choice && has(protocols, race_protocol::quic)) {
        std::stable_partition(out.candidates.begin(), out.candidates.end(),
                              [](const auto& c) { return c.protocol != race_protocol::quic; });
    }
    return out;
}

std::vector<service_binding> usable_services(std::vector<service_binding> records) {
    std::erase_if(records, [](const auto& r) { return r.is_alias() || !r.usable || !(r.offers(alpn_h3) || r.offers_tcp()); });
    std::stable_sort(records.begin(), records.end(), [](const auto& a, const auto& b) { return a.priority < b.priority; });
    if (records.size() > max_service_places) records.resize(max_service_places);
    return records;
}

void resolution::on_addresses(bool any, time_point now) {
    addresses_ = now;
    any_ = any;
}

std::optional<time_point> resolution::next_timeout() const {
    if (!addresses_ || records_) return addresses_;
    return *addresses_ + (any_ ? resolution_delay : last_hope_delay);
}

bool resolution::ready(time_point now) const {
    const auto due = next_timeout();
    return due && now >= *due;
}

}  // namespace tandem::http
