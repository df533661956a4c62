#include <tandem/net/https_lookup.hpp>

#include <netinet/in.h>
#include <resolv.h>

#include <algorithm>
#include <utility>

#include <boost/asio/connect.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>

#include <tandem/http/message.hpp>
#include <tandem/net/address.hpp>
#include <tandem/net/entropy.hpp>

namespace tandem::net {

namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using asio::ip::udp;

}  // namespace

std::vector<ip_endpoint> system_name_servers() {
    std::vector<ip_endpoint> out;
    struct __res_state state {};
    if (::res_ninit(&state) != 0) return out;
    for (int i = 0; i < state.nscount && i < MAXNS; ++i) {
        sockaddr_storage address{};
        const auto* six = state._u._ext.nsaddrs[i];  // where the server has an IPv6 address
        if (state.nsaddr_list[i].sin_family == AF_INET)
            *reinterpret_cast<sockaddr_in*>(&address) = state.nsaddr_list[i];
        else if (six != nullptr)
            *reinterpret_cast<sockaddr_in6*>(&address) = *six;
        const auto server = from_sockaddr(address);
        if (server.port != 0) out.push_back(server);
    }
    ::res_nclose(&state);
    return out;
}

bool is_public_name(std::string_view host) {
    auto name = http::to_lower(host);
    if (name.ends_with('.')) name.pop_back();
    const auto dot = name.rfind('.');
    if (dot == std::string::npos || ip_address::parse(name)) return false;
    const auto last = name.substr(dot + 1);
    return last != "localhost" && last != "local" && last != "onion";
}

void https_lookup::start(const std::string& host, std::uint16_t port, std::vector<ip_endpoint> servers,
                         std::function<void(found)> done) {
    done_ = std::move(done);
    servers_ = std::move(servers);
    asio::post(udp_.get_executor(), [self = shared_from_this(), name = http::https_record_name(host, port)] {
        if (self->done_) self->ask(name);
    });
}

void https_lookup::ask(std::string name) {
    name_ = std::move(name);
    asked_ = 0;
    if (servers_.empty()) return finish({name_, {}, false, "there is no name server"});
    send();
}

// A socket of its own for each question: its port is as hard to guess as the ID, and only the server's datagrams get in.
void https_lookup::send() {
    close();
    id_ = static_cast<std::uint16_t>(random_seed());
    query_ = http::make_https_query(id_, name_);
    if (query_.empty()) return finish({name_, {}, false, name_ + " is no name for DNS"});
    foreign_ = 0;
    wait(patience);
    boost::system::error_code error;
    const auto where = to_asio<udp>(server());
    udp_.open(where.protocol(), error);
    if (!error) udp_.connect(where, error);
    if (!error) udp_.send(asio::buffer(query_), 0, error);
    if (error) return next_server(error.message());
    answer_.resize(http::dns_datagram_size);
    receive();
}

void https_lookup::receive() {
    udp_.async_receive(asio::buffer(answer_),
                       [self = shared_from_this(), turn = turn_](const boost::system::error_code& error, std::size_t size) {
                           if (turn != self->turn_) return;
                           if (error) return self->next_server(error.message());
                           auto answer = http::parse_https_answer({self->answer_.data(), size}, self->id_, self->name_);
                           if (answer.kind != http::answer_kind::foreign) return self->on_answer(std::move(answer));
                           if (++self->foreign_ == max_foreign) return self->next_server("answers that nobody asked for");
                           self->receive();
                       });
}

void https_lookup::ask_by_tcp() {
    close();
    wait(patience);
    const auto step = [self = shared_from_this(), turn = turn_](auto then) {
        return [self, turn, then](const boost::system::error_code& error, std::size_t = 0) {
            if (turn != self->turn_) return;
            if (error) return self->next_server(error.message());
            then(*self);
        };
    };
    const auto parse = [](https_lookup& self) {
        auto answer = http::parse_https_answer(self.answer_, self.id_, self.name_);
        const bool good = answer.kind == http::answer_kind::answered;
        if (good) return self.on_answer(std::move(answer));
        self.next_server("no answer over TCP");
    };
    const auto read = [step, parse](https_lookup& self) {
        self.answer_.resize(static_cast<std::size_t>(self.length_[0] << 8 | self.length_[1]));
        asio::async_read(self.tcp_, asio::buffer(self.answer_), step(parse));
    };
    const auto read_length = [step, read](https_lookup& self) {
        asio::async_read(self.tcp_, asio::buffer(self.length_), step(read));
    };
    const auto write = [step, read_length](https_lookup& self) {
        asio::async_write(self.tcp_, asio::buffer(self.query_), step(read_length));
    };
    const auto size = query_.size();
    query_.insert(query_.begin(), {static_cast<std::uint8_t>(size >> 8), static_cast<std::uint8_t>(size)});
    tcp_.async_connect(to_asio<tcp>(server()), step(write));
}

void https_lookup::on_answer(http::https_answer answer) {
    using http::answer_kind;
    if (answer.kind == answer_kind::truncated) return ask_by_tcp();
    if (answer.kind == answer_kind::refused) return next_server("the name server cannot tell");
    const auto alias = std::find_if(answer.records.begin(), answer.records.end(), [](const auto& r) { return r.is_alias(); });
    if (alias == answer.records.end()) return finish({std::move(answer.owner), std::move(answer.records), aliases_ > 0, {}});
    // RFC 9460 2.4.2: one alias stands for all; "." says that there is nothing.
    if (alias->target.empty()) return finish({std::move(answer.owner), {}, false, {}});
    if (++aliases_ > http::max_aliases) return finish({name_, {}, false, "too many aliases"});
    ask(alias->target);
}

void https_lookup::next_server(std::string why) {
    if (++asked_ == servers_.size() * rounds) return finish({name_, {}, false, std::move(why)});
    send();
}

void https_lookup::wait(duration time) {
    timer_.expires_after(time);
    timer_.async_wait([self = shared_from_this(), turn = turn_](const boost::system::error_code& error) {
        if (!error && turn == self->turn_) self->next_server("no answer from the name server");
    });
}

void https_lookup::close() {
    ++turn_;
    timer_.cancel();
    boost::system::error_code ignored;
    udp_.close(ignored);
    tcp_.close(ignored);
}

void https_lookup::finish(found result) {
    close();
    if (auto done = std::exchange(done_, nullptr)) done(std::move(result));
}

void https_lookup::stop() {
    done_ = nullptr;
    close();
}

}  // namespace tandem::net
