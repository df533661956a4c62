// An operation that waits for its completion, with the type of its handler erased.
#pragma once

#include <memory>
#include <utility>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/append.hpp>
#include <boost/asio/associated_allocator.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/associator.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/recycling_allocator.hpp>
#include <boost/system/error_code.hpp>

namespace tandem::net::detail {

// Holds a completion handler of signature void(Args...), in memory of the handler's associated allocator. Completes at most once,
// never inside the call that completes it.
template <class... Args>
class pending {
public:
    pending() = default;

    // `executor` runs the handler where it has no executor of its own. `cancel`, callable without arguments, is called there when
    // the handler's cancellation slot asks for terminal, partial or total cancellation while this waits.
    template <class Handler, class Cancel>
    pending(boost::asio::any_io_executor executor, Handler handler, Cancel cancel)
        : held_(holder<Handler>::create(executor, std::move(handler))) {
        auto slot = boost::asio::get_associated_cancellation_slot(static_cast<holder<Handler>*>(held_.get())->handler);
        if (!slot.is_connected()) return;
        slot.assign([executor, cancel = std::move(cancel)](boost::asio::cancellation_type type) {
            using boost::asio::cancellation_type;
            auto wanted = cancellation_type::terminal | cancellation_type::partial | cancellation_type::total;
            if ((type & wanted) != cancellation_type::none) boost::asio::post(executor, cancel);
        });
    }

    explicit operator bool() const { return held_ != nullptr; }

    void complete(Args... args) {
        auto held = std::move(held_);
        if (held) held->complete(std::move(held), std::move(args)...);
    }

private:
    struct base;
    struct destroyer {
        void operator()(base* held) const { held->destroy(); }
    };
    using pointer = std::unique_ptr<base, destroyer>;

    struct base {
        virtual void complete(pointer self, Args... args) = 0;
        virtual void destroy() = 0;
        virtual ~base() = default;
    };

    template <class Handler>
    struct holder final : base {
        // Handlers without an allocator of their own use memory again that others have given back.
        using fallback_allocator = boost::asio::recycling_allocator<void>;
        using allocator = typename std::allocator_traits<
            boost::asio::associated_allocator_t<Handler, fallback_allocator>>::template rebind_alloc<holder>;

        static pointer create(const boost::asio::any_io_executor& executor, Handler handler) {
            allocator memory(boost::asio::get_associated_allocator(handler, fallback_allocator()));
            auto* place = std::allocator_traits<allocator>::allocate(memory, 1);
            return pointer(::new (static_cast<void*>(place)) holder(executor, std::move(handler)));
        }

        holder(boost::asio::any_io_executor e, Handler h)
            : executor(std::move(e)),
              handler(std::move(h)),
              work(boost::asio::get_associated_executor(handler, executor)),
              own(executor) {}

        void destroy() override {
            allocator memory(boost::asio::get_associated_allocator(handler, fallback_allocator()));
            this->~holder();
            std::allocator_traits<allocator>::deallocate(memory, this, 1);
        }

        void complete(pointer self, Args... args) override {
            auto slot = boost::asio::get_associated_cancellation_slot(handler);
            if (slot.is_connected()) slot.clear();
            auto where = executor;
            auto kept = std::move(work);  // until the handler is queued
            auto kept_own = std::move(own);
            allocator memory(boost::asio::get_associated_allocator(handler, fallback_allocator()));
            auto to_run = boost::asio::append(std::move(handler), std::move(args)...);
            self.release();  // its memory is given back before the handler runs
            this->~holder();
            std::allocator_traits<allocator>::deallocate(memory, this, 1);
            boost::asio::post(where, std::move(to_run));
        }

        boost::asio::any_io_executor executor;
        Handler handler;
        boost::asio::executor_work_guard<boost::asio::associated_executor_t<Handler, boost::asio::any_io_executor>> work;
        boost::asio::executor_work_guard<boost::asio::any_io_executor> own;  // keeps the io_context running while this waits
    };

    pointer held_;
};

// A handler of void(error_code, T) made into one of void(error_code, Value), T being convert(Value). Executor, allocator and
// cancellation slot stay those of the handler.
template <class Handler, class Convert>
struct adapted_handler {
    Handler handler;
    Convert convert;

    template <class Value>
    void operator()(boost::system::error_code error, Value value) {
        std::move(handler)(error, convert(std::move(value)));
    }
};

template <class Value, class Handler, class Cancel, class Convert>
pending<boost::system::error_code, Value> adapt(boost::asio::any_io_executor executor, Handler handler, Cancel cancel,
                                                Convert convert) {
    return {std::move(executor), adapted_handler<Handler, Convert>{std::move(handler), std::move(convert)}, std::move(cancel)};
}

}  // namespace tandem::net::detail

// Everything associated with an adapted handler is what is associated with the handler in it.
template <template <class, class> class Associator, class Handler, class Convert, class Default>
struct boost::asio::associator<Associator, tandem::net::detail::adapted_handler<Handler, Convert>, Default>
    : Associator<Handler, Default> {
    static typename Associator<Handler, Default>::type get(const tandem::net::detail::adapted_handler<Handler, Convert>& h,
                                                           const Default& fallback = Default()) noexcept {
        return Associator<Handler, Default>::get(h.handler, fallback);
    }
};
