#include <tandem/http/websocket_engine.hpp>

#include <algorithm>
#include <cstring>
#include <utility>

namespace tandem::http {
namespace {

constexpr std::size_t max_reason = max_websocket_control - 2;

std::span<const std::uint8_t> bytes_of(std::string_view text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
std::span<std::uint8_t> bytes_of(std::string& text) { return {reinterpret_cast<std::uint8_t*>(text.data()), text.size()}; }

}  // namespace

bool may_send_websocket_code(std::uint16_t code) {
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}

websocket_engine::websocket_engine(role side, const websocket_limits& limit, std::function<std::uint64_t()> random)
    : side_(side), limit_(limit), random_(std::move(random)) {
    limit_.fragment_size = std::max<std::size_t>(limit_.fragment_size, 1);
}

// Coming in.

std::size_t websocket_engine::receive(std::span<const std::uint8_t> bytes) {
    std::size_t taken = 0;
    while (taken < bytes.size() && wants_to_receive()) {
        const auto rest = bytes.subspan(taken);
        taken += frame_ ? take_payload(rest) : take_header(rest);
    }
    return taken;
}

std::optional<websocket_event> websocket_engine::poll_event() { return std::exchange(event_, std::nullopt); }

void websocket_engine::fail(std::uint16_t code, std::string_view why) {
    failure_ = websocket_close{code, std::string(why)};
    message_.reset();
    if (!closing()) close(code, why);
}

// Byte by byte until the header is whole: it has 14 at most.
std::size_t websocket_engine::take_header(std::span<const std::uint8_t> bytes) {
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        header_[header_size_++] = bytes[i];
        const auto parsed = parse_websocket_header(std::span(header_).first(header_size_));
        if (!parsed.problem.empty()) return fail(websocket_code::protocol_error, parsed.problem), i + 1;
        if (parsed.size == 0) continue;
        header_size_ = 0;
        frame_ = parsed.frame;
        frame_taken_ = 0;
        begin_frame();
        if (!failure_ && frame_->length == 0) end_frame();
        return i + 1;
    }
    return bytes.size();
}

void websocket_engine::begin_frame() {
    const auto& f = *frame_;
    // RFC 6455 5.1: a client masks, a server does not.
    if (f.mask.has_value() != (side_ == role::server))
        return fail(websocket_code::protocol_error, f.mask ? "a masked frame" : "a frame without a mask");
    if (is_control(f.opcode)) return control_.clear();
    if (message_ && f.opcode != websocket_opcode::continuation)
        return fail(websocket_code::protocol_error, "a message in the middle of another");
    if (!message_ && f.opcode == websocket_opcode::continuation)
        return fail(websocket_code::protocol_error, "a continuation of nothing");
    const auto before = message_ ? message_->data.size() : 0;
    if (f.length > limit_.frame_size || f.length > limit_.message_size - before) return fail(websocket_code::too_big, "too big");
    if (message_) return;
    message_ = websocket_message{f.opcode == websocket_opcode::text, {}};
    utf8_ = {};
}

std::size_t websocket_engine::take_payload(std::span<const std::uint8_t> bytes) {
    const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size(), frame_->length - frame_taken_));
    auto& into = is_control(frame_->opcode) ? control_ : message_->data;
    const auto begin = into.size();
    into.append(reinterpret_cast<const char*>(bytes.data()), n);
    const auto added = bytes_of(into).subspan(begin);
    if (frame_->mask) apply_websocket_mask(added, *frame_->mask, frame_taken_);
    frame_taken_ += n;
    if (!is_control(frame_->opcode) && message_->text && !utf8_.feed(added)) {  // RFC 6455 8.1: at once
        fail(websocket_code::invalid_data, "a text is not UTF-8");
    } else if (frame_taken_ == frame_->length) {
        end_frame();
    }
    return n;
}

void websocket_engine::end_frame() {
    const auto f = *std::exchange(frame_, std::nullopt);
    if (is_control(f.opcode)) return on_control(f.opcode);
    if (!f.fin) return;
    if (message_->text && !utf8_.complete()) return fail(websocket_code::invalid_data, "a text ends within a character");
    event_ = std::move(*message_);
    message_.reset();
}

void websocket_engine::on_control(websocket_opcode opcode) {
    switch (opcode) {
        case websocket_opcode::close:
            return on_close();
        case websocket_opcode::ping:
            if (!closing()) pong_ = control_;
            break;
        default:
            event_ = websocket_events::pong{std::exchange(control_, {})};
            break;
    }
}

void websocket_engine::on_close() {
    websocket_close said{websocket_code::none, {}};
    if (control_.size() == 1) return fail(websocket_code::protocol_error, "a Close frame with half a code");
    if (control_.size() >= 2) {
        said.code =
            static_cast<std::uint16_t>(static_cast<std::uint8_t>(control_[0]) << 8 | static_cast<std::uint8_t>(control_[1]));
        said.reason = control_.substr(2);
        if (!may_send_websocket_code(said.code))
            return fail(websocket_code::protocol_error, "a Close frame with a code that is none");
        if (!is_utf8(bytes_of(std::string_view(said.reason))))
            return fail(websocket_code::invalid_data, "a Close frame's reason is not UTF-8");
    }
    message_.reset();
    if (!closing()) close(said.code, {});
    peer_close_ = std::move(said);
}

