// Contexts: trust, certificates, key log, and what refuses to become one.
#include <tandem/tls/context.hpp>

#include <filesystem>
#include <fstream>

#include <tls/support.hpp>

namespace tandem::tls {
namespace {

using namespace test;

TEST(client_context, verifies_against_the_systems_roots_by_default) {
    error why;
    auto context = client_context::create({}, why);
    if (std::filesystem::exists("/etc/ssl/certs/ca-certificates.crt")) {
        ASSERT_TRUE(context) << why.text;
        EXPECT_TRUE(context->verifies());
    } else {
        EXPECT_FALSE(context);
        EXPECT_EQ(why.code, error_code::file);
    }
}

TEST(client_context, a_file_of_roots) {
    auto path = testing::TempDir() + "tandem-roots.pem";
    std::ofstream(path) << make_certificate().chain_pem << make_certificate().chain_pem;
    error why;
    EXPECT_TRUE(client_context::create({.ca_file = path}, why)) << why.text;
    std::ofstream(path) << "nothing of use";
    EXPECT_FALSE(client_context::create({.ca_file = path}, why));
    EXPECT_EQ(why.code, error_code::certificate);
    EXPECT_EQ(why.text, path + " contains no certificate in PEM form");
    std::filesystem::remove(path);
    EXPECT_FALSE(client_context::create({.ca_file = path}, why));
    EXPECT_EQ(why.code, error_code::file);
    EXPECT_EQ(why.text, "cannot read " + path + ": No such file or directory");
}

TEST(client_context, without_verification_needs_no_roots) {
    error why;
    auto context = client_context::create({.verify = false, .ca_file = "/nonexistent"}, why);
    ASSERT_TRUE(context) << why.text;
    EXPECT_FALSE(context->verifies());
}

TEST(server_context, refuses_what_is_no_pair) {
    auto a = make_certificate();
    auto b = make_certificate();
    error why;
    EXPECT_FALSE(server_context::create({}, why));
    EXPECT_EQ(why.code, error_code::certificate);
    EXPECT_FALSE(server_context::create({.certificate = {a.chain_pem, ""}}, why));
    EXPECT_EQ(why.code, error_code::private_key);
    EXPECT_FALSE(server_context::create({.certificate = {a.chain_pem, b.key_pem}}, why));
    EXPECT_EQ(why.code, error_code::private_key);
    EXPECT_EQ(why.text, "the private key does not belong to the certificate");
    EXPECT_FALSE(server_context::create({.certificate = a, .tickets = 17}, why));
    EXPECT_EQ(why.code, error_code::option);
    EXPECT_TRUE(server_context::create({.certificate = a, .tickets = 16}, why)) << why.text;
}

TEST(key_log, has_the_lines_that_wireshark_wants) {
    auto c = make_certificate();
    std::vector<std::string> client_lines;
    std::vector<std::string> server_lines;
    auto client = make_client(c.chain_pem, true, [&](std::string_view line) { client_lines.emplace_back(line); });
    auto server = make_server(c, 2, [&](std::string_view line) { server_lines.emplace_back(line); });
    auto pair = make_quic(client, server);
    run(*pair.client, *pair.server);
    ASSERT_TRUE(pair.client->complete());
    for (const auto* label : {"CLIENT_HANDSHAKE_TRAFFIC_SECRET ", "SERVER_HANDSHAKE_TRAFFIC_SECRET ", "CLIENT_TRAFFIC_SECRET_0 ",
                              "SERVER_TRAFFIC_SECRET_0 "}) {
        auto found = std::find_if(client_lines.begin(), client_lines.end(), [&](const auto& l) { return l.starts_with(label); });
        ASSERT_NE(found, client_lines.end()) << label;
        EXPECT_NE(std::find(server_lines.begin(), server_lines.end(), *found), server_lines.end()) << label;
        EXPECT_EQ(found->find('\n'), std::string::npos);
    }
}

}  // namespace
}  // namespace tandem::tls
