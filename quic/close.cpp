#include <utility>

#include <tandem/quic/close.hpp>

namespace tandem::quic {

void close_process::begin_closing(connection_error error, time_point until) {
    error_ = std::move(error);
    if (error_.reason.size() > max_reason_size) error_.reason.resize(max_reason_size);
    until_ = until;
    due_ = true;
}

void close_process::begin_draining(time_point until) {
    if (!until_) until_ = until;
    draining_ = true;
    due_ = false;
}

void close_process::on_datagram() {
    if (!closing()) return;
    if (++received_ < answer_at_) return;
    answer_at_ *= 2;
    received_ = 0;
    due_ = true;
}

connection_close_frame close_process::frame(encryption_level level) const {
    if (error_.application && (level == encryption_level::initial || level == encryption_level::handshake)) {
        return {static_cast<std::uint64_t>(transport_error::application_error), 0, {}, false};
    }
    return {error_.code,
            error_.frame_type,
            {reinterpret_cast<const std::uint8_t*>(error_.reason.data()), error_.reason.size()},
            error_.application};
}

}  // namespace tandem::quic
