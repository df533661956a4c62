// Asks name servers for a host's HTTPS records (RFC 9460). Over Asio's sockets and not with the system's resolver, whose calls
// block a thread that nobody could stop: a program that is done would wait for a server that does not answer. Which servers, that
// library says.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/steady_timer.hpp>

#include <tandem/bytes/address.hpp>
#include <tandem/bytes/time.hpp>
#include <tandem/http/https_query.hpp>

namespace tandem::net {

// Those of the system (/etc/resolv.conf, as the C library reads it); at most three.
std::vector<ip_endpoint> system_name_servers();

// False for names that the system does not ask name servers for, or not those: addresses, names without a dot, "localhost",
// ".local", ".onion".
bool is_public_name(std::string_view host);

class https_lookup : public std::enable_shared_from_this<https_lookup> {
public:
    static constexpr duration patience = std::chrono::seconds(1);  // per question; then the next server is asked
    static constexpr unsigned rounds = 2;                          // over all servers
    static constexpr std::size_t max_foreign = 32;  // datagrams that answer nothing we asked; then the next server is asked

    struct found {
        std::string name;                            // to which aliases of both kinds led
        std::vector<http::service_binding> records;  // without aliases; may be empty
        bool aliased = false;                        // by a record (AliasMode): records without a target are about `name`
        std::string trouble;                         // why it is not known whether there are any; one line
    };

    explicit https_lookup(const boost::asio::any_io_executor& executor) : udp_(executor), tcp_(executor), timer_(executor) {}

    // Calls `done` once, not from within; not at all after stop().
    void start(const std::string& host, std::uint16_t port, std::vector<ip_endpoint> servers, std::function<void(found)> done);
    void stop();

private:
    void ask(std::string name);
    void send();
    void receive();
    void ask_by_tcp();
    void on_answer(http::https_answer answer);
    void next_server(std::string why);
    void wait(duration time);
    void close();
    void finish(found result);
    const ip_endpoint& server() const { return servers_[asked_ % servers_.size()]; }

    boost::asio::ip::udp::socket udp_;
    boost::asio::ip::tcp::socket tcp_;
    boost::asio::steady_timer timer_;
    std::vector<ip_endpoint> servers_;
    std::function<void(found)> done_;
    std::string name_;
    std::uint16_t id_ = 0;
    std::uint64_t turn_ = 0;  // of questions; what belongs to an earlier one comes too late
    std::size_t asked_ = 0;   // servers, for this name
    std::size_t foreign_ = 0;
    std::size_t aliases_ = 0;
    std::vector<std::uint8_t> query_;
    std::vector<std::uint8_t> answer_;
    std::array<std::uint8_t, 2> length_{};
};

}  // namespace tandem::net
