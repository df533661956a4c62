// What byte_stream_client and byte_stream_server have in common: TLS below, some HTTP session above. A private part of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <tandem/bytes/byte_times.hpp>
#include <tandem/bytes/time.hpp>
#include <tandem/http/client_session.hpp>
#include <tandem/http/error.hpp>
#include <tandem/http/limits.hpp>
#include <tandem/http/qmux.hpp>
#include <tandem/tls/record_session.hpp>

namespace tandem::http {

// Plaintext bytes [begin, end) of what a session gave carry bytes of this request's response.
struct carried_plaintext {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    request_id request = 0;
};

// An HTTP session and what lies between it and the plaintext.
class plaintext_peer {
public:
    virtual ~plaintext_peer() = default;
    // Returns how many bytes it took.
    virtual std::size_t receive(std::span<const std::uint8_t> plaintext, std::span<const tls::record_times> times,
                                time_point now) = 0;
    virtual void receive_end(bool clean, time_point now) = 0;
    virtual std::size_t transmit(std::span<std::uint8_t> out, time_point now) = 0;
    virtual bool wants_to_receive() const = 0;
    virtual bool finished_sending() const = 0;
    virtual std::optional<time_point> next_timeout() const { return std::nullopt; }
    virtual void on_timeout(time_point) {}
    virtual void connection_lost(const session_error&, time_point now) = 0;
    virtual const std::optional<session_error>& error() const = 0;
    virtual void drain_carried(std::vector<carried_plaintext>&) {}
    // Called when the application has read everything and wants more.
    virtual void on_room(std::function<void(time_point)>) {}
};

// HTTP/1.1 directly on the plaintext.
template <class Session>
class http1_peer : public plaintext_peer {
public:
    explicit http1_peer(std::unique_ptr<Session> session) : session_(std::move(session)) {}

    std::size_t receive(std::span<const std::uint8_t> plaintext, std::span<const tls::record_times> times,
                        time_point now) override {
        return session_->receive(plaintext, times, now);
    }
    void receive_end(bool clean, time_point now) override { session_->receive_end(clean, now); }
    std::size_t transmit(std::span<std::uint8_t> out, time_point now) override { return session_->transmit(out, now); }
    bool wants_to_receive() const override { return session_->wants_to_receive(); }
    bool finished_sending() const override { return session_->finished_sending(); }
    void connection_lost(const session_error& why, time_point now) override { session_->connection_lost(why, now); }
    const std::optional<session_error>& error() const override { return session_->error(); }
    void on_room(std::function<void(time_point)> refill) override { session_->on_room(std::move(refill)); }

protected:
    std::unique_ptr<Session> session_;
};

// HTTP/2 directly on the plaintext. It takes everything: its flow control stops the peer.
template <class Session>
class http2_peer final : public plaintext_peer {
public:
    explicit http2_peer(std::unique_ptr<Session> session) : session_(std::move(session)) {}

    std::size_t receive(std::span<const std::uint8_t> plaintext, std::span<const tls::record_times> times,
                        time_point now) override {
        session_->receive(plaintext, times, now);
        return plaintext.size();
    }
    void receive_end(bool clean, time_point now) override { session_->receive_end(clean, now); }
    std::size_t transmit(std::span<std::uint8_t> out, time_point now) override { return session_->transmit(out, now); }
    bool wants_to_receive() const override { return !session_->error(); }
    bool finished_sending() const override { return session_->finished_sending(); }
    void connection_lost(const session_error& why, time_point now) override { session_->connection_lost(why, now); }
    const std::optional<session_error>& error() const override { return session_->error(); }

private:
    std::unique_ptr<Session> session_;
};

// HTTP/3 on QMux on the plaintext.
template <class Session>
class qmux_peer final : public plaintext_peer {
public:
    qmux_peer(quic::perspective side, const qmux::config& config, const limits& limit, time_point now)
        : qmux_(side, config, now), session_(qmux_, limit) {
        session_.pump(now);
    }

