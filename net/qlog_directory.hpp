// Logs of connections (qlog) as files in a directory: what quic::make_qlog_tracer and tcp::make_qlog_tracer write to.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include <tandem/bytes/qlog.hpp>

namespace tandem::net {

// Peers decide how many connections there are and how much there is to tell of each: caps, so that they cannot fill a disk.
struct qlog_directory_limits {
    std::uint64_t bytes = std::uint64_t{1} << 30;  // in all files of this process
    std::uint64_t files = 10'000;                  // of this process
};

// One file "<name>.sqlog" for each log, readable by its owner only: it tells who talked to whom. An existing one is never written
// over; the new one gets "-2", "-3"... before the ending. Beyond the limits nothing more is written: logs end where they are.
// Files are written to on the thread of the connection, 32 KiB at a time, and when its log ends.
class qlog_directory final : public qlog::store {
public:
    // Makes the directory if there is none; its parent must exist. Null if it cannot be written to, then `why` says why.
    static std::shared_ptr<qlog_directory> open(const std::string& path, std::string& why, qlog_directory_limits limits = {});

    std::unique_ptr<qlog::sink> open(std::string_view name) override;
    std::string wall_clock() override;

private:
    struct shared;
    class file;
    explicit qlog_directory(std::shared_ptr<shared> s) : shared_(std::move(s)) {}

    std::shared_ptr<shared> shared_;  // with the files, which may live longer
};

}  // namespace tandem::net
