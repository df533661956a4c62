#include <tandem/http/capsules.hpp>

#include <algorithm>
#include <utility>

#include <tandem/bytes/writer.hpp>

namespace tandem::http {

// RFC 9000 16, in any of its lengths; takes its bytes off the front of what is given. Nothing while some are to come.
std::optional<std::uint64_t> capsule_reader::integer(std::span<const std::uint8_t>& bytes) {
    while (!bytes.empty()) {
        held_[held_count_++] = bytes.front();
        bytes = bytes.subspan(1);
        if (held_count_ < std::size_t{1} << (held_[0] >> 6)) continue;
        std::uint64_t value = held_[0] & 0x3f;
        for (std::size_t i = 1; i < held_count_; ++i) value = value << 8 | held_[i];
        held_count_ = 0;
        return value;
    }
    return std::nullopt;
}

void capsule_reader::begin_payload() {
    at_ = stage::payload;
    if (type_ == capsule_type::datagram && left_ <= largest_) return;
    at_ = left_ > 0 ? stage::passed_over : stage::type;
    ++(type_ == capsule_type::datagram ? too_large_ : skipped_);
}

capsule_reader::progress capsule_reader::receive(std::span<const std::uint8_t> bytes) {
    const auto given = bytes.size();
    const auto of_payload = [&] { return static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size())); };
    // A datagram without a byte is whole as soon as its length is.
    while (!bytes.empty() || (at_ == stage::payload && left_ == 0)) {
        switch (at_) {
            case stage::type:
                if (const auto value = integer(bytes)) {
                    type_ = *value;
                    at_ = stage::length;
                }
                break;
            case stage::length:
                if (const auto value = integer(bytes)) {
                    left_ = *value;
                    begin_payload();
                }
                break;
            case stage::payload: {
                const auto n = of_payload();
                payload_.insert(payload_.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(n));
                bytes = bytes.subspan(n);
                left_ -= n;
                if (left_ > 0) break;
                at_ = stage::type;
                return {given - bytes.size(), std::exchange(payload_, {})};
            }
            case stage::passed_over: {
                const auto n = of_payload();
                bytes = bytes.subspan(n);
                left_ -= n;
                if (left_ == 0) at_ = stage::type;
                break;
            }
        }
    }
    return {given, std::nullopt};
}

void append_capsule(std::vector<std::uint8_t>& out, std::uint64_t type, std::span<const std::uint8_t> payload) {
    std::array<std::uint8_t, 16> head;
    writer w(head);
    w.varint(type);
    w.varint(payload.size());
    out.insert(out.end(), head.begin(), head.begin() + static_cast<std::ptrdiff_t>(w.size()));
    out.insert(out.end(), payload.begin(), payload.end());
}

}  // namespace tandem::http
