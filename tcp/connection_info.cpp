#include <tandem/tcp/connection_info.hpp>

#include <tandem/tcp/connection.hpp>

namespace tandem::tcp {

connection_info connection::info() const {
    connection_info out;
    out.timestamps = timestamps_.enabled();
    out.sack = sack_;
    if (window_.offered_scale() && synchronized()) {
        out.send_scale = snd_scale_;
        out.receive_scale = window_.offered_scale();
    }
    out.mss = mss_;
    out.announced_mss = announced_mss(config_, path_);
    out.unacknowledged = segments_.size();
    segments_.for_each([&](const sent_segments::entry& e) {
        if (e.settled) {
            ++out.sacked;
            return;
        }
        const auto* t = recovery_.find(e.newest);
        if (!t) return;
        if (t->state == recovery::fate::lost) {
            ++out.lost;
        } else if (e.retransmitted) {
            ++out.retransmitted;
        }
    });
    out.recovering = sender_.recovering();
    out.timed_out = timeout_recovery_end_ != 0;
    const bool probing = timer_.armed() == retransmission_timer::kind::window_probe;
    (probing ? out.window_probes : out.backoff) = timer_.backoff();
    out.keepalives = keepalives_unanswered_;
    out.retransmission_timeout = timer_.interval(sender_.rtt());
    out.send_window = snd_wnd_;
    out.receive_window = window_.window();
    return out;
}

}  // namespace tandem::tcp
