#include <tandem/net/http_server_threads.hpp>

#include <atomic>
#include <future>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

namespace tandem::net {

class http_server_threads::impl {
public:
    template <class Handler>
    impl(std::size_t count, const http_server_options& options, const Handler& handler) : port_(options.port) {
        // Each address has endpoints of its own, which know nothing of the other address's.
        for (std::size_t i = 0; i < options.addresses.size(); ++i) groups_.emplace_back(count);
        for (std::size_t i = 0; i < count; ++i) {
            auto own = options;
            own.workers.clear();
            for (const auto& group : groups_) own.workers.push_back(group.worker(i));
            make_.emplace_back([own, handler](const boost::asio::any_io_executor& executor, std::uint16_t port) mutable {
                own.port = port;
                return std::make_unique<http_server>(executor, own, handler);
            });
        }
    }
    ~impl() {
        for (auto& w : workers_) w->io.stop();
        join();
    }

    listen_error start();
    void stop(duration deadline, std::function<void()> done);
    void join() {
        for (auto& w : workers_) {
            if (w->thread.joinable()) w->thread.join();
        }
    }
    counters statistics() const;
    const std::vector<ip_endpoint>& endpoints() const { return endpoints_; }
    const std::vector<std::string>& warnings() const { return warnings_; }
    std::size_t count() const { return make_.size(); }

private:
    struct worker {
        boost::asio::io_context io{1};
        std::unique_ptr<http_server> server;  // goes before io
        std::thread thread;
        mutable std::mutex ending;  // between asking the thread and its end
        bool ended = false;
    };

    std::vector<quic_workers> groups_;
    std::uint16_t port_;
    std::vector<std::function<std::unique_ptr<http_server>(const boost::asio::any_io_executor&, std::uint16_t)>> make_;
    std::vector<std::unique_ptr<worker>> workers_;
    std::vector<ip_endpoint> endpoints_;
    std::vector<std::string> warnings_;
    std::atomic<std::size_t> running_{0};
    std::mutex done_mutex_;
    std::function<void()> done_;
};

listen_error http_server_threads::impl::start() {
    auto port = port_;
    for (auto& make : make_) {
        auto w = std::make_unique<worker>();
        w->server = make(w->io.get_executor(), port);
        if (auto error = w->server->start()) return workers_.clear(), error;
        port = w->server->port();
        workers_.push_back(std::move(w));
    }
    endpoints_ = workers_.front()->server->endpoints();
    warnings_ = workers_.front()->server->warnings();
    running_ = workers_.size();
    for (auto& w : workers_) {
        w->thread = std::thread([this, &w = *w] {
            auto keep = boost::asio::make_work_guard(w.io);
            w.io.run();
            {
                std::lock_guard lock(w.ending);
                w.ended = true;
            }
            w.io.restart();
            w.io.poll();  // who asked for statistics just before gets them
            if (--running_ != 0) return;
            std::unique_lock lock(done_mutex_);
            auto done = std::exchange(done_, {});
            lock.unlock();
            if (done) done();
        });
    }
    return {};
}

void http_server_threads::impl::stop(duration deadline, std::function<void()> done) {
    if (done) {
        std::lock_guard lock(done_mutex_);
        done_ = std::move(done);
    }
    for (auto& w : workers_) {
        boost::asio::post(w->io, [&w = *w, deadline] { w.server->stop(deadline, [&w] { w.io.stop(); }); });
    }
}

http_server_threads::counters http_server_threads::impl::statistics() const {
    counters out;
    for (std::size_t i = 0; i < workers_.size(); ++i) {
        auto& w = *workers_[i];
        auto answer = std::make_shared<std::promise<http_server::counters>>();  // outlives both ends' use of it
        auto waiting = answer->get_future();
        {
            std::lock_guard lock(w.ending);
            if (w.ended) {
                answer->set_value(w.server->statistics());
            } else {
                boost::asio::post(w.io, [&w, answer] { answer->set_value(w.server->statistics()); });
            }
        }
        const auto each = waiting.get();
        out.each.push_back(each);
        out.sum.requests += each.requests;
        out.sum.tcp_connections += each.tcp_connections;
        out.sum.quic_connections += each.quic_connections;
        out.sum.open_connections += each.open_connections;
        for (const auto& group : groups_) {
            const auto steering = group.worker(i).statistics();
            out.steering.handed_over += steering.handed_over;
            out.steering.dropped += steering.dropped;
        }
    }
    return out;
}

http_server_threads::http_server_threads(std::size_t threads, const http_server_options& options, const request_handler& handler)
    : impl_(std::make_unique<impl>(threads, options, handler)) {}
http_server_threads::http_server_threads(std::size_t threads, const http_server_options& options, const http_handler& handler)
    : impl_(std::make_unique<impl>(threads, options, handler)) {}
http_server_threads::~http_server_threads() = default;

listen_error http_server_threads::start() { return impl_->start(); }
std::size_t http_server_threads::threads() const { return impl_->count(); }
std::uint16_t http_server_threads::port() const { return impl_->endpoints().empty() ? 0 : impl_->endpoints().front().port; }
std::vector<ip_endpoint> http_server_threads::endpoints() const { return impl_->endpoints(); }
std::vector<std::string> http_server_threads::warnings() const { return impl_->warnings(); }
http_server_threads::counters http_server_threads::statistics() const { return impl_->statistics(); }
void http_server_threads::stop(duration deadline, std::function<void()> done) { impl_->stop(deadline, std::move(done)); }
void http_server_threads::join() { impl_->join(); }

}  // namespace tandem::net
