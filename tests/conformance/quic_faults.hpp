// Every fault of one frame for which RFC 9000 names an error, and that error. The tests play each against both roles and in every
// state.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "quic_fault_peer.hpp"

namespace tandem::quic::test {

struct fault {
    std::string name;
    transport_error code{};
    // The offending frame; what goes before it in the same packet is well-formed.
    bytes (*frame)(const fault_peer&) = nullptr;
    bytes (*before)(const fault_peer&) = nullptr;
    std::optional<perspective> only;  // this role can be offended with it; nothing: both
};

std::vector<fault> frame_faults();
// The type in the frame's first bytes.
std::uint64_t type_of(const bytes& frame);

}  // namespace tandem::quic::test
