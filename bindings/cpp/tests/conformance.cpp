// Runs the conformance scenarios that are its arguments, as tests/conformance/README.md says, in
// the mode with exceptions: each step is a call of the library, and what it throws is the entry.

#include <condition_variable>
#include <deque>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <stdexcept>
#include <thread>

#include "json_values.hpp"

using namespace std::chrono_literals;

static constexpr auto limit = 60s;

/// What steps and tools have written so far. Tools run on threads of their own.
class Trace {
  public:
    void write(json entry) {
        const std::lock_guard<std::mutex> lock(mutex_);
        entries_.push_back(std::move(entry));
    }
    const std::vector<json>& entries() const { return entries_; }

  private:
    std::mutex mutex_;
    std::vector<json> entries_;
};

/// Things that other threads bring, for the thread of the steps to wait for.
template <typename T>
class Mailbox {
  public:
    void put(T item) {
        const std::lock_guard<std::mutex> lock(mutex_);
        items_.push_back(std::move(item));
        arrived_.notify_all();
    }
    T take() {
        std::unique_lock<std::mutex> lock(mutex_);
        CHECK(arrived_.wait_for(lock, limit, [&] { return !items_.empty(); }));
        T item = std::move(items_.front());
        items_.pop_front();
        return item;
    }

  private:
    std::mutex mutex_;
    std::condition_variable arrived_;
    std::deque<T> items_;
};

/// A tool that has been registered, and the calls that it holds.
struct HostTool {
    std::optional<spb::Tool> tool;
    Mailbox<std::shared_ptr<spb::Invocation>> held;
    Mailbox<bool> cancelled;
    std::shared_ptr<spb::Invocation> in_hand;
};

struct HostWatch {
    spb::Watch watch;
    Mailbox<json> changes;
    Mailbox<spb::Status> ended;
};

static spb::Status status_of(const std::string& name) {
    for (int number = 0; number < 100; ++number) {
        const auto status = static_cast<spb::Status>(number);
        if (spb::name(status) == name) return status;
    }
    return spb::Status::tool_failed;
}

static std::string text_at(const json& object, const char* key) {
    return object.value(key, std::string());
}

static std::string document_at(const json& object, const char* key) {
    return object.contains(key) ? object[key].dump() : std::string();
}

static spb::Timeout timeout_at(const json& object, const char* key) {
    if (!object.contains(key)) return {};
    return std::chrono::milliseconds(object[key].get<std::int64_t>());
}

static spb::Write condition_at(const json& step) {
    return {step.value("expected_version", std::uint64_t{0}), text_at(step, "owner")};
}

/// The items of an array with only these keys.
static json rows(const json& items, const std::vector<std::string>& keys) {
    json kept = json::array();
    for (const json& item : items) {
        json row = json::object();
        for (const std::string& key : keys) row[key] = item[key];
        kept.push_back(std::move(row));
    }
    return kept;
}

class Scenario {
  public:
    explicit Scenario(const json& config) : platform_(spb::Platform::open(config.dump())) {
        if (config["pools"].contains("default")) platform_->pool().await_ready().result();
    }
    /// Takes a step, and writes its entry.
    void take(const json& step) {
        const std::string verb = step["do"];
        const bool brief = step.value("brief", false);
        json entry = {verb, "OK"};
        try {
            json result = dispatch(verb, step);
            if (result.is_object() && result.contains(INSTEAD)) {
                entry[1] = result[INSTEAD];
            } else if (!brief && !result.is_discarded()) {
                entry.push_back(std::move(result));
            }
        } catch (const spb::Exception& exception) {
            const spb::Error& error = exception.error();
            entry[1] = std::string(spb::name(error.status()));
            if (!brief) {
                entry.push_back({{"message", error.message()},
                                 {"details", json::parse(error.details_json())},
                                 {"retryable", error.retryable()},
                                 {"python_type", error.python_type()}});
            }
        }
        trace_.write(std::move(entry));
    }
    std::vector<json> end() {
        if (platform_) platform_->close();
        for (std::thread& thread : threads_) thread.join();
        return trace_.entries();
    }

