// Transport parameters: whatever is accepted is emitted so that it parses to the same. The first byte chooses sender and
// protocol.
#include <cstdint>
#include <span>

#include "fuzz.hpp"

#include <tandem/quic/transport_parameters.hpp>

using namespace tandem::quic;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const auto sender = data[0] & 1 ? perspective::server : perspective::client;
    const auto profile = data[0] & 2 ? parameter_profile::qmux : parameter_profile::quic;
    transport_parameters parameters;
    if (const auto error = parse({data + 1, size - 1}, sender, profile, parameters)) {
        FUZZ_CHECK(error->is(transport_error::transport_parameter_error));
        return 0;
    }
    FUZZ_CHECK(parameters.ack_delay_exponent <= 20 && parameters.max_udp_payload_size >= 1200);
    FUZZ_CHECK(parameters.max_record_size >= default_max_record_size && parameters.active_connection_id_limit >= 2);
    FUZZ_CHECK(sender == perspective::server || (!parameters.reset_token && !parameters.preferred));
    transport_parameters again;
    FUZZ_CHECK(!parse(emit(parameters, profile), sender, profile, again));
    FUZZ_CHECK(again == parameters);
    return 0;
}
