// A Unix-domain socket at which a running program answers questions: one line in, a text out, and the connection ends.
#pragma once

#include <functional>
#include <list>
#include <memory>
#include <string>
#include <string_view>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/system/error_code.hpp>

namespace tandem::net {

// Only the user who runs the program (and root) can connect: the socket has mode 0600.
class control_server {
public:
    static constexpr std::size_t max_clients = 8;     // at a time; the next wait
    static constexpr std::size_t max_question = 256;  // bytes of a line; a longer one ends the connection

    using answer_function = std::function<std::string(std::string_view question)>;

    control_server(boost::asio::any_io_executor executor, answer_function answer);
    ~control_server();  // removes the socket
    control_server(const control_server&) = delete;
    control_server& operator=(const control_server&) = delete;

    // A socket that a program left behind is replaced; one that is answered is address_in_use.
    boost::system::error_code listen(const std::string& path);
    const std::string& path() const;

private:
    class impl;
    std::shared_ptr<impl> impl_;
};

// Asks such a program, and waits for the answer (at most `seconds`).
boost::system::error_code ask_control_server(const std::string& path, std::string_view question, int seconds,
                                             std::string& answer);

}  // namespace tandem::net
