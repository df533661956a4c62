#include <tandem/net/key_log_file.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

namespace tandem::net {

tls::key_log key_log_file(const std::string& path, std::string& why) {
    int descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (descriptor < 0) {
        why = path + ": " + std::strerror(errno);
        return {};
    }
    std::shared_ptr<int> file(new int(descriptor), [](int* d) {
        ::close(*d);
        delete d;
    });
    return [file](std::string_view line) {
        // One write per line: O_APPEND keeps lines of several threads and programs whole.
        std::string text(line);
        text += '\n';
        [[maybe_unused]] auto written = ::write(*file, text.data(), text.size());
    };
}

}  // namespace tandem::net
