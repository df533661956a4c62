// `tandem serve --threads`: to its clients it is one server, whichever thread they come to.
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <regex>

#include "apps/exit_code.hpp"
#include "program_fixture.hpp"

namespace tandem::apps {
namespace {

namespace fs = std::filesystem;

std::string contents(const fs::path& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

bool told(const program_result& r, const std::string& what) { return r.err.find(what) != std::string::npos; }

// Each run of the program is another client, from another port: the kernel spreads them over the threads.
class ProgramThreads : public Program {
protected:
    std::string sessions() const { return (work.path() / "sessions").string(); }
};

TEST_F(ProgramThreads, CountsAreOfAllThreads) {
    site.write("f", "text");
    serving server(serve_arguments({"--threads", "3", "--metrics", "/metrics"}));
    for (int i = 0; i < 4; ++i) {
        for (auto protocol : {"--http1.1", "--http2", "--http3-only"}) EXPECT_EQ(get({protocol, server.url("/f")}).out, "text");
    }
    EXPECT_EQ(get({"--http2", "-w", "%{http_code}", "-o", "/dev/null", server.url("/none")}).out, "404");
    for (auto protocol : {"--http1.1", "--http3-only"}) {  // whichever thread tells it
        const auto numbers = get({protocol, server.url("/metrics")}).out;
        for (auto line : {"tandem_responses_total{protocol=\"HTTP/3\",status=\"2xx\"} 4",
                          "tandem_responses_total{protocol=\"HTTP/2\",status=\"2xx\"} 4",
                          "tandem_responses_total{protocol=\"HTTP/2\",status=\"4xx\"} 1",
                          "tandem_response_bytes_total{protocol=\"HTTP/2\"} ", "tandem_connections_open "}) {
            EXPECT_NE(numbers.find(line), std::string::npos) << line << " in:\n" << numbers;
        }
        const bool second = std::string(protocol) == "--http3-only";
        EXPECT_NE(numbers.find("tandem_connections_total{transport=\"quic\"} " + std::to_string(second ? 5 : 4) + "\n"),
                  std::string::npos)
            << numbers;
        EXPECT_NE(numbers.find("tandem_connections_total{transport=\"tcp\"} 10\n"), std::string::npos) << numbers;
        EXPECT_NE(numbers.find("tandem_requests_total " + std::to_string(second ? 15 : 14) + "\n"), std::string::npos) << numbers;
    }
    EXPECT_EQ(server.stop(), 0);
}

TEST_F(ProgramThreads, EachPassesRequestsOn) {
    site.write("f", "from the origin");
    work.write("front/index.html", "from the front");
    const auto front_certificate = (work.path() / "front.pem").string();
    serving origin(serve_arguments());
    serving front({(work.path() / "front").string(), "--bind", "127.0.0.1", "--save-cert", front_certificate, "--proxy",
                   "/up=" + origin.url("/"), "--proxy-insecure", "--threads", "3"});
    for (int i = 0; i < 3; ++i) {
        for (auto protocol : {"--http1.1", "--http2", "--http3-only"}) {
            EXPECT_EQ(run_tandem({"get", "--cacert", front_certificate, protocol, front.url("/up/f"), front.url("/")}).out,
                      "from the originfrom the front");
        }
    }
    EXPECT_EQ(front.stop(), 0);
}

TEST_F(ProgramThreads, LinesAndLogsAreWhole) {
    constexpr int clients = 5, requests = 40;
    site.write("f", "text");
    const auto lines = work.path() / "lines", logs = work.path() / "logs";
    {
        serving server(serve_arguments({"--threads", "3", "--log", "--qlog-dir", logs.string()}), lines.string());
        for (int i = 0; i < clients; ++i) {
            const auto r = get({"--http3-only", "--parallel", "-o", "#1", "--output-dir", work.path().string(),
                                server.url("/f?[1-" + std::to_string(requests) + "]")});
            EXPECT_EQ(r.exit_code, 0) << r.err;
        }
        EXPECT_EQ(server.stop(), 0);
    }
    std::istringstream in(contents(lines));
    const std::regex access(R"(127\.0\.0\.1:\d+ "GET /f\?\d+ HTTP/3" 200 4 \d+\.\d ms)"),
        others("(QUIC 127|thread [0-2]: |in all: |tandem: UDP buffer).*");
    int answered = 0;
    for (std::string line; std::getline(in, line);) {
        const bool one = std::regex_match(line, access);
        EXPECT_TRUE(one || std::regex_match(line, others)) << line;
        answered += one ? 1 : 0;
    }
    EXPECT_EQ(answered, clients * requests);
    int files = 0;
    for (const auto& file : fs::directory_iterator(logs)) {
        ++files;
        std::istringstream records(contents(file.path()));
        std::string record;
        while (std::getline(records, record))
            EXPECT_TRUE(record.starts_with("\x1e{") && record.ends_with('}')) << file.path() << ": " << record;
    }
    EXPECT_EQ(files, clients);
}

TEST_F(ProgramThreads, SessionsAndEarlyDataAreTakenByAll) {
    site.write("f", "hello");
    serving server(serve_arguments({"--threads", "4"}));
    const std::vector<std::string> ask{"--http3-only", "-v", "--session", sessions(), "--early-data", server.url("/f")};
    EXPECT_EQ(get(ask).out, "hello");
    for (int i = 0; i < 5; ++i) {
        const auto again = get(ask);
        EXPECT_EQ(again.out, "hello");
        EXPECT_TRUE(told(again, "(QUIC, resumed)") && told(again, "early data accepted")) << again.err;
    }
    // A ticket is good for early data once, wherever it comes to: here come copies.
    const auto copy = contents(sessions());
    int accepted = 0, rejected = 0;
    for (int i = 0; i < 6; ++i) {
        std::ofstream(sessions(), std::ios::binary | std::ios::trunc) << copy;
        const auto r = get(ask);
        EXPECT_EQ(r.out, "hello");
        accepted += told(r, "early data accepted") ? 1 : 0;
        rejected += told(r, "early data rejected") ? 1 : 0;
    }
    EXPECT_EQ(accepted, 1);
    EXPECT_EQ(rejected, 5);
    for (int i = 0; i < 4; ++i) {
        const auto tcp = get({"--http2", "-v", "--session", sessions(), server.url("/f")});
        EXPECT_EQ(told(tcp, "resumed an earlier TLS session"), i != 0) << tcp.err;
    }
}

TEST_F(ProgramThreads, AllTakeTheNewCertificate) {
    site.write("f", "text");
    const auto chain = (work.path() / "chain.pem").string(), key = (work.path() / "key.pem").string();
    const auto make = [&](const std::string& name) {
        return std::system(("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=" + name +
                            " -addext subjectAltName=IP:127.0.0.1 -keyout " + key + " -out " + chain + " >/dev/null 2>&1")
                               .c_str());
    };
    ASSERT_EQ(make("first"), 0);
    serving server({site.str(), "--bind", "127.0.0.1", "--cert", chain, "--key", key, "--threads", "3"});
    const auto ask = [&](const char* protocol) { return run_tandem({"get", protocol, "--cacert", chain, server.url("/f")}); };
    for (auto protocol : {"--http2", "--http3-only"}) EXPECT_EQ(ask(protocol).out, "text");
    ASSERT_EQ(make("second"), 0);
    EXPECT_EQ(ask("--http3-only").exit_code, exit_code::certificate);
    server.signal(SIGHUP);
    EXPECT_NE(server.line("certificate renewed"), "");
    for (int i = 0; i < 6; ++i) {
        for (auto protocol : {"--http2", "--http3-only"}) EXPECT_EQ(ask(protocol).out, "text") << protocol;
    }
    work.write("key.pem", "no key");
    server.signal(SIGHUP);  // and nothing changes
    EXPECT_EQ(ask("--http3-only").out, "text");
    EXPECT_EQ(server.stop(), 0);
}

TEST_F(ProgramThreads, RetryAndTokensAreTakenByAll) {
    site.write("f", "text");
    serving server(serve_arguments({"--threads", "3", "--retry"}));
    for (int i = 0; i < 5; ++i) EXPECT_EQ(get({"--http3-only", "--session", sessions(), server.url("/f")}).out, "text");
}

TEST_F(ProgramThreads, OurOwnTcpHasOne) {
    for (auto threads : {"0", "2"}) {
        expect_one_line(run_tandem({"serve", site.str(), "--tcp=udp", "--threads", threads}), exit_code::unsupported,
                        "--tcp=udp .*--threads");
    }
}

class ProgramPreferredAddress : public Program {};

TEST_F(ProgramPreferredAddress, IsWhereQuicClientsGo) {
    const std::string text(4'000'000, 'x');
    site.write("f", text);
    for (auto threads : {"1", "3"}) {
        serving server(serve_arguments({"--preferred-address", "127.0.0.2", "--threads", threads}));
        const auto there = "moved to 127.0.0.2:" + server.port() + ", the server's preferred address";
        for (int i = 0; i < 3; ++i) {
            const auto r = get({"--http3-only", "-v", server.url("/f")});
            EXPECT_TRUE(r.out == text && told(r, there)) << r.err;
        }
        const auto stays = get({"--http3-only", "-v", "--no-preferred-address", server.url("/f")});
        EXPECT_TRUE(stays.out == text && !told(stays, "moved")) << stays.err;
        EXPECT_TRUE(get({"--http2", server.url("/f")}).out == text);
        EXPECT_EQ(server.stop(), 0);
    }
}

TEST_F(ProgramPreferredAddress, MustBeOursAndFree) {
    const auto serve = [&](std::vector<std::string> more) {
        more.insert(more.begin(), {"serve", site.str(), "--bind", "127.0.0.1", "--port", "0"});
        return run_tandem(more);
    };
    for (auto wrong : {"nowhere", "127.0.0.2:", "127.0.0.2:x", "127.0.0.2:70000", "[127.0.0.2]:1", "::1:", "[::1]"}) {
        expect_one_line(serve({"--preferred-address", wrong}), exit_code::usage, "--preferred-address");
    }
    expect_one_line(serve({"--preferred-address", "127.0.0.2", "--preferred-address", "127.0.0.3:1"}), exit_code::usage,
                    "one of each family");
    expect_one_line(serve({"--preferred-address", "127.0.0.2", "--no-quic"}), exit_code::usage, "QUIC");
    expect_one_line(serve({"--preferred-address", "192.0.2.1"}), exit_code::address_unusable, "192\\.0\\.2\\.1");
    expect_one_line(serve({"--preferred-address", "127.0.0.1"}), exit_code::address_unusable, "preferred address 127");
    serving server(serve_arguments());
    expect_one_line(serve({"--preferred-address", "127.0.0.1:" + server.port()}), exit_code::address_in_use, server.port());
}

}  // namespace
}  // namespace tandem::apps