    Session& session() { return session_; }
    std::size_t receive(std::span<const std::uint8_t> plaintext, std::span<const tls::record_times> times,
                        time_point now) override {
        qmux_.receive(plaintext, times, now);
        pump(now);
        return plaintext.size();
    }
    void receive_end(bool, time_point now) override {
        qmux_.receive_end(now);
        pump(now);
    }
    std::size_t transmit(std::span<std::uint8_t> out, time_point now) override {
        pump(now);
        return out.size() < qmux::session::min_transmit ? 0 : qmux_.transmit(out, now);
    }
    bool wants_to_receive() const override { return !qmux_.error(); }  // QMux's own flow control stops the peer
    bool finished_sending() const override { return qmux_.finished_sending(); }
    std::optional<time_point> next_timeout() const override { return qmux_.next_timeout(); }
    void on_timeout(time_point now) override {
        qmux_.on_timeout(now);
        pump(now);
    }
    void connection_lost(const session_error& why, time_point now) override { session_.connection_lost(why, now); }
    const std::optional<session_error>& error() const override { return session_.error(); }
    void drain_carried(std::vector<carried_plaintext>& out) override {
        for (const auto& c : qmux_.drain_carried()) {
            // Request streams only: the peer's and our control streams carry no response.
            if (c.id.kind() == quic::direction::bidirectional) out.push_back({c.begin, c.end, c.id.index()});
        }
    }

private:
    void pump(time_point now) {
        session_.pump(now);
        if (!qmux_.error() || session_.error()) return;
        const auto& e = *qmux_.error();
        auto text = e.application ? h3_error_name(e.code) + (e.reason.empty() ? "" : ": " + e.reason) : quic::to_string(e);
        session_.connection_lost({e.application ? e.code : 0, qmux_.closed_by_peer(), std::move(text)}, now);
    }

    qmux::session qmux_;
    Session session_;
};

class byte_stream_core {
public:
    // Makes the session when the handshake is complete, by the protocol that was chosen.
    using make_peer = std::function<std::unique_ptr<plaintext_peer>(std::string_view alpn, time_point now)>;

    byte_stream_core(std::unique_ptr<tls::record_session> session, const tls::error& why, std::size_t max_record_size,
                     make_peer make, time_point now);
    byte_stream_core(const byte_stream_core&) = delete;
    byte_stream_core& operator=(const byte_stream_core&) = delete;

    void receive(std::span<const std::uint8_t> ciphertext, std::span<const byte_times> times, time_point now);
    void receive_end(time_point now);
    std::size_t transmit(std::span<std::uint8_t> out, time_point now);
    bool finished_sending() const;
    bool wants_to_receive() const;
    std::optional<time_point> next_timeout() const;
    void on_timeout(time_point now);
    bool handshake_complete() const { return tls_ && tls_->handshake_complete(); }
    bool resumed() const { return tls_ && tls_->resumed(); }
    std::optional<tls::session_ticket> poll_ticket() { return tls_ ? tls_->poll_ticket() : std::nullopt; }
    std::string_view alpn() const { return tls_ ? tls_->alpn() : std::string_view{}; }
    const std::optional<session_error>& error() const { return error_; }

    std::vector<carried_plaintext> drain_carried_plaintext();
    std::optional<tls::sealed_record> poll_sealed_record() { return tls_->poll_sealed_record(); }

private:
    bool process(time_point now);
    bool feed_tls();
    bool feed_peer(time_point now);
    void check_end(time_point now);
    void fail(session_error why, time_point now);
    bool make_plaintext(time_point now);

    std::unique_ptr<tls::record_session> tls_;
    make_peer make_;
    std::unique_ptr<plaintext_peer> peer_;
    time_point handshake_deadline_;
    std::vector<std::uint8_t> held_;  // ciphertext that TLS had no room for
    byte_time_runs held_times_;
    std::unique_ptr<std::uint8_t[]> plain_buffer_;
    std::span<const std::uint8_t> plain_;  // in it: plaintext that the session did not take yet
    std::vector<tls::record_times> plain_times_;
    std::vector<std::uint8_t> record_;
    bool timed_ = false;
    bool input_ended_ = false;  // the stream has no more,
    bool end_given_ = false;    // TLS knows it,
    bool end_told_ = false;     // the session knows it
    bool closing_ = false;
    bool processing_ = false;
    std::optional<session_error> error_;
};

}  // namespace tandem::http
