// The benchmark's C++ host: what a call costs a program that uses bindings/cpp as its people do.
// Run by benches/hosts.rs.
//
// bench CONFIG takes commands on its standard input, a line each, and answers each with a line of
// JSON: "echo_latency N" waits for each result, "echo_throughput N" keeps a window of futures,
// "tool_latency N" lets Python call a lambda; "echo_future N" is the first by `std::future`. It
// knows nothing of the other hosts.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <deque>
#include <iostream>
#include <snakepit_bridge.hpp>
#include <string>
#include <vector>

namespace spb = snakepit_bridge::throwing;
using Clock = std::chrono::steady_clock;

namespace {

constexpr std::size_t in_flight = 64;

double us_since(Clock::time_point began) {
    return std::chrono::duration<double, std::micro>(Clock::now() - began).count();
}

void print_latency(std::vector<double> times_us) {
    std::sort(times_us.begin(), times_us.end());
    std::printf("{\"p50_us\": %.3f, \"p99_us\": %.3f}\n", times_us.at(times_us.size() / 2),
                times_us.at(times_us.size() * 99 / 100));
}

/// A hundred bytes, made anew for each call.
spb::Call echo() {
    return spb::Call("python", "echo")
        .parameters(R"({"value":{"text":"01234567890123456789012345678901234567890123456789)"
                    R"(012345678901","number":1}})");
}

void use(const spb::Value& result) {
    if (result.json().size() < 50) throw std::runtime_error("the echo is too short");
}

template <typename F>
void latency(long calls, F once) {
    std::vector<double> times_us;
    times_us.reserve(static_cast<std::size_t>(calls));
    for (long call = 0; call < calls; ++call) {
        const auto began = Clock::now();
        use(once());
        times_us.push_back(us_since(began));
    }
    print_latency(std::move(times_us));
}

void throughput(const spb::Session& session, long calls) {
    std::deque<spb::Pending> window;
    const auto began = Clock::now();
    for (long submitted = 0; submitted < calls || !window.empty();) {
        while (submitted < calls && window.size() < in_flight) {
            window.push_back(session.execute_future(echo()));
            ++submitted;
        }
        use(window.front().future.get());
        window.pop_front();
    }
    std::printf("{\"calls_per_s\": %.1f}\n", static_cast<double>(calls) / us_since(began) * 1e6);
}

void tool_latency(const spb::Session& session, long calls) {
    const auto times = session
                           .execute(spb::Call("python", "tool_times")
                                        .parameters(R"({"name": "echo", "arguments": {"text": )"
                                                    R"("0123456789", "number": 1}, "calls": )" +
                                                    std::to_string(calls) + "}"))
                           .result();
    std::printf("%s\n", std::string(times.json()).c_str());
}

void obey(const spb::Session& session, const std::string& command, long calls) {
    if (command == "echo_latency") {
        latency(calls, [&] { return session.execute(echo()).result(); });
    } else if (command == "echo_future") {
        latency(calls, [&] { return session.execute_future(echo()).future.get(); });
    } else if (command == "echo_throughput") {
        throughput(session, calls);
    } else if (command == "tool_latency") {
        tool_latency(session, calls);
    } else {
        throw std::runtime_error("unknown command " + command);
    }
}

void serve(const char* config) {
    const auto platform = spb::Platform::open(config);
    platform.pool().await_ready(1).result();
    const auto session = platform.open_session();
    platform.register_tool(spb::ToolSpec("echo"), [](const spb::Value& given) { return given; });
    std::puts("{\"ready\": true}");
    std::string command;
    long calls = 0;
    while (std::cin >> command >> calls) obey(session, command, calls);
    platform.close();
}

}  // namespace

int main(int count, char** arguments) {
    std::setvbuf(stdout, nullptr, _IOLBF, 0);
    try {
        if (count != 2) throw std::runtime_error("usage: bench CONFIG");
        serve(arguments[1]);
    } catch (const std::exception& exception) {
        std::fprintf(stderr, "bench.cpp: %s\n", exception.what());
        return 1;
    }
}
