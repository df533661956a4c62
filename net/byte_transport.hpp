// Which TCP HTTP runs over: the kernel's sockets, or our own. Both have the same verbs; this is what differs in making them.
#pragma once

#include <linux/sockios.h>
#include <sys/ioctl.h>

#include <cstdint>
#include <memory>
#include <utility>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/v6_only.hpp>

#include <tandem/net/address.hpp>
#include <tandem/net/port_sharing.hpp>
#include <tandem/net/tcp_acceptor.hpp>
#include <tandem/net/tcp_stream.hpp>

namespace tandem::net {

// Bytes written, and a FIN, that the peer has not acknowledged; 0 where that is not known.
inline std::uint64_t unacknowledged(boost::asio::ip::tcp::socket& s) {
    int bytes = 0;
    return ::ioctl(s.native_handle(), SIOCOUTQ, &bytes) == 0 && bytes > 0 ? static_cast<std::uint64_t>(bytes) : 0;
}
inline std::uint64_t unacknowledged(const tcp_stream& s) { return s.unacknowledged(); }

struct kernel_tcp {
    using socket = boost::asio::ip::tcp::socket;

    boost::asio::any_io_executor executor;
    port_sharing sharing = port_sharing::alone;  // of an acceptor

    socket make() const { return socket(executor); }
    template <class Handler>
    void connect(socket& s, const ip_endpoint& remote, Handler handler) const {
        s.async_connect(to_asio<boost::asio::ip::tcp>(remote), std::move(handler));
    }
    static ip_endpoint remote_endpoint(const socket& s, boost::system::error_code& error) {
        return from_asio(s.remote_endpoint(error));
    }

    class acceptor {
    public:
        explicit acceptor(const kernel_tcp& transport) : acceptor_(transport.executor), sharing_(transport.sharing) {}
        boost::system::error_code listen(const ip_endpoint& local) {
            using boost::asio::ip::tcp;
            boost::system::error_code error, ignored;
            const auto endpoint = to_asio<tcp>(local);
            acceptor_.open(endpoint.protocol(), error);
            if (error) return error;
            acceptor_.set_option(tcp::acceptor::reuse_address(true),
                                 ignored);  // past connections in TIME_WAIT do not hold the port
            if (local.address.is_v6) acceptor_.set_option(boost::asio::ip::v6_only(true), ignored);
            const auto share = [&] {
                acceptor_.set_option(boost::asio::detail::socket_option::boolean<SOL_SOCKET, SO_REUSEPORT>(true), ignored);
            };
            if (sharing_ == port_sharing::further) share();
            acceptor_.bind(endpoint, error);
            if (sharing_ == port_sharing::first) share();  // see port_sharing
            if (!error) acceptor_.listen(boost::asio::socket_base::max_listen_connections, error);
            if (!error) acceptor_.non_blocking(true, ignored);
            return error;
        }
        bool is_open() const { return acceptor_.is_open(); }
        void close() {
            boost::system::error_code ignored;
            acceptor_.close(ignored);
        }
        ip_endpoint local_endpoint() const {
            boost::system::error_code ignored;
            return from_asio(acceptor_.local_endpoint(ignored));
        }
        template <class Handler>
        void wait(Handler handler) {
            acceptor_.async_wait(boost::asio::socket_base::wait_read, std::move(handler));
        }
        socket accept(boost::system::error_code& error) { return acceptor_.accept(error); }

    private:
        boost::asio::ip::tcp::acceptor acceptor_;
        port_sharing sharing_;
    };
};

struct own_tcp {
    using socket = tcp_stream;

    std::shared_ptr<tcp_stack> stack;

    socket make() const { return socket(*stack); }
    template <class Handler>
    void connect(socket& s, const ip_endpoint& remote, Handler handler) const {
        s.async_connect(remote, std::move(handler));
    }
    static ip_endpoint remote_endpoint(const socket& s, boost::system::error_code& error) {
        error = {};
        return s.remote_endpoint();
    }

    class acceptor {
    public:
        explicit acceptor(const own_tcp& transport) : acceptor_(*transport.stack) {}
        boost::system::error_code listen(const ip_endpoint& local) { return acceptor_.listen(local); }
        bool is_open() const { return acceptor_.is_open(); }
        void close() { acceptor_.close(); }
        ip_endpoint local_endpoint() const { return acceptor_.local_endpoint(); }
        template <class Handler>
        void wait(Handler handler) {
            acceptor_.async_wait(boost::asio::socket_base::wait_read, std::move(handler));
        }
        socket accept(boost::system::error_code& error) { return acceptor_.accept(error); }

    private:
        tcp_acceptor acceptor_;
    };
};

}  // namespace tandem::net
