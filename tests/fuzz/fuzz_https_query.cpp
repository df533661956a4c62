// Answers of name servers to the question for example.com's HTTPS records: whatever is believed stays within its bounds, and may
// be used.
#include <cstdint>
#include <span>

#include "fuzz.hpp"

#include <tandem/http/https_query.hpp>
#include <tandem/http/race_plan.hpp>

using namespace tandem::http;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto answer = parse_https_answer({data, size}, 0x1234, "example.com");
    FUZZ_CHECK(answer.records.empty() || answer.kind == answer_kind::answered);
    FUZZ_CHECK(answer.records.size() <= max_answer_records && answer.owner.size() <= 253);
    for (const auto& r : answer.records) {
        FUZZ_CHECK(r.target.size() <= 253 && r.alpn.size() <= max_service_protocols && r.hints.size() <= 2 * max_service_hints);
        FUZZ_CHECK(r.target.empty() || !make_https_query(1, r.target).empty());
    }
    for (const auto& r : usable_services(answer.records)) FUZZ_CHECK(!r.is_alias() && r.usable);
    return 0;
}