// Going out.

bool websocket_engine::send(bool text, std::span<const std::uint8_t> data) {
    if (outgoing_ || closing() || (text && !is_utf8(data))) return false;
    cut_ = false;
    outgoing_ = outgoing{.text = text, .left = data};
    return true;
}

bool websocket_engine::abandon() {
    const bool whole = !outgoing_ || !outgoing_->begun;
    if (std::exchange(outgoing_, std::nullopt)) cut_ = true;
    return whole;
}

bool websocket_engine::ping(std::string_view payload) {
    if (payload.size() > max_websocket_control || closing()) return false;
    ping_ = payload;
    return true;
}

bool websocket_engine::close(std::uint16_t code, std::string_view reason) {
    const bool bare = code == websocket_code::none && reason.empty();
    if (closing() || (!bare && !may_send_websocket_code(code)) || reason.size() > max_reason || !is_utf8(bytes_of(reason)))
        return false;
    close_frame_.emplace();
    if (!bare) *close_frame_ = {static_cast<char>(code >> 8), static_cast<char>(code & 0xff)};
    close_frame_->append(reason);
    return true;
}

bool websocket_engine::wants_to_transmit() const {
    if (close_sent_) return false;
    return ready_at_ < ready_.size() || outgoing_ || pong_ || ping_ || close_frame_;
}

std::size_t websocket_engine::transmit(std::span<std::uint8_t> out) {
    std::size_t written = 0;
    while (written < out.size() && !close_sent_) {
        const auto room = out.subspan(written);
        if (ready_at_ < ready_.size()) {
            const auto n = std::min(room.size(), ready_.size() - ready_at_);
            std::memcpy(room.data(), ready_.data() + ready_at_, n);
            ready_at_ += n;
            written += n;
            close_sent_ = close_under_way_ && ready_at_ == ready_.size();
        } else if (outgoing_ && outgoing_->in_frame > 0) {
            written += put_payload(room);
        } else if (!next_control()) {  // between frames: control frames first (RFC 6455 5.4)
            if (!outgoing_) break;
            begin_fragment();
        }
        if (outgoing_ && outgoing_->begun && outgoing_->in_frame == 0 && outgoing_->left.empty()) outgoing_.reset();
    }
    return written;
}

bool websocket_engine::next_control() {
    if (pong_) return put_control({websocket_opcode::pong, *std::exchange(pong_, std::nullopt)}), true;
    if (ping_) return put_control({websocket_opcode::ping, *std::exchange(ping_, std::nullopt)}), true;
    // Our Close comes after the message under way, unless the peer has no use for that any more (RFC 6455 5.5.1).
    if (!close_frame_ || (outgoing_ && !peer_close_ && !failure_)) return false;
    abandon();
    put_control({websocket_opcode::close, *close_frame_});
    close_under_way_ = true;
    return true;
}

void websocket_engine::put_control(const control& c) {
    const auto mask = new_mask();
    put_header({c.opcode, true, c.payload.size(), mask});
    const auto begin = ready_.size();
    ready_ += c.payload;
    if (mask) apply_websocket_mask(bytes_of(ready_).subspan(begin), *mask, 0);
}

void websocket_engine::put_header(websocket_frame frame) {
    std::array<std::uint8_t, max_websocket_header> header;
    const auto size = write_websocket_header(header, frame);
    ready_.assign(reinterpret_cast<const char*>(header.data()), size);
    ready_at_ = 0;
}

void websocket_engine::begin_fragment() {
    auto& o = *outgoing_;
    o.in_frame = std::min(o.left.size(), limit_.fragment_size);
    o.mask = new_mask();
    o.masked = 0;
    const auto opcode = o.begun ? websocket_opcode::continuation : o.text ? websocket_opcode::text : websocket_opcode::binary;
    o.begun = true;
    put_header({opcode, o.in_frame == o.left.size(), o.in_frame, o.mask});
}

std::size_t websocket_engine::put_payload(std::span<std::uint8_t> out) {
    auto& o = *outgoing_;
    const auto n = std::min(out.size(), o.in_frame);
    std::memcpy(out.data(), o.left.data(), n);
    if (o.mask) apply_websocket_mask(out.first(n), *o.mask, o.masked);
    o.masked += n;
    o.left = o.left.subspan(n);
    o.in_frame -= n;
    return n;
}

std::optional<websocket_mask> websocket_engine::new_mask() {
    if (side_ == role::server) return std::nullopt;
    const auto value = random_();
    websocket_mask mask;
    for (std::size_t i = 0; i < mask.size(); ++i) mask[i] = static_cast<std::uint8_t>(value >> (8 * i));
    return mask;
}

}  // namespace tandem::http
