// `--qlog-dir` of `tandem serve` and `tandem get`, or QLOGDIR: where logs of connections go.
#pragma once

#include <memory>
#include <string>

namespace tandem::net {
class qlog_directory;
}

namespace tandem::apps {

// What the option says, else what QLOGDIR says. Null in `out`: neither does. False: the directory cannot be used, and why.
bool open_qlog(const std::string& option, std::shared_ptr<net::qlog_directory>& out, std::string& why);

}  // namespace tandem::apps
