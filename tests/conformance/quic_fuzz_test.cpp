// The fuzz target of a whole connection, without libFuzzer: its seeds, and random changes of them, so that it stays sound.
#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include <tandem/bytes/random.hpp>

#include "seed.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace tandem::quic::test {
namespace {

// Records of frames that mean something; see tests/fuzz/corpus/connection.hex.
const std::vector<std::vector<std::uint8_t>> seeds{
    {0x01, 0x08, 0x0b, 0x00, 0x05, 'h', 'e', 'l', 'l', 'o', 0x80, 0x80},
    {0x00, 0x08, 0x0b, 0x01, 0x05, 'h', 'e', 'l', 'l', 'o', 0x80, 0x80},
    {0x01, 0x47, 0x04, 0x00, 0x01, 0x05, 0x05, 0x00, 0x02, 0x81, 0x43, 0x10, 0x40, 0xff},
    {0x01, 0xc1, 0x01, 0xc9, 0x1a, 1, 2, 3, 4, 5, 6, 7, 8, 0x81, 0xc9, 0x1b, 1, 2, 3, 4, 5, 6, 7, 8},
    {0x00, 0x46, 0x06, 0x00, 0x03, 0x01, 0x00, 0x00, 0x44, 0x31, 0x02, 0x31, 0x32, 0x82},
    {0x01, 0x41, 0x01, 0x45, 0x02, 0x01, 0x00, 0x00, 0x01, 0x88, 0x41, 0x01, 0x8f},
};

TEST(QuicFuzz, SeedsAndTheirNeighbours) {
    random_source random(tandem::test::seed());
    for (const auto& each : seeds) LLVMFuzzerTestOneInput(each.data(), each.size());
    for (int n = 0; n < 60; ++n) {
        auto input = seeds[random() % seeds.size()];
        for (auto pieces = random() % 4; pieces > 0; --pieces) {
            const auto& more = seeds[random() % seeds.size()];
            input.insert(input.end(), more.begin() + 1, more.end());
        }
        for (auto changes = random() % 4; changes > 0; --changes)
            input[random() % input.size()] = static_cast<std::uint8_t>(random());
        LLVMFuzzerTestOneInput(input.data(), input.size());
    }
}

}  // namespace
}  // namespace tandem::quic::test
