// The TLS 1.3 handshake of a QUIC connection (RFC 9001 4): CRYPTO bytes in, CRYPTO bytes and packet protection secrets out.
// Knows no packets; the connection carries the bytes.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <tandem/tls/cipher_suite.hpp>
#include <tandem/tls/context.hpp>
#include <tandem/tls/session.hpp>

namespace tandem::tls {

// RFC 9001 2.1. Initial secrets are not TLS's. Early data has no CRYPTO bytes, only a secret.
enum class level : std::uint8_t { initial, early_data, handshake, application };
constexpr std::size_t level_count = 4;

// What becomes of early data (0-RTT, RFC 9001 4.6).
enum class early_data_state : std::uint8_t {
    none,      // not offered
    offered,   // client: it can be sent; whether the server takes it is not known yet
    accepted,  // server: before the handshake is complete; client: known by then at the latest
    rejected,  // nothing of what was sent early was looked at; the handshake goes on
};

// A secret that became available: from now on packets of this level can be read, or written.
struct installed_secret {
    enum class use : std::uint8_t { read, write };

    tls::level level;
    use direction;
    cipher_suite suite;
    std::array<std::uint8_t, max_hash_size> bytes;

    std::span<const std::uint8_t> secret() const { return std::span(bytes).first(hash_size(suite)); }
};

class quic_handshake {
public:
    // Transport parameters are the encoded extension (RFC 9000 18). A client's first flight is waiting in output(level::initial)
    // on return. Nothing on error (an option that makes no sense).
    static std::unique_ptr<quic_handshake> client(std::shared_ptr<const client_context> context,
                                                  const client_session_options& options,
                                                  std::span<const std::uint8_t> transport_parameters, error& why);
    static std::unique_ptr<quic_handshake> server(std::shared_ptr<const server_context> context,
                                                  const server_session_options& options,
                                                  std::span<const std::uint8_t> transport_parameters, error& why);
    ~quic_handshake();
    quic_handshake(const quic_handshake&) = delete;
    quic_handshake& operator=(const quic_handshake&) = delete;

    // Server: is shown the client's transport parameters before anything depends on ours, and may change ours: what it returns
    // replaces them, unless it is empty. `early`: the client sends early data, which was made with what it knew of us before.
    using parameter_chooser = std::function<std::vector<std::uint8_t>(std::span<const std::uint8_t> peers, bool early)>;
    void set_parameter_chooser(parameter_chooser chooser);

    // CRYPTO bytes of one level, in order and without repetition; may be any part of a message. Also takes what follows the
    // handshake (tickets). False once the handshake has failed: see alert() and failure().
    bool provide(tls::level level, std::span<const std::uint8_t> bytes);

    // CRYPTO bytes that wait to be sent at a level; stays until discarded.
    std::span<const std::uint8_t> output(tls::level level) const;
    void discard_output(tls::level level);

    // Secrets in the order in which they were installed; nothing when there are no more.
    std::optional<installed_secret> poll_secret();

    bool complete() const;  // RFC 9001 4.1.1: the peer's Finished was verified and ours sent
    bool resumed() const;   // with a ticket, thus without certificates
    early_data_state early_data() const;
    bool failed() const;
    // The TLS alert that the failure is; the QUIC error code is 0x0100 + alert (RFC 9001 4.8).
    std::optional<std::uint8_t> alert() const;
    // Why it failed; for a refused certificate with code verification and the reason.
    const error& failure() const;

    // The peer's quic_transport_parameters extension; empty before its arrival. Authenticated only when complete().
    std::span<const std::uint8_t> peer_transport_parameters() const;
    std::string_view alpn() const;         // the selected protocol; empty if none yet
    std::string_view server_name() const;  // server: the SNI that the client sent; client: the name it asked for
    std::optional<cipher_suite> suite() const;

    // Client: a ticket that the server sent, for client_session_options::ticket; nothing when there are no more.
    std::optional<session_ticket> poll_ticket();

private:
    class state;
    explicit quic_handshake(std::unique_ptr<state> s);
    std::unique_ptr<state> state_;
};

}  // namespace tandem::tls
