#include "get_upload.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include <boost/asio/posix/stream_descriptor.hpp>

#include <tandem/net/file_body.hpp>

namespace tandem::apps {

namespace {

// The rest of a regular file, from where it stands; null, and `descriptor` stays open, if it is none.
std::unique_ptr<http::body_source> rest_of_file(int descriptor) {
    struct stat status {};
    if (::fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode)) return nullptr;
    const auto at = ::lseek(descriptor, 0, SEEK_CUR);
    const auto begin = static_cast<std::uint64_t>(std::max<off_t>(at, 0));
    return std::make_unique<net::file_body>(descriptor,
                                            range{begin, std::max(begin, static_cast<std::uint64_t>(status.st_size))});
}

// A pipe or a terminal. What the session asks for while there is nothing is told of by `more`.
class pipe_body final : public http::body_source {
public:
    pipe_body(const boost::asio::any_io_executor& executor, int descriptor, std::function<void()> more)
        : input_(executor), descriptor_(descriptor), more_(std::move(more)) {}
    ~pipe_body() override {
        if (!input_.is_open()) ::close(descriptor_);
    }
    pipe_body(const pipe_body&) = delete;
    pipe_body& operator=(const pipe_body&) = delete;

    result read(std::span<std::uint8_t> out) override {
        pollfd ready{descriptor_, POLLIN, 0};
        if (::poll(&ready, 1, 0) == 0) return wait();
        const auto n = ::read(descriptor_, out.data(), out.size());
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) return wait();
        return {n > 0 ? static_cast<std::size_t>(n) : 0, n == 0, n < 0};
    }

private:
    result wait() {
        boost::system::error_code error;
        if (!input_.is_open()) input_.assign(descriptor_, error);
        if (error) return {0, false, true};
        if (std::exchange(waiting_, true)) return {};
        input_.async_wait(boost::asio::posix::stream_descriptor::wait_read, [this](const boost::system::error_code& aborted) {
            if (aborted) return;
            waiting_ = false;
            more_();
        });
        return {};
    }

    boost::asio::posix::stream_descriptor input_;  // has `descriptor_` from the first wait on
    int descriptor_;
    std::function<void()> more_;
    bool waiting_ = false;
};

}  // namespace

std::unique_ptr<http::body_source> open_upload(const std::string& file) {
    const int descriptor = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) return nullptr;
    auto body = rest_of_file(descriptor);
    if (!body) ::close(descriptor);
    return body;
}

std::unique_ptr<http::body_source> open_standard_input(const boost::asio::any_io_executor& executor, std::function<void()> more) {
    const int descriptor = ::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
    if (descriptor < 0) return nullptr;
    if (auto file = rest_of_file(descriptor)) return file;
    return std::make_unique<pipe_body>(executor, descriptor, std::move(more));
}

}  // namespace tandem::apps
