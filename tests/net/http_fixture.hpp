// An HTTP server and an HTTP client over loopback, in one io_context.
#pragma once

#include <tandem/net/http_client.hpp>
#include <tandem/net/http_server.hpp>
#include <tandem/net/static_files.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>

#include "net/temporary_directory.hpp"
#include "net/test_certificate.hpp"

namespace tandem::net {

namespace asio = boost::asio;
inline const ip_address loopback = ip_address::v4(127, 0, 0, 1);

struct outcome final : transfer_sink {
    void on_interim(const http::response& r, const transfer_info&) override { interim.push_back(r); }
    void on_response(const http::response& r, const transfer_info&) override { response = r; }
    void on_trailers(const http::fields& fields) override { trailers = fields; }
    bool on_body(std::span<const std::uint8_t> bytes) override {
        body.append(bytes.begin(), bytes.end());
        return body.size() < stop_after;
    }
    void on_end(const std::optional<http_error>& e, const transfer_info& i) override {
        EXPECT_FALSE(done);
        error = e;
        info = i;
        done = true;
    }
    std::vector<http::response> interim;
    http::response response{0, {}};
    http::fields trailers;
    std::string body;
    std::size_t stop_after = SIZE_MAX;
    std::optional<http_error> error;
    transfer_info info;
    bool done = false;
};

// For the names of tests.
inline std::string protocol_name(http_protocol p) {
    switch (p) {
        case http_protocol::http1:
            return "http1";
        case http_protocol::http2:
            return "http2";
        case http_protocol::http3:
            return "http3";
        default:
            return "qmux";
    }
}

class Http : public testing::Test {
protected:
    Http() {
        server_options.addresses = {loopback};
        server_options.tls = test::server_context();
        server_options.access = [this](const access_record& r) {
            log.push_back(std::string(r.source.protocol) + " " + r.request.method + " " + r.request.path + " " +
                          std::to_string(r.status) + (r.complete ? "" : " incomplete"));
        };
        client_options.connection.tls = test::client_context();
        client_options.connection.connect_timeout = std::chrono::seconds(10);
    }

    void serve() {
        boost::system::error_code error;
        files = static_files::open(root.str(), {}, error);
        serve([this](const http::request& r, const request_source&) { return files->respond(r, 2'000'000'000); });
    }
    template <class Handler>
    void serve(Handler handler) {
        server = std::make_unique<http_server>(io.get_executor(), server_options, std::move(handler));
        auto failed = server->start();
        ASSERT_FALSE(failed) << failed.what << " " << failed.code.message();
    }
    void use(std::vector<http_protocol> protocols) {
        client_options.protocols = std::move(protocols);
        client = std::make_unique<http_client>(io.get_executor(), client_options);
    }
    http_request request(const std::string& path, std::uint16_t port = 0, const std::string& host = "127.0.0.1") {
        http_request r;
        r.url.scheme = "https";
        r.url.host = host;
        r.url.port = port == 0 ? server->port() : port;
        r.url.path = path;
        return r;
    }
    std::shared_ptr<outcome> get(http_request r) {
        auto sink = std::make_shared<outcome>();
        last = client->submit(std::move(r), sink);
        return sink;
    }
    std::shared_ptr<outcome> fetch(http_request r) {
        auto sink = get(std::move(r));
        run_until([&] { return sink->done; });
        return sink;
    }
    template <class Condition>
    void run_until(Condition done) {
        auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
        while (!done() && std::chrono::steady_clock::now() < deadline) {
            if (io.stopped()) io.restart();
            io.run_one_until(deadline);
        }
        EXPECT_TRUE(done());
    }

    asio::io_context io{1};
    test::temporary_directory root;
    http_server_options server_options;
    http_client_options client_options;
    std::unique_ptr<static_files> files;
    std::vector<std::string> log;
    std::unique_ptr<http_server> server;
    std::unique_ptr<http_client> client;
    http_client::request_handle last = 0;
};

}  // namespace tandem::net
