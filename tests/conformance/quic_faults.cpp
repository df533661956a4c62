#include "quic_faults.hpp"

#include <tandem/bytes/reader.hpp>
#include <tandem/quic/local_connection_ids.hpp>

namespace tandem::quic::test {
namespace {

using enum transport_error;
constexpr auto uni = direction::unidirectional;
// What the victims declare: see quic/config.hpp.
constexpr std::uint64_t stream_window = 1024 * 1024;
constexpr std::uint64_t stream_limit = 100;

const bytes one_byte(1);

bytes id_frame(std::uint64_t sequence, std::uint64_t retire_prior_to, std::uint8_t id_size) {
    bytes f{0x18, static_cast<std::uint8_t>(sequence), static_cast<std::uint8_t>(retire_prior_to), id_size};
    f.insert(f.end(), id_size, static_cast<std::uint8_t>(0x40 + sequence));
    f.insert(f.end(), 16, static_cast<std::uint8_t>(0x80 + sequence));
    return f;
}

#define FRAME [](const fault_peer& p [[maybe_unused]]) -> bytes

void add_flow_control(std::vector<fault>& all) {
    all.push_back({"stream_data_beyond_the_streams_window", flow_control_error,
                   FRAME { return frames_of(stream_frame{p.ours(0), stream_window, one_byte, false});
}
}  // namespace
);
    all.push_back({"stream_data_beyond_the_window_of_a_unidirectional_stream", flow_control_error,
                   FRAME { return frames_of(stream_frame{p.ours(0, uni), stream_window, one_byte, false});
    }  // namespace tandem::quic::test
    });
    all.push_back({"stream_data_beyond_the_connections_window", flow_control_error,
                   FRAME { return frames_of(stream_frame{p.ours(1), stream_window - 1, one_byte, false});
    }
    , FRAME { return frames_of(stream_frame{p.ours(0), stream_window - 1, one_byte, false}); }
    });
    all.push_back({"final_size_beyond_the_streams_window", flow_control_error,
                   FRAME { return frames_of(reset_stream_frame{p.ours(0), 0, stream_window + 1});
    }
    });
    all.push_back({"final_size_beyond_the_connections_window", flow_control_error,
                   FRAME { return frames_of(reset_stream_frame{p.ours(1), 0, stream_window});
    }
    , FRAME { return frames_of(reset_stream_frame{p.ours(0), 0, stream_window}); }
    });
    all.push_back({"stream_above_the_limit", stream_limit_error,
                   FRAME { return frames_of(stream_frame{p.ours(stream_limit), 0, {}, true});
    }
    });
    all.push_back({"unidirectional_stream_above_the_limit", stream_limit_error,
                   FRAME { return frames_of(stream_frame{p.ours(stream_limit, uni), 0, {}, true});
    }
    });
    all.push_back({"reset_of_a_stream_above_the_limit", stream_limit_error,
                   FRAME { return frames_of(reset_stream_frame{p.ours(stream_limit), 0, 0});
    }
    });
    all.push_back({"stop_sending_of_a_stream_above_the_limit", stream_limit_error,
                   FRAME { return frames_of(stop_sending_frame{p.ours(stream_limit), 0});
    }
    });
    all.push_back({"credit_for_a_stream_above_the_limit", stream_limit_error,
                   FRAME { return frames_of(max_stream_data_frame{p.ours(stream_limit), 0});
    }
    });
    all.push_back({"blocked_stream_above_the_limit", stream_limit_error,
                   FRAME { return frames_of(stream_data_blocked_frame{p.ours(stream_limit), 0});
    }
    });
    }

