// What a tool may do wrong, and when it ends: everything thrown becomes a failure of that call on
// Python's side, the host lives on, and what a tool owns is destroyed once, after its last call.

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <new>
#include <stdexcept>
#include <thread>

#include "check.hpp"

namespace plain = snakepit_bridge;
namespace spb = snakepit_bridge::throwing;

/// Calls a host tool from Python, and gives what came of it.
static plain::Result<plain::Value> ask(const spb::Session& session, const std::string& tool,
                                       const std::string& arguments = "{}") {
    try {
        return plain::Value(session
                                .execute(spb::Call("python", "call_tool")
                                             .parameters(R"({"name": ")" + tool +
                                                         R"(", "arguments": )" + arguments + "}"))
                                .result());
    } catch (const spb::Exception& exception) {
        return exception.error();
    }
}

static plain::Error refusal(const spb::Session& session, const std::string& tool) {
    auto outcome = ask(session, tool);
    if (outcome) std::fprintf(stderr, "tool %s did not fail\n", tool.c_str());
    CHECK(!outcome.ok());
    return outcome.error();
}

static bool has(std::string_view text, std::string_view part) {
    return text.find(part) != std::string_view::npos;
}

static void everything_thrown_is_a_failure(const spb::Platform& platform,
                                           const spb::Session& session) {
    platform.register_tool(spb::ToolSpec("standard"), [](const spb::Value&) -> int {
        throw std::out_of_range("the shelf ends at seven");
    });
    CHECK(has(refusal(session, "standard").message(), "the shelf ends at seven"));
    platform.register_tool(spb::ToolSpec("number"), [](const spb::Value&) -> int { throw 42; });
    CHECK(refusal(session, "number").status() == plain::Status::tool_failed);
    CHECK(has(refusal(session, "number").message(), "no std::exception"));
    platform.register_tool(spb::ToolSpec("memory"),
                           [](const spb::Value&) -> int { throw std::bad_alloc(); });
    CHECK(refusal(session, "memory").status() == plain::Status::tool_failed);
    platform.register_tool(spb::ToolSpec("unreadable"), [](const spb::Value&) -> int {
        throw std::runtime_error("caf\xe9");  // Latin-1
    });
    CHECK(has(refusal(session, "unreadable").message(), "not UTF-8"));
    platform.register_tool(spb::ToolSpec("silent"),
                           [](const spb::Value&) -> int { throw std::runtime_error(""); });
    CHECK(refusal(session, "silent").status() == plain::Status::tool_failed);
    platform.register_tool(spb::ToolSpec("typed"), [](const spb::Value&) -> int {
        throw spb::Exception(
            spb::Error::failure("no such port", plain::Status::not_found, R"({"port": "Avalon"})"));
    });
    const auto typed = refusal(session, "typed");
    CHECK(typed.status() == plain::Status::not_found && has(typed.details_json(), "Avalon"));
    platform.register_tool(spb::ToolSpec("broken_details"), [](const spb::Value&) -> int {
        throw spb::Exception(spb::Error::failure("x", plain::Status::tool_failed, "{no json"));
    });
    CHECK(!ask(session, "broken_details"));
    CHECK(ask(session, "number").status() == plain::Status::tool_failed);  // the host lives on
}

/// Throws while it holds things that notice the order of their end.
static void destructors_run_on_the_way_out(const spb::Platform& platform,
                                           const spb::Session& session) {
    struct Noted {
        std::string& order;
        char name;
        ~Noted() { order += name; }
    };
    auto order = std::make_shared<std::string>();
    platform.register_tool(spb::ToolSpec("unwinds"), [order](spb::Invocation call) {
        const Noted first{*order, 'a'};
        const Noted second{*order, 'b'};
        if (call.arguments().json() == "{}") throw std::logic_error("half way");
        call.complete(plain::Value());
    });
    CHECK(has(refusal(session, "unwinds").message(), "half way"));
    CHECK(*order == "ba");
}

static void a_call_that_is_dropped_fails(const spb::Platform& platform,
                                         const spb::Session& session) {
    platform.register_tool(spb::ToolSpec("drops"), [](spb::Invocation) {});
    CHECK(has(refusal(session, "drops").message(), "drops"));
    platform.register_tool(spb::ToolSpec("full").executor([](const std::function<void()>&) {
        throw std::runtime_error("the pool of threads is full");
    }),
                           [](const spb::Value&) { return 1; });
    CHECK(!ask(session, "full"));
    platform.register_tool(spb::ToolSpec("twice"), [](spb::Invocation call) {
        call.complete(plain::Value::integer(1));
        call.complete(plain::Value::integer(2));
    });
    CHECK(ask(session, "twice")->as_integer().value() == 1);
}

static void waiting_on_the_librarys_threads_is_refused(const spb::Platform& platform,
                                                       const spb::Session& session) {
    platform.register_tool(spb::ToolSpec("waits"), [&session](const spb::Value&) {
        return session.execute(spb::Call("python", "echo").parameters(R"({"value": 1})")).result();
    });
    CHECK(refusal(session, "waits").status() == plain::Status::would_deadlock);
}

