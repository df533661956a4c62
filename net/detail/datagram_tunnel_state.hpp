// What stands behind a datagram_tunnel: between its user's operations and what HTTP gives, a stream of capsules and, where QUIC
// carries them, datagrams beside it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/system/error_code.hpp>

#include <tandem/bytes/time.hpp>
#include <tandem/http/client_session.hpp>
#include <tandem/http/datagram_engine.hpp>
#include <tandem/http/message.hpp>
#include <tandem/http/url.hpp>
#include <tandem/net/detail/pending.hpp>

namespace tandem::net {

class http_client;
class http_exchange;

struct datagram_tunnel_options {
    http::datagram_limits limits;
    http::fields fields;  // of a client's request, or a server's answer, besides Capsule-Protocol
    // A client: from sending the request to the answer; zero: as long as it takes.
    duration handshake_timeout = std::chrono::seconds(30);
    // From close() to the peer's end; then the stream is reset.
    duration close_timeout = std::chrono::seconds(5);
    // Datagrams too large for a QUIC datagram go in capsules. False: they are dropped, so that who measures the path with them
    // (RFC 8899) is not misled (RFC 9297 3.5).
    bool large_in_capsules = true;
};

// How a datagram went.
enum class datagram_carrier : std::uint8_t {
    none,     // it was dropped: the tunnel is not open, it is too large, or too much waits
    quic,     // in a QUIC datagram: it may be lost, or overtake others
    capsule,  // on the stream: it arrives if the tunnel lives
};

struct datagram_tunnel_counts {
    std::uint64_t sent_in_quic = 0;
    std::uint64_t sent_in_capsules = 0;
    std::uint64_t not_sent = 0;   // dropped by send()
    std::uint64_t received = 0;   // given to the user
    std::uint64_t unread = 0;     // dropped since the user read too slowly
    std::uint64_t too_large = 0;  // passed over: above datagram_limits::size
    std::uint64_t unknown = 0;    // capsules of other types, passed over
};

namespace detail {

// What HTTP gives, at either end.
class datagram_channel {
public:
    virtual ~datagram_channel() = default;
    // The state wants bytes (datagram_tunnel_state::hungry) or has some (produce). Must not call it back at once.
    virtual void wake() = 0;
    virtual void reset(http::h3_error code) = 0;
    virtual std::size_t max_datagram() const = 0;
    virtual http::datagram_result send(std::span<const std::uint8_t> datagram) = 0;
};

class datagram_tunnel_state : public std::enable_shared_from_this<datagram_tunnel_state> {
public:
    using receive_operation = pending<boost::system::error_code, std::vector<std::uint8_t>>;
    using connect_operation = pending<boost::system::error_code, std::shared_ptr<datagram_tunnel_state>>;

    datagram_tunnel_state(boost::asio::any_io_executor executor, datagram_tunnel_options options);
    static std::shared_ptr<datagram_tunnel_state> server(std::shared_ptr<http_exchange> exchange,
                                                         datagram_tunnel_options options);
    static std::shared_ptr<datagram_tunnel_state> client(http_client& client, datagram_tunnel_options options);

    // The user's side.
    const boost::asio::any_io_executor& executor() const { return executor_; }
    const http::response& response() const { return response_; }
    const std::string& failure_text() const { return failure_text_; }
    datagram_tunnel_counts counts() const;
    void connect(http::url url, std::string protocol, connect_operation op);
    void cancel_connect();
    void receive(receive_operation op);
    void cancel_receive();
    datagram_carrier send(std::span<const std::uint8_t> datagram);
    std::size_t max_datagram() const;
    void close();
    void reset();

    // The channel's side.
    const datagram_tunnel_options& options() const { return options_; }
    void opened();
    void refuse_answer(boost::system::error_code error, std::string why);  // the server's; there will be no tunnel
    void set_response(const http::response& r) { response_ = r; }
    bool hungry() const;
    void on_bytes(std::span<const std::uint8_t> bytes);  // all of them are taken; hungry() says whether to give more
    void on_datagram(std::vector<std::uint8_t> datagram);
    void on_end();                                                   // the peer ended its side in order
    void on_gone(boost::system::error_code error, std::string why);  // the stream is no more
    // The executor is being destroyed: no operation completes any more. Lets go of their handlers, which may hold what owns this.
    void dropped();
    struct produced {
        std::size_t n = 0;
        bool end = false;  // nothing comes after these
    };
    produced produce(std::span<std::uint8_t> out);
    bool has_output() const { return engine_.wants_to_transmit(); }
    bool closing() const { return closing_; }

private:
    void refused(boost::system::error_code error, std::string why);
    void advance();
    void deliver();
    void look_at_end();
    void fail(boost::system::error_code error, std::string why, http::h3_error code);
    void wake();

    boost::asio::any_io_executor executor_;
    datagram_tunnel_options options_;
    http::datagram_engine engine_;
    std::unique_ptr<datagram_channel> channel_;
    http::response response_{0, {}};
    std::string failure_text_;
    datagram_tunnel_counts counts_;

    connect_operation connecting_;
    receive_operation receiving_;
    std::vector<std::uint8_t> held_;                       // bytes that the engine does not take yet
    std::optional<boost::system::error_code> end_;         // what receives end with, once what came before it was read
    std::optional<boost::system::error_code> stream_end_;  // the same, once what is held was taken by the engine
    bool open_ = false;
    bool gone_ = false;     // the channel is not to be used any more
    bool closing_ = false;  // this side ends: nothing is received any more
    boost::asio::steady_timer close_timer_;
};

}  // namespace detail
}  // namespace tandem::net