  private:
    json dispatch(const std::string& verb, const json& step) {
        using Verb = json (Scenario::*)(const json&);
        static const std::map<std::string, Verb> verbs = {
            {"open", &Scenario::open},
            {"close", &Scenario::close},
            {"register_tool", &Scenario::register_tool},
            {"unregister_tool", &Scenario::unregister_tool},
            {"execute", &Scenario::execute},
            {"call_tool", &Scenario::call_tool},
            {"submit", &Scenario::submit},
            {"cancel", &Scenario::cancel},
            {"await", &Scenario::await},
            {"held", &Scenario::held},
            {"release", &Scenario::release},
            {"cancelled", &Scenario::cancelled},
            {"register", &Scenario::register_variable},
            {"get", &Scenario::get},
            {"set", &Scenario::set},
            {"update", &Scenario::update},
            {"rollback", &Scenario::rollback},
            {"history", &Scenario::history},
            {"delete", &Scenario::remove},
            {"lock", &Scenario::lock},
            {"unlock", &Scenario::unlock},
            {"list", &Scenario::list},
            {"get_many", &Scenario::get_many},
            {"set_many", &Scenario::set_many},
            {"watch", &Scenario::watch},
            {"changes", &Scenario::changes},
            {"stop_watch", &Scenario::stop_watch},
            {"watch_end", &Scenario::watch_end},
            {"shutdown", &Scenario::shutdown},
        };
        const auto found = verbs.find(verb);
        if (found == verbs.end()) std::fprintf(stderr, "unknown verb %s\n", verb.c_str());
        CHECK(found != verbs.end());
        return (this->*found->second)(step);
    }

    // ---- Sessions and the platform
    json open(const json& step) {
        spb::SessionSpec spec;
        spec.id(text_at(step, "id")).metadata(document_at(step, "metadata"));
        sessions_.insert_or_assign(step["session"], platform_->open_session(spec));
        return NOTHING;
    }
    json close(const json& step) {
        (void)ended(session(step).close());
        return NOTHING;
    }
    json shutdown(const json& step) {
        platform_->close(timeout_at(step, "grace_ms"));
        return NOTHING;
    }
    const spb::Session& session(const json& step) const { return sessions_.at(step["session"]); }

    // ---- Operations
    static spb::Value ended(const spb::Operation& operation) {
        CHECK(operation.wait(limit));
        return operation.result();
    }
    json finish(const json& step, const spb::Operation& operation) {
        if (step.value("stream", false)) {
            const std::int64_t most = step.value("take", std::int64_t{-1});
            std::int64_t seen = 0;
            for (const spb::Value& chunk : operation.chunks()) {
                trace_.write({"chunk", seen++, json_of(chunk)});
                if (seen == most) break;
            }
            if (seen == most) {
                operation.cancel();
                CHECK(operation.wait(limit));
                return {{INSTEAD, "LEFT"}};
            }
        }
        return json_of(ended(operation));
    }
    static spb::Call call_of(const json& step) {
        spb::Call call(step.value("framework", std::string("python")), step["operation"]);
        if (step.contains("parameters")) call.parameters(value_of(step["parameters"]));
        if (step.contains("pool")) call.pool(step["pool"]);
        return call.timeout(timeout_at(step, "timeout_ms")).stream(step.value("stream", false));
    }
    json execute(const json& step) { return finish(step, session(step).execute(call_of(step))); }
    json call_tool(const json& step) {
        spb::ToolCall call(step["name"]);
        if (step.contains("arguments")) call.arguments(value_of(step["arguments"]));
        if (step.contains("pool")) call.pool(step["pool"]);
        call.timeout(timeout_at(step, "timeout_ms")).stream(step.value("stream", false));
        return finish(step, session(step).call_tool(call));
    }
    json submit(const json& step) {
        operations_.insert_or_assign(step["as"], session(step).execute(call_of(step)));
        return NOTHING;
    }
    json cancel(const json& step) {
        operations_.at(step["operation"]).cancel();
        return NOTHING;
    }
    json await(const json& step) { return finish(step, operations_.at(step["operation"])); }

