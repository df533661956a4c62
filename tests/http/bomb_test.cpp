// Small field sections that are large when decoded (HPACK and QPACK "bombs"), and sections that wait for a table that never
// comes.
#include "http3_pair.hpp"

#include <tandem/http/http2_server.hpp>

namespace tandem::http {
namespace {

using test::at;
using test::code_of;

constexpr int references = 10'000;  // one byte each, to a line of 3900 bytes: 39 MB

std::string h2_frame(char type, char flags, char stream, const std::string& payload) {
    const auto n = payload.size();
    return std::string{
               static_cast<char>(n >> 16), static_cast<char>(n >> 8), static_cast<char>(n), type, flags, 0, 0, 0, stream} +
           payload;
}

TEST(http2_bomb, references_to_one_large_line) {
    http2_server server;
    test::server_trace served;
    // RFC 7541: GET https / :authority "h", then a line that goes into the table, and references to it.
    std::string section("\x82\x87\x84\x41\x01h\x40\x01x\x7f\xbd\x1d", 12);
    section += std::string(3900, 'y') + std::string(references, '\xbe');
    const auto in = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + h2_frame(4, 0, 0, "") + h2_frame(1, 5, 1, section) +
                    h2_frame(1, 5, 3, std::string("\x82\x87\x84\x41\x01h", 6));
    server.receive(test::bytes_of(in), {}, at(0));
    served.run(server, at(0));
    EXPECT_EQ(served.text,
              "request 1 GET https://h/; received 1; ");  // the other one was answered 431, and no line of it was kept
    std::vector<std::uint8_t> out(10'000);
    out.resize(server.transmit(out, at(0)));
    EXPECT_NE(std::string(out.begin(), out.end()).find("431"), std::string::npos);
    EXPECT_FALSE(server.error());
}

class http3_bomb : public test::http3_pair {
protected:
    // A server with a table of 4096 bytes for two streams that wait, and a client of which only literal bytes come.
    void begin() {
        limits with_table;
        with_table.qpack_table = 4096;
        with_table.qpack_blocked_streams = 2;
        make({}, with_table);
        server->pump(at(0));
        server_end->inject(2, std::string("\x00\x04\x00", 3));
        server_end->inject(6, std::string("\x02\x3f\xe1\x1f", 4));  // the encoder's stream: a capacity of 4096
    }
    void insert_large_line() {
        server_end->inject(6, std::string("\x41x\x7f\xbd\x1d", 5) + std::string(3900, 'y'));
        server->pump(at(0));
    }
    static std::string varint(std::size_t n) {
        return {static_cast<char>(0x80 | n >> 24), static_cast<char>(n >> 16), static_cast<char>(n >> 8), static_cast<char>(n)};
    }
    static std::string headers(const std::string& lines, bool uses_table = true) {
        const auto section = std::string(uses_table ? "\x02\x00" : "\x00\x00", 2) + lines;
        return "\x01" + varint(section.size()) + section;
    }
    const std::string get = "\xd1\xd7\xc1\x50\x01h";
};

TEST_F(http3_bomb, references_to_one_large_line) {
    begin();
    insert_large_line();
    server_end->inject(0, headers(get + std::string(references, '\x80')), true);
    server_end->inject(4, headers(get, false) + headers(std::string(references, '\x80')), true);  // as trailers
    server_end->inject(8, headers(get, false), true);
    for (int i = 0; i < 3; ++i) {
        server->pump(at(0));
        served.run(*server, at(0));
    }
    EXPECT_EQ(served.text, "request 1 GET https://h/ +body; failed 1 too_large; request 2 GET https://h/; received 2; ");
    EXPECT_FALSE(server_end->closed_with);
    EXPECT_LT(server->active_requests(), 3U);
}

TEST_F(http3_bomb, streams_that_wait_for_ever) {
    begin();
    server_end->inject(0, headers(get + "\x80"), true);
    server->pump(at(1));
    server_end->inject(4, headers(get + "\x80"), true);
    server->pump(at(2));
    EXPECT_FALSE(server_end->closed_with);
    EXPECT_EQ(server->unfinished_head(), at(1));  // what the server's limit of time counts from
    server_end->inject(8, headers(get + "\x80"), true);
    server->pump(at(3));
    EXPECT_EQ(server_end->closed_with, code_of(h3_error::qpack_decompression_failed));
}

}  // namespace
}  // namespace tandem::http
