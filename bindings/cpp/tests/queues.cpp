// A host with an event loop of its own: one thread, one queue, one descriptor to poll; calls,
// chunks, tools, watches, logs and the end of the platform are events of it.

#include <poll.h>

#include "check.hpp"

namespace spb = snakepit_bridge::throwing;
using Kind = spb::Event::Kind;

enum Tag : std::uint64_t { ready = 1, call, tool, watch, logs, closing };

/// The next event, by way of the descriptor.
static spb::Event next(const spb::Queue& queue) {
    for (;;) {
        auto events = queue.next(std::chrono::milliseconds(0), 1);
        if (!events.empty()) return std::move(events.front());
        pollfd poller{queue.descriptor(), POLLIN, 0};
        CHECK(poll(&poller, 1, 30000) == 1);
    }
}

static spb::Event next(const spb::Queue& queue, Tag tag) {
    for (;;) {
        auto event = next(queue);
        if (event.tag == tag) return event;
        CHECK(event.tag == logs);  // records come whenever they like
    }
}

static void a_call_with_chunks_and_a_tool(const spb::Platform& platform, const spb::Queue& queue,
                                          const spb::Session& session) {
    const auto counting = session.execute(
        spb::Call("python", "count").parameters(R"({"to": 2})").stream(), queue.target(call));
    for (std::uint64_t each = 0; each < 2; ++each) {
        const auto chunk = next(queue, call);
        CHECK(chunk.kind == Kind::chunk && chunk.sequence == each);
        CHECK(chunk.value.as_integer() == static_cast<std::int64_t>(each));
    }
    const auto done = next(queue, call);
    CHECK(done.kind == Kind::done && done.sequence == 2);
    CHECK(done.result().json() == R"({"counted":2})");

    platform.register_tool(spb::ToolSpec("atlas"), queue.target(tool));
    const auto asking = session.execute(
        spb::Call("python", "call_tool").parameters(R"({"name": "atlas", "arguments": {"n": 7}})"),
        queue.target(call));
    auto asked = next(queue, tool);
    CHECK(asked.kind == Kind::tool_call && asked.value.json() == R"({"n":7})");
    asked.invocation->complete(asked.invocation->arguments());
    CHECK(next(queue, call).result().json() == R"({"n":7})");

    const auto left = session.execute(
        spb::Call("python", "call_tool").parameters(R"({"name": "atlas", "arguments": {}})"),
        queue.target(call));
    const auto waiting = next(queue, tool);
    left.cancel();
    bool told = false, ended = false;
    while (!told || !ended) {
        const auto event = next(queue);
        if (event.kind == Kind::tool_cancel) told = event.call == waiting.invocation->raw().id;
        if (event.kind == Kind::done) {
            ended = event.error->status() == spb::Status::cancelled;
            CHECK(ended);
        }
    }
}

static void one_queue_tells_another(const spb::Platform& platform, const spb::Queue& queue,
                                    const spb::Session& session) {
    const auto other = platform.queue();
    other.notify(queue, call);
    const auto echoing = session.execute(spb::Call("python", "echo").parameters(R"({"value": 1})"),
                                         other.target());
    CHECK(next(queue, call).kind == Kind::queue_readable);
    CHECK(next(other).kind == Kind::done);
}

static void a_watch_and_its_end(const spb::Queue& queue, const spb::Session& session) {
    session.register_variable("n", "integer", 1);
    spb::WatchSpec spec;
    spec.initial = true;
    const auto watching = session.watch(spec, queue.target(watch));
    session.set("n", 2);
    CHECK(next(queue, watch).sequence == 1);
    const auto changed = next(queue, watch);
    CHECK(changed.kind == Kind::variable && changed.sequence == 2);
    watching.stop();
    const auto end = next(queue, watch);
    CHECK(end.kind == Kind::watch_end && end.error->status() == spb::Status::cancelled);
}

int main() {
    auto platform = spb::Platform::open(test_config());
    const auto queue = platform.queue();
    const auto records = platform.subscribe_logs(10, queue.target(logs));
    (void)platform.pool().await_ready(0, {}, queue.target(ready));
    CHECK(!next(queue, ready).error);
    const auto session = platform.open_session();
    CHECK(platform.pool().schema("python").json().find("echo") != std::string_view::npos);
    a_call_with_chunks_and_a_tool(platform, queue, session);
    one_queue_tells_another(platform, queue, session);
    a_watch_and_its_end(queue, session);
    (void)session.close(queue.target(closing));
    CHECK(next(queue, closing).kind == Kind::done);
    (void)platform.shutdown({}, queue.target(closing));
    while (next(queue).kind != Kind::shutdown) {
    }
    try {
        (void)queue.next();
        CHECK(false);
    } catch (const spb::Exception& exception) {
        CHECK(exception.status() == spb::Status::closed);
    }
    std::puts("queues: 2 passed");
}
