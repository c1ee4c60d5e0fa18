// desk: the help desk of an island ferry. The same program is in bindings/c, go and elixir.
//
// An agent of DSPy answers questions. It runs in a Python worker that the library starts and
// watches; its language model, its tool and the judge of its optimizer are functions of this
// program.
//
// Usage: desk      SPB_DEMO_LM=openai/gpt-4o-mini uses that model in place of desk_model.hpp.

#include <cstdlib>
#include <iostream>
#include <map>
#include <snakepit_bridge.hpp>

#include "desk_model.hpp"

// The mode with exceptions: what fails is thrown, and `main` says it.
namespace spb = snakepit_bridge::throwing;
using nlohmann::json;

static const std::map<std::string, std::string> timetable = {
    {"Skellig", "07:40"}, {"Aran", "09:15"}, {"Blasket", "11:05"}};

static const char* const data = R"({
    "train": [{"message": "The server is down!", "label": "urgent"},
              {"message": "Please send the invoice.", "label": "routine"},
              {"message": "There is smoke in the lab!", "label": "urgent"},
              {"message": "The meeting is on Monday.", "label": "routine"}],
    "validation": [{"message": "The disk is full!", "label": "urgent"},
                   {"message": "New chairs have come.", "label": "routine"},
                   {"message": "The door does not lock!", "label": "urgent"},
                   {"message": "Thanks for the cake.", "label": "routine"}]})";

/// The tool `lookup`. What it throws is no end: the agent sees it and goes on.
static spb::Value lookup(const spb::Value& arguments) {
    const auto asked = arguments.parse<json>();
    const auto port = asked["port"].get<std::string>();
    const auto found = timetable.find(port);
    if (found == timetable.end()) {
        const std::string message = "no ferry goes to " + port;
        std::cout << "  lookup " << asked.dump() << " fails: " << message << '\n';
        throw spb::Exception(spb::Error::failure(message, spb::Status::not_found));
    }
    std::cout << "  lookup " << asked.dump() << " gives " << found->second << '\n';
    return spb::Value::json(json{{"port", port}, {"departs", found->second}}.dump());
}

/// The tool `model`. It takes the call itself, to send its answer in pieces where the agent wants
/// that: each up to a space, and null at the end for what was sent already.
static void model(spb::Invocation call) {
    const auto request = call.arguments().parse<json>();
    const std::string answer = desk::model_answer(request);
    if (!request.value("stream", false)) return call.complete(spb::Value::text(answer));
    for (std::size_t from = 0, to = 0; from < answer.size(); from = to) {
        to = std::min(answer.find(' ', from), answer.size() - 1) + 1;
        call.emit(spb::Value::text(answer.substr(from, to - from)));
    }
    call.complete(spb::Value());
}

/// The tool `judge`, the optimizer's metric: one point for the label that was wanted. Any type
/// that stands for a value may be returned.
static int judge(const spb::Value& arguments) {
    const auto asked = arguments.parse<json>();
    return asked["example"]["label"] == asked["prediction"]["label"] ? 1 : 0;
}

static void register_tools(const spb::Platform& platform) {
    // A worker may be lost while it asks. The model may then be asked the same again.
    platform.register_tool(spb::ToolSpec("model").idempotent(), model);
    platform.register_tool(
        spb::ToolSpec("lookup")
            .description("When the ferry to a port leaves.")
            .input_schema(R"({"type": "object", "properties": {"port": {"type": "string"}},
                              "required": ["port"]})")
            .output_schema(R"({"type": "object", "required": ["port", "departs"]})"),
        lookup);
    platform.register_tool(spb::ToolSpec("judge"), judge);
}

/// What DSPy is told to use as its language model.
static json language_model() {
    if (const char* provider = std::getenv("SPB_DEMO_LM")) {
        return {{"kind", "litellm"}, {"model", provider}};
    }
    return {{"kind", "host_tool"}, {"tool", "model"}};
}

static spb::Call dspy(const std::string& operation, json parameters) {
    parameters["lm"] = language_model();
    return spb::Call("dspy", operation).parameters(parameters.dump());
}

/// Lets the agent answer, writes its answer token by token as it comes, and counts it.
static void ask(const spb::Session& session, const std::string& question) {
    std::cout << "\n> " << question << '\n';
    const auto answering = session.execute(dspy("react", {{"signature", "question -> answer"},
                                                          {"inputs", {{"question", question}}},
                                                          {"tools", {"lookup"}},
                                                          {"max_iters", 4}})
                                               .stream());
    std::string margin = "  ";
    for (const spb::Value& chunk : answering.chunks()) {
        const auto token = chunk.parse<json>();
        if (token.value("field", std::string()) != "answer") continue;
        std::cout << std::exchange(margin, "") << token["text"].get<std::string>() << std::flush;
    }
    answering.result();
    std::cout << '\n';
    // Reads, reckons and writes in one step: nobody else's count is lost.
    session.update("answered", spb::Value::json(R"({"add": 1})"));
}

/// Runs the program that is kept in the variable `triage`, in the version that it has now.
static void sort_message(const spb::Session& session) {
    const auto running = session.execute(dspy(
        "run", {{"program", "triage"}, {"inputs", {{"message", "The cellar is under water!"}}}}));
    const auto result = running.result().parse<json>();
    std::cout << "  " << result["outputs"]["label"].get<std::string>() << " (version "
              << result["program"]["version"] << ")\n";
}

/// Lets an optimizer make the program better. What it finds becomes the next version.
static void improve(const spb::Session& session) {
    const auto improving =
        session.execute(dspy("optimize", {{"program", "triage"},
                                          {"optimizer", "BootstrapFewShot"},
                                          {"data", json::parse(data)},
                                          {"metric", {{"kind", "host_tool"}, {"tool", "judge"}}}}));
    const auto result = improving.result().parse<json>();
    std::cout << "The score rose from " << result["before"].get<double>() << " to "
              << result["after"].get<double>() << ".\n";
}

/// One worker with DSPy. A provider's key is handed on by its name, never by its content.
static std::string settings() {
    const char* python = std::getenv("SPB_PYTHON");
    const json pool = {{"workers", 1},
                       {"python", python != nullptr ? python : "python3"},
                       {"frameworks", {{"dspy", json::object()}}},
                       {"env_pass", {"OPENAI_API_KEY"}}};
    return json{{"pools", {{"default", pool}}}}.dump();
}

int main() try {
    const auto platform = spb::Platform::open(settings());
    register_tools(platform);
    const auto session = platform.open_session();
    session.register_variable("answered", "integer", 0, R"({"min": 0})");
    session.register_variable(
        "triage", "program",
        spb::Value::json(R"({"module": "chain_of_thought", "signature": "message -> label"})"));

    ask(session, "When does the ferry to Skellig leave?");
    ask(session, "When does the ferry to Avalon leave?");
    std::cout << "\n> The cellar is under water!\n";
    sort_message(session);
    improve(session);
    sort_message(session);
    std::cout << "Answered: " << session.get<int>("answered").value << ".\n";
    platform.close(std::chrono::seconds(5));
} catch (const std::exception& exception) {
    std::cerr << "desk: " << exception.what() << '\n';
    return EXIT_FAILURE;
}
