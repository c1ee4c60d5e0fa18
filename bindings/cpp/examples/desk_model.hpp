// A stand-in for the call of a real provider: it reads what DSPy asks for and follows rules. A
// program of yours would send `request` to its provider here, and give back the content.

#ifndef DESK_MODEL_HPP
#define DESK_MODEL_HPP

#include <nlohmann/json.hpp>
#include <string>

namespace desk {

using nlohmann::json;

/// What stands between `start` and `end`; empty without them.
inline std::string between(const std::string& text, const std::string& start,
                           const std::string& end) {
    const auto from = text.find(start);
    if (from == std::string::npos) return {};
    const auto to = text.find(end, from + start.size());
    return to == std::string::npos ? std::string()
                                   : text.substr(from + start.size(), to - from - start.size());
}

/// DSPy writes a field's name between these marks, and its content on the lines below.
inline std::string field(const std::string& name, const std::string& content) {
    return "[[ ## " + name + " ## ]]\n" + content + "\n\n";
}

/// A step of the agent: look the port up, then be done.
inline std::string next_step(const std::string& port, bool looked_up) {
    const std::string thought = looked_up ? "That is all I need." : "I look up " + port + ".";
    const json arguments = looked_up ? json::object() : json{{"port", port}};
    return field("next_thought", thought) +
           field("next_tool_name", looked_up ? "finish" : "lookup") +
           field("next_tool_args", arguments.dump());
}

/// The agent's last step: the time that it has observed.
inline std::string conclusion(const std::string& port, const std::string& trajectory) {
    const auto departs = trajectory.find("departs");
    const auto digit = trajectory.find_first_of("0123456789", departs);
    const bool is_known = departs != std::string::npos && digit != std::string::npos;
    return field("reasoning", "I looked it up.") +
           field("answer", is_known ? "The ferry to " + port + " leaves at " +
                                          trajectory.substr(digit, 5) + "."
                                    : "No ferry goes to " + port + ".");
}

/// It takes everything for routine until the prompt has an example of something urgent.
inline std::string label(const json& messages, const std::string& message) {
    bool shown = false;
    for (const json& each : messages) {
        const auto content = each["content"].get<std::string>();
        shown |= each["role"] == "assistant" && content.find("urgent") != std::string::npos;
    }
    const bool is_urgent = shown && message.find('!') != std::string::npos;
    return field("reasoning", "It sounds like that.") +
           field("label", is_urgent ? "urgent" : "routine");
}

/// The content of the model's answer to the request's messages.
inline std::string model_answer(const json& request) {
    const json& messages = request["messages"];
    const auto system = messages.front()["content"].get<std::string>();
    const auto last = messages.back()["content"].get<std::string>();
    const auto outputs = between(system, "Your output fields are:", "All interactions");
    const auto port = between(last, "ferry to ", " leave");
    std::string answer;
    if (outputs.find("next_tool_name") != std::string::npos) {
        answer = next_step(port, last.find("observation_0") != std::string::npos);
    } else if (outputs.find("`answer`") != std::string::npos) {
        answer = conclusion(port, last);
    } else {
        answer = label(messages, between(last, "[[ ## message ## ]]\n", "\n\n"));
    }
    return answer + "[[ ## completed ## ]]\n";
}

}  // namespace desk

#endif
