#include <tandem/net/http_connection.hpp>
#include <tandem/net/http_sessions.hpp>

#include <utility>

#include <tandem/http/alpn.hpp>
#include <tandem/http/byte_stream_client.hpp>
#include <tandem/net/http_quic_connection.hpp>
#include <tandem/net/http_tcp_connection.hpp>
#include <tandem/net/plain_http1_client.hpp>

namespace tandem::net {

namespace {

http_error describe_tls(const http::session_error& error, const std::string& host) {
    switch (error.tls) {
        case tls::error_code::verification:
            return {failure_class::certificate, "certificate of " + host + " is not accepted: " + error.text, true};
        case tls::error_code::none:
            return {error.by_peer ? failure_class::lost : failure_class::protocol,
                    "connection to " + host + " ended: " + error.text, false};
        default:
            return {failure_class::tls, "TLS with " + host + " failed: " + error.text, true};
    }
}

tcp_engine_kind<http::byte_stream_client> tls_kind(http_protocol protocol, const http_target& target,
                                                   const http_connection_options& options) {
    http::byte_stream_client_config config;
    config.limits = options.limits;
    std::string_view required;
    if (protocol == http_protocol::http3_qmux) {
        required = http::alpn_h3_qmux;
        config.alpn = {std::string(required)};
    }
    if (protocol == http_protocol::http2) config.alpn = {std::string(http::alpn_h2), std::string(http::alpn_http1)};
    auto where = target.host + " port " + std::to_string(target.port);
    http_sessions sessions(options.sessions, target, "TLS " + config.alpn.front());
    return {protocol, required,
            [context = options.tls, name = target.host, config, sessions](time_point at) mutable {
                config.ticket = sessions.take_ticket();
                return http::byte_stream_client(context, name, config, at);
            },
            [where](const http::byte_stream_client& engine) { return describe_tls(*engine.error(), where); },
            [sessions](http::byte_stream_client& engine) mutable {
                while (auto ticket = engine.poll_ticket()) sessions.put_ticket(*ticket);
            }};
}

tcp_engine_kind<plain_http1_client> plain_kind(const http_target& target, const http_connection_options& options) {
    auto where = target.host + " port " + std::to_string(target.port);
    return {http_protocol::http1,
            {},
            [limits = options.limits](time_point) { return plain_http1_client(limits); },
            [where](const plain_http1_client& engine) { return describe_tls(*engine.error(), where); }};
}

}  // namespace

std::string_view to_string(http_protocol protocol) {
    switch (protocol) {
        case http_protocol::http1:
            return "HTTP/1.1";
        case http_protocol::http2:
            return "HTTP/2";
        case http_protocol::http3:
            return "HTTP/3";
        case http_protocol::http3_qmux:
            return "HTTP/3 over QMux";
    }
    return "";
}

std::optional<duration> http_connection::round_trip() const {
    const auto& t = times();
    if (!t.resolved || !t.connected) return std::nullopt;
    return *t.connected - *t.resolved;
}

std::shared_ptr<http_connection> http_connection::open(const boost::asio::any_io_executor& executor, http_protocol protocol,
                                                       const http_target& target, const http_connection_options& options,
                                                       http_connection_hooks hooks) {
    if (protocol == http_protocol::http3) return open_quic_connection(executor, target, options, std::move(hooks));
    const auto start = [&](auto kind, auto transport) -> std::shared_ptr<http_connection> {
        using engine = typename decltype(kind)::engine;
        auto connection = std::make_shared<http_tcp_connection<engine, decltype(transport)>>(executor, transport, std::move(kind),
                                                                                             std::move(hooks));
        connection->start(target, options);
        return connection;
    };
    const auto over = [&](auto transport) {
        return target.secure ? start(tls_kind(protocol, target, options), transport)
                             : start(plain_kind(target, options), transport);
    };
    return options.tcp ? over(own_tcp{options.tcp}) : over(kernel_tcp{executor});
}

}  // namespace tandem::net
