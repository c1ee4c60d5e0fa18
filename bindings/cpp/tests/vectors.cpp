// The shared examples of tests/vectors/values.json through the header: documents keep their bytes,
// attachments and tensors come back, by DLPack and safetensors too, and what is refused names its
// place. The file is the argument.

#include <fstream>

#include "json_values.hpp"

namespace plain = snakepit_bridge;

static std::string document_of(const json& given) {
    if (given.contains("json_hex")) {
        const auto bytes = unhex(given["json_hex"]);
        return std::string(bytes.begin(), bytes.end());
    }
    if (!given.contains("repeat")) return given["json"];
    const json& repeat = given["repeat"];
    std::string text;
    const int times = repeat["times"];
    for (int each = 0; each < times; ++each) text += repeat["open"];
    text += repeat.value("middle", std::string());
    for (int each = 0; each < times; ++each) text += repeat["close"];
    return text;
}

/// The attachments of a vector, each a value of its own.
static std::vector<plain::Value> attachments_of(const json& given) {
    std::vector<plain::Value> made;
    for (const json& each : given.value("attachments", json::array())) {
        if (each.contains("blob_hex")) {
            made.push_back(spb::Value::bytes(unhex(each["blob_hex"])));
        } else {
            const json& tensor = each["tensor"];
            made.push_back(tensor_of(tensor["dtype"], tensor["shape"].get<spb::Shape>(),
                                     unhex(tensor["data_hex"])));
        }
    }
    return made;
}

static void is_same_tensor(const spb::Value& value, std::size_t index, const json& expected) {
    CHECK(dtype_names().at(value.dtype_at(index)) == expected["dtype"]);
    const auto sides = value.shape_at(index);
    CHECK(spb::Shape(sides.begin(), sides.end()) == expected["shape"].get<spb::Shape>());
    CHECK(hex(value.bytes_at(index)) == expected["data_hex"]);
}

/// Out by each way of exchange, in again, and still the same.
static void goes_round(const spb::Value& value, std::size_t index, const json& expected) {
    is_same_tensor(value, index, expected);
    is_same_tensor(spb::Value::dlpack(value.to_dlpack(index)), 0, expected);
    const auto file = value.to_safetensors();
    is_same_tensor(spb::Value::safetensors(file.bytes_at(0)), 0, expected);
    with_dtype(expected["dtype"], [&](auto element) {
        using T = decltype(element);
        if constexpr (!std::is_same_v<T, bool>) {
            const auto bytes = value.bytes_at(index);
            std::vector<T> elements(bytes.size() / sizeof(T));
            if (!elements.empty()) std::memcpy(elements.data(), bytes.data(), bytes.size());
            const auto sides = expected["shape"].get<spb::Shape>();
            is_same_tensor(spb::Value::adopt(std::move(elements), sides), 0, expected);
        }
    });
}

static void accepts(const json& given) {
    const std::string document = document_of(given);
    const auto value = spb::Value(plain::Value::compose(document, attachments_of(given)).value());
    CHECK(value.json() == document);
    const json attachments = given.value("attachments", json::array());
    CHECK(value.attachments() == attachments.size());
    for (std::size_t index = 0; index < attachments.size(); ++index) {
        const json& expected = attachments[index];
        if (expected.contains("blob_hex")) {
            CHECK(value.kind_at(index) == SPB_ATTACHMENT_BLOB);
            CHECK(hex(value.bytes_at(index)) == expected["blob_hex"]);
        } else {
            goes_round(value, index, expected["tensor"]);
        }
    }
}

static void refuses(const json& given) {
    const auto made = plain::Value::compose(document_of(given), attachments_of(given));
    const auto expected =
        given["fault"] == "utf8" ? plain::Status::utf8 : plain::Status::invalid_argument;
    CHECK(made.status() == expected);
    if (!given.contains("path") || given["path"].is_null()) return;
    CHECK(json::parse(made.error().details_json())["path"] == given["path"]);
}

/// Bytes that do not fill their elements, and types that are none, cannot be said in C++.
static void refuses_tensor(const json& given) {
    const auto& names = dtype_names();
    if (given["dtype"] == "" || !std::count(names.begin(), names.end(), given["dtype"])) return;
    const auto bytes = unhex(given["data_hex"]);
    const auto sides = given["shape"].get<spb::Shape>();
    with_dtype(given["dtype"], [&](auto element) {
        using T = decltype(element);
        if (bytes.size() % sizeof(T) != 0) return;
        const plain::Span<const T> data(reinterpret_cast<const T*>(bytes.data()),
                                        bytes.size() / sizeof(T));
        CHECK(plain::Value::tensor<T>(data, sides).status() == plain::Status::invalid_argument);
    });
}

int main(int count, char** paths) {
    CHECK(count == 2);
    const json file = json::parse(std::ifstream(paths[1]));
    for (const char* list : {"accepted", "refused"}) {
        CHECK(file[list].size() > 20);
        for (const json& each : file[list]) {
            std::fprintf(stderr, "%s: %s\n", list, each["name"].get<std::string>().c_str());
            each.contains("fault") ? refuses(each) : accepts(each);
        }
    }
    CHECK(file["refused_tensors"].size() > 8);
    for (const json& each : file["refused_tensors"]) refuses_tensor(each);
    std::printf("vectors: %zu passed\n", file["accepted"].size() + file["refused"].size());
}
