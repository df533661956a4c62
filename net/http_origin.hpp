// One origin's queue and connections, for http_client.
#pragma once

#include <deque>
#include <list>
#include <map>
#include <memory>
#include <utility>

#include <boost/asio/steady_timer.hpp>

#include <tandem/http/resumption.hpp>
#include <tandem/net/http_client.hpp>

namespace tandem::net {

// A request from submit() until its on_end.
struct pending_transfer {
    std::uint64_t handle = 0;
    http_request request;
    std::shared_ptr<transfer_sink> sink;
    transfer_info info;
    std::unique_ptr<boost::asio::steady_timer> timer;
    bool answered = false;   // on_response was called: a second answer could not be told from it
    http::resumption rest;   // of a GET
    bool resuming = false;   // the next answer is to be that of `rest`
    std::uint64_t skip = 0;  // bytes of it that the sink has
    time_point moved;        // the last byte of the response came, or it was submitted

    bool plain_get() const { return request.method == "GET" && request.protocol.empty(); }
};

class http_origin : public std::enable_shared_from_this<http_origin> {
public:
    http_origin(boost::asio::any_io_executor executor, const http_client_options& options, http_target target);

    void submit(std::unique_ptr<pending_transfer> transfer);
    // Who takes what the server refuses to serve over HTTP/2 or HTTP/3; without it such transfers fail.
    void on_unserved(std::function<void(std::unique_ptr<pending_transfer>)> take) { unserved_ = std::move(take); }
    bool resume(std::uint64_t handle);  // false: not ours
    bool cancel(std::uint64_t handle, const http_error& why,
                http::h3_error code = http::h3_error::request_cancelled);  // false: not ours
    // http_origin_datagrams.cpp; nothing: not ours, or not under way.
    std::optional<http::datagram_result> send_datagram(std::uint64_t handle, std::span<const std::uint8_t> datagram);
    std::optional<std::size_t> max_datagram(std::uint64_t handle) const;
    void close_idle();
    void stop();

private:
    static constexpr unsigned max_attempts = 3;  // of one request, on connections that ended before they could answer

    struct link {
        std::shared_ptr<http_connection> connection;
        std::map<http::request_id, std::unique_ptr<pending_transfer>> active;
        std::uint64_t served = 0;  // requests submitted so far
        std::optional<time_point> idle_since;
        bool ready = false;
        std::string network;                  // through which it goes, as `known` calls it
        bool going_away = false;              // takes no more requests
        std::uint64_t acknowledged = 0;       // as seen last
        time_point acknowledged_at;           // when it last grew
        std::optional<time_point> probed_at;  // whether it is alive
    };
    using links = std::list<link>;

    void dispatch();
    void open_link();
    bool submit_to(link& l);
    void on_ready(links::iterator l);
    void on_activity(links::iterator l, time_point at);
    void on_over(links::iterator l, const http_error& why);
    void on_event(link& l, http::client_event& event, time_point at);
    void read_body(link& l, http::request_id id, time_point at);
    void request_failed(link& l, http::request_id id, const http::request_failure& failure, time_point at);
    void on_answer(link& l, http::request_id id, const http::response& message, time_point at);
    bool resumes(link& l, http::request_id id, const http::response& message, time_point at);
    void retry_or_end(std::unique_ptr<pending_transfer> transfer, const http_error& why);
    void end(std::unique_ptr<pending_transfer> transfer, const std::optional<http_error>& why);
    void schedule_dispatch();
    std::vector<http_protocol> permitted() const;
    std::size_t max_links() const;
    void on_race(const http::race& race);
    void learn(const link& l, const http::response& message);
    void remember(const link& l);
    void note_idle();
    void end_idle();
    void sweep();
    std::optional<http_error> overdue(const pending_transfer& transfer, time_point at) const;

    // http_origin_datagrams.cpp
    void read_datagrams(link& l, http::request_id id);
    // Null if it is not ours, or not under way.
    std::pair<const link*, http::request_id> under_way(std::uint64_t handle) const;

    // http_origin_silence.cpp
    void watch();
    void look_for_silence();
    bool fell_silent(link& l, time_point at);
    bool stalled(const link& l, time_point at, duration patience) const;
    void leave(link& l, time_point at);
    bool carry_over(pending_transfer& transfer) const;

    boost::asio::any_io_executor executor_;
    http_client_options options_;
    http_target target_;
    std::string name_;
    std::vector<http_protocol> protocols_;
    http_protocol shape_;  // what connections turned out to be: decides how many are of use
    std::function<void(std::unique_ptr<pending_transfer>)> unserved_;
    bool quic_silent_ = false;  // it stopped to carry anything
    boost::asio::steady_timer watch_;
    boost::asio::steady_timer sweep_timer_;
    boost::asio::steady_timer idle_timer_;
    bool idle_watched_ = false;
    bool sweeping_ = false;
    bool watching_ = false;
    std::deque<std::unique_ptr<pending_transfer>> queue_;
    links links_;
    std::size_t active_ = 0;
    bool dispatching_ = false;
    bool stopped_ = false;
};

}  // namespace tandem::net
