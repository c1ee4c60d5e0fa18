// A C++ program over an installation: it starts a worker, so the guard is found and Python runs.
// GUARD names the guard for a program that has no shared library to find it by.
#include <cstdlib>
#include <iostream>
#include <snakepit_bridge.hpp>

namespace spb = snakepit_bridge::throwing;

int main() {
    const char* python = std::getenv("SPB_PYTHON");
    std::string settings = R"({"pools": {"default": {"workers": 1, "python": ")" +
                           std::string(python != nullptr ? python : "python3") +
                           R"(", "frameworks": {"python": {}}}})";
#ifdef GUARD
    settings += R"(, "guard_path": ")" GUARD R"(")";
#endif
    try {
        const auto platform = spb::Platform::open(settings + "}");
        platform.pool().await_ready().result();
        platform.close();
    } catch (const spb::Exception& exception) {
        std::cerr << exception.what() << '\n';
        return 1;
    }
    std::cout << "consumer.cpp: " << spb::version() << '\n';
}
