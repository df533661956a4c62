// A WebSocket's stream at a client: a request whose sink and body source are the two directions.
#include <array>
#include <cstring>
#include <utility>

#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>

#include <tandem/http/websocket_handshake.hpp>
#include <tandem/net/detail/websocket_state.hpp>
#include <tandem/net/entropy.hpp>
#include <tandem/net/http_client.hpp>

namespace tandem::net::detail {

namespace {

namespace error = boost::asio::error;
namespace errc = boost::system::errc;

std::string new_key() {
    std::array<std::uint8_t, 16> nonce;
    for (std::size_t i = 0; i < nonce.size(); i += sizeof(std::uint64_t)) {
        const auto random = random_seed();
        std::memcpy(nonce.data() + i, &random, sizeof random);
    }
    return http::websocket_key(nonce);
}

class client_sink final : public transfer_sink {
public:
    explicit client_sink(std::shared_ptr<websocket_state> state) : state_(std::move(state)) {}
    ~client_sink() override { state_->on_gone(error::operation_aborted, "the client is gone"); }

    void prepare(http::request& request, http_protocol protocol) {
        key_ = protocol == http_protocol::http1 ? new_key() : std::string();
        http::ask_for_websocket(request.fields, state_->options().subprotocols, key_);
    }
    void on_response(const http::response& response, const transfer_info&) override {
        state_->set_response(response);
        const auto wrong = http::wrong_websocket_answer(response, state_->options().subprotocols, key_);
        refused_ = !wrong.empty();
        if (!refused_) return state_->opened(std::string(response.fields.find("sec-websocket-protocol").value_or("")));
        if (response.status == 101) return state_->refuse_answer(errc::make_error_code(errc::protocol_error), std::string(wrong));
        state_->refuse_answer(error::connection_refused, "the server answered " + std::to_string(response.status));
    }
    bool on_body(std::span<const std::uint8_t> bytes) override {
        if (!refused_) state_->on_bytes(bytes);
        return !refused_;
    }
    bool wants_body() override { return refused_ || state_->hungry(); }
    void on_body_end() override { state_->on_end(); }
    void on_end(const std::optional<http_error>& e, const transfer_info&) override {
        ended_ = true;
        if (e) return state_->on_gone(to_error_code(*e), e->text);
        state_->on_gone(error::connection_reset, "the stream has ended");
    }
    bool ended() const { return ended_; }

private:
    std::shared_ptr<websocket_state> state_;
    std::string key_;
    bool refused_ = false;
    bool ended_ = false;
};

class client_source final : public http::body_source {
public:
    explicit client_source(std::shared_ptr<websocket_state> state) : state_(std::move(state)) {}
    result read(std::span<std::uint8_t> out) override {
        const auto made = state_->produce(out);
        return {made.n, made.end, false};
    }

private:
    std::shared_ptr<websocket_state> state_;
};

// The client may be gone when the sink is, so it is called only while that is there; and later, never from within its own calls.
class client_channel final : public websocket_channel {
public:
    client_channel(http_client& client, boost::asio::any_io_executor executor)
        : client_(client), executor_(std::move(executor)) {}

    void start(const std::shared_ptr<websocket_state>& state, http::url url) {
        auto sink = std::make_shared<client_sink>(state);
        http_request request;
        request.url = std::move(url);
        request.fields = state->options().fields;
        request.protocol = http::websocket_protocol;
        request.first_byte_timeout = state->options().handshake_timeout;
        request.source = [weak = std::weak_ptr(state)]() -> std::unique_ptr<http::body_source> {
            auto s = weak.lock();
            return s ? std::make_unique<client_source>(std::move(s)) : nullptr;
        };
        request.prepare = [weak = std::weak_ptr(sink)](http::request& r, http_protocol protocol) {
            if (auto s = weak.lock()) s->prepare(r, protocol);
        };
        sink_ = sink;
        handle_ = client_.submit(std::move(request), std::move(sink));
    }
    void wake() override {
        if (std::exchange(*woken_, true)) return;
        boost::asio::post(executor_, [&client = client_, handle = handle_, weak = sink_, woken = woken_] {
            *woken = false;
            if (auto sink = weak.lock(); sink && !sink->ended()) client.resume(handle);
        });
    }
    void reset() override {
        boost::asio::post(executor_, [&client = client_, handle = handle_, weak = sink_] {
            if (auto sink = weak.lock(); sink && !sink->ended()) client.cancel(handle);
        });
    }

private:
    http_client& client_;
    boost::asio::any_io_executor executor_;
    std::weak_ptr<client_sink> sink_;
    http_client::request_handle handle_ = 0;
    std::shared_ptr<bool> woken_ = std::make_shared<bool>(false);
};

}  // namespace

std::shared_ptr<websocket_state> websocket_state::client(http_client& client, websocket_options options) {
    auto state =
        std::make_shared<websocket_state>(client.get_executor(), http::websocket_engine::role::client, std::move(options));
    state->channel_ = std::make_unique<client_channel>(client, state->executor());
    return state;
}

void websocket_state::connect(http::url url, connect_operation op) {
    connecting_ = std::move(op);
    static_cast<client_channel&>(*channel_).start(shared_from_this(), std::move(url));
}

// The request goes on until its sink says that no more is wanted; there is no WebSocket from now on.
void websocket_state::refuse_answer(boost::system::error_code error, std::string why) {
    refused(error, std::move(why));
    channel_->reset();
}

}  // namespace tandem::net::detail
