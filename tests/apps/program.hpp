// Runs the tandem program as a person does.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace tandem::test {

struct program_result {
    int exit_code = -1;  // 128 + signal if one ended it
    std::string out;
    std::string err;
};

// Runs `tandem arguments...` to its end, with `input` on standard input.
program_result run_tandem(const std::vector<std::string>& arguments, const std::string& input = {});

// `tandem serve arguments... --port 0`, ready to be asked; stopped at the end. What it says on standard error goes to the file
// `errors`, if there is one.
class serving {
public:
    explicit serving(std::vector<std::string> arguments, const std::string& errors = {});
    ~serving();
    serving(const serving&) = delete;
    serving& operator=(const serving&) = delete;

    const std::string& first_line() const { return first_line_; }
    std::string port() const;  // from the first line
    std::string url(const std::string& path) const { return "https://127.0.0.1:" + port() + path; }
    void signal(int number);
    // The next line that begins with this; empty if the output ends before.
    std::string line(const std::string& beginning);
    // SIGTERM; returns the exit code.
    int stop();

private:
    pid_t child_ = -1;
    int output_ = -1;
    std::string first_line_;
    std::string unread_;
};

}  // namespace tandem::test
