// Several QUIC endpoints that share one address and port, each with a socket (SO_REUSEPORT), an executor and a thread of its own.
//
// The kernel spreads clients over the sockets by their addresses. A client that moves, or whose NAT does, then arrives at another
// socket: its connection ID says, to those who have the key, which endpoint it belongs to, and the datagram is handed over.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include <boost/asio/any_io_executor.hpp>

#include <tandem/bytes/datagram.hpp>
#include <tandem/net/port_sharing.hpp>
#include <tandem/quic/config.hpp>

namespace tandem::net {

struct quic_worker_statistics {
    std::uint64_t handed_over = 0;  // datagrams that came to another worker's socket
    std::uint64_t dropped = 0;      // of those, too many at a time
};

namespace detail {
class worker_inbox;
}

// One place among the workers; refers to them. The default one stands alone: nothing is shared.
class quic_worker {
public:
    // Datagrams that wait to be handed over to one worker; more are dropped, as they are when a socket's buffer is full.
    static constexpr std::size_t max_waiting = 1024;

    quic_worker() = default;
    explicit operator bool() const { return group_ != nullptr; }

    // How its sockets are to be opened: worker 0's first.
    port_sharing sharing() const {
        return !group_ ? port_sharing::alone : number_ == 0 ? port_sharing::first : port_sharing::further;
    }
    // Makes an endpoint issue connection IDs that say this worker's number, and take tokens that another worker
    // gave, each once among them all.
    void configure(quic::endpoint_config& config) const;
    // For who reads the socket: true if the datagram is another worker's and has been handed over, or dropped.
    bool divert(const received_datagram& datagram);
    // What others hand over is given to `receive`, and after each batch `done` is called, on this executor. To be called where
    // the executor runs, or before it does, and so detach(), after which neither is called.
    void attach(boost::asio::any_io_executor executor, std::function<void(received_datagram&)> receive,
                std::function<void()> done);
    void detach();
    quic_worker_statistics statistics() const;  // from any thread: what was handed over to this worker

private:
    friend class quic_workers;
    struct group;

    std::shared_ptr<group> group_;
    std::uint16_t number_ = 0;
    quic::connection_id last_id_;  // of the datagram before: most come in rows
    std::uint16_t last_owner_ = 0;
};

class quic_workers {
public:
    // 1 to quic::connection_id_router::max_workers, with a key of their own.
    explicit quic_workers(std::size_t count);

    std::size_t size() const { return size_; }
    // Each number once: from 0 to size() - 1.
    quic_worker worker(std::size_t number) const;

private:
    std::shared_ptr<quic_worker::group> group_;
    std::size_t size_;
};

// For the owner of a driver: its hook, and the way in for what others hand over.
inline std::function<bool(const received_datagram&)> divert_to(quic_worker& worker) {
    if (!worker) return {};
    return [&worker](const received_datagram& d) { return worker.divert(d); };
}
template <class Driver>
void attach(quic_worker& worker, const boost::asio::any_io_executor& executor, Driver& driver) {
    worker.attach(
        executor, [&driver](received_datagram& d) { driver.deliver(d); }, [&driver] { driver.wake(); });
}

}  // namespace tandem::net
