#include <tandem/http/https_query.hpp>

#include <array>
#include <optional>
#include <utility>

#include <tandem/bytes/reader.hpp>
#include <tandem/bytes/writer.hpp>
#include <tandem/http/domain_label.hpp>
#include <tandem/http/message.hpp>

namespace tandem::http {
namespace {

// RFC 1035 3.2, RFC 6891, RFC 9460 14.1
constexpr std::uint16_t type_cname = 5, type_opt = 41, type_https = 65, class_in = 1;
constexpr std::uint16_t flag_response = 0x8000, mask_opcode = 0x7800, flag_truncated = 0x0200, flag_recursion = 0x0100,
                        mask_code = 0x000f;
constexpr std::uint16_t no_error = 0, no_such_name = 3;
constexpr std::uint8_t pointer_mark = 0xc0;

bool write_name(writer& out, std::string_view name) {
    if (name.empty() || name.size() > longest_name) return false;
    while (!name.empty()) {
        const auto label = name.substr(0, name.find('.'));
        if (label.empty() || label.size() > longest_label) return false;
        out.u8(static_cast<std::uint8_t>(label.size()));
        out.bytes({reinterpret_cast<const std::uint8_t*>(label.data()), label.size()});
        name.remove_prefix(std::min(label.size() + 1, name.size()));
    }
    out.u8(0);
    return out.ok();
}

// A name at the reader's place, which may go on elsewhere (RFC 1035 4.1.4). Each jump goes back behind where the last part began,
// so there is an end.
std::optional<std::string> read_name(reader& in, std::span<const std::uint8_t> message) {
    std::string out;
    reader part = in;
    auto begin = in.offset();
    bool jumped = false;
    while (part.ok()) {
        const auto size = part.u8();
        if (!jumped) in = part;
        if (size == 0 && part.ok()) return out;
        if ((size & pointer_mark) == pointer_mark) {
            const auto to = static_cast<std::size_t>((size & ~pointer_mark) << 8 | part.u8());
            if (!jumped) in = part;
            if (!part.ok() || to >= begin) return std::nullopt;
            jumped = true;
            begin = to;
            part = reader(message);
            part.skip(to);
            continue;
        }
        if (size > longest_label || !append_label(out, part.bytes(size))) return std::nullopt;
        if (!jumped) in = part;
    }
    return std::nullopt;
}

struct record {
    std::string owner;
    std::uint16_t type = 0;
    std::span<const std::uint8_t> data;
    std::size_t at = 0;  // of the data in the message
};

// Nothing if the section is damaged. Records of names that no host has are left out.
std::optional<std::vector<record>> read_records(reader& in, std::span<const std::uint8_t> message, std::size_t count) {
    std::vector<record> out;
    for (std::size_t i = 0; i < std::min(count, max_answer_records); ++i) {
        auto owner = read_name(in, message);
        if (!owner) return std::nullopt;
        record r{std::move(*owner), in.u16(), {}, 0};
        const auto klass = in.u16();
        in.skip(4);  // TTL: an answer serves one connection
        const auto size = in.u16();
        r.at = in.offset();
        r.data = in.bytes(size);
        if (!in.ok()) return std::nullopt;
        if (klass == class_in) out.push_back(std::move(r));
    }
    return out;
}

// Where the CNAMEs lead; nothing if they go round in a circle or are damaged.
std::optional<std::string> follow(std::string name, const std::vector<record>& records, std::span<const std::uint8_t> message) {
    for (std::size_t hops = 0; hops <= max_aliases; ++hops) {
        const record* alias = nullptr;
        for (const auto& r : records) {
            if (r.type == type_cname && r.owner == name) alias = &r;
        }
        if (alias == nullptr) return name;
        reader in(message.first(alias->at + alias->data.size()));
        in.skip(alias->at);
        auto to = read_name(in, message);
        if (!to || !in.empty()) return std::nullopt;
        name = std::move(*to);
    }
    return std::nullopt;
}

}  // namespace

std::string https_record_name(std::string_view host, std::uint16_t port) {
    auto name = to_lower(host);
    if (name.ends_with('.')) name.pop_back();
    return port == 443 ? name : "_" + std::to_string(port) + "._https." + name;
}

std::vector<std::uint8_t> make_https_query(std::uint16_t id, std::string_view name) {
    std::array<std::uint8_t, 12 + 255 + 4 + 11> buffer;
    writer out(buffer);
    out.u16(id);
    out.u16(flag_recursion);
    out.u16(1);  // questions
    out.u16(0);
    out.u16(0);
    out.u16(1);  // additional records: EDNS's
    if (!write_name(out, name)) return {};
    out.u16(type_https);
    out.u16(class_in);
    out.u8(0);
    out.u16(type_opt);
    out.u16(dns_datagram_size);
    out.u32(0);
    out.u16(0);
    return {out.written().begin(), out.written().end()};
}

https_answer parse_https_answer(std::span<const std::uint8_t> message, std::uint16_t id, std::string_view name) {
    https_answer out;
    reader in(message);
    const bool same = in.u16() == id;
    const auto flags = in.u16();
    const auto questions = in.u16(), answers = in.u16();
    in.skip(4);
    if (!in.ok() || !same || (flags & flag_response) == 0 || (flags & mask_opcode) != 0 || questions != 1) return out;
    const auto asked = read_name(in, message);
    const bool ours = asked && *asked == name && in.u16() == type_https && in.u16() == class_in;
    if (!ours || !in.ok()) return out;
    out.owner = name;
    const auto code = flags & mask_code;
    out.kind = answer_kind::refused;
    if (code != no_error && code != no_such_name) return out;
    if ((flags & flag_truncated) != 0) return out.kind = answer_kind::truncated, out;
    const auto records = read_records(in, message, answers);
    if (!records) return out;
    auto owner = follow(out.owner, *records, message);
    if (!owner) return out;
    out.kind = answer_kind::answered;
    out.owner = std::move(*owner);
    for (const auto& r : *records) {
        if (r.type != type_https || r.owner != out.owner) continue;
        auto binding = parse_service_binding(r.data);
        if (!binding) return out.records.clear(), out;  // RFC 9460 2.2: the whole set is rejected
        out.records.push_back(std::move(*binding));
    }
    return out;
}

}  // namespace tandem::http
