// Every class template of the header in both modes, for compilers to read: each must take it with
// every warning on, in C++17 and C++20 (tests/compilers.sh). It is never linked.

#include <snakepit_bridge.hpp>

namespace snakepit_bridge {

template class Span<const float>;
template class Result<int>;
template class Result<std::string>;

#define IN_BOTH_MODES(name)         \
    template class name<Returning>; \
    SPB_WITH_EXCEPTIONS(template class name<Throwing>;)
#if defined(SPB_CPP_EXCEPTIONS)
#define SPB_WITH_EXCEPTIONS(code) code
#else
#define SPB_WITH_EXCEPTIONS(code)
#endif

IN_BOTH_MODES(BasicValue)
IN_BOTH_MODES(BasicOperation)
IN_BOTH_MODES(BasicChunks)
IN_BOTH_MODES(BasicInvocation)
IN_BOTH_MODES(BasicTool)
IN_BOTH_MODES(BasicWatch)
IN_BOTH_MODES(BasicQueue)
IN_BOTH_MODES(BasicSession)
IN_BOTH_MODES(BasicPool)
IN_BOTH_MODES(BasicPlatform)
#if defined(SPB_CPP_COROUTINES)
IN_BOTH_MODES(BasicAwaitable)
#endif

template <typename Mode>
bool uses(const BasicPlatform<Mode>& platform, const BasicSession<Mode>& session) {
    auto tool = platform.register_tool(ToolSpec("a"), [](const Value& given) { return given; });
    auto later = platform.register_tool(session, ToolSpec("b"), [](BasicInvocation<Mode>) {});
    auto watch = session.watch(WatchSpec(), [](const Change&) {});
    auto logs = platform.subscribe_logs(10, [](const LogRecord&) {});
    auto pending = session.execute_future(Call("python", "echo").parameters("{}"));
    auto number = session.template get<std::int16_t>("n");
    auto version = session.set("n", 1.5f);
    auto tensor = Value::adopt(std::vector<BFloat16>(), {0});
    return tensor.ok() && Value().template tensor_at<double>(0).ok();
}
template bool uses(const Platform&, const Session&);
SPB_WITH_EXCEPTIONS(template bool uses(const throwing::Platform&, const throwing::Session&);)

}  // namespace snakepit_bridge
