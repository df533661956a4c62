#include "metrics.hpp"

#include <chrono>
#include <cstdio>

#include "version.hpp"

namespace tandem::apps {

namespace {

std::string head(const char* name, const char* type, const char* help) {
    return std::string("# HELP ") + name + " " + help + "\n# TYPE " + name + " " + type + "\n";
}
std::string number(double value) {
    char text[32];
    std::snprintf(text, sizeof text, "%.9g", value);
    return text;
}

}  // namespace

void metrics::record(const net::access_record& r) {
    auto it = protocols_.find(r.source.protocol);
    if (it == protocols_.end()) it = protocols_.emplace(std::string(r.source.protocol), by_protocol{}).first;
    auto& p = it->second;
    const auto digit = static_cast<unsigned>(r.status / 100);
    ++p.complete[digit < 6 ? digit : 0];
    if (!r.complete) ++p.incomplete;
    if (r.complete && r.bytes && r.request.method != "HEAD") p.bytes += *r.bytes;
    p.seconds += std::chrono::duration<double>(r.took).count();
    ++p.count;
}

void metrics::add(const metrics& other) {
    for (const auto& [name, theirs] : other.protocols_) {
        auto& ours = protocols_[name];
        for (unsigned i = 0; i < 6; ++i) ours.complete[i] += theirs.complete[i];
        ours.incomplete += theirs.incomplete;
        ours.bytes += theirs.bytes;
        ours.seconds += theirs.seconds;
        ours.count += theirs.count;
    }
}

std::string metrics::text(const net::http_server::counters& server) const {
    auto out =
        head("tandem_build_info", "gauge", "The version that runs.") + "tandem_build_info{version=\"" + version + "\"} 1\n";
    out += head("tandem_connections_total", "counter", "Connections accepted.");
    out += "tandem_connections_total{transport=\"quic\"} " + std::to_string(server.quic_connections) + "\n";
    out += "tandem_connections_total{transport=\"tcp\"} " + std::to_string(server.tcp_connections) + "\n";
    out += head("tandem_connections_open", "gauge", "Connections there are now.");
    out += "tandem_connections_open " + std::to_string(server.open_connections) + "\n";
    out += head("tandem_requests_total", "counter", "Requests whose header section was received.");
    out += "tandem_requests_total " + std::to_string(server.requests) + "\n";
    out += head("tandem_responses_total", "counter", "Exchanges that are over, by protocol and class of status.");
    for (const auto& [name, p] : protocols_) {
        for (unsigned i = 0; i < 6; ++i) {
            if (p.complete[i] == 0) continue;
            const auto status = i == 0 ? std::string("none") : std::to_string(i) + "xx";
            out += "tandem_responses_total{protocol=\"" + name + "\",status=\"" + status + "\"} " +
                   std::to_string(p.complete[i]) + "\n";
        }
    }
    const auto each = [&](auto value, const char* metric) {
        for (const auto& [name, p] : protocols_) out += std::string(metric) + "{protocol=\"" + name + "\"} " + value(p) + "\n";
    };
    out += head("tandem_incomplete_total", "counter", "Exchanges that ended early.");
    each([](const by_protocol& p) { return std::to_string(p.incomplete); }, "tandem_incomplete_total");
    out += head("tandem_response_bytes_total", "counter", "Bytes of complete response bodies whose length was known beforehand.");
    each([](const by_protocol& p) { return std::to_string(p.bytes); }, "tandem_response_bytes_total");
    out += head("tandem_exchange_seconds", "summary", "From a request's header section to the end of its response.");
    each([](const by_protocol& p) { return number(p.seconds); }, "tandem_exchange_seconds_sum");
    each([](const by_protocol& p) { return std::to_string(p.count); }, "tandem_exchange_seconds_count");
    return out;
}

}  // namespace tandem::apps
