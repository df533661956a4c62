#include <tandem/quic/statistics.hpp>

namespace tandem::quic {

std::string_view to_string(drop_reason reason) {
    switch (reason) {
        case drop_reason::malformed:
            return "malformed";
        case drop_reason::too_small:
            return "too small";
        case drop_reason::wrong_connection_id:
            return "wrong connection ID";
        case drop_reason::unknown_connection:
            return "unknown connection";
        case drop_reason::unexpected_version:
            return "unexpected version";
        case drop_reason::unexpected_packet:
            return "unexpected packet";
        case drop_reason::integrity:
            return "integrity";
        case drop_reason::no_keys:
            return "no keys";
        case drop_reason::undecryptable:
            return "undecryptable";
        case drop_reason::duplicate:
            return "duplicate";
        case drop_reason::unknown_path:
            return "unknown path";
        case drop_reason::closed:
            return "closed";
        case drop_reason::refused:
            return "refused";
        case drop_reason::count_:
            break;
    }
    return "unknown";
}

}  // namespace tandem::quic
