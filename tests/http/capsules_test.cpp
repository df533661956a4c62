// The Capsule Protocol (RFC 9297 3): literal streams, and what is written is read.
#include <gtest/gtest.h>

#include <tandem/bytes/random.hpp>
#include <tandem/bytes/writer.hpp>
#include <tandem/http/capsule_protocol.hpp>
#include <tandem/http/capsules.hpp>
#include <tandem/http/datagram_engine.hpp>
#include <tandem/http/datagram_queue.hpp>

#include "../hex.hpp"
#include "../seed.hpp"
#include "session_trace.hpp"

namespace tandem::http {
namespace {

using tandem::test::from_hex;
using tandem::test::to_hex;
using octets = std::vector<std::uint8_t>;

octets bytes(std::string_view text) { return {text.begin(), text.end()}; }

// Everything a reader finds in a stream that comes in pieces of this size, in hexadecimal: "aa,bb,".
std::string read(capsule_reader& reader, std::span<const std::uint8_t> stream, std::size_t piece) {
    std::string found;
    while (!stream.empty()) {
        const auto got = reader.receive(stream.first(std::min(piece, stream.size())));
        stream = stream.subspan(got.taken);
        if (got.datagram) found += to_hex(*got.datagram) + ',';
    }
    return found;
}

TEST(capsules, literal_streams) {
    struct sample {
        std::string_view stream, found;
        std::uint64_t skipped = 0, too_large = 0;
        bool within = false;
    };
    for (const auto& s : {
             sample{"", ""},
             {"0000", ","},                                    // a datagram without a byte
             {"0003616263", "616263,"},                        //
             {"0003616263 00020708", "616263,0708,"},          //
             {"4000 c000000000000003 616263", "616263,"},      // longer forms of both numbers
             {"0103616263 000101", "01,", 1},                  // RFC 9297 3.2: an unknown type is passed over
             {"0100 2500 000101", "01,", 2},                   // without a payload, too
             {"ffffffffffffffff 02 0000 0000", ",", 1},        // the largest type
             {"0009 000102030405060708 000101", "01,", 0, 1},  // larger than the reader takes
             {"0008 0001020304050607", "0001020304050607,"},   // as large as it takes
             {"00", "", 0, 0, true},                           // cut off in each of its parts
             {"40", "", 0, 0, true},
             {"0040", "", 0, 0, true},
             {"000361", "", 0, 0, true},
             {"010361", "", 1, 0, true},
             {"00ffffffffffffffff 00", "", 0, 1, true},
             {"0001 61 00", "61,", 0, 0, true},
         }) {
        const auto stream = from_hex(s.stream);
        for (std::size_t piece = 1; piece <= stream.size() + 1; ++piece) {
            capsule_reader reader(8);
            EXPECT_EQ(read(reader, stream, piece), s.found) << s.stream << " in pieces of " << piece;
            EXPECT_EQ(reader.skipped(), s.skipped) << s.stream;
            EXPECT_EQ(reader.too_large(), s.too_large) << s.stream;
            EXPECT_EQ(reader.within(), s.within) << s.stream;
        }
    }
}

TEST(capsules, what_is_written_is_read) {
    random_source random(tandem::test::seed());
    for (int round = 0; round < 300; ++round) {
        octets stream;
        std::string expected;
        std::uint64_t skipped = 0, too_large = 0;
        for (auto count = random.below(20); count > 0; --count) {
            const bool known = random.below(3) > 0;
            const auto type = known ? capsule_type::datagram : 1 + random.below(varint_max);
            octets payload(random.below(4) == 0 ? random.below(20'000) : random.below(70));
            for (auto& b : payload) b = static_cast<std::uint8_t>(random.below(256));
            append_capsule(stream, type, payload);
            skipped += !known;
            too_large += known && payload.size() > 10'000;
            if (known && payload.size() <= 10'000) expected += to_hex(payload) + ',';
        }
        capsule_reader reader(10'000);
        EXPECT_EQ(read(reader, stream, 1 + random.below(5000)), expected);
        EXPECT_EQ(reader.skipped(), skipped);
        EXPECT_EQ(reader.too_large(), too_large);
        EXPECT_FALSE(reader.within());
    }
}

TEST(capsules, stops_behind_each_datagram) {
    capsule_reader reader(100);
    const auto stream = from_hex("0101ff 000161 000162");
    const auto first = reader.receive(stream);
    EXPECT_EQ(first.taken, 6u);
    EXPECT_EQ(first.datagram, bytes("a"));
    const auto second = reader.receive(std::span(stream).subspan(6));
    EXPECT_EQ(second.taken, 3u);
    EXPECT_EQ(second.datagram, bytes("b"));
}

TEST(datagram_queue, the_oldest_make_room) {
    datagram_queue queue(3 * (datagram_queue::cost + 1));
    for (const char* text : {"a", "b", "c", "d"}) queue.push(bytes(text));
    EXPECT_TRUE(queue.full());
    EXPECT_EQ(queue.dropped(), 1u);
    EXPECT_EQ(queue.pop(), bytes("b"));
    EXPECT_FALSE(queue.full());
    queue.push(octets(65));  // takes the room of two
    EXPECT_EQ(queue.dropped(), 2u);
    EXPECT_EQ(queue.pop(), bytes("d"));
    EXPECT_EQ(queue.pop(), octets(65));
    EXPECT_FALSE(queue.pop());
    queue.push(octets(1000));  // never fits
    EXPECT_EQ(queue.dropped(), 3u);
    EXPECT_TRUE(queue.empty());
    EXPECT_EQ(queue.bytes(), 0u);
}

// Empty ones are not held without end.
TEST(datagram_queue, each_has_a_cost) {
    datagram_queue queue(64 * 1024);
    for (int i = 0; i < 100'000; ++i) queue.push({});
    EXPECT_EQ(queue.dropped(), 100'000u - 1024);
}

TEST(datagram_engine, capsules_wait_while_nobody_reads) {
    datagram_engine engine({.receive_buffer = datagram_queue::cost + 3});  // it stops behind what is too much
    const auto stream = from_hex("00026161 00026262 00026363");
    EXPECT_EQ(engine.receive(stream), 8u);
    EXPECT_FALSE(engine.wants_to_receive());
    EXPECT_EQ(engine.receive(std::span(stream).subspan(8)), 0u);
    engine.arrived(bytes("qq"));  // but in a QUIC datagram it does not wait
    EXPECT_EQ(engine.unread(), 2u);
    EXPECT_EQ(engine.poll(), bytes("qq"));
    EXPECT_EQ(engine.receive(std::span(stream).subspan(8)), 4u);
    EXPECT_EQ(engine.poll(), bytes("cc"));
    EXPECT_FALSE(engine.poll());
    EXPECT_TRUE(engine.may_end());
    engine.receive(from_hex("0005"));
    EXPECT_FALSE(engine.may_end());
}

TEST(datagram_engine, sends_what_there_is_room_for) {
    datagram_engine engine({.size = 100, .send_buffer = 100});
    EXPECT_FALSE(engine.send(octets(101)));
    EXPECT_TRUE(engine.send(octets(40)));
    EXPECT_TRUE(engine.send(octets(40)));
    EXPECT_FALSE(engine.send(octets(40)));
    octets out(50);
    EXPECT_EQ(engine.transmit(out), 50u);
    EXPECT_TRUE(engine.send(octets(40)));
    octets rest(1000);
    rest.resize(engine.transmit(rest));
    out.insert(out.end(), rest.begin(), rest.end());
    EXPECT_FALSE(engine.wants_to_transmit());
    capsule_reader reader(100);
    const auto one = to_hex(octets(40)) + ',';
    EXPECT_EQ(read(reader, out, 1000), one + one + one);
}

TEST(capsule_protocol, the_field) {
    const auto says = [](std::initializer_list<field> list) { return says_capsule_protocol(fields(list)); };
    EXPECT_TRUE(says({{"capsule-protocol", "?1"}}));
    EXPECT_TRUE(says({{"capsule-protocol", "?1;a"}}));
    EXPECT_TRUE(says({{"capsule-protocol", "?1; a=1;  *b=\"; x\";c=?0"}}));
    // RFC 9297 3.4: false means as much as nothing, and what is no Boolean is ignored.
    for (const char* value : {"?0", "1", "true", "?", "?1x", "?1;", "?1;A", "?1 ;a", "\"?1\"", "?1, ?1", "?1;a=\"x", ""})
        EXPECT_FALSE(says({{"capsule-protocol", value}})) << value;
    EXPECT_FALSE(says({}));
    EXPECT_FALSE(says({{"capsule-protocol", "?1"}, {"capsule-protocol", "?1"}}));
    fields list;
    say_capsule_protocol(list);
    EXPECT_EQ(list.find("capsule-protocol"), "?1");
}

TEST(capsule_protocol, what_it_does_not_go_with) {
    EXPECT_EQ(wrong_with_capsules(fields{{"accept", "*/*"}}), "");
    for (const char* name : {"content-length", "content-type", "transfer-encoding"})
        EXPECT_NE(wrong_with_capsules(fields{{name, "0"}}), "") << name;
    for (int status : {200, 201, 203, 207, 101, 304, 404}) EXPECT_EQ(wrong_with_capsules(response{status, {}}), "") << status;
    for (int status : {204, 205, 206}) EXPECT_NE(wrong_with_capsules(response{status, {}}), "") << status;
    EXPECT_NE(wrong_with_capsules(response{200, {{"content-type", "x"}}}), "");
    EXPECT_EQ(wrong_with_capsules(response{404, {{"content-type", "x"}}}), "");  // an ordinary answer
}

}  // namespace
}  // namespace tandem::http
