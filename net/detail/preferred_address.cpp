#include <tandem/net/detail/preferred_address.hpp>

#include <utility>

#include <boost/asio/error.hpp>

namespace tandem::net::detail {

namespace {

bool is_any(const ip_address& a) { return a.bytes == ip_address{}.bytes; }

}  // namespace

boost::system::error_code listen_on_preferred(driver<quic::endpoint>& io, quic::endpoint& server, ip_endpoint where,
                                              const udp_options& options) {
    const auto listening = io.socket().local_endpoint();
    if (where.port == 0) where.port = listening.port;
    if (is_any(where.address) || where == listening) return boost::asio::error::invalid_argument;
    // A socket on all addresses has this one's datagrams already; then it only must be one of ours.
    const bool covered =
        where.port == listening.port && where.address.is_v6 == listening.address.is_v6 && is_any(listening.address);
    udp_socket socket(io.get_executor());
    if (auto error = socket.open(covered ? ip_endpoint{where.address, 0} : where, covered ? udp_options{} : options))
        return error;
    if (!covered) io.keep_socket(std::move(socket));
    server.set_preferred(where);
    return {};
}

}  // namespace tandem::net::detail
