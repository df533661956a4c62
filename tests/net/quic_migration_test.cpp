// Connections that go on from other addresses, ours by will and the NAT's by accident; and how changes of addresses are told.
#include <gtest/gtest.h>

#include <sched.h>

#include <cstdlib>
#include <numeric>
#include <thread>
#include <vector>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>

#include <tandem/net/address.hpp>
#include <tandem/net/address_watcher.hpp>
#include <tandem/net/quic_error.hpp>
#include <tandem/net/route.hpp>

#include "net/quic_fixture.hpp"

namespace tandem::net {
namespace {

namespace asio = boost::asio;
using asio::ip::udp;
using boost::system::error_code;

class QuicMigration : public test::QuicPair {
protected:
    // Bytes from a to b while `meanwhile` happens; all must arrive.
    template <class Meanwhile>
    void transfer(std::size_t bytes, Meanwhile meanwhile) {
        std::vector<std::uint8_t> sent(bytes), got(bytes);
        std::iota(sent.begin(), sent.end(), std::uint8_t{0});
        auto writing = asio::async_write(a, asio::buffer(sent), asio::use_future);
        auto reading = asio::async_read(b, asio::buffer(got), asio::use_future);
        meanwhile();
        EXPECT_EQ(get(std::move(reading)), bytes);
        EXPECT_EQ(get(std::move(writing)), bytes);
        EXPECT_EQ(sent, got);
    }
};

TEST_F(QuicMigration, GoesOnFromAnotherSocket) {
    connect();
    open_pair();
    const auto seen = far.remote_endpoint();
    const auto was = near.local_endpoint();
    EXPECT_EQ(was.port, client.local_endpoint().port);
    transfer(1'000'000, [&] { get(near.async_migrate({ip_address::v4(127, 0, 0, 2), 0}, asio::use_future)); });
    EXPECT_EQ(near.local_endpoint().address, ip_address::v4(127, 0, 0, 2));
    run_until([&] { return far.remote_endpoint() == near.local_endpoint(); });
    EXPECT_NE(far.remote_endpoint(), seen);
    EXPECT_NE(far.remote_endpoint().port, was.port);
    transfer(1'000'000, [] {});
}

TEST_F(QuicMigration, OftenAndWithFewSockets) {
    connect();
    open_pair();
    for (int i = 0; i < 20; ++i) {
        auto error = std::make_exception_ptr(0);
        // The peer gives a new connection ID for each that is used up, one round trip later.
        for (int tries = 0; error && tries < 100; ++tries) {
            try {
                get(near.async_migrate({test::loopback, 0}, asio::use_future));
                error = nullptr;
            } catch (const boost::system::system_error& e) {
                ASSERT_EQ(e.code(), asio::error::operation_not_supported);
                transfer(10, [] {});
            }
        }
        ASSERT_FALSE(error);
        transfer(10'000, [] {});
    }
    EXPECT_EQ(far.remote_endpoint(), near.local_endpoint());
}

TEST_F(QuicMigration, WhatCannotBeIsRefused) {
    connect();
    open_pair();
    const auto refused = [&](quic_connection& c, const ip_endpoint& to) {
        try {
            get(c.async_migrate(to, asio::use_future));
            return error_code();
        } catch (const boost::system::system_error& e) {
            return e.code();
        }
    };
    EXPECT_EQ(refused(far, {test::loopback, 0}), asio::error::operation_not_supported);  // servers stay
    EXPECT_EQ(refused(near, {*ip_address::parse("::1"), 0}), asio::error::address_family_not_supported);
    EXPECT_EQ(refused(near, {ip_address::v4(192, 0, 2, 1), 0}), boost::system::errc::address_not_available);
    EXPECT_EQ(refused(near, client.local_endpoint()), asio::error::address_in_use);
    transfer(1000, [] {});
    near.close(1);
    EXPECT_TRUE(refused(near, {test::loopback, 0}).failed());
}

TEST_F(QuicMigration, WaitingForItEndsWithCancellationAndWithTheConnection) {
    connect();
    open_pair();
    asio::cancellation_signal stop;
    error_code first, second;
    near.async_migrate({test::loopback, 0}, asio::bind_cancellation_slot(stop.slot(), [&](error_code e) { first = e; }));
    stop.emit(asio::cancellation_type::terminal);
    run_until([&] { return first.failed(); });
    EXPECT_EQ(first, asio::error::operation_aborted);
    run_until([&] { return far.remote_endpoint() == near.local_endpoint(); });  // it goes on all the same
    transfer(1000, [] {});
    near.async_migrate({test::loopback, 0}, [&](error_code e) { second = e; });
    near.close(3);
    run_until([&] { return second.failed(); });
    EXPECT_EQ(second, asio::error::operation_aborted);
}

// Forwards between one client and the server; rebinding it is what a NAT does whose mapping timed out.
class nat {
public:
    nat(asio::io_context& io, const ip_endpoint& server)
        : inside_(io, udp::endpoint(asio::ip::address_v4::loopback(), 0)), server_(to_asio<udp>(server)) {
        rebind();
        receive_inside();
    }
    ip_endpoint address() const { return from_asio(inside_.local_endpoint()); }
    void rebind() {
        outside_ = std::make_shared<udp::socket>(inside_.get_executor(), udp::endpoint(asio::ip::address_v4::loopback(), 0));
        receive_outside(outside_);
    }

private:
    void receive_inside() {
        inside_.async_receive_from(asio::buffer(in_), client_, [this](error_code e, std::size_t n) {
            if (e == asio::error::operation_aborted) return;
            if (!e) outside_->send_to(asio::buffer(in_, n), server_, 0, e);
            receive_inside();
        });
    }
    void receive_outside(const std::shared_ptr<udp::socket>& from) {
        from->async_receive(asio::buffer(out_), [this, from](error_code e, std::size_t n) {
            if (e == asio::error::operation_aborted || from != outside_) return;
            if (!e) inside_.send_to(asio::buffer(out_, n), client_, 0, e);
            receive_outside(from);
        });
    }

    udp::socket inside_;
    std::shared_ptr<udp::socket> outside_;
    udp::endpoint server_, client_;
    std::array<std::uint8_t, 65536> in_, out_;
};

TEST_F(QuicMigration, ANatThatForgetsIsFollowed) {
    nat between(io, server->local_endpoint());
    auto o = options();
    o.remote = between.address();
    auto accepted = server->async_accept(asio::use_future);
    near = get(client.async_connect(o, asio::use_future));
    far = get(std::move(accepted));
    open_pair();
    const auto seen = far.remote_endpoint();
    transfer(300'000, [&] { between.rebind(); });
    EXPECT_NE(far.remote_endpoint().port, seen.port);
    std::swap(a, b);  // and back, to the new port
    transfer(300'000, [] {});
}

TEST(AddressWatcher, KnowsFromWhereTheKernelWouldSend) {
    EXPECT_EQ(source_address({ip_address::v4(127, 0, 0, 1), 443}), ip_address::v4(127, 0, 0, 1));
    EXPECT_EQ(source_address({*ip_address::parse("ff0e::1"), 0}).has_value(),
              source_address({*ip_address::parse("ff0e::2"), 0}).has_value());
}

TEST(AddressWatcher, WaitingCanBeCancelledAndEndsWithIt) {
    asio::io_context io(1);
    error_code cancelled, closed;
    asio::cancellation_signal stop;
    {
        address_watcher watcher(io.get_executor());
        ASSERT_FALSE(watcher.open());
        watcher.async_wait(asio::bind_cancellation_slot(stop.slot(), [&](error_code e) { cancelled = e; }));
        stop.emit(asio::cancellation_type::total);
        io.run();
        EXPECT_EQ(cancelled, asio::error::operation_aborted);
        io.restart();
        watcher.async_wait([&](error_code e) { closed = e; });
    }
    io.run();
    EXPECT_EQ(closed, asio::error::operation_aborted);
}

// In a network of its own, which needs privileges.
TEST(AddressWatcher, TellsOfNewAddresses) {
    int told = -1;
    std::thread([&] {
        if (::unshare(CLONE_NEWNET) != 0 || std::system("ip link set lo up") != 0) return;
        asio::io_context io(1);
        address_watcher watcher(io.get_executor());
        if (watcher.open()) return;
        told = 0;
        error_code error = asio::error::would_block;
        for (const char* change : {"ip address add 10.99.0.1/32 dev lo", "ip address delete 10.99.0.1/32 dev lo"}) {
            watcher.async_wait([&](error_code e) { error = e; });
            EXPECT_EQ(io.poll(), 0u);
            EXPECT_EQ(std::system(change), 0);
            io.restart();
            io.run_for(std::chrono::seconds(5));
            if (!error) ++told;
            io.restart();
        }
    }).join();
    if (told < 0) GTEST_SKIP() << "cannot make a network namespace";
    EXPECT_EQ(told, 2);
}

}  // namespace
}  // namespace tandem::net
