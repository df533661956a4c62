#include <tandem/net/udp_socket.hpp>

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/udp.h>

#include <cerrno>
#include <deque>
#include <numeric>

#include <boost/asio/io_context.hpp>

namespace tandem::net {
namespace {

const ip_address loopback = ip_address::v4(127, 0, 0, 1);

ip_address loopback_v6() { return *ip_address::parse("::1"); }

// Fails sends as a script says, one entry per call (0: really send), and remembers which were segmented.
class scripted_calls : public udp_calls {
public:
    ssize_t sendmsg(int fd, const msghdr& message, int flags) override {
        segmented.push_back(is_segmented(message));
        int error = 0;
        if (!script.empty()) {
            error = script.front();
            script.pop_front();
        } else if (segmented.back() && refuse_segmented != 0) {
            error = refuse_segmented;
        }
        if (error == 0) return udp_calls::sendmsg(fd, message, flags);
        errno = error;
        return -1;
    }

    static bool is_segmented(const msghdr& message) {
        msghdr copy = message;
        for (auto* c = CMSG_FIRSTHDR(&copy); c != nullptr; c = CMSG_NXTHDR(&copy, c)) {
            if (c->cmsg_level == SOL_UDP && c->cmsg_type == UDP_SEGMENT) return true;
        }
        return false;
    }

    std::deque<int> script;
    int refuse_segmented = 0;
    std::vector<bool> segmented;
};

struct datagram {
    std::vector<std::uint8_t> bytes;
    ip_path path;
    ecn mark;
};

class UdpSocket : public testing::Test {
protected:
    udp_socket open(const ip_address& address, const udp_options& options = {}) {
        udp_socket s(io.get_executor(), calls);
        auto error = s.open({address, 0}, options);
        EXPECT_FALSE(error) << error.message();
        return s;
    }

    // Everything that is in the socket's queue: loopback delivers before sendmsg returns.
    static std::vector<datagram> drain(udp_socket& s) {
        std::vector<datagram> out;
        while (s.receive([&](received_datagram& d) {
            out.push_back({{d.payload.begin(), d.payload.end()}, d.path, d.mark});
        }) > 0) {
        }
        return out;
    }

    train make_train(udp_socket& from, udp_socket& to, std::size_t size, std::size_t segment_size, ecn mark = ecn::not_ect) {
        memory.resize(size);
        std::iota(memory.begin(), memory.end(), std::uint8_t{1});
        return {memory, size, segment_size, {from.local_endpoint(), to.local_endpoint()}, mark};
    }

    void expect_train(const train& t, const std::vector<datagram>& got) {
        ASSERT_EQ(got.size(), t.count());
        for (std::size_t i = 0; i < got.size(); ++i) {
            auto want = t.datagram(i);
            EXPECT_TRUE(std::equal(want.begin(), want.end(), got[i].bytes.begin(), got[i].bytes.end())) << "datagram " << i;
        }
    }

