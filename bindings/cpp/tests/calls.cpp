// Calls, streams, futures and tools with a real Python worker, in both modes.

#include <condition_variable>
#include <mutex>
#include <stdexcept>
#include <thread>

#include "check.hpp"

namespace plain = snakepit_bridge;
namespace spb = snakepit_bridge::throwing;

static void a_call_comes_back_exact(const spb::Session& session) {
    const auto answer =
        session
            .execute(
                spb::Call("python", "echo").parameters(R"({"value": [9007199254740993, "ż"]})"))
            .result();
    CHECK(answer.json() == "[9007199254740993,\"ż\"]");
    const auto future =
        session.execute_future(spb::Call("python", "echo").parameters(R"({"value": 7})"));
    auto& waits = const_cast<std::future<spb::Value>&>(future.future);
    CHECK(waits.get().as_integer() == 7);
}

static void python_exceptions_are_typed(const spb::Session& session) {
    try {
        (void)session.execute(spb::Call("python", "fail").parameters(R"({"message": "no"})"))
            .result();
        CHECK(false);
    } catch (const spb::Exception& exception) {
        CHECK(exception.status() == spb::Status::python_exception);
        CHECK(exception.error().python_type() == "builtins.ValueError");
        CHECK(exception.error().python_traceback().find("Traceback") == 0);
    }
    try {
        (void)session.execute(spb::Call("python", "ecko"));
        CHECK(false);
    } catch (const spb::Exception& exception) {
        CHECK(exception.status() == spb::Status::not_found);
        CHECK(exception.error().message().find("echo") != std::string_view::npos);
    }
    auto failed = session.execute_future(spb::Call("python", "echo").parameters("[1"));
    try {
        (void)failed.future.get();
        CHECK(false);
    } catch (const spb::Exception& exception) {
        CHECK(exception.status() == spb::Status::invalid_argument);
    }
}

static void chunks_are_a_range(const spb::Session& session) {
    const auto counting =
        session.execute(spb::Call("python", "count").parameters(R"({"to": 5})").stream());
    std::int64_t next = 0;
    for (const spb::Value& chunk : counting.chunks()) CHECK(chunk.as_integer() == next++);
    CHECK(next == 5);
    (void)counting.result();

    const auto abandoned =
        session.execute(spb::Call("python", "count").parameters(R"({"to": 1000000})").stream());
    for (const spb::Value& chunk : abandoned.chunks()) {
        if (chunk.as_integer() == 10) break;
    }
    abandoned.cancel();
    try {
        (void)abandoned.result();
        CHECK(false);
    } catch (const spb::Exception& exception) {
        CHECK(exception.status() == spb::Status::cancelled);
    }
}

static void a_deadline_ends_a_call(const spb::Session& session) {
    using namespace std::chrono_literals;
    const auto late = session.execute(spb::Call("python", "sleep_until_cancelled").timeout(100ms));
    CHECK(late.wait());
    try {
        (void)late.result();
        CHECK(false);
    } catch (const spb::Exception& exception) {
        CHECK(exception.status() == spb::Status::deadline);
    }
}

static spb::Value ask(const spb::Session& session, const std::string& tool,
                      const std::string& arguments) {
    return session
        .execute(spb::Call("python", "call_tool")
                     .parameters(R"({"name": ")" + tool + R"(", "arguments": )" + arguments + "}"))
        .result();
}

static plain::Error refusal(const spb::Session& session, const std::string& tool,
                            const std::string& arguments) {
    try {
        (void)ask(session, tool, arguments);
    } catch (const spb::Exception& exception) {
        return exception.error();
    }
    std::fprintf(stderr, "tool %s did not fail\n", tool.c_str());
    std::exit(1);
}

