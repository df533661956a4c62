// Our own TCP on a real network: a tcp::endpoint, what carries its packets, and its timers, on an Asio executor.
#pragma once

#include <functional>
#include <memory>
#include <utility>

#include <tandem/net/clock.hpp>
#include <tandem/net/detail/tcp_core.hpp>

namespace tandem::net {

struct tcp_stack_options {
    tcp::endpoint_config endpoint;  // checksum_offload and addresses are the carrier's to say
    tcp::config connection;         // of all connections; mtu is at most the carrier's
};

// The executor must be a strand or be run by one thread. Destroying the stack resets all its connections.
// tcp_stream and tcp_acceptor may outlive it; their operations then fail.
class tcp_stack {
public:
    using executor_type = boost::asio::any_io_executor;

    tcp_stack(executor_type executor, std::unique_ptr<packet_carrier> carrier, const tcp_stack_options& options = {})
        : core_(
              std::make_shared<detail::tcp_core>(std::move(executor), std::move(carrier), options.endpoint, options.connection)) {
        core_->start();
    }
    tcp_stack(const tcp_stack&) = delete;
    tcp_stack& operator=(const tcp_stack&) = delete;
    ~tcp_stack() { core_->stop(); }

    executor_type get_executor() const { return core_->executor(); }
    const packet_carrier& carrier() const { return core_->carrier(); }
    tcp_snapshot snapshot() const { return core_->snapshot(now()); }
    // Calls done() when everything closed is delivered and only TIME-WAIT is left, or after `limit`.
    void drain(duration limit, std::function<void()> done) { core_->drain(now() + limit, std::move(done)); }

    const std::shared_ptr<detail::tcp_core>& core() const { return core_; }  // for tcp_stream and tcp_acceptor

private:
    std::shared_ptr<detail::tcp_core> core_;
};

}  // namespace tandem::net