    void add_stream_state(std::vector<fault>& all) {
    all.push_back({"data_on_a_stream_of_the_victims_that_it_never_opened", stream_state_error,
                   FRAME { return frames_of(stream_frame{p.theirs(0), 0, {}, false});
    }
    });
    all.push_back({"data_on_the_victims_unidirectional_stream", stream_state_error,
                   FRAME { return frames_of(stream_frame{p.theirs(0, uni), 0, {}, false});
    }
    });
    all.push_back({"reset_of_the_victims_unidirectional_stream", stream_state_error,
                   FRAME { return frames_of(reset_stream_frame{p.theirs(0, uni), 0, 0});
    }
    });
    all.push_back({"reset_of_a_stream_never_opened", stream_state_error,
                   FRAME { return frames_of(reset_stream_frame{p.theirs(0), 0, 0});
    }
    });
    all.push_back({"stop_sending_of_our_unidirectional_stream", stream_state_error,
                   FRAME { return frames_of(stop_sending_frame{p.ours(0, uni), 0});
    }
    });
    all.push_back({"stop_sending_of_a_stream_never_opened", stream_state_error,
                   FRAME { return frames_of(stop_sending_frame{p.theirs(0), 0});
    }
    });
    all.push_back({"credit_for_our_unidirectional_stream", stream_state_error,
                   FRAME { return frames_of(max_stream_data_frame{p.ours(0, uni), 1});
    }
    });
    all.push_back({"credit_for_a_stream_never_opened", stream_state_error,
                   FRAME { return frames_of(max_stream_data_frame{p.theirs(0), 1});
    }
    });
    all.push_back({"blocked_on_the_victims_unidirectional_stream", stream_state_error,
                   FRAME { return frames_of(stream_data_blocked_frame{p.theirs(0, uni), 0});
    }
    });
    all.push_back({"blocked_on_a_stream_never_opened", stream_state_error,
                   FRAME { return frames_of(stream_data_blocked_frame{p.theirs(0), 0});
    }
    });
    }

    void add_final_size(std::vector<fault>& all) {
    all.push_back({"end_before_data_that_was_sent", final_size_error,
                   FRAME { return frames_of(stream_frame{p.ours(0), 0, one_byte, true});
    }
    , FRAME { return frames_of(stream_frame{p.ours(0), 9, one_byte, false}); }
    });
    all.push_back({"data_behind_the_end", final_size_error,
                   FRAME { return frames_of(stream_frame{p.ours(0), 5, one_byte, false});
    }
    , FRAME { return frames_of(stream_frame{p.ours(0), 4, one_byte, true}); }
    });
    all.push_back({"another_end", final_size_error,
                   FRAME { return frames_of(stream_frame{p.ours(0), 5, one_byte, true});
    }
    , FRAME { return frames_of(stream_frame{p.ours(0), 4, one_byte, true}); }
    });
    all.push_back({"reset_with_another_final_size", final_size_error,
                   FRAME { return frames_of(reset_stream_frame{p.ours(0), 0, 6});
    }
    , FRAME { return frames_of(stream_frame{p.ours(0), 4, one_byte, true}); }
    });
    all.push_back({"reset_below_what_was_sent", final_size_error,
                   FRAME { return frames_of(reset_stream_frame{p.ours(0), 0, 4});
    }
    , FRAME { return frames_of(stream_frame{p.ours(0), 4, one_byte, false}); }
    });
    all.push_back({"data_behind_the_size_of_a_reset", final_size_error,
                   FRAME { return frames_of(stream_frame{p.ours(0), 5, one_byte, false});
    }
    , FRAME { return frames_of(reset_stream_frame{p.ours(0), 0, 5}); }
    });
    }

