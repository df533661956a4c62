// The receiving part of one stream (RFC 9000 3.2).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include <tandem/bytes/receive_buffer.hpp>
#include <tandem/quic/error.hpp>
#include <tandem/quic/flow_control.hpp>
#include <tandem/recovery/statistics.hpp>

namespace tandem::quic {

// RFC 9000 3.2 Figure 3.
enum class receive_state : std::uint8_t { receive, size_known, data_received, data_read, reset_received, reset_read };

class receive_stream {
public:
    receive_stream(std::uint64_t window, std::uint64_t max_window) : credit_(window, max_window) {}

    receive_state state() const { return state_; }
    bool is_over() const { return state_ == receive_state::data_read || state_ == receive_state::reset_read; }

    // May a frame that reaches to `end` (and, if final, says that the stream ends there) come? FLOW_CONTROL_ERROR or
    // FINAL_SIZE_ERROR if not. Changes nothing.
    std::optional<transport_error> check(std::uint64_t end, bool final) const;
    // Credit that a frame reaching to `end` uses, of the stream and of the connection.
    std::uint64_t increase(std::uint64_t end) const { return end > highest_ ? end - highest_ : 0; }

    // A STREAM frame that was checked. False if there are too many holes to remember.
    bool insert(std::uint64_t offset, std::span<const std::uint8_t> data, bool fin, time_point now);
    // A RESET_STREAM that was checked. Has no effect once all data came (RFC 9000 3.2 leaves that to us).
    void reset(std::uint64_t code, std::uint64_t final_size);
    // A RESET_STREAM_AT that was checked: bytes below `reliable` are still waited for and read; then comes the reset. A later one
    // with more is ignored (draft-ietf-quic-reliable-stream-reset 5.2). STREAM_STATE_ERROR if the code is another than before.
    std::optional<transport_error> reset_at(std::uint64_t code, std::uint64_t final_size, std::uint64_t reliable);
    // The application wants no more: what was received is dropped, and what comes later will be.
    void stop(std::uint64_t code);

    bool stopped() const { return stopped_; }
    std::uint64_t reset_code() const { return reset_code_; }
    bool contradicts_reset(std::uint64_t code) const { return reliable_ && code != reset_code_; }
    // Everything that a reset leaves to be read was read.
    bool reset_readable() const { return state_ == receive_state::reset_received && buffer_.readable() == 0; }
    std::uint64_t stop_code() const { return stop_code_; }
    bool stop_due() const { return stop_due_; }
    void stop_sent() { stop_due_ = false; }
    // STOP_SENDING is of no use once everything or a reset came (RFC 9000 3.5).
    void stop_lost() { stop_due_ = stopped_ && !is_over(); }

    // There are bytes, an end or a reset that the application has not been told of.
    bool readable() const {
        return buffer_.readable() > 0 || state_ == receive_state::data_received || state_ == receive_state::reset_received;
    }
    std::span<const std::uint8_t> front() const { return buffer_.front(); }
    std::size_t available() const { return buffer_.readable(); }
    void consume(std::size_t n, byte_time_runs* times) { buffer_.consume(n, times); }
    std::size_t read(std::span<std::uint8_t> out, byte_time_runs* times) { return buffer_.read(out, times); }
    // After reading: the end or the reset was told to the application.
    void told();

    bool credit_due() const { return state_ == receive_state::receive && !stopped_ && credit_.announcement_due(); }
    receive_credit& credit() { return credit_; }
    const receive_credit& credit() const { return credit_; }
    // Bytes of connection credit that this stream used and nobody has given back yet.
    std::uint64_t unconsumed() const { return highest_ - credit_.consumed(); }
    // Of these, what will never be read.
    std::uint64_t abandoned() const { return unconsumed() - buffer_.readable(); }

    void describe(recovery::stream_statistics& out) const {
        out.received = buffer_.readable_end();
        out.read = buffer_.read_offset();
        out.receive_limit = credit_.limit();
    }

private:
    void reset_if_all_there();

    receive_buffer buffer_;
    receive_credit credit_;
    std::uint64_t highest_ = 0;  // end of the highest byte the peer claims to have sent
    std::optional<std::uint64_t> final_size_;
    std::optional<std::uint64_t> reliable_;  // of RESET_STREAM_AT: the least that was named
    receive_state state_ = receive_state::receive;
    bool stopped_ = false;
    bool stop_due_ = false;
    std::uint64_t stop_code_ = 0;
    std::uint64_t reset_code_ = 0;
};

}  // namespace tandem::quic
