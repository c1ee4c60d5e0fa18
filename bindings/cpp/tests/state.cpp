// Variables as C++ types, batches, locks, history and watches. No worker is needed.

#include <condition_variable>
#include <mutex>

#include "check.hpp"

namespace spb = snakepit_bridge::throwing;

static const char* const no_pools = R"({"pools": {}})";

template <typename F>
static spb::Status status_of(F&& f) {
    try {
        f();
    } catch (const spb::Exception& exception) {
        return exception.status();
    }
    return spb::Status::ok;
}

static void variables_are_typed(const spb::Session& session) {
    CHECK(session.register_variable("n", "integer", 1) == 1);
    CHECK(session.set("n", 41) == 2);
    CHECK(session.update("n", spb::Value::json(R"({"add": 1})")).value.as_integer() == 42);
    const auto read = session.get<int>("n");
    CHECK(read.value == 42 && read.version == 3);
    CHECK(status_of([&] { session.set("n", 5, {1, {}}); }) == spb::Status::version_conflict);
    CHECK(status_of([&] { session.set("n", std::string("x")); }) == spb::Status::type_mismatch);
    session.register_variable("t", "float", 0.5, R"({"min": 0, "max": 1})");
    CHECK(status_of([&] { session.set("t", 2.0); }) == spb::Status::constraint);
    CHECK(session.get<double>("t").value == 0.5);
    session.register_variable("s", "string", std::string("Żółw"));
    CHECK(session.get<std::string>("s").value == "Żółw");
    CHECK(status_of([&] { (void)session.get<std::int8_t>("nope"); }) == spb::Status::not_found);
    session.register_variable("large", "integer", std::int64_t{300});
    CHECK(status_of([&] { (void)session.get<std::int8_t>("large"); }) ==
          spb::Status::type_mismatch);
}

static void batches_locks_and_history(const spb::Session& session) {
    session.register_variable("a", "integer", 1);
    session.register_variable("b", "integer", 1);
    session.set_many({{"a", spb::Value::integer(2)}, {"b", spb::Value::integer(3)}});
    CHECK(status_of([&] {
              session.set_many({{"a", spb::Value::integer(9)}, {"b", spb::Value::text("x")}});
          }) == spb::Status::type_mismatch);
    CHECK(session.get<int>("a").value == 2);
    CHECK(session.get_many({"a", "b", "c"}).json().find("\"missing\":[\"c\"]") !=
          std::string_view::npos);
    session.lock("a", "me", std::chrono::minutes(1));
    CHECK(status_of([&] { session.set("a", 5); }) == spb::Status::busy);
    CHECK(session.set("a", 5, {0, "me"}) == 3);
    session.unlock("a", "me");
    CHECK(session.rollback("a", 1) == 4);
    CHECK(session.history("a").json().find("\"version\":4") != std::string_view::npos);
    session.remove("b");
    CHECK(status_of([&] { (void)session.get("b"); }) == spb::Status::not_found);
}

static void a_watch_hears_changes_in_order(const spb::Session& session) {
    std::mutex mutex;
    std::condition_variable changed;
    std::vector<std::string> seen;
    bool over = false;
    session.register_variable("watched", "integer", 0);
    {
        spb::WatchSpec spec;
        spec.patterns = "watched";
        spec.initial = true;
        const spb::Watch watch = session.watch(spec, [&](const spb::Change& change) {
            const std::lock_guard<std::mutex> lock(mutex);
            if (change.kind == spb::Change::Kind::end) over = true;
            seen.emplace_back(change.document.json());
            changed.notify_all();
        });
        for (int each = 1; each <= 3; ++each) session.set("watched", each);
        std::unique_lock<std::mutex> lock(mutex);
        CHECK(changed.wait_for(lock, std::chrono::seconds(30), [&] { return seen.size() == 4; }));
        CHECK(seen[0].find("\"initial\"") != std::string::npos);
        CHECK(seen[3].find("\"value\":3") != std::string::npos);
    }
    std::unique_lock<std::mutex> lock(mutex);
    CHECK(changed.wait_for(lock, std::chrono::seconds(30), [&] { return over; }));
}

int main() {
    auto platform = spb::Platform::open(no_pools);
    const auto session = platform.open_session();
    variables_are_typed(session);
    batches_locks_and_history(session);
    a_watch_hears_changes_in_order(session);
    const auto copy = session.clone();
    CHECK(copy.get<int>("n").value == 42);
    const auto again =
        platform.import_session(session.export_value(), spb::SessionSpec().id("again"));
    CHECK(again.get<int>("n").value == 42);
    CHECK(platform.join_session("again").get<int>("n").value == 42);
    platform.close();
    std::puts("state: 4 passed");
}
