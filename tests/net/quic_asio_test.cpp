// What Asio promises of every asynchronous operation, held to by those of QUIC: any completion token, the handler's executor,
// allocator and cancellation slot, objects that move.
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_allocator.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <tandem/net/quic_error.hpp>

#include "net/quic_fixture.hpp"

namespace tandem::net {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

template <class T>
constexpr bool moves =
    std::is_nothrow_move_constructible_v<T>&& std::is_move_assignable_v<T>&& std::is_default_constructible_v<T> &&
    !std::is_copy_constructible_v<T>;
static_assert(moves<quic_stream> && moves<quic_send_stream> && moves<quic_receive_stream>);
static_assert(moves<quic_connection>);
static_assert(std::is_nothrow_move_constructible_v<quic_endpoint> && !std::is_copy_constructible_v<quic_endpoint>);

// One way streams have one way.
template <class T>
concept reads = requires(T s, asio::mutable_buffer b) {
    s.async_read_some(b, asio::detached);
};
template <class T>
concept writes = requires(T s, asio::const_buffer b) {
    s.async_write_some(b, asio::detached);
};
static_assert(reads<quic_stream> && writes<quic_stream>);
static_assert(reads<quic_receive_stream> && !writes<quic_receive_stream>);
static_assert(!reads<quic_send_stream> && writes<quic_send_stream>);

class QuicAsio : public test::QuicPair {
protected:
    // Runs a coroutine to its end.
    void run(asio::awaitable<void> what) {
        bool over = false;
        std::exception_ptr failure;
        asio::co_spawn(io, std::move(what), [&](std::exception_ptr e) {
            failure = e;
            over = true;
        });
        run_until([&] { return over; });
        if (failure) std::rethrow_exception(failure);
    }
};

// Counts what is taken and given back.
template <class T>
struct counting_allocator {
    using value_type = T;
    explicit counting_allocator(std::ptrdiff_t* l, int* n) : live(l), count(n) {}
    template <class U>
    counting_allocator(const counting_allocator<U>& other) : live(other.live), count(other.count) {}
    T* allocate(std::size_t n) {
        *live += static_cast<std::ptrdiff_t>(n * sizeof(T));
        ++*count;
        return std::allocator<T>().allocate(n);
    }
    void deallocate(T* p, std::size_t n) {
        *live -= static_cast<std::ptrdiff_t>(n * sizeof(T));
        std::allocator<T>().deallocate(p, n);
    }
    template <class U>
    bool operator==(const counting_allocator<U>& other) const {
        return live == other.live;
    }
    std::ptrdiff_t* live;
    int* count;
};

TEST_F(QuicAsio, CoroutinesFromConnectToClose) {
    using namespace asio::experimental::awaitable_operators;
    auto serve = [&]() -> asio::awaitable<void> {
        far = co_await server->async_accept(asio::use_awaitable);
        auto in = co_await far.async_accept_receive_stream(asio::use_awaitable);
        auto both = co_await far.async_accept_stream(asio::use_awaitable);
        std::string text(3, '\0');
        co_await asio::async_read(in, asio::buffer(text), asio::use_awaitable);
        co_await asio::async_write(both, asio::buffer(text), asio::use_awaitable);
        co_await both.async_shutdown(asio::use_awaitable);
    };
    auto use = [&]() -> asio::awaitable<void> {
        near = co_await client.async_connect(options(), asio::use_awaitable);
        auto out = co_await near.async_open_send_stream(asio::use_awaitable);
        co_await asio::async_write(out, asio::buffer("abc", 3), asio::use_awaitable);
        out.shutdown();
        auto both = co_await near.async_open_stream(asio::use_awaitable);
        both.shutdown();
        std::string text(10, '\0');
        auto [error, n] = co_await asio::async_read(both, asio::buffer(text), asio::as_tuple(asio::use_awaitable));
        EXPECT_EQ(error, asio::error::eof);
        EXPECT_EQ(text.substr(0, n), "abc");
    };
    run(serve() && use());
}

TEST_F(QuicAsio, AnOperationThatLosesARaceHasMovedNothing) {
    using namespace asio::experimental::awaitable_operators;
    connect();
    open_pair();
    run([&]() -> asio::awaitable<void> {
        char c = 0;
        asio::steady_timer soon(io, std::chrono::milliseconds(1));
        auto winner =
            co_await (b.async_read_some(asio::buffer(&c, 1), asio::use_awaitable) || soon.async_wait(asio::use_awaitable));
        EXPECT_EQ(winner.index(), 1u);
        co_await a.async_write_some(asio::buffer("x", 1), asio::use_awaitable);
        EXPECT_EQ(co_await b.async_read_some(asio::buffer(&c, 1), asio::use_awaitable), 1u);
        EXPECT_EQ(c, 'x');
    }());
}

TEST_F(QuicAsio, EveryOperationCanBeCancelled) {
    connect();
    open_pair();
    char c = 0;
    asio::cancellation_signal stop[7];
    error_code error[7];
    auto when = [&](std::size_t i) {
        return asio::bind_cancellation_slot(stop[i].slot(), [&error, i](error_code e, auto&&...) { error[i] = e; });
    };
    auto shut = [&](std::size_t i) {
        return asio::bind_cancellation_slot(stop[i].slot(), [&error, i](error_code e) { error[i] = e; });
    };
    server->async_accept(when(0));
    far.async_accept_stream(when(1));
    far.async_accept_receive_stream(when(2));
    far.async_receive_datagram(when(3));
    b.async_read_some(asio::buffer(&c, 1), when(4));
    // Where nothing listens, the kernel may refuse before the cancellation is dealt with, if something else is sent meanwhile.
    quic_endpoint silent(io.get_executor());
    ASSERT_FALSE(silent.open({test::loopback, 0}));
    auto nobody = options();
    nobody.remote = silent.local_endpoint();
    client.async_connect(nobody, when(5));
    b.async_shutdown(shut(6));  // the acknowledgment is not here before the loop runs
    for (auto& s : stop) s.emit(asio::cancellation_type::terminal);
    run_until([&] { return std::all_of(std::begin(error), std::end(error), [](auto& e) { return e.failed(); }); });
    for (auto& e : error) EXPECT_EQ(e, asio::error::operation_aborted);
    open_pair();  // the connection is as good as before
}

TEST_F(QuicAsio, HandlersRunOnTheirExecutor) {
    connect();
    open_pair();
    asio::thread_pool pool(1);
    std::atomic<bool> there{false};
    std::promise<void> done;
    char c = 0;
    b.async_read_some(asio::buffer(&c, 1), asio::bind_executor(pool.get_executor(), [&](error_code e, std::size_t n) {
                          EXPECT_FALSE(e);
                          EXPECT_EQ(n, 1u);
                          there = pool.get_executor().running_in_this_thread();
                          done.set_value();
                      }));
    get(a.async_write_some(asio::buffer("x", 1), asio::use_future));
    get(done.get_future());
    EXPECT_TRUE(there);

    // Without one of their own they run on the stream's.
    EXPECT_EQ(b.get_executor(), asio::any_io_executor(io.get_executor()));
    EXPECT_EQ(far.get_executor(), b.get_executor());
    bool ours = false;
    std::thread::id where;
    b.async_read_some(asio::buffer(&c, 1), [&](error_code, std::size_t) {
        where = std::this_thread::get_id();
        ours = true;
    });
    get(a.async_write_some(asio::buffer("x", 1), asio::use_future));
    run_until([&] { return ours; });
    EXPECT_EQ(where, std::this_thread::get_id());
}

TEST_F(QuicAsio, AnEndpointOnAStrandOfManyThreads) {
    asio::thread_pool pool(3);
    quic_endpoint endpoint(asio::make_strand(pool.get_executor()));
    auto accepted = server->async_accept(asio::use_future);
    auto opened = endpoint.open({test::loopback, 0});  // nothing runs on the strand yet
    ASSERT_FALSE(opened);
    auto connected = asio::co_spawn(
        endpoint.get_executor(),
        [&]() -> asio::awaitable<std::string> {
            auto connection = co_await endpoint.async_connect(options(), asio::use_awaitable);
            auto stream = co_await connection.async_open_stream(asio::use_awaitable);
            co_await asio::async_write(stream, asio::buffer("strand", 6), asio::use_awaitable);
            std::string back(6, '\0');
            co_await asio::async_read(stream, asio::buffer(back), asio::use_awaitable);
            co_return back;
        },
        asio::use_future);
    far = get(std::move(accepted));
    b = get(far.async_accept_stream(asio::use_future));
    std::string text(6, '\0');
    get(asio::async_read(b, asio::buffer(text), asio::use_future));
    get(asio::async_write(b, asio::buffer(text), asio::use_future));
    EXPECT_EQ(get(std::move(connected)), "strand");
    asio::post(endpoint.get_executor(), [&] { endpoint.close(0); });
    pool.join();
}

TEST_F(QuicAsio, WaitingOperationsLiveInTheHandlersMemory) {
    connect();
    open_pair();
    std::ptrdiff_t live = 0;
    int count = 0;
    std::ptrdiff_t when_it_ran = -1;
    char c = 0;
    bool done = false;
    b.async_read_some(asio::buffer(&c, 1),
                      asio::bind_allocator(counting_allocator<void>(&live, &count), [&](error_code, std::size_t) {
                          when_it_ran = live;
                          done = true;
                      }));
    EXPECT_GT(live, 0);  // it waits there
    get(a.async_write_some(asio::buffer("x", 1), asio::use_future));
    run_until([&] { return done; });
    EXPECT_EQ(when_it_ran, 0);  // given back before the handler ran
    EXPECT_GT(count, 0);

    // One that never completes gives it back, too.
    b.async_read_some(asio::buffer(&c, 1),
                      asio::bind_allocator(counting_allocator<void>(&live, &count), [](error_code, std::size_t) {}));
    EXPECT_GT(live, 0);
    a = {}, b = {}, near = {}, far = {};
    io.poll();
    EXPECT_EQ(live, 0);
}

TEST_F(QuicAsio, DeferredOperationsBeginWhenTheyAreAsked) {
    connect();
    open_pair();
    char c = 0;
    auto read = b.async_read_some(asio::buffer(&c, 1), asio::deferred);
    get(a.async_write_some(asio::buffer("x", 1), asio::use_future));
    EXPECT_EQ(c, 0);
    EXPECT_EQ(get(std::move(read)(asio::use_future)), 1u);
    EXPECT_EQ(c, 'x');
}

TEST_F(QuicAsio, FuturesThrowWhatFailed) {
    connect();
    open_pair();
    char c = 0;
    auto read = b.async_read_some(asio::buffer(&c, 1), asio::use_future);
    a.reset(5);
    try {
        get(std::move(read));
        FAIL();
    } catch (const boost::system::system_error& e) {
        EXPECT_EQ(e.code(), make_reset_error(5));
    }
}

TEST_F(QuicAsio, ObjectsMoveWhileOperationsWait) {
    connect();
    open_pair();
    char c = 0;
    auto reading = b.async_read_some(asio::buffer(&c, 1), asio::use_future);
    auto accepting = far.async_accept_stream(asio::use_future);
    quic_stream moved = std::move(b);
    std::vector<quic_connection> elsewhere;
    elsewhere.push_back(std::move(far));
    quic_endpoint mover = std::move(client);
    get(a.async_write_some(asio::buffer("x", 1), asio::use_future));
    EXPECT_EQ(get(std::move(reading)), 1u);
    auto another = get(near.async_open_stream(asio::use_future));
    get(another.async_write_some(asio::buffer("y", 1), asio::use_future));
    EXPECT_EQ(get(std::move(accepting)).id(), another.id());
    moved = std::move(another);  // the one it stood for is given up
    error_code error;
    a.async_read_some(asio::buffer(&c, 1), [&](error_code e, std::size_t) { error = e; });
    run_until([&] { return error.failed(); });
    EXPECT_EQ(error, make_reset_error(0));
}

TEST(QuicError, EveryCategorySaysWhatItMeans) {
    using namespace boost::system;
    EXPECT_EQ(make_application_error(1), errc::connection_aborted);
    EXPECT_EQ(make_reset_error(1), errc::connection_reset);
    EXPECT_EQ(make_stop_error(1), errc::broken_pipe);
    EXPECT_NE(make_reset_error(1), make_stop_error(1));
    EXPECT_TRUE(make_reset_error(0).failed());
    EXPECT_EQ(make_stop_error(0x100000000).value(), INT_MAX);
    EXPECT_NE(make_stop_error(7).message().find('7'), std::string::npos);
    quic::connection_closed closed{quic::close_cause::peer,
                                   quic::connection_error::transport(quic::transport_error::connection_refused, 0, "")};
    EXPECT_EQ(make_error_code(closed), errc::connection_refused);
    closed.error.code = static_cast<std::uint64_t>(quic::transport_error::protocol_violation);
    EXPECT_EQ(make_error_code(closed), errc::protocol_error);
}

}  // namespace
}  // namespace tandem::net