    void add_encoding(std::vector<fault>& all) {
    all.push_back({"unknown_type", frame_encoding_error, FRAME { return {0x20};
    }
    });
    all.push_back({"unknown_type_of_two_bytes", frame_encoding_error, FRAME { return {0x7f, 0xff};
    }
    });
    all.push_back({"unknown_type_of_eight_bytes", frame_encoding_error,
                   FRAME { return {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    }
    });
    all.push_back({"truncated_stream", frame_encoding_error, FRAME { return {0x0a, 0x00, 0x05, 0x01};
    }
    });
    all.push_back({"truncated_reset", frame_encoding_error, FRAME { return {0x04, 0x00};
    }
    });
    all.push_back({"truncated_crypto", frame_encoding_error, FRAME { return {0x06, 0x00, 0x05, 0x01};
    }
    });
    all.push_back({"truncated_challenge", frame_encoding_error, FRAME { return {0x1a, 1, 2, 3, 4, 5, 6, 7};
    }
    });
    all.push_back({"truncated_close", frame_encoding_error, FRAME { return {0x1c, 0x00, 0x00, 0x05, 'a'};
    }
    });
    all.push_back({"stream_data_beyond_the_largest_offset", frame_encoding_error,
                   FRAME { return {0x0e, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 0x00};
    }
    });
    all.push_back({"crypto_data_beyond_the_largest_offset", frame_encoding_error,
                   FRAME { return {0x06, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 0x00};
    }
    });
    all.push_back({"more_than_2_to_the_60_streams", frame_encoding_error,
                   FRAME { return {0x12, 0xd0, 0, 0, 0, 0, 0, 0, 1};
    }
    });
    all.push_back({"more_than_2_to_the_60_unidirectional_streams", frame_encoding_error,
                   FRAME { return {0x13, 0xd0, 0, 0, 0, 0, 0, 0, 1};
    }
    });
    all.push_back({"blocked_at_more_than_2_to_the_60_streams", frame_encoding_error,
                   FRAME { return {0x16, 0xd0, 0, 0, 0, 0, 0, 0, 1};
    }
    });
    all.push_back({"acknowledged_range_below_0", frame_encoding_error, FRAME { return {0x02, 0x00, 0x00, 0x00, 0x01};
    }
    });
    all.push_back({"acknowledged_gap_below_0", frame_encoding_error, FRAME { return {0x02, 0x02, 0x00, 0x01, 0x00, 0x01, 0x00};
    }
    });
    all.push_back({"connection_id_of_no_length", frame_encoding_error, FRAME { return id_frame(1, 0, 0);
    }
    });
    all.push_back({"connection_id_of_21_bytes", frame_encoding_error, FRAME { return id_frame(1, 0, 21);
    }
    });
    all.push_back({"retires_connection_ids_beyond_its_own", frame_encoding_error, FRAME { return id_frame(1, 2, 8);
    }
    });
    all.push_back({"empty_token", frame_encoding_error, FRAME { return {0x07, 0x00};
    }
    , nullptr, perspective::client
    });
    }

    void add_violations(std::vector<fault>& all) {
    all.push_back({"handshake_done_from_a_client", protocol_violation, FRAME { return {0x1e};
    }
    , nullptr, perspective::server
    });
    all.push_back({"token_from_a_client", protocol_violation, FRAME { return {0x07, 0x01, 0x00};
    }
    , nullptr, perspective::server
    });
    all.push_back({"acknowledges_what_was_never_sent", protocol_violation, FRAME { return {0x02, 0x40, 0xff, 0x00, 0x00, 0x00};
    }
    });
    all.push_back({"answer_to_no_challenge", protocol_violation, FRAME { return frames_of(path_response_frame{});
    }
    });
    all.push_back({"retires_a_connection_id_never_issued", protocol_violation, FRAME { return frames_of(retire_connection_id_frame{50});
    }
    });
    all.push_back({"retires_the_connection_id_it_uses", protocol_violation, FRAME { return frames_of(retire_connection_id_frame{0});
    }
    });
    // The one in its place would have the next number, but nobody was told of it yet.
    all.push_back({"retires_a_connection_id_before_it_was_sent", protocol_violation,
                   FRAME { return frames_of(retire_connection_id_frame{local_connection_ids::max_issued});
    }
    , FRAME { return frames_of(retire_connection_id_frame{1}); }
    });
    all.push_back({"one_sequence_number_for_two_connection_ids", protocol_violation, FRAME { return id_frame(1, 0, 9);
    }
    , FRAME { return id_frame(1, 0, 8); }
    });
    all.push_back({"one_connection_id_under_two_sequence_numbers", protocol_violation,
                   FRAME {
                       auto f = id_frame(1, 0, 8);
                       f[1] = 2;
                       return f;
    }
    , FRAME { return id_frame(1, 0, 8); }
    });
    all.push_back({"type_not_in_its_shortest_encoding", protocol_violation, FRAME { return {0x40, 0x01};
    }
    });
    all.push_back({"datagram_that_was_not_offered", protocol_violation, FRAME { return {0x31, 0x01, 0x00};
    }
    });
    all.push_back({"more_connection_ids_than_the_limit", connection_id_limit_error, FRAME { return id_frame(4, 0, 8);
    }
    , FRAME {
        auto three = id_frame(1, 0, 8);
        for (std::uint64_t n = 2; n < 4; ++n) {
            const auto next = id_frame(n, 0, 8);
            three.insert(three.end(), next.begin(), next.end());
        }
        return three;
    }
    });
    all.push_back({"crypto_data_far_ahead", crypto_buffer_exceeded,
                   FRAME { return frames_of(crypto_frame{std::uint64_t{1} << 30, one_byte});
    }
    });
    }

#undef FRAME

    }  // namespace

    std::vector<fault> frame_faults() {
        std::vector<fault> all;
        add_flow_control(all);
        add_stream_state(all);
        add_final_size(all);
        add_encoding(all);
        add_violations(all);
        return all;
    }

    std::uint64_t type_of(const bytes& frame) { return reader(frame).varint(); }

    }  // namespace tandem::quic::test
