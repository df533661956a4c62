// Logs of TCP connections as qlog: one file each, with every segment, and what recovery makes of them. The main schema is
// draft-ietf-quic-qlog-main-schema-13; the events are our own, in the namespace "tcp", and described in docs/qlog-tcp.md. They
// say of TCP what the events of the namespace "quic" say of QUIC, in the same words.
#pragma once

#include <cstdint>
#include <memory>

#include <tandem/bytes/qlog.hpp>
#include <tandem/tcp/trace.hpp>

namespace tandem::tcp {

// To be put into tcp::config::tracer. A log is named "tcp_<client>_<server>_client" or "..._server", of addresses and ports.
std::shared_ptr<connection_tracer> make_qlog_tracer(std::shared_ptr<qlog::store> store,
                                                    std::uint64_t max_size = qlog::default_max_size);

}  // namespace tandem::tcp
