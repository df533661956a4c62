// What a person meets: exit codes and lines of the program.
#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <regex>

#include "apps/exit_code.hpp"
#include "program_fixture.hpp"

namespace tandem::apps {
namespace {

TEST_F(Program, HelpAndVersion) {
    auto help = run_tandem({"--help"});
    EXPECT_EQ(help.exit_code, 0);
    for (auto word : {"serve", "get", "compare", "Examples"}) EXPECT_NE(help.out.find(word), std::string::npos) << word;
    for (auto command : {"serve", "get"}) {
        auto sub = run_tandem({command, "--help"});
        EXPECT_EQ(sub.exit_code, 0);
        EXPECT_NE(sub.out.find("Exit codes"), std::string::npos);
        EXPECT_NE(sub.out.find("Examples"), std::string::npos);
    }
    auto version = run_tandem({"--version"});
    EXPECT_EQ(version.exit_code, 0);
    EXPECT_TRUE(std::regex_match(version.out, std::regex("tandem [0-9.]+\n"))) << version.out;
}

TEST_F(Program, WrongUsage) {
    expect_one_line(run_tandem({}), exit_code::usage, "subcommand");
    expect_one_line(run_tandem({"fly"}), exit_code::usage, "");
    expect_one_line(run_tandem({"get", "--no-such-option", "https://h/"}), exit_code::usage, "--no-such-option");
    expect_one_line(run_tandem({"get"}), exit_code::usage, "no URL");
    expect_one_line(run_tandem({"get", "--http3-only", "--http1.1", "https://h/"}), exit_code::usage, "");
    expect_one_line(run_tandem({"get", "-H", "no colon", "https://h/"}), exit_code::usage, "Name: value");
    expect_one_line(run_tandem({"get", "--resolve", "x", "https://h/"}), exit_code::usage, "--resolve");
    expect_one_line(run_tandem({"get", "--parallel", "https://h/a", "https://h/b"}), exit_code::usage, "-o or -O");
    expect_one_line(run_tandem({"serve", "--bind", "nowhere"}), exit_code::usage, "nowhere");
    expect_one_line(run_tandem({"serve", "--cert", "x"}), exit_code::usage, "--key");
    expect_one_line(run_tandem({"serve", "--port", "65536"}), exit_code::usage, "");
    expect_one_line(run_tandem({"serve", "--max-datagram-size", "1000"}), exit_code::usage, "");
}

TEST_F(Program, BadUrls) {
    expect_one_line(run_tandem({"get", "ftp://h/"}), exit_code::url, "http");
    expect_one_line(run_tandem({"get", "https://h:0/"}), exit_code::url, "port");
    expect_one_line(run_tandem({"get", "https://h/[1-"}), exit_code::url, "bracket");
    expect_one_line(run_tandem({"get", "-O", "https://h/"}), exit_code::url, "file name");
    expect_one_line(run_tandem({"get", "--http3-only", "http://h/"}), exit_code::url, "https");
}

TEST_F(Program, UnreadableFiles) {
    auto nothing = (work.path() / "nothing").string();
    expect_one_line(run_tandem({"serve", nothing}), exit_code::read, "nothing");
    expect_one_line(run_tandem({"get", "-d", "@" + nothing, "https://h/"}), exit_code::read, "nothing");
    expect_one_line(run_tandem({"get", "--from-file", nothing}), exit_code::read, "nothing");
    expect_one_line(run_tandem({"get", "--cacert", nothing, "https://h/"}), exit_code::roots, "nothing");
    expect_one_line(run_tandem({"serve", site.str(), "--cert", nothing, "--key", nothing}), exit_code::own_certificate,
                    "nothing");
    work.write("garbage", "no certificate");
    auto garbage = (work.path() / "garbage").string();
    expect_one_line(run_tandem({"serve", site.str(), "--cert", garbage, "--key", garbage}), exit_code::own_certificate,
                    "garbage");
    expect_one_line(run_tandem({"get", "--cacert", garbage, "https://h/"}), exit_code::roots, "garbage");
    expect_one_line(run_tandem({"serve", site.str(), "--port", "0", "--save-cert", nothing + "/cert.pem"}), exit_code::write,
                    "nothing");
}

TEST_F(Program, ReadyLineAndGracefulEnd) {
    site.write("index.html", "index");
    serving server(serve_arguments());
    EXPECT_TRUE(
        std::regex_match(server.first_line(), std::regex(R"(listening on https://127\.0\.0\.1:\d+/ \(.*HTTP/3.*HTTP/1\.1.*\))")))
        << server.first_line();
    EXPECT_EQ(server.stop(), 0);
}

TEST_F(Program, EveryProtocolFetches) {
    site.write("index.html", "index");
    serving server(serve_arguments());
    for (std::vector<std::string> options :
         {std::vector<std::string>{}, {"--http1.1"}, {"--http2"}, {"--http3"}, {"--http3-only"}, {"--qmux"}}) {
        options.insert(options.end(), {"-w", " %{http_code} %{http_version} %{size_download}", server.url("/")});
        auto r = get(options);
        EXPECT_EQ(r.exit_code, 0) << r.err;
        std::string version = options[0] == "--http1.1" ? "1.1" : options[0] == "--http2" ? "2" : "3";
        EXPECT_EQ(r.out, "index 200 " + version + " 5");
        EXPECT_EQ(r.err, "");
    }
}

TEST_F(Program, RaceIsShownAndRemembered) {
    site.write("f", "text");
    const auto file = (work.path() / "known").string();
    auto arguments = serve_arguments();
    arguments.push_back("--no-quic");
    serving server(arguments);
    auto first = get({"--race", "--alt-svc", file, "-w", " %{http_version}", server.url("/f")});
    EXPECT_EQ(first.out, "text 2");
    EXPECT_TRUE(std::regex_search(first.err,
                                  std::regex("^QUIC known from: nothing\n.* ms  QUIC to 127\\.0\\.0\\.1, no answer, failed at "
                                             ".*refused.*\n.* ms  TCP to 127\\.0\\.0\\.1, "
                                             "answered at .*: used\nTCP to 127\\.0\\.0\\.1 won: QUIC to 127\\.0\\.0\\.1 failed")))
        << first.err;
    auto second = get({"--race", "--alt-svc", file, server.url("/f")});  // QUIC is known as broken: TCP goes first
    EXPECT_TRUE(std::regex_search(second.err, std::regex("^QUIC known from: .*\n.* ms  TCP to 127\\.0\\.0\\.1"))) << second.err;
    EXPECT_NE(second.err.find("it was tried first"), std::string::npos);
    expect_one_line(get({"--alt-svc", "/", server.url("/f")}), exit_code::usage, "--alt-svc");
}

TEST_F(Program, SessionsAreKept) {
    site.write("f", "hello");
    serving server(serve_arguments());
    const auto file = (work.path() / "sessions").string();
    const auto told = [](const program_result& r, const std::string& what) { return r.err.find(what) != std::string::npos; };
    auto first = get({"--http3-only", "-v", "--session", file, "--early-data", server.url("/f")});
    EXPECT_EQ(first.out, "hello") << first.err;
    EXPECT_FALSE(told(first, "resumed") || told(first, "early")) << first.err;
    EXPECT_EQ(std::filesystem::status(file).permissions(),
              std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
    auto second = get({"--http3-only", "-v", "--session", file, "--early-data", server.url("/f")});
    EXPECT_EQ(second.out, "hello") << second.err;
    EXPECT_TRUE(told(second, "(QUIC, resumed)") && told(second, "early data accepted")) << second.err;
    auto plain = get({"--http3-only", "-v", "--session", file, server.url("/f")});
    EXPECT_TRUE(told(plain, "(QUIC, resumed)") && !told(plain, "early data")) << plain.err;
    for (const bool again : {false, true}) {
        auto tcp = get({"--http2", "-v", "--session", file, server.url("/f")});
        EXPECT_EQ(tcp.out, "hello") << tcp.err;
        EXPECT_EQ(told(tcp, "resumed an earlier TLS session"), again) << tcp.err;
    }
    std::filesystem::permissions(file, std::filesystem::perms::others_read, std::filesystem::perm_options::add);
    expect_one_line(get({"--session", file, server.url("/f")}), exit_code::usage, "--session: .*chmod 600");
    std::filesystem::remove(file);
    work.write("strange", "something else");
    std::filesystem::permissions(work.path() / "strange", std::filesystem::perms::owner_read);
    expect_one_line(get({"--session", (work.path() / "strange").string(), server.url("/f")}), exit_code::usage,
                    "not a file of sessions");
}

TEST_F(Program, EarlyDataThatTheServerDoesNotTake) {
    site.write("f", "hello");
    serving server(serve_arguments({"--no-early-data"}));
    const auto file = (work.path() / "sessions").string();
    for (const bool again : {false, true}) {
        auto r = get({"--http3-only", "-v", "--session", file, "--early-data", server.url("/f")});
        EXPECT_EQ(r.out, "hello") << r.err;
        EXPECT_EQ(r.err.find("resumed") != std::string::npos, again) << r.err;
        EXPECT_EQ(r.err.find("early data"), std::string::npos) << r.err;
    }
}

TEST_F(Program, ManyFilesAtATime) {
    std::string list;
    serving server(serve_arguments());
    for (int i = 0; i < 30; ++i) {
        auto name = "f" + std::to_string(i);
        site.write(name, std::string(static_cast<std::size_t>(i) * 1000, static_cast<char>('a' + i % 26)));
        list += server.url("/" + name) + "\n";
    }
    work.write("list", list);
    for (auto protocol : {"--http1.1", "--http2", "--http3-only"}) {
        auto out = (work.path() / protocol).string();
        auto r = get({protocol, "--parallel", "-O", "--output-dir", out, "--create-dirs", "--from-file",
                      (work.path() / "list").string(), server.url("/f[0-2]")});
        EXPECT_EQ(r.exit_code, 0) << r.err;
        for (int i = 0; i < 30; ++i) {
            auto name = "f" + std::to_string(i);
            EXPECT_TRUE(work.read(std::string(protocol) + "/" + name) == site.read(name)) << name;
        }
    }
}

TEST_F(Program, HttpErrors) {
    serving server(serve_arguments());
    auto plain = get({server.url("/none")});
    EXPECT_EQ(plain.exit_code, 0);
    EXPECT_NE(plain.out.find("404"), std::string::npos);
    auto target = (work.path() / "out").string();
    expect_one_line(get({"--fail", "-o", target, server.url("/none")}), exit_code::http, "404");
    EXPECT_FALSE(std::filesystem::exists(target));
}

TEST_F(Program, NothingUnfinishedIsLeft) {
    site.write("big", std::string(50'000'000, 'b'));
    serving server(serve_arguments());
    auto out = work.path() / "out";
    std::filesystem::create_directory(out);
    for (auto protocol : {"--http1.1", "--http2", "--http3-only", "--qmux"}) {
        expect_one_line(get({protocol, "-s", "--max-time", "0.02", "-o", (out / "big").string(), server.url("/big")}),
                        exit_code::timed_out, "longer");
        EXPECT_TRUE(std::filesystem::is_empty(out)) << protocol;
    }
}

TEST_F(Program, OutputsThatCannotBeWritten) {
    site.write("f", "text");
    serving server(serve_arguments());
    expect_one_line(get({"-o", "/nonexistent/directory/f", server.url("/f")}), exit_code::write, "/nonexistent/directory/f");
    expect_one_line(get({"-o", work.str(), server.url("/f")}), exit_code::write, "directory");
    expect_one_line(get({"-o", "/dev/full", server.url("/f")}), exit_code::write, "/dev/full");
    EXPECT_EQ(get({"-o", "/dev/null", server.url("/f")}).exit_code, 0);
}

TEST_F(Program, RefusedConnections) {
    std::string url;
    {
        serving server(serve_arguments());
        url = server.url("/");
    }
    for (auto protocol : {"--http1.1", "--http2", "--http3", "--http3-only", "--qmux"})
        expect_one_line(get({protocol, url}), exit_code::refused, "efused");
    auto out = (work.path() / "out").string();
    expect_one_line(get({"--parallel", "-o", out + "#1", url + "[1-20]"}), exit_code::refused, "efused");
}

TEST_F(Program, UnknownHost) {
    expect_one_line(run_tandem({"get", "https://no-such-host.invalid/"}), exit_code::resolve, "no-such-host.invalid");
}

TEST_F(Program, CertificatesThatAreNotAccepted) {
    serving server(serve_arguments());
    auto other = server.url("/");
    for (auto protocol : {"--http1.1", "--http2", "--http3-only", "--qmux"}) {
        expect_one_line(run_tandem({"get", protocol, server.url("/")}), exit_code::certificate, "certificate");
        expect_one_line(get({protocol, "--resolve", "other.example:" + server.port() + ":127.0.0.1",
                             "https://other.example:" + server.port() + "/"}),
                        exit_code::certificate, "other.example");
        EXPECT_EQ(run_tandem({"get", protocol, "-k", server.url("/")}).exit_code, 0) << protocol;
    }
}

TEST_F(Program, BusyPort) {
    serving server(serve_arguments());
    expect_one_line(run_tandem({"serve", site.str(), "--bind", "127.0.0.1", "--port", server.port()}), exit_code::address_in_use,
                    server.port());
    expect_one_line(run_tandem({"serve", site.str(), "--bind", "192.0.2.1", "--port", "0"}), exit_code::address_unusable,
                    "192.0.2.1");
}

TEST_F(Program, ThreadsShareThePort) {
    site.write("f", "text");
    auto arguments = serve_arguments({"--threads", "3"});
    serving server(arguments);
    for (int i = 0; i < 5; ++i) {  // each from another port
        for (auto protocol : {"--http1.1", "--http2", "--http3-only"}) {
            const auto r = get({protocol, server.url("/f")});
            EXPECT_EQ(r.out, "text") << r.err;
        }
    }
    // Not with another program's, of the same user either.
    for (auto threads : {"1", "3"}) {
        expect_one_line(run_tandem({"serve", site.str(), "--bind", "127.0.0.1", "--threads", threads, "--port", server.port()}),
                        exit_code::address_in_use, server.port());
    }
    EXPECT_EQ(server.stop(), 0);
}

TEST_F(Program, SilentServer) {
    int silent = ::socket(AF_INET, SOCK_DGRAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ASSERT_EQ(::bind(silent, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    socklen_t size = sizeof address;
    ASSERT_EQ(::getsockname(silent, reinterpret_cast<sockaddr*>(&address), &size), 0);
    expect_one_line(run_tandem({"get", "--http3-only", "-k", "--connect-timeout", "0.1",
                                "https://127.0.0.1:" + std::to_string(ntohs(address.sin_port)) + "/"}),
                    exit_code::timed_out, "no answer within 0.1 s");
    ::close(silent);
}

TEST_F(Program, HeadersRangesAndJson) {
    site.write("f", "0123456789");
    serving server(serve_arguments());
    auto head = get({"-I", "--http2", server.url("/f")});
    EXPECT_TRUE(std::regex_search(head.out, std::regex("^HTTP/2 200\r\n(.*\r\n)*content-length: 10\r\n"))) << head.out;
    auto head1 = get({"-I", "--http1.1", server.url("/f")});
    EXPECT_TRUE(std::regex_search(head1.out, std::regex("^HTTP/1.1 200 OK\r\n(.*\r\n)*content-length: 10\r\n"))) << head1.out;
    EXPECT_TRUE(get({"-i", "--http3-only", server.url("/f")}).out.ends_with("\r\n\r\n0123456789"));
    EXPECT_EQ(get({"-r", "2-4", server.url("/f")}).out, "234");
    EXPECT_EQ(get({"-X", "PUT", "-w", "%{http_code}", "-o", "/dev/null", server.url("/f")}).out, "405");
    auto json = get({"--json", "--http3-only", server.url("/f"), server.url("/none")});
    EXPECT_NE(json.out.find("\"status\": 200"), std::string::npos) << json.out;
    EXPECT_NE(json.out.find("\"status\": 404"), std::string::npos);
    EXPECT_NE(json.out.find("\"protocol\": \"HTTP/3\""), std::string::npos);
    EXPECT_EQ(json.out.find("0123456789"), std::string::npos);
}

}  // namespace
}  // namespace tandem::apps
