// Values between nlohmann::json and the library, for the conformance runner and the vectors: hex,
// element types by name, and attachments as tests/conformance/README.md writes them.

#ifndef SPB_CPP_TESTS_JSON_VALUES_HPP
#define SPB_CPP_TESTS_JSON_VALUES_HPP

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "check.hpp"

namespace spb = snakepit_bridge::throwing;
using nlohmann::json;

inline const std::vector<std::string>& dtype_names() {
    static const std::vector<std::string> names = {
        "",       "bool",   "int8",   "int16",   "int32",    "int64",   "uint8",
        "uint16", "uint32", "uint64", "float16", "bfloat16", "float32", "float64"};
    return names;
}

/// Calls `f(element)` with a default element of the type that has this name.
template <typename F>
auto with_dtype(const std::string& name, F&& f) {
    if (name == "bool") return f(bool{});
    if (name == "int8") return f(std::int8_t{});
    if (name == "int16") return f(std::int16_t{});
    if (name == "int32") return f(std::int32_t{});
    if (name == "int64") return f(std::int64_t{});
    if (name == "uint8") return f(std::uint8_t{});
    if (name == "uint16") return f(std::uint16_t{});
    if (name == "uint32") return f(std::uint32_t{});
    if (name == "uint64") return f(std::uint64_t{});
    if (name == "float16") return f(spb::Float16{});
    if (name == "bfloat16") return f(spb::BFloat16{});
    if (name == "float32") return f(float{});
    CHECK(name == "float64");
    return f(double{});
}

inline std::vector<std::uint8_t> unhex(const std::string& text) {
    std::vector<std::uint8_t> bytes;
    for (std::size_t at = 0; at + 1 < text.size(); at += 2) {
        bytes.push_back(static_cast<std::uint8_t>(std::stoi(text.substr(at, 2), nullptr, 16)));
    }
    return bytes;
}

inline std::string hex(spb::Span<const std::uint8_t> bytes) {
    static const char digits[] = "0123456789abcdef";
    std::string text;
    for (const std::uint8_t byte : bytes) {
        text += digits[byte >> 4];
        text += digits[byte & 15];
    }
    return text;
}

/// The tensor of `dtype` and `shape` over these bytes.
inline spb::Value tensor_of(const std::string& dtype, const spb::Shape& shape,
                            const std::vector<std::uint8_t>& bytes) {
    return with_dtype(dtype, [&](auto element) {
        using T = decltype(element);
        const spb::Span<const T> data(reinterpret_cast<const T*>(bytes.data()),
                                      bytes.size() / sizeof(T));
        return spb::Value::tensor<T>(data, shape);
    });
}

/// `document` with the library's tags in the place of attachments, which go to `attached`.
inline json with_tags(const json& document, std::vector<spb::Value>& attached) {
    const json tag = {{"$spb", {{"attachment", attached.size()}}}};
    if (document.is_object() && document.contains("$blob")) {
        const auto bytes = unhex(document["$blob"]);
        attached.push_back(spb::Value::bytes(bytes));
        return tag;
    }
    if (document.is_object() && document.contains("$tensor")) {
        const json& tensor = document["$tensor"];
        attached.push_back(
            tensor_of(tensor["dtype"], tensor["shape"].get<spb::Shape>(), unhex(tensor["data"])));
        return tag;
    }
    json copy = document;
    if (document.is_structured()) {
        for (auto& item : copy) item = with_tags(item, attached);
    }
    return copy;
}

inline spb::Value value_of(const json& document) {
    std::vector<spb::Value> attached;
    const std::string tagged = with_tags(document, attached).dump();
    return spb::Value::compose(tagged, attached);
}

inline json attachment_document(const spb::Value& value, std::size_t index) {
    const std::string bytes = hex(value.bytes_at(index));
    if (value.kind_at(index) == SPB_ATTACHMENT_BLOB) return {{"$blob", bytes}};
    const auto sides = value.shape_at(index);
    return {{"$tensor",
             {{"dtype", dtype_names().at(value.dtype_at(index))},
              {"shape", json(spb::Shape(sides.begin(), sides.end()))},
              {"data", bytes}}}};
}

inline json without_tags(const json& document, const spb::Value& value) {
    if (document.is_object() && document.contains("$spb")) {
        return attachment_document(value, document["$spb"]["attachment"].get<std::size_t>());
    }
    json copy = document;
    if (document.is_structured()) {
        for (auto& item : copy) item = without_tags(item, value);
    }
    return copy;
}

inline json json_of(const spb::Value& value) {
    return without_tags(value.parse<json>(), value);
}

#endif
