// When plaintext bytes arrived, could be read in TCP, and could be decrypted.
#include <numeric>

#include <seed.hpp>
#include <tandem/bytes/random.hpp>
#include <tls/support.hpp>

namespace tandem::tls {
namespace {

using namespace test;
using namespace std::chrono_literals;

time_point at(std::int64_t ms) { return time_point(std::chrono::milliseconds(ms)); }

class record_times_test : public testing::Test {
protected:
    record_times_test() {
        auto pair = make_records(make_client(cert.chain_pem), make_server(cert));
        client = std::move(pair.client);
        server = std::move(pair.server);
        for (int i = 0; i < 4; ++i) {
            carry(*client, *server);
            server->write(bytes_of("hello"));  // the tickets go with the first data
            auto out = server->pending_output();
            const byte_times times{out.size(), at(1), at(1)};
            server->consume_output(client->receive(out, {&times, 1}));
            read_all(*client);
        }
        EXPECT_TRUE(client->handshake_complete());
    }
    std::vector<std::uint8_t> seal(std::size_t size) {
        std::vector<std::uint8_t> plaintext(size, 'x');
        EXPECT_EQ(server->write(plaintext), size);
        std::vector<std::uint8_t> wire(server->pending_output().begin(), server->pending_output().end());
        server->consume_output(wire.size());
        return wire;
    }

    certificate cert = make_certificate();
    std::unique_ptr<record_session> client;
    std::unique_ptr<record_session> server;
    std::vector<record_times> runs;
};

TEST_F(record_times_test, one_record_at_once) {
    auto wire = seal(100);
    const byte_times times{wire.size(), at(10), at(20)};
    client->receive(wire, {&times, 1});
    EXPECT_EQ(read_all(*client, &runs).size(), 100U);
    EXPECT_EQ(runs, (std::vector{record_times{100, at(10), at(20), at(20)}}));
}

TEST_F(record_times_test, a_record_is_complete_with_its_last_byte) {
    auto wire = seal(1000);
    // Header 5, then byte i of the body is byte i of the plaintext.
    const byte_times first{5 + 400, at(10), at(10)};
    client->receive(std::span(wire).first(405), {&first, 1});
    EXPECT_EQ(read_all(*client, &runs), "");
    EXPECT_TRUE(runs.empty());
    const byte_times rest[] = {{600, at(30), at(30)}, {wire.size() - 1005, at(50), at(50)}};
    client->receive(std::span(wire).subspan(405), rest);
    EXPECT_EQ(read_all(*client, &runs).size(), 1000U);
    EXPECT_EQ(runs, (std::vector{record_times{400, at(10), at(10), at(50)}, record_times{600, at(30), at(30), at(50)}}));
}

TEST_F(record_times_test, small_reads_split_runs) {
    auto wire = seal(100);
    const byte_times times[] = {{5 + 30, at(10), at(12)}, {wire.size() - 35, at(11), at(12)}};
    client->receive(wire, times);
    std::vector<std::uint8_t> out(20);
    for (int i = 0; i < 5; ++i) EXPECT_EQ(client->read(out, &runs), 20U);
    EXPECT_EQ(runs, (std::vector{record_times{20, at(10), at(12), at(12)}, record_times{10, at(10), at(12), at(12)},
                                 record_times{10, at(11), at(12), at(12)}, record_times{20, at(11), at(12), at(12)},
                                 record_times{20, at(11), at(12), at(12)}, record_times{20, at(11), at(12), at(12)}}));
}

TEST_F(record_times_test, several_records_in_one_read) {
    auto first = seal(50);
    auto wire = first;
    auto second = seal(70);
    wire.insert(wire.end(), second.begin(), second.end());
    const byte_times times[] = {{first.size(), at(10), at(10)}, {second.size(), at(20), at(20)}};
    client->receive(wire, times);
    EXPECT_EQ(read_all(*client, &runs).size(), 120U);
    EXPECT_EQ(runs, (std::vector{record_times{50, at(10), at(10), at(10)}, record_times{70, at(20), at(20), at(20)}}));
}

TEST_F(record_times_test, reading_without_asking_for_times_keeps_them_right) {
    auto first = seal(50);
    const byte_times early{first.size(), at(10), at(10)};
    client->receive(first, {&early, 1});
    EXPECT_EQ(read_all(*client).size(), 50U);
    auto second = seal(60);
    const byte_times late{second.size(), at(20), at(21)};
    client->receive(second, {&late, 1});
    EXPECT_EQ(read_all(*client, &runs).size(), 60U);
    EXPECT_EQ(runs, (std::vector{record_times{60, at(20), at(21), at(21)}}));
}

TEST_F(record_times_test, without_times_none_are_told) {
    auto pair = make_records(make_client(cert.chain_pem), make_server(cert));
    run(*pair.client, *pair.server);
    pair.server->write(bytes_of("text"));
    run(*pair.client, *pair.server);
    EXPECT_EQ(read_all(*pair.client, &runs), "text");
    EXPECT_TRUE(runs.empty());
}

// Every plaintext byte's times are those of its own ciphertext byte, whatever the pieces in which bytes come and are read.
TEST_F(record_times_test, random_pieces) {
    const auto seed = tandem::test::seed();
    random_source random(seed);
    std::vector<std::uint8_t> wire;
    std::vector<std::size_t> record_of;      // per plaintext byte
    std::vector<std::size_t> ciphertext_at;  // per plaintext byte, its offset in `wire`
    std::vector<std::size_t> record_end;
    for (int i = 0; i < 20; ++i) {
        auto size = 1 + random.below(3000);
        auto record = seal(size);
        for (std::size_t k = 0; k < size; ++k) {
            record_of.push_back(record_end.size());
            ciphertext_at.push_back(wire.size() + 5 + k);
        }
        wire.insert(wire.end(), record.begin(), record.end());
        record_end.push_back(wire.size());
    }
    std::vector<byte_times> per_byte;  // readable never falls: TCP gives bytes in order
    auto readable = at(100);
    while (per_byte.size() < wire.size()) {
        readable += std::chrono::milliseconds(random.below(5));
        auto arrived = readable - std::chrono::milliseconds(random.below(50));
        for (auto n = 1 + random.below(700); n-- > 0 && per_byte.size() < wire.size();)
            per_byte.push_back({1, arrived, readable});
    }
    std::vector<std::uint8_t> out(4000);
    std::size_t given = 0;
    std::size_t got = 0;
    while (got < record_of.size()) {
        auto n = std::min<std::size_t>(wire.size() - given, 1 + random.below(5000));
        auto taken = client->receive(std::span(wire).subspan(given, n), std::span(per_byte).subspan(given, n));
        given += taken;
        auto read = client->read(std::span(out).first(1 + random.below(out.size())), &runs);
        got += read;
        ASSERT_TRUE(taken > 0 || read > 0);
    }
    std::size_t k = 0;
    for (const auto& run : runs) {
        for (std::uint64_t i = 0; i < run.bytes; ++i, ++k) {
            const auto& expected = per_byte[ciphertext_at[k]];
            ASSERT_EQ(run.arrived, expected.arrived) << "byte " << k << " seed " << seed;
            ASSERT_EQ(run.readable, expected.readable) << "byte " << k << " seed " << seed;
            ASSERT_EQ(run.complete, per_byte[record_end[record_of[k]] - 1].readable) << "byte " << k << " seed " << seed;
        }
    }
    EXPECT_EQ(k, record_of.size());
}

}  // namespace
}  // namespace tandem::tls
