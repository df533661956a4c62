// One transfer of `tandem get`, from its request to its file.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <tandem/net/http_client.hpp>

#include "get_plan.hpp"
#include "output_file.hpp"

namespace tandem::apps {

// How a transfer went; complete when `done` was called.
struct get_result {
    const get_job* job = nullptr;
    std::string method;
    std::optional<http::response> response;
    net::transfer_info info;
    int exit_code = 0;
    std::string error;             // one line; empty: none
    std::size_t header_bytes = 0;  // of the response's header section, as -i shows it
    bool transient = false;        // may go better another time
};

struct transfer_options {
    bool include_headers = false;
    bool fail = false;
    bool create_dirs = false;
    bool resume = false;                           // keep what arrived of a file, and go on with it another time
    bool decode = false;                           // the client was asked to undo content codings
    std::uint64_t max_size = UINT64_MAX;           // of a body
    std::uint64_t rate = 0;                        // bytes of it per second; 0: no limit
    std::function<void(std::string_view)> trace;   // header sections, for -v
    std::function<void(const std::string&)> note;  // a line for a person; empty: none wanted
};

class get_transfer final : public net::transfer_sink {
public:
    get_transfer(const get_job& job, std::string method, const transfer_options& options,
                 std::function<void(const get_result&)> done)
        : options_(options), done_(std::move(done)) {
        result_.job = &job;
        result_.method = std::move(method);
    }

    // Asks for the rest of a file only, if there is a beginning of it.
    void prepare(net::http_request& request);

    void on_redirect(const http::response&, const http::url& to) override;
    void on_interim(const http::response&, const net::transfer_info&) override;
    void on_response(const http::response&, const net::transfer_info&) override;
    bool on_body(std::span<const std::uint8_t>) override;
    bool wants_body() override;
    void on_trailers(const http::fields& fields) override;
    bool on_restart() override;
    void on_resumed(std::uint64_t at, const net::transfer_info&) override;
    void on_end(const std::optional<net::http_error>&, const net::transfer_info&) override;

    std::uint64_t received() const { return received_; }
    std::optional<std::uint64_t> expected() const { return expected_; }  // Content-Length

private:
    void fail(int code, std::string text);
    bool may_be_repeated(const std::optional<net::http_error>& error) const;
    bool too_large(std::uint64_t size);
    bool stays_coded(const http::response&) const;
    bool open_output();
    bool open_part();
    bool resuming() const { return options_.resume && !result_.job->drop && !result_.job->output.empty(); }
    bool write(std::span<const std::uint8_t> bytes);
    std::string header_text(const http::response&, net::http_protocol) const;

    const transfer_options& options_;
    std::function<void(const get_result&)> done_;
    get_result result_;
    output_file output_;
    partial_file part_;    // what is asked for begins behind it
    std::string interim_;  // header sections of interim responses, for -i
    std::uint64_t received_ = 0;
    std::optional<time_point> body_since_;
    std::optional<std::uint64_t> expected_;
};

// "3" or "1.1".
std::string_view version_text(net::http_protocol);

}  // namespace tandem::apps
