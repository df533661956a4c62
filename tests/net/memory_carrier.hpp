// A link between two TCP stacks of one io_context, without sockets: packets are posted, some are lost.
#pragma once

#include <deque>
#include <memory>
#include <vector>

#include <boost/asio/post.hpp>

#include <tandem/bytes/random.hpp>
#include <tandem/net/packet_carrier.hpp>

namespace tandem::net::test {

class memory_carrier final : public packet_carrier {
public:
    memory_carrier(boost::asio::any_io_executor executor, ip_address address, std::uint64_t seed, double loss)
        : executor_(std::move(executor)), address_(address), random_(seed), loss_(loss), inbox_(std::make_shared<inbox>()) {}

    static void join(memory_carrier& a, memory_carrier& b) {
        a.peer_ = b.inbox_;
        b.peer_ = a.inbox_;
    }

    void start(carrier_hooks hooks) override { inbox_->hooks = std::move(hooks); }
    void close() override { inbox_->closed = true; }
    std::size_t receive(tcp::endpoint& to, time_point now) override {
        std::size_t n = 0;
        for (; !inbox_->packets.empty(); ++n) {
            auto bytes = std::move(inbox_->packets.front());
            inbox_->packets.pop_front();
            received_datagram in;
            in.payload = bytes;
            to.receive(in, now);
        }
        return n;
    }
    send_result send(const train& t, std::size_t& progress) override {
        for (std::size_t i = 0; i < t.count(); ++i) {
            if (random_.uniform() < loss_) continue;
            const auto d = t.datagram(i);
            peer_->packets.emplace_back(d.begin(), d.end());
        }
        progress = t.size;
        boost::asio::post(executor_, [peer = peer_] {
            if (!peer->closed && peer->hooks.readable) peer->hooks.readable();
        });
        return send_result::done;
    }
    std::uint16_t mtu(bool) const override { return 1500; }
    bool completes_checksums() const override { return false; }
    boost::system::error_code open_local(const ip_endpoint&, ip_endpoint& local) override {
        local.address = address_;
        return {};
    }
    boost::system::error_code open_listener(ip_endpoint&) override { return {}; }
    void close_local(const ip_endpoint&) override { ++locals_closed; }
    const carrier_statistics& statistics() const override { return statistics_; }
    std::string_view name() const override { return "memory"; }

    int locals_closed = 0;

private:
    struct inbox {
        carrier_hooks hooks;
        std::deque<std::vector<std::uint8_t>> packets;
        bool closed = false;
    };
    boost::asio::any_io_executor executor_;
    ip_address address_;
    random_source random_;
    double loss_;
    std::shared_ptr<inbox> inbox_, peer_;
    carrier_statistics statistics_;
};

}  // namespace tandem::net::test
