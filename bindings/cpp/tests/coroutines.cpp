// `co_await` on calls, C++20: results, failures, an executor, and a stop that cancels.

#include <coroutine>
#include <future>
#include <thread>

#include "check.hpp"

namespace spb = snakepit_bridge::throwing;

/// The smallest coroutine that gives a future.
template <typename T>
struct Task {
    struct promise_type {
        std::promise<T> promise;
        Task get_return_object() { return Task{promise.get_future()}; }
        std::suspend_never initial_suspend() noexcept { return {}; }
        std::suspend_never final_suspend() noexcept { return {}; }
        void return_value(T value) { promise.set_value(std::move(value)); }
        void unhandled_exception() { promise.set_exception(std::current_exception()); }
    };
    std::future<T> future;
};

static Task<std::int64_t> sum(const spb::Session& session) {
    std::int64_t total = 0;
    for (int each = 1; each <= 3; ++each) {
        const auto parameters = R"({"value": )" + std::to_string(each) + "}";
        const auto value =
            co_await session.co_execute(spb::Call("python", "echo").parameters(parameters));
        total += value.as_integer();
    }
    co_return total;
}

static Task<spb::Status> status_of(const spb::Session& session, spb::Call call,
                                   std::stop_token token = {}) {
    try {
        co_await session.co_execute(std::move(call), {}, std::move(token));
    } catch (const spb::Exception& exception) {
        co_return exception.status();
    }
    co_return spb::Status::ok;
}

static Task<bool> goes_on_elsewhere(const spb::Session& session) {
    std::thread::id ran_on;
    const spb::Executor own = [&ran_on](std::function<void()> work) {
        std::thread([&ran_on, work = std::move(work)] {
            ran_on = std::this_thread::get_id();
            work();
        }).detach();
    };
    co_await session.co_execute(spb::Call("python", "echo").parameters(R"({"value": 1})"), own);
    // Waiting is allowed here: this is no thread of the library.
    const auto waited =
        session.execute(spb::Call("python", "echo").parameters(R"({"value": 2})")).result();
    co_return waited.as_integer() == 2 && ran_on == std::this_thread::get_id();
}

int main() {
    auto platform = spb::Platform::open(test_config());
    platform.pool().await_ready().result();
    const auto session = platform.open_session();
    CHECK(sum(session).future.get() == 6);
    CHECK(status_of(session, spb::Call("python", "fail").parameters(R"({"message": "no"})"))
              .future.get() == spb::Status::python_exception);
    CHECK(status_of(session, spb::Call("python", "nope")).future.get() == spb::Status::not_found);
    CHECK(goes_on_elsewhere(session).future.get());
    std::stop_source stop;
    auto stopped =
        status_of(session, spb::Call("python", "sleep_until_cancelled"), stop.get_token());
    stop.request_stop();
    CHECK(stopped.future.get() == spb::Status::cancelled);
    platform.close();
    std::puts("coroutines: 5 passed");
}
