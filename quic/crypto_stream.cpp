#include <tandem/quic/crypto_stream.hpp>

#include <algorithm>

namespace tandem::quic {

std::optional<connection_error> crypto_stream::receive(const crypto_frame& f, time_point now) {
    const auto end = f.offset + f.data.size();
    // Checked before anything is held (RFC 9000 7.5).
    if (end > in_.read_offset() + max_buffered || !in_.insert(f.offset, f.data, now)) {
        return connection_error::transport(transport_error::crypto_buffer_exceeded, frame_type::crypto,
                                           "too much CRYPTO data out of order");
    }
    return std::nullopt;
}

std::optional<crypto_token> crypto_stream::write_frame(frame_writer& out) {
    const auto no_limit = out_.end_offset();
    const auto where = out_.next(1, no_limit);
    if (where.empty()) return std::nullopt;
    const auto r = out_.next(out.crypto_capacity(where.begin), no_limit);
    if (r.empty()) return std::nullopt;
    const auto room = out.crypto(r.begin, static_cast<std::size_t>(r.size()));
    out_.copy(r, room.data.data());
    out_.sent(r);
    return crypto_token{r.begin, static_cast<std::uint32_t>(r.size())};
}

void crypto_stream::acknowledged(crypto_token t) { out_.acknowledged({t.offset, t.offset + t.length}); }

void crypto_stream::lost(crypto_token t) { out_.lost({t.offset, t.offset + t.length}); }

void crypto_stream::lose_all() { out_.lost({out_.begin_offset(), out_.next_unsent()}); }

void crypto_stream::clear() {
    in_.clear();
    out_.clear();
}

}  // namespace tandem::quic
