// A listener of our own TCP.
#pragma once

#include <memory>
#include <utility>

#include <boost/asio/async_result.hpp>

#include <tandem/net/tcp_stream.hpp>

namespace tandem::net {

// Movable, not copyable. Destroying it resets the connections that nobody accepted; those accepted live on.
class tcp_acceptor {
    // Before its uses: its type is deduced.
    static auto canceller(const std::shared_ptr<detail::tcp_core>& core, const ip_endpoint& local, std::uint64_t number) {
        return [weak = std::weak_ptr<detail::tcp_core>(core), local, number] {
            if (auto c = weak.lock()) c->cancel_accept(local, number);
        };
    }

public:
    using executor_type = boost::asio::any_io_executor;
    using wait_type = boost::asio::socket_base::wait_type;

    static constexpr std::size_t default_backlog = 1024;  // connections that wait to be accepted; a SYN beyond it is dropped

    explicit tcp_acceptor(const tcp_stack& stack) : core_(stack.core()) {}
    tcp_acceptor(tcp_acceptor&& other) noexcept : core_(other.core_), local_(std::exchange(other.local_, std::nullopt)) {}
    tcp_acceptor& operator=(tcp_acceptor&& other) noexcept {
        if (this != &other) {
            close();
            core_ = other.core_;
            local_ = std::exchange(other.local_, std::nullopt);
        }
        return *this;
    }
    ~tcp_acceptor() { close(); }

    // An all-zero address listens on every address of its family; port 0 takes a free one.
    // Errors: address_in_use, EADDRNOTAVAIL (no address of this stack), and those of the carrier.
    boost::system::error_code listen(const ip_endpoint& local, std::size_t backlog = default_backlog) {
        close();
        auto bound = local;
        const auto error = core_->listen(bound, backlog);
        if (!error) local_ = bound;
        return error;
    }
    executor_type get_executor() const { return core_->executor(); }
    bool is_open() const { return local_.has_value(); }
    ip_endpoint local_endpoint() const { return local_.value_or(ip_endpoint{}); }
    void close() {
        if (const auto local = std::exchange(local_, std::nullopt)) core_->close_listener(*local);
    }

    // void(error_code, tcp_stream)
    template <class CompletionToken>
    auto async_accept(CompletionToken&& token) {
        return boost::asio::async_initiate<CompletionToken, void(boost::system::error_code, tcp_stream)>(
            [core = core_, local = local_endpoint()](auto handler) {
                const auto number = core->next_operation();
                auto op = detail::adapt<tcp::connection_handle>(
                    core->executor(), std::move(handler), canceller(core, local, number),
                    [core](tcp::connection_handle handle) { return tcp_stream(core, handle); });
                core->accept(local, number, std::move(op));
            },
            token);
    }
    // void(error_code). wait_read only: accept() has something.
    template <class CompletionToken>
    auto async_wait(wait_type, CompletionToken&& token) {
        return boost::asio::async_initiate<CompletionToken, void(boost::system::error_code)>(
            [core = core_, local = local_endpoint()](auto handler) {
                const auto number = core->next_operation();
                core->wait_acceptable(local, number, {core->executor(), std::move(handler), canceller(core, local, number)});
            },
            token);
    }
    // Never waits: would_block if there is none.
    tcp_stream accept(boost::system::error_code& error) {
        const auto handle = core_->accept_now(local_endpoint(), error);
        return {core_, handle};
    }

private:
    std::shared_ptr<detail::tcp_core> core_;
    std::optional<ip_endpoint> local_;
};

}  // namespace tandem::net
