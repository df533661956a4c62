#include <tandem/net/http_server_threads.hpp>

#include <atomic>
#include <future>
#include <mutex>
#include <thread>
#include <utility>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

namespace tandem::net {

class http_server_threads::impl {
public:
    impl(std::size_t count, const http_server_options& options, thread_setup setup)
        : count_(count), options_(options), setup_(std::move(setup)) {
        // Each address has endpoints of its own, which know nothing of the other address's.
        for (std::size_t i = 0; i < options.addresses.size(); ++i) groups_.emplace_back(count);
    }
    ~impl() {
        for (auto& w : workers_) w->io.stop();
        join();
    }

    listen_error start();
    void visit(std::function<void(std::size_t, http_server&)> each, std::function<void()> done) const;
    void stop(duration deadline, std::function<void()> done);
    void join() {
        for (auto& w : workers_) {
            if (w->thread.joinable()) w->thread.join();
        }
    }
    counters statistics() const;
    const std::vector<ip_endpoint>& endpoints() const { return endpoints_; }
    const std::vector<std::string>& warnings() const { return warnings_; }
    std::size_t count() const { return count_; }

private:
    struct worker {
        boost::asio::io_context io{1};
        std::unique_ptr<http_server> server;  // goes before io
        std::thread thread;
        std::mutex ending;      // between asking the thread and its end
        std::size_t asked = 0;  // visits on their way to it
        bool ended = false;
    };

    std::unique_ptr<worker> make(std::size_t number, std::uint16_t port) const;
    void run(worker& w);

    std::size_t count_;
    http_server_options options_;
    thread_setup setup_;
    std::vector<quic_workers> groups_;
    std::vector<std::unique_ptr<worker>> workers_;
    std::vector<ip_endpoint> endpoints_;
    std::vector<std::string> warnings_;
    std::atomic<std::size_t> running_{0};
    std::mutex done_mutex_;
    std::function<void()> done_;
};

std::unique_ptr<http_server_threads::impl::worker> http_server_threads::impl::make(std::size_t number, std::uint16_t port) const {
    auto w = std::make_unique<worker>();
    auto own = options_;
    own.port = port;
    own.workers.clear();
    for (const auto& group : groups_) own.workers.push_back(group.worker(number));
    auto handlers = setup_(number, w->io.get_executor(), own);
    w->server = std::make_unique<http_server>(w->io.get_executor(), std::move(own), std::move(handlers));
    return w;
}

listen_error http_server_threads::impl::start() {
    auto port = options_.port;
    for (std::size_t i = 0; i < count_; ++i) {
        auto w = make(i, port);
        if (auto error = w->server->start()) return workers_.clear(), error;
        port = w->server->port();
        workers_.push_back(std::move(w));
    }
    endpoints_ = workers_.front()->server->endpoints();
    warnings_ = workers_.front()->server->warnings();
    running_ = workers_.size();
    for (auto& w : workers_) {
        w->thread = std::thread([this, &w = *w] { run(w); });
    }
    return {};
}

void http_server_threads::impl::run(worker& w) {
    auto keep = boost::asio::make_work_guard(w.io);
    w.io.run();
    for (;;) {  // who asked before the end gets an answer
        {
            std::lock_guard lock(w.ending);
            if (w.asked == 0) {
                w.ended = true;
                break;
            }
        }
        w.io.restart();
        w.io.poll_one();
    }
    if (--running_ != 0) return;
    std::unique_lock lock(done_mutex_);
    auto done = std::exchange(done_, {});
    lock.unlock();
    if (done) done();
}

void http_server_threads::impl::visit(std::function<void(std::size_t, http_server&)> each, std::function<void()> done) const {
    struct round {
        std::function<void(std::size_t, http_server&)> each;
        std::function<void()> done;
        std::atomic<std::size_t> left;
        void one_done() {
            if (--left == 0 && done) done();
        }
    };
    auto all = std::make_shared<round>();
    all->each = std::move(each);
    all->done = std::move(done);
    all->left = workers_.size() + 1;
    for (std::size_t i = 0; i < workers_.size(); ++i) {
        auto& w = *workers_[i];
        std::unique_lock lock(w.ending);
        if (w.ended) {
            all->each(i, *w.server);
            lock.unlock();
            all->one_done();
            continue;
        }
        ++w.asked;
        boost::asio::post(w.io, [all, &w, i] {
            all->each(i, *w.server);
            {
                std::lock_guard asked(w.ending);
                --w.asked;
            }
            all->one_done();
        });
    }
    all->one_done();
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
    out.each.resize(workers_.size());
    const auto answered = std::make_shared<std::promise<void>>();  // outlives both ends' use of it
    const auto waiting = answered->get_future();
    visit([&out](std::size_t i, http_server& server) { out.each[i] = server.statistics(); },
          [answered] { answered->set_value(); });
    waiting.wait();
    for (std::size_t i = 0; i < out.each.size(); ++i) {
        out.sum += out.each[i];
        for (const auto& group : groups_) {
            const auto steering = group.worker(i).statistics();
            out.steering.handed_over += steering.handed_over;
            out.steering.dropped += steering.dropped;
        }
    }
    return out;
}

namespace {

http_server_threads::thread_setup always(server_handlers handlers) {
    return [handlers = std::move(handlers)](std::size_t, const boost::asio::any_io_executor&, http_server_options&) {
        return handlers;
    };
}

}  // namespace

http_server_threads::http_server_threads(std::size_t threads, const http_server_options& options, const request_handler& handler)
    : impl_(std::make_unique<impl>(threads, options, always({handler, {}}))) {}
http_server_threads::http_server_threads(std::size_t threads, const http_server_options& options, const http_handler& handler)
    : impl_(std::make_unique<impl>(threads, options, always({{}, handler}))) {}
http_server_threads::http_server_threads(std::size_t threads, const http_server_options& options, const thread_setup& setup)
    : impl_(std::make_unique<impl>(threads, options, setup)) {}
http_server_threads::~http_server_threads() = default;

listen_error http_server_threads::start() { return impl_->start(); }
std::size_t http_server_threads::threads() const { return impl_->count(); }
std::uint16_t http_server_threads::port() const { return impl_->endpoints().empty() ? 0 : impl_->endpoints().front().port; }
std::vector<ip_endpoint> http_server_threads::endpoints() const { return impl_->endpoints(); }
std::vector<std::string> http_server_threads::warnings() const { return impl_->warnings(); }
void http_server_threads::visit(std::function<void(std::size_t, http_server&)> each, std::function<void()> done) {
    impl_->visit(std::move(each), std::move(done));
}
void http_server_threads::set_tls(std::shared_ptr<const tls::server_context> tls) {
    impl_->visit([tls = std::move(tls)](std::size_t, http_server& server) { server.set_tls(tls); }, {});
}
http_server_threads::counters http_server_threads::statistics() const { return impl_->statistics(); }
void http_server_threads::stop(duration deadline, std::function<void()> done) { impl_->stop(deadline, std::move(done)); }
void http_server_threads::join() { impl_->join(); }

}  // namespace tandem::net
