#include <tandem/sim/pcapng.hpp>

#include <algorithm>
#include <array>
#include <limits>

namespace tandem::sim {

namespace {

constexpr std::uint32_t section_header = 0x0A0D0D0A;  // draft-ietf-opsawg-pcapng 4.1
constexpr std::uint32_t interface_description = 1;    // 4.2
constexpr std::uint32_t enhanced_packet = 6;          // 4.3
constexpr std::uint32_t decryption_secrets = 10;      // 4.7
constexpr std::uint32_t tls_key_log = 0x544c534b;     // "TLSK"
constexpr std::uint16_t link_type_raw = 101;          // LINKTYPE_RAW: the packet begins with an IP header
constexpr std::uint16_t opt_comment = 1, if_name = 2, if_tsresol = 9;

void put16(std::vector<std::uint8_t>& out, std::uint16_t v) {
    out.push_back(static_cast<std::uint8_t>(v));
    out.push_back(static_cast<std::uint8_t>(v >> 8));
}
void put32(std::vector<std::uint8_t>& out, std::uint32_t v) {
    put16(out, static_cast<std::uint16_t>(v));
    put16(out, static_cast<std::uint16_t>(v >> 16));
}
void put_padded(std::vector<std::uint8_t>& out, std::span<const std::uint8_t> bytes) {
    out.insert(out.end(), bytes.begin(), bytes.end());
    out.resize((out.size() + 3) / 4 * 4);
}
void put_option(std::vector<std::uint8_t>& out, std::uint16_t code, std::string_view value) {
    value = value.substr(0, std::numeric_limits<std::uint16_t>::max());
    put16(out, code);
    put16(out, static_cast<std::uint16_t>(value.size()));
    put_padded(out, {reinterpret_cast<const std::uint8_t*>(value.data()), value.size()});
}

// Every block is type, length, body, length; all blocks are multiples of four bytes.
class block {
public:
    block(std::vector<std::uint8_t>& out, std::uint32_t type) : out_(out), begin_(out.size()) {
        put32(out_, type);
        put32(out_, 0);
    }
    ~block() {
        const auto length = static_cast<std::uint32_t>(out_.size() - begin_ + 4);
        put32(out_, length);
        for (std::size_t i = 0; i < 4; ++i) out_[begin_ + 4 + i] = static_cast<std::uint8_t>(length >> (8 * i));
    }
    block(const block&) = delete;
    block& operator=(const block&) = delete;

private:
    std::vector<std::uint8_t>& out_;
    std::size_t begin_;
};

// RFC 1071: the ones' complement sum of 16-bit words.
class checksum {
public:
    void add(std::span<const std::uint8_t> bytes) {
        for (const auto b : bytes) {
            sum_ += odd_ ? b : std::uint64_t{b} << 8;
            odd_ = !odd_;
        }
    }
    std::uint16_t value() const {
        auto s = sum_;
        while (s >> 16) s = (s & 0xffff) + (s >> 16);
        return static_cast<std::uint16_t>(~s);
    }

private:
    std::uint64_t sum_ = 0;
    bool odd_ = false;
};

void big16(std::uint8_t* at, std::size_t v) {
    at[0] = static_cast<std::uint8_t>(v >> 8);
    at[1] = static_cast<std::uint8_t>(v);
}

}  // namespace

pcapng_writer::pcapng_writer(std::vector<std::uint8_t>& out, std::string_view interface_name) : out_(out) {
    {
        block b(out_, section_header);
        put32(out_, 0x1A2B3C4D);  // byte order
        put16(out_, 1);           // version 1.0
        put16(out_, 0);
        put32(out_, 0xffffffff);  // section length unknown
        put32(out_, 0xffffffff);
    }
    block b(out_, interface_description);
    put16(out_, link_type_raw);
    put16(out_, 0);
    put32(out_, 0);  // no snapshot limit
    put_option(out_, if_name, interface_name);
    put_option(out_, if_tsresol, std::string_view("\x09", 1));  // 10^-9 seconds
    put32(out_, 0);                                             // end of options
}

void pcapng_writer::secrets(std::string_view key_log) {
    block b(out_, decryption_secrets);
    put32(out_, tls_key_log);
    put32(out_, static_cast<std::uint32_t>(key_log.size()));
    put_padded(out_, {reinterpret_cast<const std::uint8_t*>(key_log.data()), key_log.size()});
}

void pcapng_writer::packet(time_point at, std::span<const std::uint8_t> ip_packet, std::string_view comment) {
    const auto time = static_cast<std::uint64_t>((at - event_queue::start).count());
    block b(out_, enhanced_packet);
    put32(out_, 0);  // interface
    put32(out_, static_cast<std::uint32_t>(time >> 32));
    put32(out_, static_cast<std::uint32_t>(time));
    put32(out_, static_cast<std::uint32_t>(ip_packet.size()));
    put32(out_, static_cast<std::uint32_t>(ip_packet.size()));
    put_padded(out_, ip_packet);
    if (comment.empty()) return;
    put_option(out_, opt_comment, comment);
    put32(out_, 0);
}

void append_udp_packet(std::vector<std::uint8_t>& out, const ip_endpoint& source, const ip_endpoint& destination, ecn mark,
                       std::span<const std::uint8_t> payload) {
    const std::size_t udp_length = 8 + payload.size();
    const bool v6 = destination.address.is_v6;
    std::array<std::uint8_t, 48> header{};
    std::uint8_t* const ip = header.data();
    std::uint8_t* const udp = ip + (v6 ? 40 : 20);
    if (v6) {
        ip[0] = 0x60;
        ip[1] = static_cast<std::uint8_t>(static_cast<unsigned>(mark) << 4);
        big16(ip + 4, udp_length);
        ip[6] = 17;
        ip[7] = 64;
        std::copy(source.address.bytes.begin(), source.address.bytes.end(), ip + 8);
        std::copy(destination.address.bytes.begin(), destination.address.bytes.end(), ip + 24);
    } else {
        ip[0] = 0x45;
        ip[1] = static_cast<std::uint8_t>(mark);
        big16(ip + 2, 20 + udp_length);
        ip[6] = 0x40;  // don't fragment
        ip[8] = 64;
        ip[9] = 17;
        std::copy_n(source.address.bytes.begin(), 4, ip + 12);
        std::copy_n(destination.address.bytes.begin(), 4, ip + 16);
        checksum sum;
        sum.add({ip, 20});
        big16(ip + 10, sum.value());
    }
    big16(udp, source.port);
    big16(udp + 2, destination.port);
    big16(udp + 4, udp_length);
    checksum sum;
    sum.add(std::span(source.address.bytes).first(source.address.size()));
    sum.add(std::span(destination.address.bytes).first(destination.address.size()));
    std::array<std::uint8_t, 4> pseudo{0, 17, 0, 0};
    big16(pseudo.data() + 2, udp_length);
    sum.add(pseudo);
    sum.add({udp, 8});
    sum.add(payload);
    big16(udp + 6, sum.value() == 0 ? 0xffff : sum.value());  // RFC 768: zero means "no checksum"
    out.insert(out.end(), header.begin(), header.begin() + (v6 ? 48 : 28));
    out.insert(out.end(), payload.begin(), payload.end());
}

void packet_recorder::add(const packet_view& packet, const passage& fate) {
    const auto begin = bytes_.size();
    if (packet.wire == wire_format::udp) {
        append_udp_packet(bytes_, packet.path.local, packet.path.remote, packet.mark, packet.payload);
    } else {
        bytes_.insert(bytes_.end(), packet.payload.begin(), packet.payload.end());
    }
    packets_.push_back({packet.at, begin, bytes_.size(), fate.result});
}

void packet_recorder::add_secrets(std::string_view key_log_line) {
    secrets_ += key_log_line;
    if (!secrets_.empty() && secrets_.back() != '\n') secrets_ += '\n';
}

std::vector<std::uint8_t> packet_recorder::file(std::string_view interface_name) const {
    std::vector<std::uint8_t> out;
    pcapng_writer writer(out, interface_name);
    if (!secrets_.empty()) writer.secrets(secrets_);
    for (const auto& p : packets_) {
        std::string comment;
        if (p.result != verdict::delivered) comment = "dropped: " + std::string(to_string(p.result));
        writer.packet(p.at, std::span(bytes_).subspan(p.begin, p.end - p.begin), comment);
    }
    return out;
}

}  // namespace tandem::sim
