// `tandem compare`: the command line around a comparison.
#include <unistd.h>
#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <memory>
#include <string>

#include <tandem/net/qlog_directory.hpp>

#include "command.hpp"
#include "compare_output.hpp"
#include "compare_run.hpp"
#include "compare_summary.hpp"
#include "exit_code.hpp"
#include "output_file.hpp"
#include "quantities.hpp"
#include "report.hpp"

namespace tandem::apps {

namespace {

using namespace compare;

constexpr std::size_t max_runs = 100'000;

struct options {
    scenario what = default_scenario();
    bool described = false;  // the user described the page or the link, so the default scenario's loss is off
    bool loss_given = false;
    bool runs_given = false;
    std::string json;
    std::string report;
    std::string pcap;
    std::string qlog_dir;
};

// Makes an option whose text is parsed by `parse`; what it returns goes to `store`, nothing is an error that shows `example`.
template <class Parse, class Store>
void add(CLI::App& app, const std::string& name, const std::string& type, const std::string& example, Parse parse, Store store,
         const std::string& help) {
    const auto use = [parse, store, name, example](const std::string& text) {
        const auto value = parse(text);
        if (!value) throw CLI::ValidationError(name, "'" + text + "' is not understood; write it like " + example);
        store(*value);
    };
    app.add_option_function<std::string>(name, use, help)->type_name(type);
}

std::optional<object_drop> parse_drop(const std::string& text) {
    const auto colon = text.find(':');
    if (colon == std::string::npos) return std::nullopt;
    const auto object = parse_bytes(text.substr(0, colon)), nth = parse_bytes(text.substr(colon + 1));
    const bool digits = text.find_first_not_of("0123456789:") == std::string::npos;
    if (!digits || !object || !nth || *object == 0 || *nth == 0) return std::nullopt;
    return object_drop{static_cast<std::size_t>(*object), static_cast<std::size_t>(*nth)};
}

void add_page_and_link(CLI::App& app, options& o) {
    auto& s = o.what;
    add(
        app, "--page", "LIST", "4x100KB or 1x50KB,6x20KB, at most 1000 objects of at most 1 GB",
        [](auto& t) { return parse_page(t, max_objects, max_object_bytes); },
        [&](auto& sizes) {
            s.page.objects = sizes;
            o.described = true;
        },
        "Objects of the page: 4x100KB, or 1x50KB,6x20KB [10x50KB]");
    app.add_option_function<std::vector<std::string>>(
           "--drop",
           [&](const std::vector<std::string>& list) {
               for (const auto& text : list) {
                   const auto drop = parse_drop(text);
                   if (!drop) throw CLI::ValidationError("--drop", "'" + text + "' is not OBJECT:N, both counted from 1");
                   s.drops.push_back(*drop);
               }
               o.described = true;
           },
           "Lose the N-th packet that carries bytes of object OBJECT, in every cell; may be given again")
        ->type_name("OBJECT:N");
    add(
        app, "--rtt", "TIME", "40ms or 1.5s", [](auto& t) { return parse_duration(t); },
        [&](auto v) {
            s.rtt = v;
            o.described = true;
        },
        "Round trip of the empty link [40ms]");
    add(
        app, "--rate", "RATE", "10Mbit or 500kbit", [](auto& t) { return parse_rate(t); },
        [&](auto v) {
            s.rate = v;
            o.described = true;
        },
        "Of the link, each way; 0: no limit [10Mbit]");
    add(
        app, "--queue", "SIZE", "64KB", [](auto& t) { return parse_bytes(t); }, [&](auto v) { s.queue = v; },
        "Room before the link; what does not fit is lost. 0: no limit [0]");
    add(
        app, "--loss", "SHARE", "1% or 0.01", [](auto& t) { return parse_share(t); },
        [&](auto v) {
            s.loss = v;
            o.loss_given = true;
        },
        "Random loss, each way: 1% or 0.01 [1% in the default scenario; none as soon as --page, --drop, --rtt or --rate is "
        "given]");
    app.add_option("--burst", s.burst, "Mean number of packets lost together (Gilbert-Elliott) [1]")
        ->check(CLI::Range(1.0, 1000.0))
        ->type_name("N");
    app.add_option_function<std::string>(
           "--loss-by", [&](const std::string& t) { s.loss_by = t == "time" ? sim::loss_clock::time : sim::loss_clock::packet; },
           "What the loss trace counts: the n-th packet (packet), or slots of link time (time) [packet]")
        ->check(CLI::IsMember({"packet", "time"}))
        ->type_name("CLOCK");
    add(
        app, "--jitter", "TIME", "5ms", [](auto& t) { return parse_duration(t); }, [&](auto v) { s.jitter = v; },
        "Extra delay of up to this much, each way; keeps the order of packets [0]");
    add(
        app, "--reorder", "SHARE", "2% or 0.02", [](auto& t) { return parse_share(t); }, [&](auto v) { s.reorder = v; },
        "Packets that are held back for 5 ms while later ones pass [0]");
}

void add_rest(CLI::App& app, options& o) {
    auto& s = o.what;
    add(
        app, "--cc", "NAME", "newreno, cubic, bbr or fixed", [](auto& t) { return recovery::parse_controller(t); },
        [&](auto v) { s.controller = v; }, "Congestion control, the same for every transport: newreno, cubic, fixed [cubic]");
    add(
        app, "--window", "SIZE", "64KB", [](auto& t) { return parse_bytes(t); }, [&](auto v) { s.window = v; },
        "The window of --cc fixed [twice what the path holds]");
    add(
        app, "--tls-record", "SIZE", "4KiB, from 512 to 16KiB",
        [](auto& t) {
            const auto size = parse_bytes(t);
            return size && *size >= min_tls_record && *size <= max_tls_record ? size : std::nullopt;
        },
        [&](auto v) { s.tls_record = v; }, "Largest TLS record of the server over TCP, 512 to 16KiB [16KiB]");
    app.add_option_function<std::string>(
           "--objects", [&](const std::string& t) { s.page.incremental = t == "incremental"; },
           "How HTTP/3 sends objects: in turns (incremental) or one after the other (sequential) [incremental]")
        ->check(CLI::IsMember({"incremental", "sequential"}))
        ->type_name("ORDER");
    app.add_option_function<std::vector<std::string>>(
           "--cells",
           [&](const std::vector<std::string>& names) {
               s.cells.clear();
               for (const auto& text : names) {
                   const auto which = parse_cell(text);
                   if (!which)
                       throw CLI::ValidationError(
                           "--cells", "there is no cell '" + text + "'; there are h1-1conn, h1-6conn, h3-tcp, h3-quic");
                   if (std::find(s.cells.begin(), s.cells.end(), *which) == s.cells.end()) s.cells.push_back(*which);
               }
           },
           "Which ways to fetch the page: h1-1conn,h1-6conn,h3-tcp,h3-quic [all]")
        ->delimiter(',')
        ->type_name("A,B");
    app.add_option_function<std::size_t>(
           "--runs,--seeds",
           [&](std::size_t n) {
               s.runs = n;
               o.runs_given = true;
           },
           "Runs of each cell, each with other chance, the same in every cell [30; 1 if nothing is random]")
        ->check(CLI::Range(std::size_t{1}, max_runs))
        ->type_name("N");
    app.add_option("--seed", s.seed, "Of all chance: the same seed gives the same numbers [1]")->type_name("N");
    app.add_option("--json", o.json, "Write JSON there; -: to standard output, and the table to standard error")
        ->type_name("FILE");
    app.add_option("--report", o.report, "The HTML report [tandem-report.html; none with --json - unless this is given]")
        ->type_name("FILE");
    app.add_option("--pcap", o.pcap, "Write the packets of each cell's first run to DIR/CELL.pcapng, with the keys for Wireshark")
        ->type_name("DIR");
    app.add_option("--qlog-dir", o.qlog_dir,
                   "Write logs of the connections of each cell's first run to DIR/CELL_*.sqlog, as qlog, in virtual time")
        ->type_name("DIR");
}

int fail(int code, const std::string& why) {
    std::cerr << "tandem compare: " << why << "\n";
    return code;
}

bool write_file(const std::string& path, std::span<const std::uint8_t> contents, std::string& why) {
    output_file file;
    return file.open(path, false, why) && file.write(contents, why) && file.finish(why);
}

bool write_file(const std::string& path, const std::string& text, std::string& why) {
    return write_file(path, std::span(reinterpret_cast<const std::uint8_t*>(text.data()), text.size()), why);
}

bool write_captures(const options& o, std::string& why) {
    std::error_code error;
    std::filesystem::create_directories(o.pcap, error);
    if (error) {
        why = "cannot make the directory " + o.pcap + ": " + error.message();
        return false;
    }
    for (const auto which : o.what.cells) {
        sim::packet_recorder recorder;
        tls::error problem;
        const auto lab = laboratory::make(o.what, problem, [&](std::string_view line) { recorder.add_secrets(line); });
        if (!lab) {
            why = problem.text;
            return false;
        }
        lab->run(which, lab->run_seed(0), &recorder);
        if (!write_file((std::filesystem::path(o.pcap) / (std::string(name(which)) + ".pcapng")).string(),
                        recorder.file(name(which)), why)) {
            return false;
        }
    }
    return true;
}

// Logs of one cell, told apart by their names.
class cell_store final : public qlog::store {
public:
    cell_store(std::shared_ptr<qlog::store> all, cell which) : all_(std::move(all)), prefix_(std::string(name(which)) + "_") {}
    std::unique_ptr<qlog::sink> open(std::string_view log) override { return all_->open(prefix_ + std::string(log)); }

private:
    std::shared_ptr<qlog::store> all_;
    std::string prefix_;
};

bool write_logs(const options& o, std::string& why) {
    const auto directory = net::qlog_directory::open(o.qlog_dir, why);
    if (!directory) return false;
    tls::error problem;
    const auto lab = laboratory::make(o.what, problem);
    if (!lab) {
        why = problem.text;
        return false;
    }
    for (const auto which : o.what.cells)
        lab->run(which, lab->run_seed(0), nullptr, std::make_shared<cell_store>(directory, which));
    return true;
}

void show_progress(std::size_t done, std::size_t of) {
    std::cerr << "\rsimulated " << done << " of " << of << " runs" << (done == of ? "\r\x1b[K" : "") << std::flush;
}

int run(options o) {
    auto& s = o.what;
    if (o.described && !o.loss_given) s.loss = 0;
    if (!s.random() && !o.runs_given) s.runs = 1;
    for (const auto& drop : s.drops) {
        if (drop.object > s.page.objects.size()) {
            return fail(exit_code::usage, "--drop names object " + std::to_string(drop.object) + ", but the page has " +
                                              std::to_string(s.page.objects.size()));
        }
    }
    const bool json_to_stdout = o.json == "-", stdout_taken = json_to_stdout || o.report == "-";
    if (o.report.empty() && !json_to_stdout) o.report = "tandem-report.html";

    tls::error problem;
    const auto lab = laboratory::make(s, problem);
    if (!lab) return fail(exit_code::internal, problem.text);
    const bool terminal = isatty(STDERR_FILENO) == 1;
    const auto result = summarise(s, run_all(*lab, terminal ? show_progress : std::function<void(std::size_t, std::size_t)>{}));

    auto& text = stdout_taken ? std::cerr : std::cout;
    text << to_table(result);
    if (json_to_stdout) std::cout << to_json(result) << std::flush;
    std::string why;
    if (!o.json.empty() && !json_to_stdout && !write_file(o.json, to_json(result), why)) return fail(exit_code::write, why);
    if (!o.report.empty()) {
        if (!write_file(o.report, to_html(result), why)) return fail(exit_code::write, why);
        if (o.report != "-") text << "\nreport: " << o.report << "\n";
    }
    if (!o.pcap.empty()) {
        if (!write_captures(o, why)) return fail(exit_code::write, why);
        text << "packets: " << o.pcap << "/*.pcapng\n";
    }
    if (!o.qlog_dir.empty()) {
        if (!write_logs(o, why)) return fail(exit_code::write, why);
        text << "logs: " << o.qlog_dir << "/*.sqlog\n";
    }
    if (!std::cout.flush()) return fail(exit_code::write, "cannot write to standard output");
    for (const auto& cell : result.summaries) {
        if (cell.complete() == 0)
            return fail(exit_code::timed_out,
                        std::string(name(cell.which)) + ": no run completed the page: " + cell.first_failure);
    }
    return 0;
}

}  // namespace

void add_compare(CLI::App& app, command& chosen) {
    auto* sub = app.add_subcommand("compare", "Shows head-of-line blocking: one page over four transports, in a simulator");
    auto o = std::make_shared<options>();
    add_page_and_link(*sub, *o);
    add_rest(*sub, *o);
    sub->footer(
        "Fetches the same page over HTTP/1.1 (one connection, six), over HTTP/3 on TCP (QMux) and over HTTP/3 on QUIC, with "
        "real\n"
        "cryptography, on a simulated link in virtual time. Loss is the same for every cell: whether the n-th full packet is "
        "lost\n"
        "was decided before. Prints how long the page took and what its bytes waited for, and writes an HTML report.\n\n"
        "  tandem compare                                         the default scenario\n"
        "  tandem compare --page 4x100KB --drop 2:3 --cc fixed    one lost packet, and who waits for it\n"
        "  tandem compare --loss 2% --burst 4 --rtt 100ms         a bad radio link\n");
    sub->callback([o, &chosen] { chosen.run = [o] { return run(*o); }; });
}

}  // namespace tandem::apps
