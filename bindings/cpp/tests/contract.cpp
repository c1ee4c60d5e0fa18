// What the types promise, most of it said to the compiler: handles move and are not copied, values
// are cheap copies, both modes have the same functions, spans take what is contiguous.

#include <array>
#include <cstring>
#include <deque>
#include <list>
#include <numeric>
#include <type_traits>
#if __has_include(<span>) && __cplusplus >= 202002L
#include <span>
#endif

#include "check.hpp"

namespace plain = snakepit_bridge;
namespace spb = snakepit_bridge::throwing;

template <typename T>
constexpr bool is_handle =
    !std::is_copy_constructible_v<T> && !std::is_copy_assignable_v<T> &&
    std::is_nothrow_move_constructible_v<T> && std::is_nothrow_move_assignable_v<T> &&
    std::is_nothrow_destructible_v<T>;

static_assert(is_handle<plain::Platform> && is_handle<spb::Platform>);
static_assert(is_handle<plain::Pool> && is_handle<spb::Pool>);
static_assert(is_handle<plain::Session> && is_handle<spb::Session>);
static_assert(is_handle<plain::Operation> && is_handle<spb::Operation>);
static_assert(is_handle<plain::Queue> && is_handle<spb::Queue>);
static_assert(is_handle<plain::Tool> && is_handle<spb::Tool>);
static_assert(is_handle<plain::Watch> && is_handle<spb::Watch>);
static_assert(is_handle<plain::Invocation> && is_handle<spb::Invocation>);
static_assert(!std::is_copy_constructible_v<spb::Event>);
static_assert(!std::is_copy_constructible_v<spb::VariableLock>);
static_assert(std::is_nothrow_move_constructible_v<spb::VariableLock>);

static_assert(std::is_copy_constructible_v<plain::Value> &&
              std::is_copy_assignable_v<plain::Value>);
static_assert(std::is_nothrow_copy_constructible_v<plain::Error>);
static_assert(std::is_convertible_v<plain::Value, spb::Value>);
static_assert(std::is_convertible_v<spb::Value, plain::Value>);
static_assert(std::is_base_of_v<std::exception, spb::Exception>);

// A raw handle does not become an object by accident, nor an object of one mode one of the other.
static_assert(!std::is_convertible_v<spb_platform, spb::Platform>);
static_assert(!std::is_convertible_v<plain::Session, spb::Session>);

// What lies one behind the other is a span; a list, a deque and a vector of bools are not.
template <typename C, typename T>
constexpr bool becomes_span = std::is_constructible_v<plain::Span<T>, C&>;
static_assert(becomes_span<std::vector<float>, const float>);
static_assert(becomes_span<const std::vector<float>, const float>);
static_assert(becomes_span<std::array<int, 3>, int>);
static_assert(!becomes_span<const std::array<int, 3>, int>);
static_assert(!becomes_span<std::vector<double>, const float>);
static_assert(!becomes_span<std::list<float>, const float>);
static_assert(!becomes_span<std::deque<float>, const float>);
static_assert(!becomes_span<std::vector<bool>, const bool>);

// The element type of every tensor, and of nothing else.
static_assert(plain::dtype_of<bool>() == SPB_DTYPE_BOOL);
static_assert(plain::dtype_of<std::int8_t>() == SPB_DTYPE_INT8);
static_assert(plain::dtype_of<std::uint16_t>() == SPB_DTYPE_UINT16);
static_assert(plain::dtype_of<long long>() == SPB_DTYPE_INT64);
static_assert(plain::dtype_of<plain::Float16>() == SPB_DTYPE_FLOAT16);
static_assert(plain::dtype_of<plain::BFloat16>() == SPB_DTYPE_BFLOAT16);
static_assert(plain::dtype_of<float>() == SPB_DTYPE_FLOAT32);
static_assert(plain::dtype_of<double>() == SPB_DTYPE_FLOAT64);
static_assert(plain::dtype_of<long double>() == 0);
static_assert(plain::dtype_of<std::string>() == 0);

// Results have to be looked at, and a tool's function is one of two forms.
static_assert(std::is_same_v<decltype(std::declval<plain::Platform&>().health()),
                             plain::Result<plain::Value>>);
static_assert(std::is_same_v<decltype(std::declval<spb::Platform&>().health()), spb::Value>);
static_assert(std::is_same_v<decltype(std::declval<spb::Watch&>().stop()), void>);
static_assert(std::is_same_v<decltype(std::declval<plain::Watch&>().stop()), plain::Result<void>>);

struct Point {
    int x, y;
};

/// A type of the program's own as a variable.
template <>
struct snakepit_bridge::Codec<Point> {
    static Result<Point> read(const Value& value) {
        int x = 0, y = 0;
        const std::string json(value.json());
        if (std::sscanf(json.c_str(), "[%d,%d]", &x, &y) != 2) {
            return Error::failure("no point", Status::type_mismatch);
        }
        return Point{x, y};
    }
    static Result<Value> write(const Point& point) {
        return Value::json("[" + std::to_string(point.x) + "," + std::to_string(point.y) + "]");
    }
};

static void values_of_every_type_round_trip(const spb::Session& session) {
    session.register_variable("big", "integer", INT64_MAX);
    CHECK(session.get<std::uint64_t>("big").value == std::uint64_t{INT64_MAX});
    session.register_variable("j", "json", UINT64_MAX);
    CHECK(session.get<std::uint64_t>("j").value == UINT64_MAX);
    try {
        (void)session.get<std::int64_t>("j");
        CHECK(false);
    } catch (const spb::Exception& exception) {
        CHECK(exception.status() == spb::Status::type_mismatch);
    }
    session.set("j", -1);
    try {
        (void)session.get<std::uint64_t>("j");
        CHECK(false);
    } catch (const spb::Exception& exception) {
        CHECK(exception.status() == spb::Status::type_mismatch);
    }
    session.set("j", Point{3, -4});
    CHECK(session.get<Point>("j").value.y == -4);
    session.set("j", "plain text");
    CHECK(session.get<std::string>("j").value == "plain text");
    session.set("j", 0.25f);
    CHECK(session.get<float>("j").value == 0.25f);
    session.set("j", spb::Value::json(" 5 "));
    CHECK(session.get<std::uint8_t>("j").value == 5);
}

