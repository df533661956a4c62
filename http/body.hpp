// Where the body of a message comes from: something the session pulls from when the transport has room.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <tandem/bytes/recycled.hpp>
#include <tandem/http/message.hpp>

namespace tandem::http {

class body_source : public recycled::object {
public:
    // n bytes were put into `out`. Nothing and neither flag: there will be more, call the session's resume_body() then.
    struct result {
        std::size_t n = 0;
        bool end = false;     // these were the last bytes
        bool failed = false;  // the source broke; the message is ended as incomplete
    };

    virtual ~body_source() = default;
    virtual result read(std::span<std::uint8_t> out) = 0;
    // The whole length in bytes, if known before it is read. A source that gives another number fails the message.
    virtual std::optional<std::uint64_t> content_length() const { return std::nullopt; }
    // Asked once, after read() said end. Sent where the version and framing allow it (not with a Content-Length in HTTP/1.1).
    virtual fields trailers() { return {}; }
};

// A body that lies in memory, owned or shared. Sharing costs nothing per message.
class memory_body final : public body_source {
public:
    explicit memory_body(std::string text);
    explicit memory_body(std::vector<std::uint8_t> bytes);
    // `owner` keeps the bytes alive.
    memory_body(std::shared_ptr<const void> owner, std::span<const std::uint8_t> bytes);

    result read(std::span<std::uint8_t> out) override;
    std::optional<std::uint64_t> content_length() const override { return bytes_.size(); }

private:
    std::shared_ptr<const void> owner_;
    std::span<const std::uint8_t> bytes_;
    std::size_t at_ = 0;
};

}  // namespace tandem::http
