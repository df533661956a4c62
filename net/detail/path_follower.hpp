// Has a client's connections follow the machine to other addresses.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <utility>

#include <boost/asio/steady_timer.hpp>

#include <tandem/net/address_watcher.hpp>

namespace tandem::net::detail {

// Calls `look` whenever addresses or routes have changed; and again after `patience` if it returns false, for something could not
// be done yet. Must be owned by what `look` refers to.
class path_follower {
public:
    static constexpr auto patience = std::chrono::milliseconds(500);

    path_follower(const boost::asio::any_io_executor& executor, std::function<bool()> look)
        : core_(std::make_shared<core>(executor, std::move(look))) {}
    path_follower(const path_follower&) = delete;
    path_follower& operator=(const path_follower&) = delete;
    ~path_follower() {
        core_->stopped = true;
        core_->watcher.close();
        core_->again.cancel();
    }

    boost::system::error_code start() {
        if (auto error = core_->watcher.open()) return error;
        core_->wait();
        return {};
    }

private:
    struct core : std::enable_shared_from_this<core> {
        core(const boost::asio::any_io_executor& executor, std::function<bool()> l)
            : watcher(executor), again(executor), look(std::move(l)) {}

        void wait() {
            watcher.async_wait([self = shared_from_this()](boost::system::error_code error) {
                if (error || self->stopped) return;
                self->act();
                if (!self->stopped) self->wait();
            });
        }
        void act() {
            if (look()) return;
            again.expires_after(patience);
            again.async_wait([self = shared_from_this()](boost::system::error_code error) {
                if (!error && !self->stopped) self->act();
            });
        }

        address_watcher watcher;
        boost::asio::steady_timer again;
        std::function<bool()> look;
        bool stopped = false;
    };

    std::shared_ptr<core> core_;
};

}  // namespace tandem::net::detail
