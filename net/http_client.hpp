// An HTTP client: requests by URL, connections kept and shared per origin, protocols tried in order.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <boost/asio/any_io_executor.hpp>

#include <tandem/http/alt_svc.hpp>
#include <tandem/http/body.hpp>
#include <tandem/http/message.hpp>
#include <tandem/http/url.hpp>
#include <tandem/net/http_connection.hpp>

namespace tandem::net {

struct http_client_options {
    http_connection_options connection;
    // Which may be used, in order of preference: HTTP/3 over QUIC at most once and at most one over TCP. With both they race
    // (http/race.hpp), and requests that a QUIC connection leaves without a sign of life go over TCP, the rest of a response to
    // GET too where the server gave a strong validator or the sink can begin anew. For http: URLs it is always HTTP/1.1.
    std::vector<http_protocol> protocols{http_protocol::http1};
    // What is known of origins from earlier, and learnt: where QUIC did not work TCP goes first for a while. May be null; may be
    // shared by clients of one thread.
    std::shared_ptr<http::alt_svc_cache> known;
    std::size_t http1_connections = 6;                 // per origin; HTTP/2 and HTTP/3 use one
    duration idle_timeout = std::chrono::seconds(90);  // a connection without a request is ended then; zero: never
    std::size_t concurrent_requests = 100;             // per origin, over all its connections; WebSockets count
};

// What is known about one request; times are set as they come to pass.
struct transfer_info {
    http_protocol protocol = http_protocol::http1;
    ip_endpoint remote;
    bool reused_connection = false;
    time_point queued;
    connection_times connection;  // of the connection that carries it
    std::optional<time_point> submitted;
    std::optional<time_point> first_byte;  // the response's header section
    std::optional<time_point> finished;
    std::uint64_t body_bytes = 0;  // received
    unsigned attempts = 0;
    http::url url;           // asked last
    unsigned redirects = 0;  // followed before it
};

// Where a response goes. Called on the client's executor. Nothing is called after on_end.
class transfer_sink {
public:
    virtual ~transfer_sink() = default;
    // An interim response (1xx), say 103 Early Hints; more may follow, and then on_response().
    virtual void on_interim(const http::response&, const transfer_info&) {}
    virtual void on_response(const http::response&, const transfer_info&) = 0;
    // The connection died in the middle of the response, and it cannot be gone on with: may it begin anew? True: all that was
    // given is void, and on_response() is called again. False: the transfer fails.
    virtual bool on_restart() { return false; }
    // The connection died in the middle of the response, which goes on from this byte of its body over another one.
    virtual void on_resumed(std::uint64_t at, const transfer_info&) { static_cast<void>(at); }
    // False: no more is wanted; the request ends with failure_class::cancelled.
    virtual bool on_body(std::span<const std::uint8_t>) = 0;
    // A redirection is being followed; the answer that comes is that of `to`.
    virtual void on_redirect(const http::response&, const http::url& to) { static_cast<void>(to); }
    // The response's trailer section, after its body.
    virtual void on_trailers(const http::fields&) {}
    // False: on_body() is not called until http_client::resume(); the server is held back.
    virtual bool wants_body() { return true; }
    // An HTTP datagram of a tunnel came in a QUIC datagram (http_request::datagrams).
    virtual void on_datagram(std::vector<std::uint8_t>) {}
    // A tunnel's other side has ended its bytes (http_request::protocol); on_end() comes when this side has, too.
    virtual void on_body_end() {}
    virtual void on_end(const std::optional<http_error>&, const transfer_info&) = 0;
};

struct http_request {
    http::url url;
    std::string method = "GET";
    http::fields fields;  // without Host
    std::string body;     // sent if not empty, or if `has_body`
    bool has_body = false;
    // Asks the server to turn the stream, or connection, into another protocol, for which its options::limits.tunnel_protocols
    // must be ready: the method is CONNECT then, whatever is said here, and HTTP/1.1 is asked by Upgrade; where a server offers
    // no extended CONNECT HTTP/1.1 is used, if http_protocol::http2 is permitted. With status 101 the server has done so in every
    // version; what `source` gives and the sink gets are the protocol's bytes from then on. Redirections and content codings are
    // left alone.
    std::string protocol;
    bool datagrams = false;  // HTTP datagrams belong to it (http::request::datagrams)
    // Called before each attempt, when the version that carries it is known; may change fields.
    std::function<void(http::request&, http_protocol)> prepare;
    // Instead of `body`: makes the source of the body, anew for each attempt. Null from a later call: it cannot be sent again.
    std::function<std::unique_ptr<http::body_source>()> source;
    // Zero: none. When one has passed the request fails with failure_class::timed_out.
    duration timeout{};             // for all of it, the queue and redirections included
    duration first_byte_timeout{};  // from sending the request to the response's header section
    duration stall_timeout{};       // with a response under way, but no byte of it coming
    unsigned max_redirects = 0;     // followed; 0: a redirection is a response like others
    // Offer the content codings there are decoders for, and give the sink decoded bytes. A Content-Encoding that has no decoder
    // is passed through.
    bool decode = false;
};

// Everything happens on the executor, which must be a strand or be run by one thread.
class http_client {
public:
    using request_handle = std::uint64_t;

    http_client(boost::asio::any_io_executor executor, http_client_options options);
    ~http_client();  // requests under way end without a call of on_end
    http_client(const http_client&) = delete;
    http_client& operator=(const http_client&) = delete;

    const boost::asio::any_io_executor& get_executor() const;
    request_handle submit(http_request request, std::shared_ptr<transfer_sink> sink);
    // `code`: what the server is told, where its version of HTTP can say it (http::client_session::cancel).
    void cancel(request_handle handle, http::h3_error code = http::h3_error::request_cancelled);
    // The sink wants its body again (transfer_sink::wants_body), or the source of the request's body has more.
    void resume(request_handle handle);
    // An HTTP datagram of a tunnel in a QUIC datagram (http::client_session::send_datagram), and the largest that goes so now.
    http::datagram_result send_datagram(request_handle handle, std::span<const std::uint8_t> datagram);
    std::size_t max_datagram(request_handle handle) const;
    // Ends connections that have nothing to do; the io_context can then run out of work.
    void close_idle();

private:
    class impl;
    std::shared_ptr<impl> impl_;
};

}  // namespace tandem::net