template <typename T>
static void is_a_tensor_both_ways() {
    std::vector<T> data(6);
    for (std::size_t at = 0; at < data.size(); ++at) {
        std::memset(&data[at], static_cast<int>(at + 1), sizeof(T));
    }
    const auto copied = spb::Value::tensor(data, {2, 3});
    const auto* before = data.data();
    const std::vector<T> same = data;
    const auto adopted = spb::Value::adopt(std::move(data), {3, 2});
    for (const auto& value : {copied, adopted}) {
        const auto seen = value.template tensor_at<T>(0);
        CHECK(seen.data.size() == 6 && seen.shape.size() == 2);
        CHECK(std::memcmp(seen.data.data(), same.data(), 6 * sizeof(T)) == 0);
    }
    CHECK(adopted.template tensor_at<T>(0).data.data() == before);  // nothing was copied
}

static void tensors_of_every_type() {
    is_a_tensor_both_ways<std::int8_t>();
    is_a_tensor_both_ways<std::int16_t>();
    is_a_tensor_both_ways<std::int32_t>();
    is_a_tensor_both_ways<std::int64_t>();
    is_a_tensor_both_ways<std::uint8_t>();
    is_a_tensor_both_ways<std::uint16_t>();
    is_a_tensor_both_ways<std::uint32_t>();
    is_a_tensor_both_ways<std::uint64_t>();
    is_a_tensor_both_ways<plain::Float16>();
    is_a_tensor_both_ways<plain::BFloat16>();
    is_a_tensor_both_ways<float>();
    is_a_tensor_both_ways<double>();
    const std::array<bool, 3> truths{true, false, true};
    CHECK(spb::Value::tensor(truths, {3}).tensor_at<bool>(0).data[2]);
    CHECK(spb::Value::adopt(std::vector<float>{1.5f}, {}).tensor_at<float>(0).data[0] == 1.5f);
    CHECK(spb::Value::adopt(std::vector<float>{}, {0, 4}).tensor_at<float>(0).data.empty());
    CHECK(plain::Value::adopt(std::vector<float>(3), {2}).status() ==
          plain::Status::invalid_argument);
    CHECK(plain::Value::adopt(std::vector<float>(3), {-3}).status() ==
          plain::Status::invalid_argument);
    CHECK(plain::Value::adopt(std::vector<float>(4), {INT64_MAX, INT64_MAX}).status() ==
          plain::Status::invalid_argument);
}

static void strides_pick_elements() {
    std::vector<int> data(12);
    std::iota(data.begin(), data.end(), 0);
    const auto column = spb::Value::tensor(data, {3}, {4}).tensor_at<int>(0);
    CHECK(column.data[0] == 0 && column.data[1] == 4 && column.data[2] == 8);
    const auto turned = spb::Value::tensor(data, {4, 3}, {1, 4}).tensor_at<int>(0);
    CHECK(turned.data[1] == 4 && turned.data[3] == 1);
    CHECK(plain::Value::tensor(data, {4}, {4}).status() == plain::Status::invalid_argument);
    CHECK(plain::Value::tensor(data, {4}, {-1}).status() == plain::Status::invalid_argument);
    CHECK(plain::Value::tensor(data, {4}, {1, 1}).status() == plain::Status::invalid_argument);
    std::vector<int> writable{1, 2};
    const plain::Span<int> view(writable);
    CHECK(spb::Value::tensor(view, {2}).tensor_at<int>(0).data[1] == 2);
#if __cplusplus >= 202002L
    const std::span<const int> standard = column.data;
    CHECK(standard.size() == 3 && standard[2] == 8);
    CHECK(spb::Value::tensor(std::span<int>(writable), {2}).attachments() == 1);
#endif
}

static void modes_change_hands() {
    auto opened = plain::Platform::open(R"({"pools": {}})");
    auto platform = std::move(opened).value().as<plain::Throwing>();
    auto session = platform.open_session().as<plain::Returning>();
    CHECK(session.register_variable("n", "integer", 1).ok());
    auto same = std::move(session).as<plain::Throwing>();
    CHECK(same.get<int>("n").value == 1);
    CHECK(session.get<int>("n").status() == plain::Status::handle);  // it was moved from
    {
        const auto lock = same.hold("n", "me", std::chrono::minutes(1));
        CHECK(same.set("n", 2, lock.write()) == 2);
        auto other = std::move(platform).as<plain::Returning>();
        CHECK(other.join_session("nobody").status() == plain::Status::not_found);
        platform = std::move(other).as<plain::Throwing>();
        try {
            same.set("n", 3);
            CHECK(false);
        } catch (const spb::Exception& exception) {
            CHECK(exception.status() == spb::Status::busy);
        }
    }
    CHECK(same.set("n", 3) == 3);
    values_of_every_type_round_trip(same);
    const auto described = std::string(platform.describe().json());
    CHECK(described.find("\"statuses\"") != std::string::npos);
    platform.close();
}

int main() {
    CHECK(plain::version().find('.') != std::string_view::npos);
    CHECK(plain::config_schema().find("\"pools\"") != std::string_view::npos);
    tensors_of_every_type();
    strides_pick_elements();
    modes_change_hands();
    std::puts("contract: 3 passed");
}
