// Two ends of a connection in memory, with streams as HTTP/3 sees them. Bytes can be held back and rooms limited.
#pragma once

#include <algorithm>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <tandem/http/stream_transport.hpp>

namespace tandem::http::test {

class fake_transport final : public stream_transport {
public:
    fake_transport(quic::perspective side) : side_(side) {}
    void connect(fake_transport& other) { peer_ = &other; }

    // What a test may change or look at.
    std::uint64_t max_bidirectional = 100;  // streams this end may open
    std::uint64_t max_unidirectional = 3;
    std::size_t room = 1 << 20;                                  // bytes of one stream that the other end has not read
    std::set<std::uint64_t> held;                                // streams whose bytes do not arrive at this end for now
    std::vector<std::pair<std::uint64_t, priority>> priorities;  // set_priority calls
    std::size_t datagram_size = 0;                               // the largest either end takes; 0: no datagrams
    std::size_t datagram_room = SIZE_MAX;                        // how many may wait
    std::optional<std::uint64_t> closed_with;
    std::string closed_because;
    std::map<std::uint64_t, std::uint64_t> resets;  // this end's, by stream
    std::map<std::uint64_t, std::uint64_t> stops;
    std::map<std::uint64_t, std::string> sent;  // everything written, by stream

    std::optional<quic::stream_id> open(quic::direction way) override {
        bool uni = way == quic::direction::unidirectional;
        auto& count = opened_[uni];
        if (closed_with || count >= (uni ? max_unidirectional : max_bidirectional)) return std::nullopt;
        auto id = quic::stream_id::make(side_, way, count++);
        peer_->events_.push_back({.what = stream_event::kind::opened, .id = id, .way = way});
        return id;
    }
    std::size_t write(quic::stream_id id, std::span<const std::uint8_t> data, bool end, time_point) override {
        if (resets.contains(id.value)) return 0;
        auto& in = peer_->incoming_[id.value];
        auto n = std::min(data.size(), room - std::min(room, in.bytes.size()));
        in.bytes.append(reinterpret_cast<const char*>(data.data()), n);
        sent[id.value].append(reinterpret_cast<const char*>(data.data()), n);
        if (n < data.size()) in.writer_waits = true;
        if (end && n == data.size()) in.end = true;
        if (n > 0 || in.end) peer_->tell_readable(id);
        return n;
    }
    read_result read(quic::stream_id id, std::span<std::uint8_t> out, time_point, wait_ledger*) override {
        auto& in = incoming_[id.value];
        if (held.contains(id.value)) return {};
        if (in.reset) return {.reset = in.reset};
        auto n = std::min(out.size(), in.bytes.size());
        std::copy_n(in.bytes.begin(), n, out.begin());
        in.bytes.erase(0, n);
        if (n > 0 && std::exchange(in.writer_waits, false))
            peer_->events_.push_back({.what = stream_event::kind::writable, .id = id});
        return {.n = n, .end = in.end && in.bytes.empty()};
    }
    void reset(quic::stream_id id, std::uint64_t code) override {
        resets[id.value] = code;
        auto& in = peer_->incoming_[id.value];
        in.reset = code;
        peer_->tell_readable(id);
    }
    void stop_sending(quic::stream_id id, std::uint64_t code) override {
        stops[id.value] = code;
        peer_->resets.emplace(id.value, code);
        peer_->events_.push_back({.what = stream_event::kind::stop_sending, .id = id, .code = code});
    }
    void set_priority(quic::stream_id id, const priority& p) override { priorities.emplace_back(id.value, p); }
    bool takes_datagrams() const override { return datagram_size > 0; }
    std::size_t max_datagram() const override { return datagram_size; }
    bool send_datagram(std::span<const std::uint8_t> data) override {
        if (peer_->datagrams_.size() >= datagram_room) return false;
        peer_->inject_datagram({data.begin(), data.end()});
        return true;
    }
    std::optional<std::vector<std::uint8_t>> receive_datagram() override {
        if (datagrams_.empty()) return std::nullopt;
        auto out = std::move(datagrams_.front());
        datagrams_.pop_front();
        return out;
    }
    void close(std::uint64_t code, std::string_view reason, time_point) override {
        if (closed_with) return;
        closed_with = code;
        closed_because = reason;
    }
    std::optional<stream_event> poll_stream_event() override {
        if (events_.empty()) return std::nullopt;
        auto event = events_.front();
        events_.pop_front();
        return event;
    }

    void release(std::uint64_t stream) {
        held.erase(stream);
        tell_readable(quic::stream_id{stream});
    }
    void allow_more(std::uint64_t streams) {
        max_bidirectional += streams;
        events_.push_back({.what = stream_event::kind::streams_available});
    }
    // The stream is over at this end, as the real ones tell it.
    void finish(std::uint64_t stream) {
        events_.push_back({.what = stream_event::kind::finished, .id = quic::stream_id{stream}});
    }
    // Bytes as if the other end had sent them.
    void inject(std::uint64_t stream, std::string_view bytes, bool end = false) {
        quic::stream_id id{stream};
        if (injected_.insert(stream).second) events_.push_back({.what = stream_event::kind::opened, .id = id, .way = id.kind()});
        incoming_[stream].bytes += bytes;
        if (end) incoming_[stream].end = true;
        tell_readable(id);
    }
    void inject_datagram(std::vector<std::uint8_t> bytes) {
        if (datagrams_.empty()) events_.push_back({.what = stream_event::kind::datagrams});
        datagrams_.push_back(std::move(bytes));
    }
    void inject_reset(std::uint64_t stream, std::uint64_t code) {
        incoming_[stream].reset = code;
        tell_readable(quic::stream_id{stream});
    }
    void inject_stop_sending(std::uint64_t stream, std::uint64_t code) {
        resets.emplace(stream, code);
        events_.push_back({.what = stream_event::kind::stop_sending, .id = quic::stream_id{stream}, .code = code});
    }

private:
    struct half {
        std::string bytes;
        bool end = false;
        bool writer_waits = false;
        std::optional<std::uint64_t> reset;
    };
    void tell_readable(quic::stream_id id) {
        if (!held.contains(id.value)) events_.push_back({.what = stream_event::kind::readable, .id = id});
    }

    quic::perspective side_;
    fake_transport* peer_ = nullptr;
    std::uint64_t opened_[2] = {};
    std::map<std::uint64_t, half> incoming_;
    std::set<std::uint64_t> injected_;
    std::deque<stream_event> events_;
    std::deque<std::vector<std::uint8_t>> datagrams_;  // arrived
};

}  // namespace tandem::http::test