    // ---- Tools
    json register_tool(const json& step) {
        auto tool = std::make_shared<HostTool>();
        const json does = step["does"];
        const std::string name = step["name"];
        spb::ToolSpec spec(name);
        spec.description(text_at(step, "description"))
            .input_schema(document_at(step, "input_schema"))
            .output_schema(document_at(step, "output_schema"))
            .chunk_schema(document_at(step, "chunk_schema"))
            .timeout(timeout_at(step, "timeout_ms"))
            .max_in_flight(step.value("max_in_flight", 0u))
            .idempotent(step.value("idempotent", false));
        // What a tool of these does may wait, which the library's threads may not.
        if (does.contains("execute")) {
            spec.executor([this](std::function<void()> work) {
                const std::lock_guard<std::mutex> lock(threads_mutex_);
                threads_.emplace_back(std::move(work));
            });
        }
        const auto function = [this, name, does, tool](spb::Invocation call) {
            if (does.contains("hold")) {
                call.on_cancel([tool] { tool->cancelled.put(true); });
                tool->held.put(std::make_shared<spb::Invocation>(std::move(call)));
                return;
            }
            trace_.write({"tool", name, json_of(call.arguments())});
            call.complete(perform(does, call));
        };
        tool->tool.emplace(step.contains("session")
                               ? platform_->register_tool(session(step), spec, function)
                               : platform_->register_tool(spec, function));
        tools_.insert_or_assign(name, std::move(tool));
        return NOTHING;
    }
    /// What the scenario says of a tool.
    spb::Value perform(const json& does, const spb::Invocation& call) {
        if (does.contains("echo")) return call.arguments();
        if (does.contains("raise")) throw std::runtime_error(does["raise"].get<std::string>());
        if (does.contains("fail")) {
            const json& how = does["fail"];
            throw spb::Exception(
                spb::Error::failure(how["message"], status_of(text_at(how, "status")),
                                    document_at(how, "details"), how.value("retryable", false)));
        }
        const json info = json_of(call.info());
        if (does.contains("execute")) {
            const auto joined = platform_->join_session(info["session"].get<std::string>());
            return ended(joined.execute(call_of(does["execute"]).parent(call)));
        }
        if (does.contains("chunks") && info["stream"].get<bool>()) {
            for (const json& chunk : does["chunks"]) call.emit(value_of(chunk));
        }
        return value_of(does.at("return"));
    }
    json unregister_tool(const json& step) {
        (void)ended(tools_.at(step["name"])->tool->unregister());
        return NOTHING;
    }
    json held(const json& step) {
        HostTool& tool = *tools_.at(step["name"]);
        tool.in_hand = tool.held.take();
        return json_of(tool.in_hand->arguments());
    }
    json release(const json& step) {
        std::exchange(tools_.at(step["name"])->in_hand, nullptr)->complete(value_of(step["value"]));
        return NOTHING;
    }
    json cancelled(const json& step) {
        HostTool& tool = *tools_.at(step["name"]);
        CHECK(tool.cancelled.take());
        tool.in_hand.reset();
        return NOTHING;
    }

    // ---- Variables
    json register_variable(const json& step) {
        return session(step).register_variable(
            text_at(step, "name"), text_at(step, "type"), value_of(step["initial"]),
            document_at(step, "constraints"), document_at(step, "metadata"));
    }
    template <typename T>
    static json versioned(const T& found) {
        return {{"value", json_of(found.value)}, {"version", found.version}};
    }
    json get(const json& step) { return versioned(session(step).get(text_at(step, "name"))); }
    json set(const json& step) {
        return session(step).set(text_at(step, "name"), value_of(step["value"]),
                                 condition_at(step));
    }
    json update(const json& step) {
        return versioned(session(step).update(text_at(step, "name"), value_of(step["update"]),
                                              condition_at(step)));
    }
    json rollback(const json& step) {
        return session(step).rollback(text_at(step, "name"), step["version"], condition_at(step));
    }
    json history(const json& step) {
        return rows(json_of(session(step).history(text_at(step, "name"))), {"version", "value"});
    }
    json remove(const json& step) {
        session(step).remove(text_at(step, "name"), condition_at(step));
        return NOTHING;
    }
    json lock(const json& step) {
        session(step).lock(text_at(step, "name"), text_at(step, "owner"),
                           std::chrono::milliseconds(step["ttl_ms"].get<std::int64_t>()));
        return NOTHING;
    }
    json unlock(const json& step) {
        session(step).unlock(text_at(step, "name"), text_at(step, "owner"));
        return NOTHING;
    }
    json list(const json& step) {
        return rows(json_of(session(step).variables(text_at(step, "pattern"))),
                    {"name", "type", "version", "value"});
    }
    json get_many(const json& step) {
        const json both = json_of(session(step).get_many(step["names"]));
        return {{"found", rows(both["found"], {"name", "version", "value"})},
                {"missing", both["missing"]}};
    }
    json set_many(const json& step) {
        std::vector<spb::NamedWrite> writes;
        for (const json& each : step["writes"]) {
            writes.push_back({each["name"], value_of(each["value"]),
                              each.value("expected_version", std::uint64_t{0})});
        }
        return rows(json_of(session(step).set_many(writes, text_at(step, "owner"))),
                    {"name", "version"});
    }

