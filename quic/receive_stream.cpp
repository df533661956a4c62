#include <tandem/quic/receive_stream.hpp>

#include <algorithm>

namespace tandem::quic {

std::optional<transport_error> receive_stream::check(std::uint64_t end, bool final) const {
    // RFC 9000 4.5: a size once known does not change, and no byte lies beyond it.
    if (final_size_ && (end > *final_size_ || (final && end != *final_size_))) return transport_error::final_size_error;
    if (final && end < highest_) return transport_error::final_size_error;
    if (end > credit_.limit()) return transport_error::flow_control_error;  // RFC 9000 4.1
    return std::nullopt;
}

bool receive_stream::insert(std::uint64_t offset, std::span<const std::uint8_t> data, bool fin, time_point now) {
    const auto end = offset + data.size();
    highest_ = std::max(highest_, end);
    if (fin) final_size_ = end;
    if (state_ != receive_state::receive && state_ != receive_state::size_known) return true;
    if (final_size_) state_ = receive_state::size_known;
    if (stopped_) {
        // The size is all that is still of interest: with it the connection's credit is settled.
        if (final_size_) state_ = receive_state::data_read;
        return true;
    }
    if (!buffer_.insert(offset, data, now)) return false;
    if (reliable_)
        reset_if_all_there();
    else if (final_size_ && buffer_.readable_end() == *final_size_)
        state_ = receive_state::data_received;
    return true;
}

void receive_stream::reset_if_all_there() {
    if (buffer_.readable_end() >= *reliable_) state_ = receive_state::reset_received;
}

std::optional<transport_error> receive_stream::reset_at(std::uint64_t code, std::uint64_t final_size, std::uint64_t reliable) {
    if (contradicts_reset(code)) return transport_error::stream_state_error;
    highest_ = std::max(highest_, final_size);
    final_size_ = final_size;
    if (state_ != receive_state::receive && state_ != receive_state::size_known) return std::nullopt;
    reset_code_ = code;
    reliable_ = std::min(reliable, reliable_.value_or(reliable));
    state_ = receive_state::size_known;
    stop_due_ = false;
    if (stopped_)
        state_ = receive_state::reset_read;
    else
        reset_if_all_there();
    return std::nullopt;
}

void receive_stream::reset(std::uint64_t code, std::uint64_t final_size) {
    highest_ = std::max(highest_, final_size);
    final_size_ = final_size;
    if (state_ != receive_state::receive && state_ != receive_state::size_known) return;
    reset_code_ = code;
    state_ = stopped_ ? receive_state::reset_read : receive_state::reset_received;
    stop_due_ = false;
    buffer_.clear();
}

void receive_stream::stop(std::uint64_t code) {
    if (stopped_ || is_over()) return;
    stopped_ = true;
    stop_code_ = code;
    switch (state_) {
        case receive_state::receive:
            stop_due_ = true;
            break;
        case receive_state::reset_received:
            state_ = receive_state::reset_read;
            break;
        default:
            state_ = receive_state::data_read;
            break;  // all was sent already: nothing to ask for (RFC 9000 3.5)
    }
    buffer_.clear();
}

void receive_stream::told() {
    if (state_ == receive_state::data_received && buffer_.readable() == 0) state_ = receive_state::data_read;
    if (reset_readable()) state_ = receive_state::reset_read;
}

}  // namespace tandem::quic
