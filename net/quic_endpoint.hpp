// QUIC on one UDP socket, as client and server alike: connects and accepts.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>

#include <boost/asio/async_result.hpp>

#include <tandem/net/quic_connection.hpp>

namespace tandem::net {

// The executor must be a strand or be run by one thread. Destroying the endpoint closes all its connections with application code
// 0.
class quic_endpoint {
public:
    using executor_type = boost::asio::any_io_executor;

    // worker: its place among endpoints that share an address and port (quic_workers); worker 0 is to be opened first.
    explicit quic_endpoint(boost::asio::any_io_executor executor, quic::endpoint_config config = {}, quic_worker worker = {})
        : core_(std::make_shared<detail::quic_core>(std::move(executor), std::move(config), std::move(worker))) {}
    quic_endpoint(quic_endpoint&&) noexcept = default;
    quic_endpoint& operator=(quic_endpoint&&) = delete;
    ~quic_endpoint() {
        if (core_) core_->stop(0, "");
    }

    executor_type get_executor() const { return core_->executor(); }

    // Opens and binds the socket; port 0 takes a free one. The configuration's preferred_v4 and preferred_v6 are bound too.
    boost::system::error_code open(const ip_endpoint& local, const udp_options& options = {}) {
        return core_->open(local, options);
    }
    // Server, after open(): binds one more address, which no other server has, and asks the clients accepted from now on to go
    // there after the handshake (RFC 9000 9.6). Port 0: that of local_endpoint(). One of each family: a further one takes the
    // place of the one before. Clients go where config::use_preferred_address lets them, and stay if nobody answers there.
    boost::system::error_code prefer(const ip_endpoint& where) { return core_->prefer(where); }
    ip_endpoint local_endpoint() const { return core_->socket() ? core_->socket()->local_endpoint() : ip_endpoint{}; }
    udp_statistics statistics() const { return core_->socket() ? core_->socket()->statistics() : udp_statistics{}; }

    // void(error_code, quic_connection). The next connection whose handshake is complete; needs a certificate in the
    // configuration.
    template <class CompletionToken>
    auto async_accept(CompletionToken&& token) {
        return async_connection(token, &detail::quic_core::cancel_accept,
                                [](detail::quic_core& core, std::uint64_t number, detail::quic_core::handle_operation op) {
                                    core.accept(number, std::move(op));
                                });
    }

    // void(error_code, quic_connection). Completes when the handshake is complete and the server's certificate accepted.
    template <class CompletionToken>
    auto async_connect(quic::connect_options options, CompletionToken&& token) {
        return async_connection(token, &detail::quic_core::cancel_connect,
                                [options = std::move(options)](detail::quic_core& core, std::uint64_t number,
                                                               detail::quic_core::handle_operation op) {
                                    core.connect(number, options, std::move(op));
                                });
    }

    // From now on, the connections made here (not those accepted) migrate when the machine's addresses or routes change so that
    // the kernel would send from another address: from one network to the next. Fails where the kernel does not tell of such
    // changes.
    boost::system::error_code follow_addresses() { return core_->follow_addresses(); }

    // Closes every connection with a code of the application's protocol; nothing works any more.
    void close(std::uint64_t code, std::string_view reason = {}) { core_->stop(code, reason); }

private:
    template <class CompletionToken, class Start>
    auto async_connection(CompletionToken& token, void (detail::quic_core::*cancel_by)(std::uint64_t), Start start) {
        return boost::asio::async_initiate<CompletionToken, void(boost::system::error_code, quic_connection)>(
            [core = core_, cancel_by, start = std::move(start)](auto handler) {
                auto number = core->next_operation();
                auto cancel = [weak = std::weak_ptr<detail::quic_core>(core), cancel_by, number] {
                    if (auto c = weak.lock()) (c.get()->*cancel_by)(number);
                };
                auto op = detail::adapt<quic::connection_handle>(
                    core->executor(), std::move(handler), std::move(cancel), [core](quic::connection_handle handle) {
                        return handle != 0 ? quic_connection(core, handle) : quic_connection();
                    });
                start(*core, number, std::move(op));
            },
            token);
    }

    std::shared_ptr<detail::quic_core> core_;
};

}  // namespace tandem::net
