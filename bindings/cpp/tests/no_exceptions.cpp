// The header without exceptions: only the mode with results is there, and it is whole.

#include "check.hpp"

namespace spb = snakepit_bridge;

int main() {
    auto platform = spb::Platform::open(R"({"pools": {}})");
    CHECK(platform.ok());
    auto session = platform->open_session();
    CHECK(session->register_variable("n", "integer", 1).value() == 1);
    CHECK(session->get<int>("n")->value == 1);
    CHECK(session->get<int>("m").status() == spb::Status::not_found);
    auto tool = platform->register_tool(spb::ToolSpec("same"),
                                        [](const spb::Value& given) { return given; });
    CHECK(tool.ok() && platform->tools()->json().find("same") != std::string_view::npos);
    CHECK(platform->close().ok());
    std::puts("no_exceptions: 1 passed");
}
