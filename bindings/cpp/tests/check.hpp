// What the C++ tests share: a check that says where it failed, and a platform on the interpreter
// that `make setup` prepared.

#ifndef SPB_CPP_TESTS_CHECK_HPP
#define SPB_CPP_TESTS_CHECK_HPP

#include <cstdio>
#include <cstdlib>
#include <snakepit_bridge.hpp>
#include <string>

#define CHECK(condition)                                                                 \
    do {                                                                                 \
        if (!(condition)) {                                                              \
            std::fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
            std::exit(1);                                                                \
        }                                                                                \
    } while (false)

inline std::string from_environment(const char* name) {
    const char* found = std::getenv(name);
    if (found == nullptr) {
        std::fprintf(stderr, "%s is not set: run these tests by `make test-hosts`\n", name);
        std::exit(2);
    }
    return found;
}

/// One pool whose workers serve the functions of tests/python/spb_testmod.py.
inline std::string test_config(int workers = 1) {
    // An installed library finds its guard; one that lies where it was built is told.
    const char* guard = std::getenv("SPB_GUARD");
    return (guard != nullptr ? R"({"guard_path": ")" + std::string(guard) + R"(", )" : "{") +
           R"("pools": {"default": {"workers": )" + std::to_string(workers) +
           R"(, "calls_per_worker": 64, "python": ")" + from_environment("SPB_PYTHON") +
           R"(", "python_path": [")" + from_environment("SPB_TEST_MODULES") +
           R"("], "frameworks": {"python": {"modules": ["spb_testmod"]}}}}})";
}

#endif
