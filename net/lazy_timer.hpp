// A timer for deadlines that move at every packet: moving one back costs nothing.
#pragma once

#include <optional>
#include <utility>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <tandem/bytes/time.hpp>
#include <tandem/net/clock.hpp>

namespace tandem::net {

class lazy_timer {
public:
    explicit lazy_timer(const boost::asio::any_io_executor& executor) : timer_(executor) {}

    // Calls handler() at the deadline, or earlier if an earlier one was armed before: the handler asks again what is due. The
    // handler must keep this timer alive.
    template <class Handler>
    void arm(std::optional<time_point> deadline, Handler handler) {
        // A call too early costs little; moving the timer at every acknowledgment would cost a system call each.
        if (!deadline || (armed_ && *armed_ <= *deadline)) return;
        armed_ = deadline;
        timer_.expires_at(to_steady(*deadline));
        timer_.async_wait([this, handler = std::move(handler)](const boost::system::error_code& error) {
            if (error) return;
            armed_.reset();
            handler();
        });
    }

    void cancel() {
        armed_.reset();
        timer_.cancel();
    }

private:
    boost::asio::steady_timer timer_;
    std::optional<time_point> armed_;
};

}  // namespace tandem::net
