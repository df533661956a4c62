// Two hundred connections each way at once, of all kinds: sizes up to 50 MB, halves that end while the other goes on, resets by
// either side at any byte, readers that stop, and packets that are lost both ways.
#include <algorithm>
#include <iostream>
#include <map>
#include <sstream>

#include "fixture.hpp"
#include "mix.hpp"

namespace tandem::net {
namespace {

constexpr std::size_t count = 200, at_once = 20;
constexpr std::uint16_t first_port = 20000;  // of connectors: they are known by it

constexpr std::uint64_t budget = 400'000'000;  // bytes, of what is drawn for each direction

// Connection `key` of a direction sends contents 4 * key (+ 1: the kernel connects) and, back, that + 2.
std::uint64_t contents_of(std::uint64_t key, bool kernel_connects, bool from_connector) {
    return 4 * key + (kernel_connects ? 1 : 0) + (from_connector ? 0 : 2);
}

// The kernel's counters (/proc/net/snmp and netstat), by name.
std::map<std::string, std::uint64_t> kernel_counters() {
    std::map<std::string, std::uint64_t> out;
    for (const auto* file : {"/proc/self/net/snmp", "/proc/self/net/netstat"}) {
        std::ifstream in(file);
        for (std::string names, values; std::getline(in, names) && std::getline(in, values);) {
            std::istringstream n(names), v(values);
            std::string group, name, ignored;
            std::uint64_t value = 0;
            n >> group;
            v >> ignored;
            while (n >> name && v >> value) out[group + name] = value;
        }
    }
    return out;
}

// One side that the kernel plays. Never blocks.
class kernel_side {
public:
    kernel_side(kernel_socket s, side who, std::uint64_t number, bool was_accepted)
        : key(number), accepted(was_accepted), work(std::move(who)), socket_(std::move(s)), connecting_(!was_accepted) {
        socket_.set_alive_check();
        if (work.mine().pause_after) socket_.limit_receive_buffer(64 * 1024);
    }
    int connect() { return socket_.connect_later(our_port, static_cast<std::uint16_t>(first_port + key)); }

    pollfd wants(std::chrono::steady_clock::time_point now) const {
        short what = connecting_ || !work.to_send().empty() ? POLLOUT : 0;
        if (!connecting_ && work.reads() && now >= paused_until_) what |= POLLIN;
        return {what == 0 ? -1 : socket_.fd(), what, 0};
    }
    void act(std::chrono::steady_clock::time_point now) {
        if (connecting_) {
            if (const int e = socket_.error(); e != 0) return fail(e);
            connecting_ = false;
        }
        for (bool more = true; more && !work.over();) {
            const bool any = read(now);
            more = write() || any;
        }
        if (work.abort_due()) {
            socket_.abort();
            work.ended(ending::aborted);
        }
        if (work.over()) socket_.close();
    }

    const std::uint64_t key;
    const bool accepted;
    side work;

private:
    void fail(int error) {
        if (error == EAGAIN) return;
        work.ended(error == ECONNRESET || error == EPIPE ? ending::was_reset : ending::failed);
    }
    bool read(std::chrono::steady_clock::time_point now) {
        static std::vector<std::uint8_t> buffer(256 * 1024);
        if (!work.reads() || now < paused_until_ || work.abort_due()) return false;
        if (const auto pause = work.pause_due(); pause.count() > 0) {
            paused_until_ = now + pause;
            return false;
        }
        const auto n = ::recv(socket_.fd(), buffer.data(), work.may_read(buffer.size()), MSG_DONTWAIT);
        if (n < 0) fail(errno);
        if (n > 0) work.received({buffer.data(), static_cast<std::size_t>(n)});
        if (n == 0) work.peer_ended();
        return n >= 0;
    }
    bool write() {
        if (work.abort_due()) return false;
        if (work.end_due()) {
            socket_.end_sending();
            work.half_ended();
            return false;
        }
        const auto piece = work.to_send();
        if (piece.empty()) return false;
        const auto n = ::send(socket_.fd(), piece.data(), piece.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0) fail(errno);
        if (n > 0) work.sent(static_cast<std::size_t>(n));
        return n > 0;
    }

    kernel_socket socket_;
    bool connecting_;
    std::chrono::steady_clock::time_point paused_until_{};
};

class KernelMix : public KernelTest {
protected:
    struct results {
        std::vector<ending> connector = std::vector<ending>(count), acceptor = std::vector<ending>(count);
    };