/// A flag that threads wait for, with a limit.
class Signal {
  public:
    void raise() {
        const std::lock_guard<std::mutex> lock(mutex_);
        is_up_ = true;
        changed_.notify_all();
    }
    bool wait() {
        std::unique_lock<std::mutex> lock(mutex_);
        return changed_.wait_for(lock, std::chrono::seconds(30), [&] { return is_up_; });
    }

  private:
    std::mutex mutex_;
    std::condition_variable changed_;
    bool is_up_ = false;
};

static void a_cancelled_call_is_told(const spb::Platform& platform, const spb::Session& session) {
    Signal called, told;
    std::optional<spb::Invocation> held;
    const auto tool = platform.register_tool(spb::ToolSpec("held"), [&](spb::Invocation call) {
        call.on_cancel([&] { told.raise(); });
        held.emplace(std::move(call));
        called.raise();
    });
    const auto asking = session.execute(
        spb::Call("python", "call_tool").parameters(R"({"name": "held", "arguments": {}})"));
    CHECK(called.wait() && !held->is_cancelled());
    asking.cancel();
    CHECK(told.wait() && held->is_cancelled());
    Signal at_once;
    held->on_cancel([&] { at_once.raise(); });
    CHECK(at_once.wait());
    try {
        held->complete(plain::Value());
        CHECK(false);
    } catch (const spb::Exception& exception) {
        CHECK(exception.status() == plain::Status::cancelled);
    }
    held.reset();
    tool.unregister().result();
}

static void what_a_tool_owns_ends_with_it(const spb::Platform& platform,
                                          const spb::Session& session) {
    auto owned = std::make_shared<int>(7);
    const std::weak_ptr<int> seen = owned;
    const auto tool = platform.register_tool(spb::ToolSpec("owner"),
                                             [owned](const spb::Value&) { return *owned; });
    owned.reset();
    CHECK(ask(session, "owner")->as_integer().value() == 7 && !seen.expired());
    tool.unregister().result();
    CHECK(seen.expired());
    CHECK(ask(session, "owner").status() == plain::Status::not_found);

    // A registration that is refused ends it at once.
    owned = std::make_shared<int>(8);
    const std::weak_ptr<int> refused = owned;
    try {
        platform.register_tool(spb::ToolSpec("no name"), [owned](const spb::Value&) { return 1; });
        CHECK(false);
    } catch (const spb::Exception& exception) {
        CHECK(exception.status() == plain::Status::invalid_argument);
    }
    owned.reset();
    CHECK(refused.expired());
}

static void tools_are_called_by_name(const spb::Platform& platform, const spb::Session& session) {
    platform.register_tool(
        spb::ToolSpec("counts").idempotent().chunk_schema(R"({"type": "integer"})"),
        [](spb::Invocation call) {
            for (int each = 0; each < 3; ++each) call.emit(plain::Value::integer(each));
            call.complete(plain::Value::text("done").value());
        });
    CHECK(has(platform.tools().json(), "\"idempotent\":true"));
    const auto counting = session.call_tool(spb::ToolCall("counts").stream());
    std::int64_t next = 0;
    for (const spb::Value& chunk : counting.chunks()) CHECK(chunk.as_integer() == next++);
    CHECK(next == 3 && counting.result().as_text() == "done");
    CHECK(counting.progress() == plain::Progress::done);
    auto pending = session.call_tool_future(spb::ToolCall("nobody"));
    try {
        (void)pending.future.get();
        CHECK(false);
    } catch (const spb::Exception& exception) {
        CHECK(exception.status() == plain::Status::not_found);
    }
}

static void one_session_serves_many_threads(const spb::Session& session) {
    std::atomic<std::int64_t> total{0};
    std::vector<std::thread> threads;
    for (int each = 0; each < 8; ++each) {
        threads.emplace_back([&session, &total] {
            for (int call = 0; call < 10; ++call) {
                const auto one = spb::Call("python", "echo").parameters(R"({"value": 1})");
                total += session.execute(one).result().as_integer();
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(total == 80);
}

static void handlers_that_throw_are_reported() {
    static std::atomic<int> reports{0};
    static Signal reported;
    plain::unhandled_exception_handler() = [](std::exception_ptr) {
        if (++reports == 2) reported.raise();
    };
    auto platform = spb::Platform::open(R"({"pools": {}})");
    const auto session = platform.open_session();
    session.register_variable("n", "integer", 0);
    const auto watch = session.watch(spb::WatchSpec(), [](const spb::Change& change) {
        if (change.kind == spb::Change::Kind::change) throw std::runtime_error("no more");
    });
    session.set("n", 1);
    session.set("n", 2);
    CHECK(reported.wait());
    platform.close();
}

int main() {
    auto platform = spb::Platform::open(test_config());
    platform.pool().await_ready().result();
    const auto session = platform.open_session();
    everything_thrown_is_a_failure(platform, session);
    destructors_run_on_the_way_out(platform, session);
    a_call_that_is_dropped_fails(platform, session);
    waiting_on_the_librarys_threads_is_refused(platform, session);
    a_cancelled_call_is_told(platform, session);
    what_a_tool_owns_ends_with_it(platform, session);
    tools_are_called_by_name(platform, session);
    one_session_serves_many_threads(session);
    platform.close();
    handlers_that_throw_are_reported();
    std::puts("tools: 9 passed");
}
