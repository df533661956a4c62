#include <tandem/net/control_server.hpp>

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>

namespace tandem::net {

namespace {

using boost::asio::local::stream_protocol;
using boost::system::error_code;

bool set_address(const std::string& path, sockaddr_un& out) {
    out.sun_family = AF_UNIX;
    if (path.empty() || path.size() >= sizeof out.sun_path) return false;
    std::memcpy(out.sun_path, path.c_str(), path.size() + 1);
    return true;
}

error_code last_error() { return {errno, boost::system::system_category()}; }

// A connected descriptor, or -1 with errno.
int connect_to(const std::string& path) {
    sockaddr_un address{};
    if (!set_address(path, address)) return errno = ENAMETOOLONG, -1;
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return fd;
    const int error = errno;
    ::close(fd);
    return errno = error, -1;
}

}  // namespace

class control_server::impl : public std::enable_shared_from_this<impl> {
public:
    impl(boost::asio::any_io_executor executor, answer_function answer)
        : acceptor_(std::move(executor)), answer_(std::move(answer)) {}

    error_code listen(const std::string& path);
    void stop();
    const std::string& path() const { return path_; }

private:
    struct client {
        explicit client(stream_protocol::socket s) : socket(std::move(s)) {}
        stream_protocol::socket socket;
        std::string text;
    };

    void accept();
    void serve(std::list<client>::iterator c);
    void end(std::list<client>::iterator c);

    stream_protocol::acceptor acceptor_;
    answer_function answer_;
    std::string path_;
    std::list<client> clients_;
    bool stopped_ = false;
    bool accepting_ = false;
};

error_code control_server::impl::listen(const std::string& path) {
    if (const int fd = connect_to(path); fd >= 0) {
        ::close(fd);
        return boost::asio::error::address_in_use;
    }
    struct stat there;
    if (errno == ECONNREFUSED && ::lstat(path.c_str(), &there) == 0 && S_ISSOCK(there.st_mode)) ::unlink(path.c_str());
    sockaddr_un address{};
    if (!set_address(path, address)) return {ENAMETOOLONG, boost::system::system_category()};
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return last_error();
    const auto mask = ::umask(0177);  // from the first moment on nobody else can connect
    const bool bound = ::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    const auto why = last_error();
    ::umask(mask);
    if (!bound || ::listen(fd, 16) != 0) {
        const auto failed = bound ? last_error() : why;
        ::close(fd);
        return failed;
    }
    path_ = path;
    error_code error;
    acceptor_.assign(stream_protocol(), fd, error);
    if (!error) accept();
    return error;
}

void control_server::impl::stop() {
    stopped_ = true;
    error_code ignored;
    acceptor_.close(ignored);
    for (auto& c : clients_) c.socket.close(ignored);
    if (!path_.empty()) ::unlink(path_.c_str());
}

void control_server::impl::accept() {
    if (stopped_ || clients_.size() >= max_clients || std::exchange(accepting_, true)) return;
    acceptor_.async_accept([self = shared_from_this()](const error_code& error, stream_protocol::socket socket) {
        self->accepting_ = false;
        if (self->stopped_ || error == boost::asio::error::operation_aborted) return;
        if (!error) self->serve(self->clients_.emplace(self->clients_.end(), std::move(socket)));
        self->accept();
    });
}

void control_server::impl::serve(std::list<client>::iterator c) {
    boost::asio::async_read_until(c->socket, boost::asio::dynamic_buffer(c->text, max_question), '\n',
                                  [self = shared_from_this(), c](const error_code& error, std::size_t n) {
                                      if (error || self->stopped_) return self->end(c);
                                      c->text = self->answer_(std::string_view(c->text).substr(0, n - 1));
                                      boost::asio::async_write(c->socket, boost::asio::buffer(c->text),
                                                               [self, c](const error_code&, std::size_t) { self->end(c); });
                                  });
}

void control_server::impl::end(std::list<client>::iterator c) {
    clients_.erase(c);
    accept();
}

control_server::control_server(boost::asio::any_io_executor executor, answer_function answer)
    : impl_(std::make_shared<impl>(std::move(executor), std::move(answer))) {}
control_server::~control_server() { impl_->stop(); }
error_code control_server::listen(const std::string& path) { return impl_->listen(path); }
const std::string& control_server::path() const { return impl_->path(); }

error_code ask_control_server(const std::string& path, std::string_view question, int seconds, std::string& answer) {
    const int fd = connect_to(path);
    if (fd < 0) return last_error();
    const timeval limit{seconds, 0};
    ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    const auto line = std::string(question) + "\n";
    error_code error;
    if (::send(fd, line.data(), line.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(line.size())) error = last_error();
    char buffer[4096];
    while (!error) {
        const auto n = ::read(fd, buffer, sizeof buffer);
        if (n == 0) break;
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) {
            error = last_error();
        } else {
            answer.append(buffer, static_cast<std::size_t>(n));
        }
    }
    ::close(fd);
    return error;
}

}  // namespace tandem::net
