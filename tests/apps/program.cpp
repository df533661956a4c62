#include "program.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <stdexcept>

extern char** environ;

namespace tandem::test {

namespace {

struct pipe_pair {
    int read_end = -1, write_end = -1;
    pipe_pair() {
        int ends[2];
        if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("pipe");
        read_end = ends[0];
        write_end = ends[1];
    }
};

// Descriptors below 0 are left as they are.
pid_t start(const std::vector<std::string>& arguments, int in, int out, int err) {
    std::vector<std::string> all{TANDEM_PROGRAM};
    all.insert(all.end(), arguments.begin(), arguments.end());
    std::vector<char*> argv;
    for (auto& a : all) argv.push_back(a.data());
    argv.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    if (in >= 0) posix_spawn_file_actions_adddup2(&actions, in, 0);
    if (out >= 0) posix_spawn_file_actions_adddup2(&actions, out, 1);
    if (err >= 0) posix_spawn_file_actions_adddup2(&actions, err, 2);
    pid_t child = -1;
    int failed = ::posix_spawn(&child, argv[0], &actions, nullptr, argv.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    if (failed != 0) throw std::runtime_error(std::string("cannot run ") + argv[0]);
    return child;
}

int wait_for(pid_t child) {
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

// One read; false at the end.
bool read_some(int descriptor, std::string& out) {
    std::array<char, 4096> buffer;
    auto n = ::read(descriptor, buffer.data(), buffer.size());
    if (n <= 0) return false;
    out.append(buffer.data(), static_cast<std::size_t>(n));
    return true;
}

}  // namespace

program_result run_tandem(const std::vector<std::string>& arguments, const std::string& input) {
    pipe_pair in, out, err;
    auto child = start(arguments, in.read_end, out.write_end, err.write_end);
    for (int d : {in.read_end, out.write_end, err.write_end}) ::close(d);
    [[maybe_unused]] auto written = ::write(in.write_end, input.data(), input.size());  // fits into a pipe
    ::close(in.write_end);
    program_result result;
    std::array<pollfd, 2> polled{{{out.read_end, POLLIN, 0}, {err.read_end, POLLIN, 0}}};
    while (polled[0].fd >= 0 || polled[1].fd >= 0) {
        if (::poll(polled.data(), polled.size(), -1) < 0) continue;
        for (std::size_t i = 0; i < polled.size(); ++i) {
            if (polled[i].fd < 0 || polled[i].revents == 0) continue;
            if (read_some(polled[i].fd, i == 0 ? result.out : result.err)) continue;
            ::close(polled[i].fd);
            polled[i].fd = -1;
        }
    }
    result.exit_code = wait_for(child);
    return result;
}

serving::serving(std::vector<std::string> arguments, const std::string& errors) {
    arguments.insert(arguments.begin(), "serve");
    arguments.insert(arguments.end(), {"--port", "0"});
    pipe_pair out;
    const int err = errors.empty() ? -1 : ::open(errors.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    child_ = start(arguments, -1, out.write_end, err);
    ::close(out.write_end);
    if (err >= 0) ::close(err);
    output_ = out.read_end;
    first_line_ = line("");
}

std::string serving::line(const std::string& beginning) {
    for (;;) {
        const auto end = unread_.find('\n');
        if (end == std::string::npos) {
            if (!read_some(output_, unread_)) return {};
            continue;
        }
        auto out = unread_.substr(0, end);
        unread_.erase(0, end + 1);
        if (out.starts_with(beginning)) return out;
    }
}

void serving::signal(int number) { ::kill(child_, number); }

serving::~serving() {
    stop();
    ::close(output_);
}

std::string serving::port() const {
    auto begin = first_line_.find("127.0.0.1:");
    if (begin == std::string::npos) return "0";
    begin += 10;
    return first_line_.substr(begin, first_line_.find('/', begin) - begin);
}

int serving::stop() {
    if (child_ < 0) return -1;
    ::kill(child_, SIGTERM);
    int code = wait_for(child_);
    child_ = -1;
    return code;
}

}  // namespace tandem::test
