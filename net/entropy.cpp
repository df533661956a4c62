#include <tandem/net/entropy.hpp>

#include <sys/random.h>

#include <cerrno>
#include <system_error>

namespace tandem::net {

std::uint64_t random_seed() {
    std::uint64_t seed = 0;
    if (::getrandom(&seed, sizeof seed, 0) != static_cast<ssize_t>(sizeof seed)) {
        throw std::system_error(errno, std::system_category(), "getrandom");  // connection IDs that can be guessed are no option
    }
    return seed;
}

}  // namespace tandem::net