    // The kernel's connections, both those it makes and those it accepts, on the thread of the test, until `done`.
    template <class Done>
    void play_kernel(kernel_socket& listener, Done done) {
        std::vector<std::unique_ptr<kernel_side>> living;
        std::size_t next = 0;
        std::vector<pollfd> polled;
        while (!done(next == count && living.empty())) {
            const auto connecting = std::count_if(living.begin(), living.end(), [](const auto& s) { return !s->accepted; });
            for (auto n = static_cast<std::size_t>(connecting); n < at_once && next < count; ++n, ++next) {
                const auto& c = from_kernel[next];
                living.push_back(std::make_unique<kernel_side>(
                    kernel_socket(), side(c.connector, c.acceptor, contents_of(next, true, true), contents_of(next, true, false)),
                    next, false));
                EXPECT_EQ(living.back()->connect(), EINPROGRESS);
            }
            polled.assign(1, pollfd{listener.fd(), POLLIN, 0});
            for (const auto& s : living) polled.push_back(s->wants(std::chrono::steady_clock::now()));
            ::poll(polled.data(), polled.size(), 2);
            const auto now = std::chrono::steady_clock::now();
            for (std::size_t i = 1; i < polled.size(); ++i) {
                if (polled[i].revents != 0) living[i - 1]->act(now);
            }
            if (polled[0].revents != 0) {
                std::uint16_t port = 0;
                auto socket = listener.accept(port);
                const std::uint64_t key = port - first_port;
                ASSERT_LT(key, count);
                const auto& c = to_kernel[key];
                living.push_back(std::make_unique<kernel_side>(
                    std::move(socket),
                    side(c.acceptor, c.connector, contents_of(key, false, false), contents_of(key, false, true)), key, true));
                living.back()->act(now);
            }
            std::erase_if(living, [&](const auto& s) {
                auto& all = s->accepted ? seen_to.acceptor : seen_from.connector;
                all[s->key] = s->work.result();
                return s->work.over();
            });
        }
    }

    // One side that we play: two coroutines, one for each half; whoever ends last closes the stream.
    struct our_side {
        our_side(tcp_stream s, side who, ending& r) : stream(std::move(s)), work(std::move(who)), result(r) {}
        ~our_side() { result = work.result(); }
        void check(const error_code& e) {
            if (e)
                work.ended(e == asio::error::connection_reset || e == asio::error::broken_pipe ? ending::was_reset
                                                                                               : ending::failed);
            if (work.abort_due()) {
                stream.abort();
                work.ended(ending::aborted);
            }
        }
        tcp_stream stream;
        side work;
        ending& result;
    };
    static asio::awaitable<void> write(std::shared_ptr<our_side> s) {
        error_code e;
        for (s->check({}); !s->work.to_send().empty(); s->check(e)) {
            const auto piece = s->work.to_send();
            s->work.sent(
                co_await s->stream.async_write_some(asio::buffer(piece.data(), piece.size()), redirect_error(use_awaitable, e)));
        }
        if (!s->work.end_due()) co_return;
        s->stream.shutdown(asio::socket_base::shutdown_send, e);  // of one that was reset it fails: reading tells
        s->work.half_ended();
    }
    asio::awaitable<void> read(std::shared_ptr<our_side> s) {
        std::vector<std::uint8_t> buffer(256 * 1024);
        error_code e;
        for (s->check({}); !s->work.over() && s->work.reads();) {
            if (const auto pause = s->work.pause_due(); pause.count() > 0) {
                asio::steady_timer timer(io, pause);
                co_await timer.async_wait(use_awaitable);
                if (s->work.over()) co_return;
            }
            const auto n = co_await s->stream.async_read_some(asio::buffer(buffer, s->work.may_read(buffer.size())),
                                                              redirect_error(use_awaitable, e));
            if (s->work.over()) co_return;
            if (n > 0) s->work.received({buffer.data(), n});
            if (e == asio::error::eof) {
                s->work.peer_ended();
                e = {};
            }
            s->check(e);
        }
        if (s->work.mine().answers) co_await write(s);
    }
    asio::awaitable<void> play_ours(tcp_stream stream, side who, ending& result) {
        auto s = std::make_shared<our_side>(std::move(stream), std::move(who), result);
        if (!s->work.mine().answers) {
            spawn([s] { return write(s); });
        }
        co_await read(std::move(s));
    }

    asio::awaitable<void> accept_from_the_kernel(std::shared_ptr<tcp_acceptor> acceptor) {
        for (;;) {
            error_code e;
            auto s = co_await acceptor->async_accept(redirect_error(use_awaitable, e));
            if (e) co_return;
            const std::uint64_t key = s.remote_endpoint().port - first_port;
            EXPECT_LT(key, count);
            const auto& c = from_kernel[key];
            auto held = std::make_shared<tcp_stream>(std::move(s));
            spawn([this, held, &c, key] {
                return play_ours(std::move(*held),
                                 side(c.acceptor, c.connector, contents_of(key, true, false), contents_of(key, true, true)),
                                 seen_from.acceptor[key]);
            });
        }
    }
    asio::awaitable<void> connect_to_the_kernel(std::uint16_t port, std::shared_ptr<std::size_t> next) {
        while (*next < count) {
            const auto key = (*next)++;
            tcp_stream s(*stack);
            error_code e;
            co_await s.async_connect({kernels, port}, redirect_error(use_awaitable, e),
                                     {ours, static_cast<std::uint16_t>(first_port + key)});
            EXPECT_FALSE(e) << e.message();
            const auto& c = to_kernel[key];
            side who(c.connector, c.acceptor, contents_of(key, false, true), contents_of(key, false, false));
            if (e) who.ended(ending::failed);
            co_await play_ours(std::move(s), std::move(who), seen_to.connector[key]);
        }
    }

