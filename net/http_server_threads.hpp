// An HTTP server on several threads: each has an io_context and listeners of its own on the same address and port.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <tandem/net/http_server.hpp>
#include <tandem/net/quic_workers.hpp>

namespace tandem::net {

class http_server_threads {
public:
    // What answers on one thread, so that it can have clients and counts of its own. `options` is that thread's copy, to be
    // changed where it wants something else than the others. start() calls it for one thread after the other, before any of them
    // runs; what it returns goes before `executor` does.
    using thread_setup = std::function<server_handlers(std::size_t thread, const boost::asio::any_io_executor& executor,
                                                       http_server_options& options)>;

    // The handler, and what the options call (access, log), is called by several threads at a time. No TCP of our own.
    http_server_threads(std::size_t threads, const http_server_options& options, const request_handler& handler);
    http_server_threads(std::size_t threads, const http_server_options& options, const http_handler& handler);
    http_server_threads(std::size_t threads, const http_server_options& options, const thread_setup& setup);
    ~http_server_threads();  // stops at once
    http_server_threads(const http_server_threads&) = delete;
    http_server_threads& operator=(const http_server_threads&) = delete;

    // Binds everything, then starts the threads; on an error nothing is left open.
    listen_error start();
    std::size_t threads() const;
    std::uint16_t port() const;
    std::vector<ip_endpoint> endpoints() const;
    std::vector<std::string> warnings() const;

    // Calls each(i, its server) on every thread, for one that has ended here and now, and then done() wherever the last of these
    // calls was. From any thread, the server's own too. `each` must not call visit().
    void visit(std::function<void(std::size_t thread, http_server&)> each, std::function<void()> done = {});

    // New connections get this context, on every thread; those there are keep theirs. From any thread.
    void set_tls(std::shared_ptr<const tls::server_context> tls);

    struct counters {
        http_server::counters sum;
        std::vector<http_server::counters> each;  // by thread
        quic_worker_statistics steering;          // datagrams that the kernel gave to another thread than their connection's
    };
    // From any thread but the server's own; waits for each.
    counters statistics() const;

    // All threads take no new connections, let requests under way end for at most `deadline`, and end; done() is called by the
    // last. From any thread. Once more: at once.
    void stop(duration deadline, std::function<void()> done = {});
    // Until all threads have ended.
    void join();

private:
    class impl;
    std::unique_ptr<impl> impl_;
};

}  // namespace tandem::net
