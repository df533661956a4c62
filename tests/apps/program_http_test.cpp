// What the program does with HTTP: redirections, codings, uploads, resumption, proxies, certificates of clients.
#include <sys/stat.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include <zlib.h>

#include "apps/exit_code.hpp"
#include "program_fixture.hpp"

namespace tandem::apps {
namespace {

std::string contents(const std::filesystem::path& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

std::string gzipped(const std::string& text) {
    z_stream z{};
    deflateInit2(&z, Z_BEST_COMPRESSION, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY);
    std::string out(deflateBound(&z, text.size()), '\0');
    z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
    z.avail_in = static_cast<uInt>(text.size());
    z.next_out = reinterpret_cast<Bytef*>(out.data());
    z.avail_out = static_cast<uInt>(out.size());
    deflate(&z, Z_FINISH);
    out.resize(z.total_out);
    deflateEnd(&z);
    return out;
}

class ProgramHttp : public Program {};

TEST_F(ProgramHttp, RedirectionsAreFollowedWhenAsked) {
    site.write("sub/index.html", "the index");
    serving server(serve_arguments());
    auto plain = get({"-w", " %{http_code}", "-o", "/dev/null", server.url("/sub")});
    EXPECT_EQ(plain.out, " 301");
    auto followed = get({"-L", "-w", " %{http_code} %{num_redirects} %{url_effective}", server.url("/sub")});
    EXPECT_EQ(followed.out, "the index 200 1 " + server.url("/sub/"));
    expect_one_line(get({"-L", "--max-redirs", "0", "-f", "-o", "/dev/null", server.url("/none")}), exit_code::http, "404");
}

TEST_F(ProgramHttp, PrecompressedFilesAreServedAndDecoded) {
    std::string text;
    for (int i = 0; i < 20'000; ++i) text += "line " + std::to_string(i) + '\n';
    site.write("f.txt", text);
    const auto packed = gzipped(text);
    site.write("f.txt.gz", packed);
    serving server(serve_arguments({"--precompressed"}));
    for (auto protocol : {"--http1.1", "--http2", "--http3-only"}) {
        auto decoded = get({protocol, "--compressed", server.url("/f.txt")});
        EXPECT_EQ(decoded.exit_code, 0) << decoded.err;
        EXPECT_TRUE(decoded.out == text);
        EXPECT_TRUE(get({protocol, server.url("/f.txt")}).out == text);
        EXPECT_TRUE(get({protocol, "-H", "Accept-Encoding: gzip", server.url("/f.txt")}).out == packed);
        EXPECT_TRUE(get({protocol, "-H", "Accept-Encoding: gzip;q=0, br", server.url("/f.txt")}).out == text);
        auto head = get({protocol, "-I", "--compressed", server.url("/f.txt")});
        EXPECT_NE(head.out.find("content-encoding: gzip"), std::string::npos) << head.out;
        EXPECT_NE(head.out.find("vary: accept-encoding"), std::string::npos);
    }
}

TEST_F(ProgramHttp, TransfersAreResumed) {
    std::string text(3'000'000, '\0');
    for (std::size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>(i * 13 + i / 65537);
    site.write("big", text);
    serving server(serve_arguments());
    const auto target = work.path() / "copy";
    const auto fetch = [&] { return get({"-C", "-v", "-o", target.string(), server.url("/big")}); };
    // What an interrupted transfer leaves: a beginning, and the version it belongs to.
    auto head = get({"-I", server.url("/big")});
    std::smatch etag;
    ASSERT_TRUE(std::regex_search(head.out, etag, std::regex("etag: (\"[^\"]+\")")));
    work.write("copy.part", text.substr(0, 1'000'000));
    work.write("copy.part.of", etag[1].str() + "\n");
    auto rest = fetch();
    EXPECT_EQ(rest.exit_code, 0) << rest.err;
    EXPECT_NE(rest.err.find("206"), std::string::npos);
    EXPECT_TRUE(contents(target) == text);
    EXPECT_FALSE(std::filesystem::exists(target.string() + ".part"));
    EXPECT_FALSE(std::filesystem::exists(target.string() + ".part.of"));
    // Another version of the file: all of it comes.
    work.write("copy.part", "something else");
    work.write("copy.part.of", "\"other\"\n");
    auto all = fetch();
    EXPECT_EQ(all.exit_code, 0) << all.err;
    EXPECT_TRUE(contents(target) == text);
    // A transfer that breaks off keeps what came.
    std::filesystem::remove(target);
    auto cut = get({"-C", "--max-time", "0.001", "-o", target.string(), server.url("/big")});
    EXPECT_NE(cut.exit_code, 0);
    EXPECT_FALSE(std::filesystem::exists(target));
    EXPECT_EQ(fetch().exit_code, 0);
    EXPECT_TRUE(contents(target) == text);
}

TEST_F(ProgramHttp, ProxyPassesRequestsOn) {
    site.write("f", "from the origin");
    work.write("front/index.html", "from the front");
    serving origin(serve_arguments());
    serving front({(work.path() / "front").string(), "--bind", "127.0.0.1", "--save-cert", (work.path() / "front.pem").string(),
                   "--proxy", "/up=" + origin.url("/"), "--proxy-insecure", "--metrics", "/metrics"});
    const auto ask = [&](std::vector<std::string> more) {
        more.insert(more.begin(), {"get", "--cacert", (work.path() / "front.pem").string()});
        return run_tandem(more);
    };
    for (auto protocol : {"--http1.1", "--http2", "--http3-only"}) {
        EXPECT_EQ(ask({protocol, front.url("/up/f")}).out, "from the origin");
        EXPECT_EQ(ask({protocol, front.url("/")}).out, "from the front");
    }
    auto numbers = ask({front.url("/metrics")}).out;
    EXPECT_NE(numbers.find("tandem_responses_total{protocol=\"HTTP/3\",status=\"2xx\"} 2"), std::string::npos) << numbers;
    origin.stop();
    EXPECT_EQ(ask({"-w", "%{http_code}", "-o", "/dev/null", front.url("/up/f")}).out, "502");
    expect_one_line(run_tandem({"serve", site.str(), "--port", "0", "--proxy", "ftp://h"}), exit_code::usage, "--proxy");
}

TEST_F(ProgramHttp, FieldsHostsAndFallback) {
    site.write("index.html", "the application");
    serving server(serve_arguments({"--header", "Access-Control-Allow-Origin: *", "--header", "server: mine", "--host", "Here",
                                    "--fallback", "index.html"}));
    for (auto protocol : {"--http1.1", "--http2", "--http3-only"}) {
        auto got = get({protocol, "-i", "-H", "Host: here:1", server.url("/some/route")});
        EXPECT_NE(got.out.find("access-control-allow-origin: *"), std::string::npos) << got.out;
        EXPECT_NE(got.out.find("server: mine"), std::string::npos) << got.out;
        EXPECT_TRUE(got.out.ends_with("the application"));
        EXPECT_EQ(get({protocol, "-o", "/dev/null", "-w", "%{http_code}", server.url("/")}).out, "421");
    }
    for (auto line : {"nothing", ": x", "a b: c", "Connection: close", "Content-Length: 1"}) {
        expect_one_line(run_tandem({"serve", site.str(), "--port", "0", "--header", line}), exit_code::usage, "--header '");
    }
    expect_one_line(run_tandem({"serve", site.str(), "--port", "0", "--host", "a/b"}), exit_code::usage, "--host a/b");
}

TEST_F(ProgramHttp, BodiesForProxiesHaveALimit) {
    serving origin(serve_arguments());
    serving front({site.str(), "--bind", "127.0.0.1", "--save-cert", certificate(), "--proxy", origin.url("/"),
                   "--proxy-insecure", "--max-body", "1KB"});
    const auto status = [&](const std::string& body) {
        return get({"-o", "/dev/null", "-w", "%{http_code}", "-d", body, front.url("/")}).out;
    };
    EXPECT_EQ(status(std::string(1000, 'x')), "405");  // the origin's
    EXPECT_EQ(status(std::string(1001, 'x')), "413");
    expect_one_line(run_tandem({"serve", site.str(), "--port", "0", "--max-body", "much"}), exit_code::usage, "--max-body");
}

TEST_F(ProgramHttp, LogsAsOthersWriteThem) {
    const auto log = (work.path() / "log").string();
    for (std::string format : {"combined", "json"}) {
        serving server(serve_arguments({"--log-format", format}), log);
        get({"-A", "a\"b", "-e", "https://here/", server.url("/f")});
        server.stop();
        const auto text = contents(log);
        EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1) << text;
        EXPECT_TRUE(std::regex_match(
            text, std::regex(
                      format == "json"
                          ? "\\{\"time\": \"\\d{4}-.*\"status\": 404.*\"user_agent\": \"a\\\\u0022b\"\\}\n"
                          : "127\\.0\\.0\\.1 - - \\[.* \\+0000\\] \"GET /f HTTP/3\" 404 \\d+ \"https://here/\" \"a\\\\x22b\"\n")))
            << text;
    }
}

TEST_F(ProgramHttp, OptionsFromAFile) {
    site.write("f", "text");
    work.write("serve.toml", "# comment\nbind = [\"127.0.0.1\"]\nsave-cert = \"" + certificate() + "\"\ndirectory = \"" +
                                 site.str() + "\"\nport = 0\nno-quic = true\nquiet = false\n");
    const auto file = (work.path() / "serve.toml").string();
    serving server({"--config", file});
    EXPECT_EQ(server.first_line().find("HTTP/3,"), std::string::npos) << server.first_line();
    EXPECT_EQ(get({"--http2", server.url("/f")}).out, "text");
    work.write("bad.toml", "fly = true\n");
    expect_one_line(run_tandem({"serve", "--config", (work.path() / "bad.toml").string()}), exit_code::usage, "fly");
    expect_one_line(run_tandem({"serve", "--config", (work.path() / "none.toml").string()}), exit_code::usage, "none.toml");
}

TEST_F(ProgramHttp, ClientCertificates) {
    site.write("f", "secret");
    // A certificate that signs itself is its own authority.
    serving other(serve_arguments());
    other.stop();
    const auto own = (work.path() / "client.pem").string(), key = (work.path() / "client.key").string();
    const auto command =
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=client -keyout " + key +
        " -out " + own + " >/dev/null 2>&1";
    ASSERT_EQ(std::system(command.c_str()), 0);
    serving server(serve_arguments({"--client-ca", own}));
    for (auto protocol : {"--http1.1", "--http2", "--http3-only"}) {
        EXPECT_EQ(get({protocol, "--cert", own, "--key", key, server.url("/f")}).out, "secret") << protocol;
        EXPECT_NE(get({protocol, server.url("/f")}).exit_code, 0) << protocol;
    }
    expect_one_line(get({"--cert", certificate(), server.url("/f")}), exit_code::own_certificate, "");
    expect_one_line(get({"--key", key, server.url("/f")}), exit_code::usage, "--cert");
}

TEST_F(ProgramHttp, CertificatesAreReadAgainOnHangup) {
    site.write("f", "text");
    const auto chain = (work.path() / "chain.pem").string(), key = (work.path() / "key.pem").string();
    const auto make = [&](const std::string& name) {
        return std::system(("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=" + name +
                            " -addext subjectAltName=IP:127.0.0.1 -keyout " + key + " -out " + chain + " >/dev/null 2>&1")
                               .c_str());
    };
    ASSERT_EQ(make("first"), 0);
    serving server({site.str(), "--bind", "127.0.0.1", "--cert", chain, "--key", key});
    const auto ask = [&](const char* protocol) { return run_tandem({"get", protocol, "--cacert", chain, server.url("/f")}); };
    for (auto protocol : {"--http2", "--http3-only"}) EXPECT_EQ(ask(protocol).out, "text");
    ASSERT_EQ(make("second"), 0);
    EXPECT_EQ(ask("--http3-only").exit_code, exit_code::certificate);
    server.signal(SIGHUP);
    EXPECT_NE(server.line("certificate renewed"), "");
    for (auto protocol : {"--http2", "--http3-only"}) EXPECT_EQ(ask(protocol).out, "text");
}

}  // namespace
}  // namespace tandem::apps
