// The operations of tls_stream. The session is a pure engine; these move its ciphertext.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/coroutine.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include <tandem/net/tls_error.hpp>
#include <tandem/tls/record_session.hpp>

namespace tandem::net::detail {

// What all operations of one stream share. Reads may have to write (alerts, key updates), so writing is taken in turns.
struct tls_state {
    static constexpr std::size_t input_size = 32 * 1024;
    static constexpr std::size_t output_size = 32 * 1024;

    static std::unique_ptr<tls_state> client(const boost::asio::any_io_executor&, std::shared_ptr<const tls::client_context>,
                                             const tls::client_session_options&);
    static std::unique_ptr<tls_state> server(const boost::asio::any_io_executor&, std::shared_ptr<const tls::server_context>,
                                             const tls::server_session_options&);

    explicit tls_state(const boost::asio::any_io_executor& executor);

    // Ciphertext to write, if there is any: what is left of the last piece, or a new one.
    std::span<const std::uint8_t> output();
    void written(std::size_t n) { output_begin += n; }
    bool has_output() { return !output().empty(); }
    // Offers ciphertext from the next layer to the session; what it has no room for is kept.
    void received(std::size_t n);
    void offer();
    bool may_receive() const { return input_begin == input_end; }
    // How things stand after an attempt to read or write; success: nothing is wrong.
    boost::system::error_code error() const;
    std::string failure() const;
    // Lets one operation that waits for its turn to write go on.
    void end_turn();

    std::unique_ptr<tls::record_session> session;  // null if it could not be made
    tls::error creation_error;
    std::vector<std::uint8_t> input, outgoing;
    std::size_t input_begin = 0, input_end = 0;
    std::size_t output_begin = 0, output_end = 0;
    bool writing = false;                  // an operation is writing to the next layer
    boost::asio::steady_timer write_turn;  // its end wakes those who wait for `writing`
};

// Writes all ciphertext there is. As a part of other operations: returns true while it has started something and will be resumed.
template <class NextLayer>
struct tls_flush {
    NextLayer& next;
    tls_state& state;
    bool own_turn = false;

    template <class Self>
    bool step(Self& self) {
        if (!own_turn) {
            if (!state.has_output()) return false;
            if (state.writing) {  // that one writes ours too; look again when it is done
                state.write_turn.async_wait(std::move(self));
                return true;
            }
            state.writing = own_turn = true;
        }
        auto out = state.output();
        if (out.empty()) {
            end();
            return false;
        }
        next.async_write_some(boost::asio::buffer(out.data(), out.size()), std::move(self));
        return true;
    }
    // A write of ours ended.
    void written(const boost::system::error_code& error, std::size_t n) {
        state.written(n);
        if (error) end();
    }
    void end() {
        if (!std::exchange(own_turn, false)) return;
        state.writing = false;
        state.end_turn();
    }
};

template <class NextLayer>
struct tls_handshake_operation {
    NextLayer& next;
    tls_state& state;
    tls_flush<NextLayer> flush{next, state};
    enum class step : std::uint8_t { start, flushing, reading, posted } at = step::start;

    template <class Self>
    void operator()(Self& self, boost::system::error_code error = {}, std::size_t n = 0) {
        if (at == step::posted) return self.complete(tls_error::option);
        if (at == step::start && !state.session) {
            at = step::posted;
            auto executor = next.get_executor();
            return boost::asio::post(executor, std::move(self));
        }
        if (at == step::flushing) {
            if (flush.own_turn) {
                flush.written(error, n);
            } else {
                error = {};  // the end of another's turn
            }
        } else if (at == step::reading && !error) {
            state.received(n);
        } else if (error == boost::asio::error::eof) {
            state.session->end_of_input();
            error = {};
        }
        if (error) return self.complete(error);
        at = step::flushing;
        if (flush.step(self)) return;
        if (auto failed = state.error()) return self.complete(failed);
        if (state.session->handshake_complete()) return self.complete({});
        at = step::reading;
        next.async_read_some(boost::asio::buffer(state.input), std::move(self));
    }
};

template <class NextLayer, class Buffers>
struct tls_read_operation {
    NextLayer& next;
    tls_state& state;
    Buffers buffers;
    tls_flush<NextLayer> flush{next, state};
    enum class step : std::uint8_t { start, flushing, reading, posted } at = step::start;
    std::size_t moved = 0;
    boost::system::error_code result{};

