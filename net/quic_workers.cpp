#include <tandem/net/quic_workers.hpp>

#include <algorithm>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <utility>

#include <boost/asio/post.hpp>

#include <tandem/bytes/single_use_filter.hpp>
#include <tandem/net/entropy.hpp>
#include <tandem/quic/connection_id_router.hpp>
#include <tandem/quic/packet_header.hpp>
#include <tandem/quic/token.hpp>

namespace tandem::net {

namespace detail {

// Datagrams on their way from the workers that received them to the one whose they are. Memory is used again and again.
class worker_inbox : public std::enable_shared_from_this<worker_inbox> {
public:
    void push(const received_datagram& datagram);
    void attach(boost::asio::any_io_executor executor, std::function<void(received_datagram&)> receive,
                std::function<void()> done);
    void detach();
    quic_worker_statistics statistics() const {
        std::lock_guard lock(mutex_);
        return statistics_;
    }

private:
    struct slot {
        std::vector<std::uint8_t> payload;
        ip_path path;
        ecn mark = ecn::not_ect;
    };
    struct batch {
        std::vector<slot> slots;
        std::size_t size = 0;
    };
    void empty();

    mutable std::mutex mutex_;
    std::optional<boost::asio::any_io_executor> executor_;  // nothing: nobody is there
    batch filling_;
    bool told_ = false;  // a call of empty() is under way
    quic_worker_statistics statistics_;

    batch emptying_;  // this and the rest: on the executor only
    std::function<void(received_datagram&)> receive_;
    std::function<void()> done_;
};

void worker_inbox::push(const received_datagram& datagram) {
    std::lock_guard lock(mutex_);
    ++statistics_.handed_over;
    if (!executor_ || filling_.size == quic_worker::max_waiting) {
        ++statistics_.dropped;
        return;
    }
    if (filling_.size == filling_.slots.size()) filling_.slots.emplace_back();
    auto& s = filling_.slots[filling_.size++];
    s.payload.assign(datagram.payload.begin(), datagram.payload.end());
    s.path = datagram.path;
    s.mark = datagram.mark;
    if (!std::exchange(told_, true)) boost::asio::post(*executor_, [self = shared_from_this()] { self->empty(); });
}

void worker_inbox::empty() {
    {
        std::lock_guard lock(mutex_);
        told_ = false;
        std::swap(filling_, emptying_);
    }
    const auto count = std::exchange(emptying_.size, 0);
    for (std::size_t i = 0; i < count && receive_; ++i) {
        auto& s = emptying_.slots[i];
        received_datagram datagram{s.payload, s.path, s.mark};
        receive_(datagram);
    }
    if (done_) done_();
}

void worker_inbox::attach(boost::asio::any_io_executor executor, std::function<void(received_datagram&)> receive,
                          std::function<void()> done) {
    receive_ = std::move(receive);
    done_ = std::move(done);
    std::lock_guard lock(mutex_);
    executor_ = std::move(executor);
}

void worker_inbox::detach() {
    receive_ = {};
    done_ = {};
    std::lock_guard lock(mutex_);
    executor_.reset();
    filling_.size = 0;
}

namespace {

constexpr std::size_t max_tokens_seen = 65536;  // of one day; more of them prove nothing

// What one worker has taken none of the others takes again (RFC 9000 8.1.4). A lock for each connection that shows one.
class tokens_seen {
public:
    bool first(std::uint64_t identity, time_point now) {
        std::lock_guard lock(mutex_);
        return seen_.use(identity, now);
    }

private:
    std::mutex mutex_;
    single_use_filter seen_{quic::token_keys::key_lifetime, max_tokens_seen};
};

}  // namespace

}  // namespace detail

struct quic_worker::group {
    explicit group(const std::array<std::uint8_t, 32>& secret)
        : router(std::make_shared<quic::connection_id_router>(
              secret, [seen = std::make_shared<detail::tokens_seen>()](std::uint64_t identity, time_point now) {
                  return seen->first(identity, now);
              })) {}
    std::shared_ptr<const quic::connection_id_router> router;
    std::vector<std::shared_ptr<detail::worker_inbox>> inboxes;
};

quic_workers::quic_workers(std::size_t count) : size_(count) {
    if (count == 0 || count > quic::connection_id_router::max_workers)
        throw std::invalid_argument("quic_workers: so many workers cannot be");
    std::array<std::uint8_t, 32> secret;
    for (std::size_t i = 0; i < secret.size(); i += 8) {
        auto word = random_seed();
        for (std::size_t b = 0; b < 8; ++b, word >>= 8) secret[i + b] = static_cast<std::uint8_t>(word);
    }
    group_ = std::make_shared<quic_worker::group>(secret);
    for (std::size_t i = 0; i < count; ++i) group_->inboxes.push_back(std::make_shared<detail::worker_inbox>());
}

quic_worker quic_workers::worker(std::size_t number) const {
    quic_worker out;
    out.group_ = group_;
    out.number_ = out.last_owner_ = static_cast<std::uint16_t>(number);
    return out;
}

void quic_worker::configure(quic::endpoint_config& config) const {
    if (!group_) return;
    config.router = group_->router;
    config.worker = number_;
}

bool quic_worker::divert(const received_datagram& datagram) {
    if (!group_) return false;
    const auto header = quic::parse_invariant_header(datagram.payload, quic::connection_id_router::id_size);
    if (!header || header->destination.size() != quic::connection_id_router::id_size) return false;
    const quic::connection_id id(header->destination);
    if (id != last_id_) {
        last_id_ = id;
        last_owner_ = group_->router->worker(id.bytes(), group_->inboxes.size()).value_or(number_);
    }
    if (last_owner_ == number_) return false;
    group_->inboxes[last_owner_]->push(datagram);
    return true;
}

void quic_worker::attach(boost::asio::any_io_executor executor, std::function<void(received_datagram&)> receive,
                         std::function<void()> done) {
    if (group_) group_->inboxes[number_]->attach(std::move(executor), std::move(receive), std::move(done));
}

void quic_worker::detach() {
    if (group_) group_->inboxes[number_]->detach();
}

quic_worker_statistics quic_worker::statistics() const {
    return group_ ? group_->inboxes[number_]->statistics() : quic_worker_statistics{};
}

}  // namespace tandem::net
