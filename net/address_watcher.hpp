// When this machine's addresses and routes change.
#pragma once

#include <memory>
#include <utility>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/compose.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/system/error_code.hpp>

namespace tandem::net {

// Listens to the kernel (Linux: rtnetlink). Needs no privileges.
class address_watcher {
public:
    using executor_type = boost::asio::any_io_executor;

    explicit address_watcher(boost::asio::any_io_executor executor)
        : descriptor_(std::make_shared<boost::asio::posix::stream_descriptor>(std::move(executor))) {}
    address_watcher(address_watcher&&) noexcept = default;
    ~address_watcher() { close(); }

    executor_type get_executor() const { return descriptor_->get_executor(); }

    // Changes from here on are told.
    boost::system::error_code open();
    // What waits ends with operation_aborted.
    void close();

    // void(error_code). Addresses or routes have changed since the last time, perhaps more than once. Honours terminal, partial
    // and total cancellation.
    template <class CompletionToken>
    auto async_wait(CompletionToken&& token) {
        return boost::asio::async_compose<CompletionToken, void(boost::system::error_code)>(
            [descriptor = descriptor_, waiting = false](auto& self, boost::system::error_code error = {}) mutable {
                auto& d = *descriptor;
                if (!std::exchange(waiting, true)) {
                    self.reset_cancellation_state(boost::asio::enable_total_cancellation());
                    return d.async_wait(boost::asio::posix::descriptor_base::wait_read, std::move(self));
                }
                if (!error) drain(d);
                self.complete(error);
            },
            token, *descriptor_);
    }

private:
    static void drain(boost::asio::posix::stream_descriptor& descriptor);

    std::shared_ptr<boost::asio::posix::stream_descriptor> descriptor_;
};

}  // namespace tandem::net