    template <class Self>
    void operator()(Self& self, boost::system::error_code error = {}, std::size_t n = 0) {
        switch (at) {
            case step::start:
                self.reset_cancellation_state(boost::asio::enable_total_cancellation());
                if (!state.session) return post(self, tls_error::option);
                if (take(self)) return post(self, result);
                break;
            case step::posted:
                return self.complete(result, moved);
            case step::flushing:
                if (flush.own_turn) {
                    flush.written(error, n);
                    if (error) return self.complete(error, 0);
                } else if (self.cancelled() != boost::asio::cancellation_type::none) {
                    return self.complete(boost::asio::error::operation_aborted, 0);
                }
                break;
            case step::reading:
                if (!error) {
                    state.received(n);
                } else if (error == boost::asio::error::eof) {
                    state.session->end_of_input();
                } else {
                    return self.complete(error, 0);
                }
                break;
        }
        // What was received may ask for an answer (a key update, an alert): it goes before anything else.
        at = step::flushing;
        if (flush.step(self)) return;
        if (take(self)) return self.complete(result, moved);
        at = step::reading;
        next.async_read_some(boost::asio::buffer(state.input), std::move(self));
    }

    // Moves plaintext; true if the operation is over.
    template <class Self>
    bool take(Self&) {
        bool any_room = false;
        for (auto it = boost::asio::buffer_sequence_begin(buffers); it != boost::asio::buffer_sequence_end(buffers); ++it) {
            boost::asio::mutable_buffer b(*it);
            if (b.size() == 0) continue;
            any_room = true;
            state.offer();
            auto n = state.session->read({static_cast<std::uint8_t*>(b.data()), b.size()});
            moved += n;
            if (n < b.size()) break;
        }
        state.offer();
        if (moved > 0 || !any_room) return true;
        if (state.session->peer_closed())
            result = boost::asio::error::eof;
        else
            result = state.error();
        return static_cast<bool>(result);
    }
    template <class Self>
    void post(Self& self, boost::system::error_code error) {
        result = error;
        at = step::posted;
        auto executor = next.get_executor();
        boost::asio::post(executor, std::move(self));
    }
};

template <class NextLayer, class Buffers>
struct tls_write_operation {
    NextLayer& next;
    tls_state& state;
    Buffers buffers;
    tls_flush<NextLayer> flush{next, state};
    enum class step : std::uint8_t { start, making_room, flushing, posted } at = step::start;
    std::size_t accepted = 0;
    boost::system::error_code result{};

    template <class Self>
    void operator()(Self& self, boost::system::error_code error = {}, std::size_t n = 0) {
        switch (at) {
            case step::start:
                self.reset_cancellation_state(boost::asio::enable_total_cancellation());
                if (!state.session) return post(self, tls_error::option);
                if (auto failed = state.error()) return post(self, failed);
                if (!state.session->handshake_complete()) return post(self, boost::asio::error::not_connected);
                if (boost::asio::buffer_size(buffers) == 0) return post(self, {});
                at = step::making_room;
                break;
            case step::posted:
                return self.complete(result, accepted);
            case step::making_room:
            case step::flushing:
                if (flush.own_turn) {
                    flush.written(error, n);
                    // Sealed bytes cannot be unsealed: they count as written, and go out with the next operation.
                    if (error == boost::asio::error::operation_aborted && accepted > 0) return self.complete({}, accepted);
                    if (error) return self.complete(error, accepted);
                } else if (at == step::making_room && self.cancelled() != boost::asio::cancellation_type::none) {
                    return self.complete(boost::asio::error::operation_aborted, 0);
                }
                break;
        }
        if (at == step::making_room) {
            seal();
            if (accepted == 0) {
                if (flush.step(self)) return;
                seal();
            }
            at = step::flushing;
        }
        if (flush.step(self)) return;
        self.complete(accepted > 0 ? boost::system::error_code() : state.error(), accepted);
    }

    void seal() {
        for (auto it = boost::asio::buffer_sequence_begin(buffers); it != boost::asio::buffer_sequence_end(buffers); ++it) {
            boost::asio::const_buffer b(*it);
            auto n = state.session->write({static_cast<const std::uint8_t*>(b.data()), b.size()});
            accepted += n;
            if (n < b.size()) break;
        }
    }
    template <class Self>
    void post(Self& self, boost::system::error_code error) {
        result = error;
        at = step::posted;
        auto executor = next.get_executor();
        boost::asio::post(executor, std::move(self));
    }
};

template <class NextLayer>
struct tls_shutdown_operation {
    NextLayer& next;
    tls_state& state;
    tls_flush<NextLayer> flush{next, state};
    enum class step : std::uint8_t { start, flushing, posted } at = step::start;

    template <class Self>
    void operator()(Self& self, boost::system::error_code error = {}, std::size_t n = 0) {
        if (at == step::posted) return self.complete({});
        if (at == step::start) {
            if (state.session) state.session->close();
            at = step::flushing;
            if (flush.step(self)) return;
            at = step::posted;
            auto executor = next.get_executor();
            boost::asio::post(executor, std::move(self));
            return;
        }
        if (flush.own_turn) {
            flush.written(error, n);
            if (error) return self.complete(error);
        }
        if (!flush.step(self)) self.complete({});
    }
};

}  // namespace tandem::net::detail
