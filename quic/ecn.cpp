#include <tandem/quic/ecn.hpp>

namespace tandem::quic {

void ecn_validation::go_on_from(const ecn_validation& before) {
    sent_ = before.sent_;
    reported_ = before.reported_;
}

void ecn_validation::on_sent(packet_space_id space, ecn mark) {
    if (mark != ecn::ect0) return;
    ++sent_[static_cast<std::size_t>(space)];
    ++sent_in_all_;
    if (state_ == state::testing && sent_in_all_ >= testing_packets) state_ = state::unknown;
}

void ecn_validation::on_lost(std::uint64_t marked) {
    lost_ += marked;
    if ((state_ == state::testing || state_ == state::unknown) && sent_in_all_ >= testing_packets && lost_ >= sent_in_all_) {
        state_ = state::failed;
    }
}

// RFC 9000 13.4.2.1
bool ecn_validation::on_ack(packet_space_id space, std::uint64_t marked, const std::optional<ecn_counts>& counts) {
    if (state_ == state::failed) return false;
    auto& before = reported_[static_cast<std::size_t>(space)];
    if (!counts) {
        if (marked > 0) state_ = state::failed;
        return false;
    }
    // We never send ECT(1); counts never go down; each marked packet that arrived is counted as ECT(0) or CE, and no other packet
    // is.
    const bool plausible = counts->ect1 == 0 && counts->ect0 >= before.ect0 && counts->ce >= before.ce &&
                           (counts->ect0 - before.ect0) + (counts->ce - before.ce) >= marked &&
                           counts->ect0 <= sent_[static_cast<std::size_t>(space)] &&
                           counts->ce <= sent_[static_cast<std::size_t>(space)] - counts->ect0;
    if (!plausible) {
        state_ = state::failed;
        return false;
    }
    const bool congestion = counts->ce > before.ce;
    before = *counts;
    if (marked > 0 && (state_ == state::testing || state_ == state::unknown)) state_ = state::capable;
    return congestion;
}

}  // namespace tandem::quic