    static void judge(const std::vector<conversation>& mix, const results& seen, const char* what) {
        for (std::size_t key = 0; key < count; ++key) {
            const auto& c = mix[key];
            EXPECT_TRUE(may_end(c.connector, c.acceptor, false, seen.connector[key]) &&
                        may_end(c.acceptor, c.connector, true, seen.acceptor[key]))
                << what << ", connection " << key << ": the connector " << to_string(seen.connector[key]) << ", the acceptor "
                << to_string(seen.acceptor[key]) << "; " << describe(c);
        }
    }

    std::vector<conversation> from_kernel = draw_mix(count, 50'000'000, budget, tandem::test::seed());
    std::vector<conversation> to_kernel = draw_mix(count, 50'000'000, budget, tandem::test::seed() + 1);
    results seen_from, seen_to;
};

TEST_F(KernelMix, TwoHundredEachWayOfAllKinds) {
    std::cout << "from the kernel: " << describe(from_kernel) << "\nto the kernel: " << describe(to_kernel) << '\n';
    const auto before = kernel_counters();
    auto random = std::make_shared<random_source>(tandem::test::seed());
    // A reset that is lost is not sent again: keep-alive finds it out.
    settings.keepalive = tcp::keepalive_config{.idle = std::chrono::seconds(1), .interval = std::chrono::seconds(1)};
    open([random](bool) { return random->below(500) == 0; });
    kernel_socket listener;
    const auto port = listener.listen();
    std::shared_ptr<tcp_acceptor> acceptor;
    std::atomic<bool> listening = false;
    asio::post(io, [&] {
        acceptor = std::make_shared<tcp_acceptor>(*stack);
        EXPECT_FALSE(acceptor->listen({ours, our_port}));
        listening = true;
    });
    ASSERT_TRUE(wait_for([&] { return listening.load(); }));
    spawn([&] { return accept_from_the_kernel(acceptor); });
    auto next = std::make_shared<std::size_t>(0);
    for (std::size_t i = 0; i < at_once; ++i) {
        spawn([&] { return connect_to_the_kernel(port, next); });
    }
    // It is over when neither has a socket any more (but TIME-WAIT of the kernel's), and nobody works but the acceptor.
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(90);
    play_kernel(listener, [&](bool kernel_idle) {
        return std::chrono::steady_clock::now() > deadline ||
               (kernel_idle && running == 1 && kernel_sockets() == 0 && sockets() == 0);
    });
    expect_nothing_left();
    asio::post(io, [&] { acceptor->close(); });
    wait();
    judge(from_kernel, seen_from, "from the kernel");
    judge(to_kernel, seen_to, "to the kernel");

    const auto seen = look();
    const auto after = kernel_counters();
    const auto grown = [&](const std::string& name) { return after.at(name) - before.at(name); };
    // All of it did happen.
    EXPECT_GT(seen.totals.retransmissions, 0U);
    EXPECT_GT(grown("Tcp:RetransSegs"), 0U);
    EXPECT_GT(seen.totals.window_probes, 0U);
    EXPECT_GT(grown("TcpExt:TCPWinProbe"), 0U);
    // And nobody sent anything that he should not have.
    EXPECT_EQ(seen.endpoint.packets_dropped, 0U);
    EXPECT_EQ(seen.endpoint.bad_checksums, 0U);
    EXPECT_EQ(seen.totals.paws_rejected, 0U);
    EXPECT_EQ(seen.totals.gap_limit_drops, 0U);
    EXPECT_LE(grown("Tcp:InErrs"), seen.totals.syn_retransmissions);  // it counts a SYN-ACK that comes again, and answers it
    EXPECT_EQ(grown("Tcp:InCsumErrors"), 0U);
    EXPECT_EQ(grown("TcpExt:PAWSEstab"), 0U);
    EXPECT_EQ(grown("TcpExt:TCPSACKReneging"), 0U);
    EXPECT_EQ(grown("TcpExt:TCPSACKDiscard"), 0U);
    EXPECT_EQ(grown("TcpExt:TCPBacklogDrop"), 0U);
}

}  // namespace
}  // namespace tandem::net
