// A datagram tunnel at a client: a request whose sink and body source are the two directions of its stream.
#include <string>
#include <utility>

#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>

#include <tandem/http/capsule_protocol.hpp>
#include <tandem/net/detail/datagram_tunnel_state.hpp>
#include <tandem/net/http_client.hpp>

namespace tandem::net::detail {

namespace {

namespace error = boost::asio::error;

class client_sink final : public transfer_sink {
public:
    explicit client_sink(std::shared_ptr<datagram_tunnel_state> state) : state_(std::move(state)) {}
    ~client_sink() override { state_->on_gone(error::operation_aborted, "the client is gone"); }

    void on_response(const http::response& response, const transfer_info& info) override {
        http1_ = info.protocol == http_protocol::http1;
        state_->set_response(response);
        refused_ = response.status != 101;
        if (!refused_) return state_->opened();
        state_->refuse_answer(error::connection_refused, "the server answered " + std::to_string(response.status));
    }
    bool on_body(std::span<const std::uint8_t> bytes) override {
        if (!refused_) state_->on_bytes(bytes);
        return !refused_;
    }
    void on_datagram(std::vector<std::uint8_t> datagram) override { state_->on_datagram(std::move(datagram)); }
    bool wants_body() override { return refused_ || state_->hungry(); }
    void on_body_end() override { state_->on_end(); }
    void on_end(const std::optional<http_error>& e, const transfer_info&) override {
        ended_ = true;
        if (e) return state_->on_gone(to_error_code(*e), e->text);
        state_->on_gone(error::connection_reset, "the stream has ended");
    }
    bool ended() const { return ended_; }
    bool http1() const { return http1_; }

private:
    std::shared_ptr<datagram_tunnel_state> state_;
    bool http1_ = false;
    bool refused_ = false;
    bool ended_ = false;
};

// The client may be gone when the sink is, so it is called only while that is there. What may end a transfer is done later, never
// from within the client's own calls.
class client_channel final : public datagram_channel {
public:
    client_channel(http_client& client, boost::asio::any_io_executor executor)
        : client_(client), executor_(std::move(executor)) {}

    void start(const std::shared_ptr<datagram_tunnel_state>& state, http::url url, std::string protocol);
    void wake() override {
        if (std::exchange(*woken_, true)) return;
        boost::asio::post(executor_, [&client = client_, handle = handle_, weak = sink_, woken = woken_] {
            *woken = false;
            if (auto sink = weak.lock(); sink && !sink->ended()) client.resume(handle);
        });
    }
    void reset(http::h3_error code) override {
        boost::asio::post(executor_, [&client = client_, handle = handle_, weak = sink_, code] {
            if (auto sink = weak.lock(); sink && !sink->ended()) client.cancel(handle, code);
        });
    }
    // HTTP/1.1 has no way to end one direction: the connection is closed, in good order.
    void ended() {
        if (auto sink = sink_.lock(); sink && sink->http1()) reset(http::h3_error::no_error);
    }
    std::size_t max_datagram() const override {
        const auto sink = sink_.lock();
        return sink && !sink->ended() ? client_.max_datagram(handle_) : 0;
    }
    http::datagram_result send(std::span<const std::uint8_t> datagram) override {
        const auto sink = sink_.lock();
        return sink && !sink->ended() ? client_.send_datagram(handle_, datagram) : http::datagram_result::unavailable;
    }

private:
    http_client& client_;
    boost::asio::any_io_executor executor_;
    std::weak_ptr<client_sink> sink_;
    http_client::request_handle handle_ = 0;
    std::shared_ptr<bool> woken_ = std::make_shared<bool>(false);
};

class client_source final : public http::body_source {
public:
    client_source(std::shared_ptr<datagram_tunnel_state> state, client_channel& channel)
        : state_(std::move(state)), channel_(channel) {}
    result read(std::span<std::uint8_t> out) override {
        const auto made = state_->produce(out);
        if (made.end) channel_.ended();
        return {made.n, made.end, false};
    }

private:
    std::shared_ptr<datagram_tunnel_state> state_;
    client_channel& channel_;  // the state's
};

void client_channel::start(const std::shared_ptr<datagram_tunnel_state>& state, http::url url, std::string protocol) {
    auto sink = std::make_shared<client_sink>(state);
    http_request request;
    request.url = std::move(url);
    request.fields = state->options().fields;
    http::say_capsule_protocol(request.fields);
    request.protocol = std::move(protocol);
    request.datagrams = true;
    request.first_byte_timeout = state->options().handshake_timeout;
    request.source = [weak = std::weak_ptr(state), this]() -> std::unique_ptr<http::body_source> {
        auto s = weak.lock();
        return s ? std::make_unique<client_source>(std::move(s), *this) : nullptr;
    };
    sink_ = sink;
    handle_ = client_.submit(std::move(request), std::move(sink));
}

}  // namespace

std::shared_ptr<datagram_tunnel_state> datagram_tunnel_state::client(http_client& client, datagram_tunnel_options options) {
    auto state = std::make_shared<datagram_tunnel_state>(client.get_executor(), std::move(options));
    state->channel_ = std::make_unique<client_channel>(client, state->executor());
    return state;
}

void datagram_tunnel_state::connect(http::url url, std::string protocol, connect_operation op) {
    if (!http::wrong_with_capsules(options_.fields).empty()) return op.complete(error::invalid_argument, shared_from_this());
    connecting_ = std::move(op);
    static_cast<client_channel&>(*channel_).start(shared_from_this(), std::move(url), std::move(protocol));
}

}  // namespace tandem::net::detail