    // ---- Watches
    json watch(const json& step) {
        auto made = std::make_shared<HostWatch>();
        spb::WatchSpec spec;
        spec.patterns = text_at(step, "patterns");
        spec.initial = step.value("initial", false);
        made->watch = session(step).watch(spec, [made = made.get()](const spb::Change& change) {
            if (change.kind == spb::Change::Kind::end)
                return made->ended.put(change.reason->status());
            json told = json_of(change.document);
            told.erase("id");
            told.erase("revision");
            made->changes.put(std::move(told));
        });
        watches_.insert_or_assign(step["as"], std::move(made));
        return NOTHING;
    }
    json changes(const json& step) {
        for (int left = step["count"]; left > 0; --left) {
            trace_.write({"change", watches_.at(step["watch"])->changes.take()});
        }
        return NOTHING;
    }
    json stop_watch(const json& step) {
        HostWatch& watch = *watches_.at(step["watch"]);
        watch.watch.stop();
        CHECK(watch.ended.take() == spb::Status::cancelled);
        return NOTHING;
    }
    json watch_end(const json& step) {
        const auto status = watches_.at(step["watch"])->ended.take();
        return {{INSTEAD, std::string(spb::name(status))}};
    }

    inline static const json NOTHING = json(json::value_t::discarded);
    /// The key of a result that is the entry's status, in place of OK.
    static constexpr const char* INSTEAD = "$instead";

    Trace trace_;
    std::map<std::string, std::shared_ptr<HostTool>> tools_;
    std::map<std::string, std::shared_ptr<HostWatch>> watches_;
    std::mutex threads_mutex_;
    std::vector<std::thread> threads_;
    // Behind what their functions use, so that they go first.
    std::optional<spb::Platform> platform_;
    std::map<std::string, spb::Session> sessions_;
    std::map<std::string, spb::Operation> operations_;
};

static json complete_config(json config) {
    if (std::getenv("SPB_GUARD") != nullptr) config["guard_path"] = std::getenv("SPB_GUARD");
    for (json& pool : config["pools"]) {
        pool["python"] = from_environment("SPB_PYTHON");
        pool["python_path"] = {from_environment("SPB_TEST_MODULES")};
    }
    return config;
}

static void write_trace(const std::string& name, const std::vector<json>& trace) {
    const char* folder = std::getenv("SPB_TRACE_DIR");
    if (folder == nullptr) return;
    std::ofstream file(std::filesystem::path(folder) / (name + ".cpp.jsonl"));
    for (const json& entry : trace) file << entry.dump() << '\n';
    file.close();
    CHECK(file.good());
}

static int compare(const std::string& name, const std::vector<json>& trace, const json& expected) {
    int faults = 0;
    for (std::size_t at = 0; at < std::max(trace.size(), expected.size()); ++at) {
        const std::string is = at < trace.size() ? trace[at].dump() : "(nothing)";
        const std::string should = at < expected.size() ? expected[at].dump() : "(nothing)";
        if (is == should) continue;
        std::fprintf(stderr, "%s: entry %zu is\n    %s, expected\n    %s\n", name.c_str(), at,
                     is.c_str(), should.c_str());
        ++faults;
    }
    return faults;
}

int main(int count, char** paths) {
    CHECK(count > 1);
    int faults = 0;
    for (int at = 1; at < count; ++at) {
        const std::filesystem::path path(paths[at]);
        const json file = json::parse(std::ifstream(path));
        Scenario scenario(complete_config(file["config"]));
        for (const json& step : file["steps"]) scenario.take(step);
        const auto trace = scenario.end();
        write_trace(path.stem(), trace);
        faults += compare(path.stem(), trace, file["trace"]);
    }
    std::printf("conformance: %d scenarios, %d differences\n", count - 1, faults);
    return faults == 0 ? 0 : 1;
}