    boost::asio::io_context io;
    scripted_calls calls;
    std::vector<std::uint8_t> memory;
};

TEST_F(UdpSocket, TrainArrivesAsItsDatagrams) {
    auto a = open(loopback), b = open(loopback);
    auto t = make_train(a, b, 10 * 1200 + 77, 1200);
    std::size_t progress = 0;
    EXPECT_EQ(a.send(t, progress), udp_socket::send_result::done);
    EXPECT_EQ(progress, t.size);
    expect_train(t, drain(b));
    EXPECT_EQ(a.statistics().datagrams_sent, 11U);
    EXPECT_EQ(b.statistics().datagrams_received, 11U);
    EXPECT_EQ(b.statistics().bytes_received, t.size);
}

TEST_F(UdpSocket, WithoutReceiveOffloadDatagramsComeOneByOne) {
    udp_options plain;
    plain.receive_offload = false;
    auto a = open(loopback), b = open(loopback, plain);
    auto t = make_train(a, b, 3 * 1200 + 5, 1200);
    std::size_t progress = 0;
    EXPECT_EQ(a.send(t, progress), udp_socket::send_result::done);
    expect_train(t, drain(b));
}

TEST_F(UdpSocket, PathNamesBothEndsAndSendsFromTheChosenAddress) {
    auto a = open(ip_address::v4(0, 0, 0, 0)), b = open(loopback);
    auto t = make_train(a, b, 100, 100);
    t.path.local.address = ip_address::v4(127, 0, 0, 7);
    std::size_t progress = 0;
    a.send(t, progress);
    auto got = drain(b);
    ASSERT_EQ(got.size(), 1U);
    EXPECT_EQ(got[0].path.remote, (ip_endpoint{ip_address::v4(127, 0, 0, 7), a.local_endpoint().port}));
    EXPECT_EQ(got[0].path.local, b.local_endpoint());
}

TEST_F(UdpSocket, MarksTravelOverIPv4) {
    auto a = open(loopback), b = open(loopback);
    for (auto mark : {ecn::not_ect, ecn::ect0, ecn::ect1, ecn::ce}) {
        auto t = make_train(a, b, 2400, 1200, mark);
        std::size_t progress = 0;
        a.send(t, progress);
        auto got = drain(b);
        ASSERT_EQ(got.size(), 2U);
        EXPECT_EQ(got[0].mark, mark);
        EXPECT_EQ(got[1].mark, mark);
    }
}

TEST_F(UdpSocket, MarksAndAddressesTravelOverIPv6) {
    auto a = open(loopback_v6()), b = open(loopback_v6());
    for (auto mark : {ecn::not_ect, ecn::ect0, ecn::ect1, ecn::ce}) {
        auto t = make_train(a, b, 2400, 1200, mark);
        std::size_t progress = 0;
        EXPECT_EQ(a.send(t, progress), udp_socket::send_result::done);
        auto got = drain(b);
        ASSERT_EQ(got.size(), 2U);
        EXPECT_EQ(got[0].mark, mark);
        EXPECT_EQ(got[0].path.remote, a.local_endpoint());
        EXPECT_EQ(got[0].path.local, b.local_endpoint());
    }
}

class OffloadFailure : public UdpSocket, public testing::WithParamInterface<int> {};

TEST_P(OffloadFailure, SameSegmentsGoAgainAtOnceOneByOne) {
    auto a = open(loopback), b = open(loopback);
    ASSERT_TRUE(a.segmentation_offload());
    calls.refuse_segmented = GetParam();
    auto t = make_train(a, b, 5 * 1200 + 9, 1200);
    std::size_t progress = 0;
    EXPECT_EQ(a.send(t, progress), udp_socket::send_result::done);
    expect_train(t, drain(b));
    EXPECT_FALSE(a.segmentation_offload());
    EXPECT_EQ(a.statistics().offload_failures, 1U);
    EXPECT_EQ(calls.segmented, (std::vector<bool>{true, false, false, false, false, false, false}));

    calls.segmented.clear();  // and segmentation is not tried again
    progress = 0;
    a.send(t, progress);
    expect_train(t, drain(b));
    EXPECT_EQ(std::count(calls.segmented.begin(), calls.segmented.end(), true), 0);
}

TEST_P(OffloadFailure, AfterHavingWorked) {
    auto a = open(loopback), b = open(loopback);
    auto t = make_train(a, b, 2 * 1200, 1200);
    std::size_t progress = 0;
    a.send(t, progress);
    expect_train(t, drain(b));
    calls.script = {GetParam()};
    progress = 0;
    EXPECT_EQ(a.send(t, progress), udp_socket::send_result::done);
    expect_train(t, drain(b));
    EXPECT_FALSE(a.segmentation_offload());
}

INSTANTIATE_TEST_SUITE_P(Errno, OffloadFailure, testing::Values(EIO, EINVAL));

TEST_F(UdpSocket, SegmentsLargerThanTheMtuDoNotTurnSegmentationOff) {
    auto a = open(loopback), b = open(loopback);
    auto t = make_train(a, b, 2 * 1200, 1200);
    calls.script = {EINVAL, EMSGSIZE, EMSGSIZE};
    std::size_t progress = 0;
    EXPECT_EQ(a.send(t, progress), udp_socket::send_result::done);
    EXPECT_TRUE(a.segmentation_offload());
    EXPECT_EQ(a.statistics().too_large, 2U);
    EXPECT_EQ(a.statistics().offload_failures, 0U);
}

TEST_F(UdpSocket, RefusedDatagramsAreCountedAndTheTrainGoesOn) {
    auto a = open(loopback), b = open(loopback);
    auto t = make_train(a, b, 1200, 1200);
    calls.script = {EMSGSIZE};
    std::size_t progress = 0;
    EXPECT_EQ(a.send(t, progress), udp_socket::send_result::done);
    EXPECT_EQ(a.statistics().too_large, 1U);
    calls.script = {EPERM};
    progress = 0;
    EXPECT_EQ(a.send(t, progress), udp_socket::send_result::done);
    EXPECT_EQ(a.statistics().send_errors, 1U);
    EXPECT_TRUE(drain(b).empty());
}

TEST_F(UdpSocket, FullSendQueueKeepsTheRestOfTheTrain) {
    udp_options options;
    options.segmentation_offload = false;
    auto a = open(loopback, options), b = open(loopback);
    auto t = make_train(a, b, 4 * 1000, 1000);
    calls.script = {0, 0, EAGAIN};
    std::size_t progress = 0;
    EXPECT_EQ(a.send(t, progress), udp_socket::send_result::would_block);
    EXPECT_EQ(progress, 2000U);
    EXPECT_EQ(a.send(t, progress), udp_socket::send_result::done);
    expect_train(t, drain(b));  // each once
}

TEST_F(UdpSocket, MoreThanOneSendTakesIsSplit) {
    auto a = open(loopback), b = open(loopback);
    auto t = make_train(a, b, 150 * 100, 100);  // 150 segments, 64 per call
    std::size_t progress = 0;
    EXPECT_EQ(a.send(t, progress), udp_socket::send_result::done);
    expect_train(t, drain(b));
    EXPECT_EQ(calls.segmented.size(), 3U);
}

TEST_F(UdpSocket, RefusedPortIsReportedWithItsAddress) {
    udp_options client;
    client.report_errors = true;
    auto a = open(loopback, client);
    ip_endpoint nobody;
    {
        auto b = open(loopback);
        nobody = b.local_endpoint();
    }
    memory.assign(10, 0);
    train t{memory, 10, 10, {a.local_endpoint(), nobody}, ecn::not_ect};
    std::size_t progress = 0;
    a.send(t, progress);
    EXPECT_TRUE(drain(a).empty());
    auto error = a.poll_error();
    ASSERT_TRUE(error);
    EXPECT_EQ(error->remote, nobody);
    EXPECT_EQ(error->code, boost::system::errc::connection_refused);
    EXPECT_FALSE(a.poll_error());
}

TEST_F(UdpSocket, ReportOfOneDestinationDoesNotStopDatagramsToAnother) {
    udp_options client;
    client.report_errors = true;
    auto a = open(loopback, client), c = open(loopback);
    ip_endpoint nobody;
    {
        auto b = open(loopback);
        nobody = b.local_endpoint();
    }
    memory.assign(10, 0);
    train lost{memory, 10, 10, {a.local_endpoint(), nobody}, ecn::not_ect};
    train good{memory, 10, 10, {a.local_endpoint(), c.local_endpoint()}, ecn::not_ect};
    std::size_t progress = 0;
    a.send(lost, progress);
    progress = 0;
    EXPECT_EQ(a.send(good, progress), udp_socket::send_result::done);
    EXPECT_EQ(drain(c).size(), 1U);
}

TEST_F(UdpSocket, ServersDoNotListenToIcmp) {
    auto a = open(loopback);
    ip_endpoint nobody;
    {
        auto b = open(loopback);
        nobody = b.local_endpoint();
    }
    memory.assign(10, 0);
    train t{memory, 10, 10, {a.local_endpoint(), nobody}, ecn::not_ect};
    std::size_t progress = 0;
    a.send(t, progress);
    EXPECT_TRUE(drain(a).empty());
    EXPECT_FALSE(a.poll_error());
}

TEST_F(UdpSocket, TooSmallBufferNamesTheSetting) {
    buffer_shortfall s{"net.core.rmem_max", 8 << 20, 208 << 10};
    EXPECT_EQ(s.to_string(),
              "UDP buffer too small: wanted 8192 KiB, got 208 KiB; to raise it: sysctl -w net.core.rmem_max=8388608");
}

TEST_F(UdpSocket, BusyPortIsAnError) {
    auto a = open(loopback);
    udp_socket b(io.get_executor());
    EXPECT_EQ(b.open(a.local_endpoint()), boost::system::errc::address_in_use);
    EXPECT_FALSE(b.is_open());
}

}  // namespace
}  // namespace tandem::net
