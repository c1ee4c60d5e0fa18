// Values, tensors and errors, without a worker: exact both ways, refusals with their place.

#include <limits>
#include <numeric>

#include "check.hpp"

namespace spb = snakepit_bridge;

static void scalars_are_exact() {
    const std::int64_t large = 9007199254740993;
    CHECK(spb::Value::integer(large).as_integer().value() == large);
    CHECK(spb::Value::number(0.1).as_number().value() == 0.1);
    CHECK(spb::Value::boolean(true).as_boolean().value());
    CHECK(spb::Value::text("Żółw \U0001F40D").value().as_text().value() == "Żółw \U0001F40D");
    CHECK(spb::Value().json() == "null");
    const auto infinite = spb::Value::number(std::numeric_limits<double>::infinity());
    CHECK(infinite.as_number().value() == std::numeric_limits<double>::infinity());
}

static void refusals_are_results() {
    const auto broken = spb::Value::json("{\"a\": }");
    CHECK(!broken && broken.status() == spb::Status::invalid_argument);
    CHECK(broken.error().message().find("column") != std::string_view::npos);
    const auto other = spb::Value::integer(1).as_text();
    CHECK(other.status() == spb::Status::type_mismatch);
    CHECK(other.error().to_string().rfind("TYPE_MISMATCH: ", 0) == 0);
    CHECK(spb::Value::json("1").value_or(spb::Value()).json() == "1");
    const auto chained =
        spb::Value::json("[1").and_then([](const spb::Value& value) { return value.as_integer(); });
    CHECK(!chained);
}

static void refusals_are_exceptions() {
    try {
        (void)spb::throwing::Value::json("[1,");
        CHECK(false);
    } catch (const spb::Exception& exception) {
        CHECK(exception.status() == spb::Status::invalid_argument);
        CHECK(std::string(exception.what()).rfind("INVALID_ARGUMENT: ", 0) == 0);
    }
}

static void tensors_are_spans() {
    std::vector<float> data(6);
    std::iota(data.begin(), data.end(), 0.5f);
    const std::vector<std::int64_t> shape{2, 3};
    const auto made = spb::Value::tensor<float>(spb::Span<const float>(data), shape);
    CHECK(made.value().attachments() == 1);
    const auto seen = made.value().tensor_at<float>(0);
    CHECK(std::equal(seen->data.begin(), seen->data.end(), data.begin(), data.end()));
    CHECK(std::equal(seen->shape.begin(), seen->shape.end(), shape.begin(), shape.end()));
    CHECK(made.value().tensor_at<double>(0).status() == spb::Status::type_mismatch);
    CHECK(made.value().tensor_at<float>(1).status() == spb::Status::not_found);
    const std::vector<std::int64_t> wrong{7};
    const auto refused = spb::Value::tensor<float>(spb::Span<const float>(data), wrong);
    CHECK(refused.status() == spb::Status::invalid_argument);

    const std::vector<std::uint8_t> bytes{0, 255, 7};
    const auto blob = spb::Value::bytes(spb::Span<const std::uint8_t>(bytes)).value();
    const auto both = spb::Value::compose(
        R"([{"$spb": {"attachment": 0}}, {"$spb": {"attachment": 1}}])", {blob, made.value()});
    CHECK(both.value().attachments() == 2);
    const auto view = both.value().bytes_at(0).value();
    CHECK(std::equal(view.begin(), view.end(), bytes.begin(), bytes.end()));
    CHECK(both.value().tensor_at<float>(1)->data[5] == 5.5f);
}

static void handles_that_are_none_are_refused() {
    const spb::Operation nothing;
    CHECK(nothing.wait().status() == spb::Status::handle);
    const auto broken = spb::Platform::open("{\"pols\": {}}");
    CHECK(broken.status() == spb::Status::invalid_argument);
    CHECK(broken.error().message().find("pols") != std::string_view::npos);
}

int main() {
    scalars_are_exact();
    refusals_are_results();
    refusals_are_exceptions();
    tensors_are_spans();
    handles_that_are_none_are_refused();
    std::puts("values: 5 passed");
}
