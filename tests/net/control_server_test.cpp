#include <tandem/net/control_server.hpp>

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include <boost/asio/io_context.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>

#include "net/temporary_directory.hpp"

namespace tandem::net {
namespace {

namespace asio = boost::asio;
using asio::local::stream_protocol;

class ControlServer : public testing::Test {
protected:
    // Asks from another thread, as another program would.
    std::string ask(std::string_view question) {
        std::string answer;
        asker_error_ = {};
        std::thread asker([&] {
            asker_error_ = ask_control_server(path_, question, 10, answer);
            asio::post(io_, [this] { io_.stop(); });
        });
        io_.restart();
        io_.run();
        asker.join();
        return answer;
    }

    tandem::test::temporary_directory directory_;
    std::string path_ = directory_.str() + "/control.sock";
    asio::io_context io_{1};
    asio::executor_work_guard<asio::io_context::executor_type> work_ = asio::make_work_guard(io_);
    boost::system::error_code asker_error_;
    std::optional<control_server> server_{std::in_place, io_.get_executor(), [](std::string_view q) {
                                              return "you asked: " + std::string(q) + std::string(200'000, '.');
                                          }};
};

TEST_F(ControlServer, AnswersALine) {
    ASSERT_FALSE(server_->listen(path_));
    const auto answer = ask("sockets");
    EXPECT_FALSE(asker_error_);
    EXPECT_EQ(answer.substr(0, 18), "you asked: sockets");
    EXPECT_EQ(answer.size(), 18U + 200'000);
    EXPECT_EQ(ask("again").substr(0, 16), "you asked: again");
}

TEST_F(ControlServer, IsForItsUserAlone) {
    ASSERT_FALSE(server_->listen(path_));
    struct stat s {};
    ASSERT_EQ(::stat(path_.c_str(), &s), 0);
    EXPECT_EQ(s.st_mode & 0777, 0600U);
}

TEST_F(ControlServer, LeavesNothingBehindAndReplacesWhatOthersLeft) {
    ASSERT_FALSE(server_->listen(path_));
    server_.reset();
    EXPECT_FALSE(std::filesystem::exists(path_));
    {
        stream_protocol::acceptor left(io_, stream_protocol::endpoint(path_));  // its file stays when it is closed
    }
    EXPECT_TRUE(std::filesystem::exists(path_));
    server_.emplace(io_.get_executor(), [](std::string_view) { return std::string("new"); });
    ASSERT_FALSE(server_->listen(path_));
    EXPECT_EQ(ask("?"), "new");
}

TEST_F(ControlServer, TwoServersDoNotShareAPath) {
    ASSERT_FALSE(server_->listen(path_));
    control_server second(io_.get_executor(), [](std::string_view) { return std::string(); });
    EXPECT_EQ(second.listen(path_), asio::error::address_in_use);
}

TEST_F(ControlServer, OtherFilesAreNotTouched) {
    std::ofstream(path_) << "mine";
    EXPECT_TRUE(server_->listen(path_));
    EXPECT_EQ(std::filesystem::file_size(path_), 4U);
    EXPECT_TRUE(server_->listen(std::string(200, 'x')));  // longer than a socket's name can be
}

TEST_F(ControlServer, AnEndlessQuestionEndsTheConnection) {
    ASSERT_FALSE(server_->listen(path_));
    stream_protocol::socket s(io_);
    s.connect(stream_protocol::endpoint(path_));
    asio::write(s, asio::buffer(std::string(control_server::max_question, 'q')));
    char byte;
    boost::system::error_code error;
    s.async_read_some(asio::buffer(&byte, 1), [&](boost::system::error_code e, std::size_t) {
        error = e;
        io_.stop();
    });
    io_.run_for(std::chrono::seconds(10));
    EXPECT_TRUE(error);
}

TEST_F(ControlServer, NobodyThereIsAnError) {
    std::string answer;
    EXPECT_TRUE(ask_control_server(path_, "?", 1, answer));
}

}  // namespace
}  // namespace tandem::net
