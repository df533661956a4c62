// A name server on loopback, in the test's own io_context: what it answers, the test says.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>

#include <tandem/bytes/address.hpp>

#include "hex.hpp"

namespace tandem::net::test {

using bytes = std::vector<std::uint8_t>;

// An answer to `query`: the record's data (hexadecimal), each about the name that was asked for. Flags: response, recursion.
inline bytes dns_answer(const bytes& query, const std::vector<std::string>& records, std::uint16_t flags = 0x8180,
                        std::uint16_t type = 65) {
    std::size_t end = 12;
    while (end < query.size() && query[end] != 0) end += query[end] + 1u;
    bytes out(query.begin(), query.begin() + static_cast<std::ptrdiff_t>(std::min(end + 5, query.size())));
    auto put = [&](std::size_t at, std::size_t n) {
        out[at] = static_cast<std::uint8_t>(n >> 8);
        out[at + 1] = static_cast<std::uint8_t>(n);
    };
    put(2, flags);
    put(6, records.size());
    put(10, 0);
    for (const auto& r : records) {
        const auto data = tandem::test::from_hex(r);
        const auto head = tandem::test::from_hex("c00c 0000 0001 0000003c 0000");
        const auto at = out.size();
        out.insert(out.end(), head.begin(), head.end());
        put(at + 2, type);
        put(at + 10, data.size());
        out.insert(out.end(), data.begin(), data.end());
    }
    return out;
}
inline std::string dns_name(const bytes& query) {
    std::string out;
    for (std::size_t at = 12; at < query.size() && query[at] != 0; at += query[at] + 1u) {
        out += (out.empty() ? "" : ".") + std::string(query.begin() + static_cast<std::ptrdiff_t>(at) + 1,
                                                      query.begin() + static_cast<std::ptrdiff_t>(at) + 1 + query[at]);
    }
    return out;
}

class name_server {
public:
    using handler = std::function<std::vector<bytes>(const bytes& query)>;

    name_server(boost::asio::io_context& io, handler over_udp, handler over_tcp = {})
        : udp_(io, {boost::asio::ip::address_v4::loopback(), 0}),
          tcp_(io, {boost::asio::ip::address_v4::loopback(), udp_.local_endpoint().port()}),
          over_udp_(std::move(over_udp)),
          over_tcp_(std::move(over_tcp)) {
        receive();
        accept();
    }

    ip_endpoint where() const { return {ip_address::v4(127, 0, 0, 1), udp_.local_endpoint().port()}; }
    std::vector<std::string> asked;  // names, in order

private:
    void receive() {
        buffer_.resize(2000);
        udp_.async_receive_from(boost::asio::buffer(buffer_), from_,
                                [this](const boost::system::error_code& error, std::size_t size) {
                                    if (error) return;
                                    buffer_.resize(size);
                                    asked.push_back(dns_name(buffer_));
                                    for (const auto& answer : over_udp_(buffer_))
                                        udp_.send_to(boost::asio::buffer(answer), from_);
                                    receive();
                                });
    }
    void accept() {
        tcp_.async_accept([this](const boost::system::error_code& error, boost::asio::ip::tcp::socket socket) {
            if (error) return;
            auto peer = std::make_shared<std::pair<boost::asio::ip::tcp::socket, bytes>>(std::move(socket), bytes(2));
            boost::asio::async_read(
                peer->first, boost::asio::buffer(peer->second), [this, peer](const boost::system::error_code& e, std::size_t) {
                    if (e) return;
                    peer->second.resize(static_cast<std::size_t>(peer->second[0] << 8 | peer->second[1]));
                    boost::asio::async_read(peer->first, boost::asio::buffer(peer->second),
                                            [this, peer](const boost::system::error_code& e2, std::size_t) {
                                                if (e2 || !over_tcp_) return;
                                                for (const auto& answer : over_tcp_(peer->second)) {
                                                    bytes framed{static_cast<std::uint8_t>(answer.size() >> 8),
                                                                 static_cast<std::uint8_t>(answer.size())};
                                                    framed.insert(framed.end(), answer.begin(), answer.end());
                                                    boost::asio::write(peer->first, boost::asio::buffer(framed));
                                                }
                                            });
                });
            accept();
        });
    }

    boost::asio::ip::udp::socket udp_;
    boost::asio::ip::tcp::acceptor tcp_;
    handler over_udp_, over_tcp_;
    bytes buffer_;
    boost::asio::ip::udp::endpoint from_;
};

}  // namespace tandem::net::test
