// Logs of QUIC connections as qlog (draft-ietf-quic-qlog-quic-events-12): one file each, with every packet and its frames, and
// what recovery makes of them. No payload of the application, no keys and no tokens are written, only their lengths.
#pragma once

#include <cstdint>
#include <memory>

#include <tandem/bytes/qlog.hpp>
#include <tandem/quic/trace.hpp>

namespace tandem::quic {

// To be put into quic::config::tracer. A log is named "<original destination connection ID>_client" or "..._server".
std::shared_ptr<connection_tracer> make_qlog_tracer(std::shared_ptr<qlog::store> store,
                                                    std::uint64_t max_size = qlog::default_max_size);

}  // namespace tandem::quic