static void lambdas_are_tools(const spb::Platform& platform, const spb::Session& session) {
    platform.register_tool(spb::ToolSpec("same"), [](const spb::Value& given) { return given; });
    CHECK(ask(session, "same", R"({"a": [1, null]})").json() == R"({"a":[1,null]})");

    platform.register_tool(spb::ToolSpec("answer"), [](const spb::Value&) { return 42; });
    CHECK(ask(session, "answer", "{}").as_integer() == 42);

    platform.register_tool(spb::ToolSpec("throws"), [](const spb::Value&) -> int {
        throw std::runtime_error("the atlas is closed");
    });
    const auto error = refusal(session, "throws", "{}");
    CHECK(error.status() == plain::Status::tool_failed);
    CHECK(error.message().find("the atlas is closed") != std::string_view::npos);

    platform.register_tool(spb::ToolSpec("throws_late"), [](spb::Invocation) {
        throw std::runtime_error("thrown with the call in hand");
    });
    CHECK(refusal(session, "throws_late", "{}").message().find("in hand") !=
          std::string_view::npos);

    platform.register_tool(spb::ToolSpec("refuses"), [](const spb::Value&) {
        return plain::Result<plain::Value>(
            plain::Error::failure("busy", plain::Status::unavailable, R"({"wait_s": 1})", true));
    });
    const auto refused = refusal(session, "refuses", "{}");
    CHECK(refused.status() == plain::Status::unavailable);
    CHECK(refused.details_json().find("wait_s") != std::string_view::npos);

    platform.register_tool(spb::ToolSpec("checked").output_schema(R"({"type": "string"})"),
                           [](const spb::Value&) { return 7; });
    const auto broken = refusal(session, "checked", "{}");
    CHECK(broken.message().find("checked") != std::string_view::npos);
    CHECK(broken.message().find("dropped") == std::string_view::npos);
}

static void a_tool_answers_when_it_likes(const spb::Platform& platform,
                                         const spb::Session& session) {
    platform.register_tool(session, spb::ToolSpec("later"), [](spb::Invocation call) {
        auto held = std::make_shared<spb::Invocation>(std::move(call));
        std::thread([held] {
            for (int each = 0; each < 3; ++each) held->emit(plain::Value::integer(each));
            held->complete(plain::Value::text("done").value());
        }).detach();
    });
    const auto result = session
                            .execute(spb::Call("python", "stream_tool")
                                         .parameters(R"({"name": "later", "arguments": {}})"))
                            .result();
    CHECK(result.json().find("[0,1,2]") != std::string_view::npos);
    CHECK(result.json().find("\"done\"") != std::string_view::npos);
}

static void a_tool_may_call_again(const spb::Platform& platform, const spb::Session& session) {
    // What waits is refused on the library's threads, so this tool has threads of its own.
    const spb::Executor threads = [](std::function<void()> work) {
        std::thread(std::move(work)).detach();
    };
    const spb_session raw = session.raw();
    platform.register_tool(spb::ToolSpec("nested").executor(threads), [raw](spb::Invocation call) {
        const auto inner =
            spb::Call("python", "echo").parameters(R"({"value": "in"})").parent(call);
        const plain::Operation operation(inner.submit(raw, nullptr).value());
        call.complete(operation.result().value());
    });
    CHECK(ask(session, "nested", "{}").as_text() == "in");
}

static void a_closing_platform_ends_everything() {
    auto platform = spb::Platform::open(test_config());
    platform.pool().await_ready().result();
    auto session = platform.open_session();
    const auto waits = session.execute_future(spb::Call("python", "sleep_until_cancelled"));
    platform.close(std::chrono::milliseconds(50));
    try {
        (void)const_cast<std::future<spb::Value>&>(waits.future).get();
        CHECK(false);
    } catch (const spb::Exception& exception) {
        CHECK(exception.status() == spb::Status::cancelled);
    }
}

int main() {
    auto platform = spb::Platform::open(test_config());
    platform.pool().await_ready().result();
    const auto session = platform.open_session(spb::SessionSpec().id("cpp"));
    a_call_comes_back_exact(session);
    python_exceptions_are_typed(session);
    chunks_are_a_range(session);
    a_deadline_ends_a_call(session);
    lambdas_are_tools(platform, session);
    a_tool_answers_when_it_likes(platform, session);
    a_tool_may_call_again(platform, session);
    CHECK(platform.metrics().find("# HELP ") != std::string::npos);
    CHECK(platform.schema("python").json().find("echo") != std::string_view::npos);
    platform.close();
    a_closing_platform_ends_everything();
    std::puts("calls: 8 passed");
}
