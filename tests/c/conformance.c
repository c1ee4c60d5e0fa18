/*
 * Runs the conformance scenarios that are its arguments, as tests/conformance/README.md says, over
 * the C ABI with one completion queue: each step submits, then events are taken until its end.
 */
#include "conformance/actors.h"

enum { LABELS_MAX = 32 };

/* What steps have named: sessions by their handles, operations, tools and watches by actors. */
static struct label {
    const char *name;
    spb_session session;
    struct actor *actor;
} labels[LABELS_MAX];

static struct label *label(const char *name, bool is_new) {
    for (size_t i = 0; i < LABELS_MAX; i++) {
        struct label *at = &labels[i];
        if (at->name != NULL && strcmp(at->name, name) == 0) return at;
        if (at->name == NULL && is_new) {
            at->name = name;
            return at;
        }
    }
    fprintf(stderr, "nothing is labelled %s\n", name);
    exit(1);
}

static struct actor *actor_at(const cJSON *step, const char *name) {
    struct actor *actor = label(text_at(step, name), false)->actor;
    CHECK(actor != NULL);
    return actor;
}

static spb_session session_at(const cJSON *step) {
    return label(text_at(step, "session"), false)->session;
}

/* Owned text of an object of the step; NULL, which stands for empty text, where there is none. */
static char *json_at(const cJSON *step, const char *name) {
    const cJSON *document = key(step, name);
    return document != NULL ? cJSON_PrintUnformatted(document) : NULL;
}

/* Writes the entry of a step. Takes `result` and `error`. */
static void note(const cJSON *step, spb_status status, cJSON *result, spb_error *error) {
    cJSON *written = entry(text_at(step, "do"), spb_status_name(status));
    cJSON *more = status == SPB_OK ? result : error_document(error);
    if (more != result) cJSON_Delete(result);
    if (more != NULL && !true_at(step, "brief")) cJSON_AddItemToArray(written, more);
    else cJSON_Delete(more);
    spb_error_free(error);
}

static void note_version(const cJSON *step, spb_status status, uint64_t version,
                         spb_error *error) {
    note(step, status, cJSON_CreateNumber((double)version), error);
}

/* Takes `value`. */
static void note_value(const cJSON *step, spb_status status, spb_value *value, uint64_t version,
                       spb_error *error) {
    cJSON *result = cJSON_CreateObject();
    if (value != NULL) cJSON_AddItemToObject(result, "value", document_of(value));
    cJSON_AddNumberToObject(result, "version", (double)version);
    spb_value_free(value);
    note(step, status, result, error);
}

/* The end of an operation, when its step has waited for it. */
static void note_end(const cJSON *step, struct actor *operation) {
    finish(operation);
    if (operation->is_left) {
        entry(text_at(step, "do"), "LEFT");
        return;
    }
    cJSON *written = entry(text_at(step, "do"), spb_status_name(operation->status));
    if (!true_at(step, "brief")) cJSON_AddItemToArray(written, taken(&operation->outcome));
}

static void open_session(const cJSON *step) {
    struct label *made = label(text_at(step, "session"), true);
    spb_session_options options = SPB_SESSION_OPTIONS_INIT;
    spb_error *error = NULL;
    char *metadata = json_at(step, "metadata");
    options.id = spb_str_z(text_at(step, "id"));
    options.metadata_json = spb_str_z(metadata);
    spb_status status = spb_session_open(platform, &options, &made->session, &error);
    free(metadata);
    note(step, status, NULL, error);
}

/* Waits for an operation whose own outcome says nothing; or notes that there is none. */
static void note_done(const cJSON *step, spb_status status, struct actor *operation,
                      spb_error *error) {
    if (status == SPB_OK) finish(operation);
    note(step, status == SPB_OK ? operation->status : status, NULL, error);
}

static void close_session(const cJSON *step) {
    struct actor *closing = new_actor(OPERATION, step);
    spb_sink sink = sink_of(closing);
    spb_error *error = NULL;
    spb_status status =
        spb_session_close(session_at(step), &sink, &closing->operation, &error);
    note_done(step, status, closing, error);
}

static void register_tool(const cJSON *step) {
    struct actor *tool = new_actor(TOOL, step);
    spb_sink sink = sink_of(tool);
    spb_session session = {0};
    spb_error *error = NULL;
    spb_tool_options options = SPB_TOOL_OPTIONS_INIT;
    char *input = json_at(step, "input_schema"), *output = json_at(step, "output_schema");
    char *chunk = json_at(step, "chunk_schema");
    options.name = spb_str_z(text_at(step, "name"));
    options.description = spb_str_z(text_at(step, "description"));
    options.input_schema_json = spb_str_z(input);
    options.output_schema_json = spb_str_z(output);
    options.chunk_schema_json = spb_str_z(chunk);
    options.max_in_flight = (uint32_t)number_at(step, "max_in_flight");
    options.timeout_ms = (int64_t)number_at(step, "timeout_ms");
    options.flags = true_at(step, "idempotent") ? SPB_TOOL_IDEMPOTENT : 0;
    if (key(step, "session") != NULL) session = session_at(step);
    spb_status status = spb_tool_register(platform, session, &options, &sink, &tool->tool, &error);
    if (status == SPB_OK) label(text_at(step, "name"), true)->actor = tool;
    free(input);
    free(output);
    free(chunk);
    note(step, status, NULL, error);
}

static void unregister_tool(const cJSON *step) {
    struct actor *leaving = new_actor(OPERATION, step);
    struct actor *tool = actor_at(step, "name");
    spb_sink sink = sink_of(leaving);
    spb_error *error = NULL;
    spb_status status = spb_tool_unregister(tool->tool, &sink, &leaving->operation, &error);
    if (status == SPB_OK) spb_tool_free(tool->tool);
    note_done(step, status, leaving, error);
}

/* Submits what `execute` and `submit` tell of; NULL, and the step's entry, if it is refused. */
static struct actor *submit(const cJSON *step) {
    struct actor *operation = new_actor(OPERATION, step);
    spb_sink sink = sink_of(operation);
    spb_error *error = NULL;
    spb_execute_options options = SPB_EXECUTE_OPTIONS_INIT;
    const char *framework = text_at(step, "framework");
    spb_value *parameters = value_of(key(step, "parameters"));
    options.framework = spb_str_z(*framework != '\0' ? framework : "python");
    options.operation = spb_str_z(text_at(step, "operation"));
    options.parameters = parameters;
    options.pool = spb_str_z(text_at(step, "pool"));
    options.timeout_ms = (int64_t)number_at(step, "timeout_ms");
    options.flags = true_at(step, "stream") ? SPB_EXECUTE_STREAM : 0;
    spb_status status =
        spb_execute(session_at(step), &options, &sink, &operation->operation, &error);
    spb_value_free(parameters);
    if (status == SPB_OK) return operation;
    note(step, status, NULL, error);
    return NULL;
}

static void execute(const cJSON *step) {
    struct actor *operation = submit(step);
    if (operation != NULL) note_end(step, operation);
}

static void call_tool(const cJSON *step) {
    struct actor *operation = new_actor(OPERATION, step);
    spb_sink sink = sink_of(operation);
    spb_error *error = NULL;
    spb_tool_call_options options = SPB_TOOL_CALL_OPTIONS_INIT;
    spb_value *arguments = value_of(key(step, "arguments"));
    options.name = spb_str_z(text_at(step, "name"));
    options.arguments = arguments;
    options.pool = spb_str_z(text_at(step, "pool"));
    options.timeout_ms = (int64_t)number_at(step, "timeout_ms");
    options.flags = true_at(step, "stream") ? SPB_TOOL_CALL_STREAM : 0;
    spb_status status =
        spb_tool_call(session_at(step), &options, &sink, &operation->operation, &error);
    spb_value_free(arguments);
    if (status == SPB_OK) note_end(step, operation);
    else note(step, status, NULL, error);
}

static void submit_only(const cJSON *step) {
    struct actor *operation = submit(step);
    if (operation == NULL) return;
    label(text_at(step, "as"), true)->actor = operation;
    note(step, SPB_OK, NULL, NULL);
}

static void cancel(const cJSON *step) {
    spb_error *error = NULL;
    spb_status status = spb_operation_cancel(actor_at(step, "operation")->operation, &error);
    note(step, status, NULL, error);
}

static void await(const cJSON *step) { note_end(step, actor_at(step, "operation")); }

static void held(const cJSON *step) {
    struct actor *tool = actor_at(step, "name");
    AWAIT(tool->is_held);
    note(step, SPB_OK, taken(&tool->arguments), NULL);
}

static void release(const cJSON *step) {
    struct actor *tool = actor_at(step, "name");
    CHECK(tool->is_held);
    tool->is_held = false;
    answer(tool->invocation, key(step, "value"));
    note(step, SPB_OK, NULL, NULL);
}

static void cancelled(const cJSON *step) {
    struct actor *tool = actor_at(step, "name");
    AWAIT(tool->is_cancelled);
    tool->is_cancelled = false;
    note(step, SPB_OK, NULL, NULL);
}

static void register_variable(const cJSON *step) {
    spb_variable_options options = SPB_VARIABLE_OPTIONS_INIT;
    spb_value *initial = value_of(key(step, "initial"));
    char *constraints = json_at(step, "constraints"), *metadata = json_at(step, "metadata");
    spb_error *error = NULL;
    uint64_t version = 0;
    options.name = spb_str_z(text_at(step, "name"));
    options.type = spb_str_z(text_at(step, "type"));
    options.constraints_json = spb_str_z(constraints);
    options.metadata_json = spb_str_z(metadata);
    spb_status status =
        spb_variable_register(session_at(step), &options, initial, &version, &error);
    spb_value_free(initial);
    free(constraints);
    free(metadata);
    note_version(step, status, version, error);
}

static spb_str name_at(const cJSON *step) { return spb_str_z(text_at(step, "name")); }

static spb_write_options condition_at(const cJSON *step) {
    spb_write_options options = SPB_WRITE_OPTIONS_INIT;
    options.expected_version = (uint64_t)number_at(step, "expected_version");
    options.owner = spb_str_z(text_at(step, "owner"));
    return options;
}

static void get(const cJSON *step) {
    spb_value *value = NULL;
    spb_error *error = NULL;
    uint64_t version = 0;
    spb_status status =
        spb_variable_get(session_at(step), name_at(step), &value, &version, &error);
    note_value(step, status, value, version, error);
}

static void set(const cJSON *step) {
    spb_value *value = value_of(key(step, "value"));
    spb_write_options options = condition_at(step);
    spb_error *error = NULL;
    uint64_t version = 0;
    spb_status status = spb_variable_set_with(session_at(step), name_at(step), value, &options,
                                              &version, &error);
    spb_value_free(value);
    note_version(step, status, version, error);
}

static void update(const cJSON *step) {
    spb_value *change = value_of(key(step, "update")), *value = NULL;
    spb_write_options options = condition_at(step);
    spb_error *error = NULL;
    uint64_t version = 0;
    spb_status status = spb_variable_update(session_at(step), name_at(step), change, &options,
                                            &value, &version, &error);
    spb_value_free(change);
    note_value(step, status, value, version, error);
}

static void rollback(const cJSON *step) {
    spb_write_options options = condition_at(step);
    spb_error *error = NULL;
    uint64_t to = (uint64_t)number_at(step, "version"), version = 0;
    spb_status status = spb_variable_rollback(session_at(step), name_at(step), to, &options,
                                              &version, &error);
    note_version(step, status, version, error);
}

/* Takes `value`; an array's items keep only the keys that are `told`, up to a NULL. */
static cJSON *rows(cJSON *array, const char *const *told) {
    cJSON *list = cJSON_CreateArray(), *row = NULL;
    cJSON_ArrayForEach(row, array) {
        cJSON *kept = cJSON_CreateObject();
        for (const char *const *name = told; *name != NULL; name++)
            cJSON_AddItemToObject(kept, *name,
                                  cJSON_DetachItemFromObjectCaseSensitive(row, *name));
        cJSON_AddItemToArray(list, kept);
    }
    return list;
}

static const char *const HISTORY_KEYS[] = {"version", "value", NULL};
static const char *const LIST_KEYS[] = {"name", "type", "version", "value", NULL};
static const char *const FOUND_KEYS[] = {"name", "version", "value", NULL};
static const char *const WRITTEN_KEYS[] = {"name", "version", NULL};

/* Takes `value`, an array or nothing. */
static void note_rows(const cJSON *step, spb_status status, spb_value *value,
                      const char *const *told, spb_error *error) {
    cJSON *document = value != NULL ? document_of(value) : NULL;
    note(step, status, rows(document, told), error);
    cJSON_Delete(document);
    spb_value_free(value);
}

static void history(const cJSON *step) {
    spb_value *value = NULL;
    spb_error *error = NULL;
    spb_status status = spb_variable_history(session_at(step), name_at(step), &value, &error);
    note_rows(step, status, value, HISTORY_KEYS, error);
}

static void list(const cJSON *step) {
    spb_value *value = NULL;
    spb_error *error = NULL;
    spb_str pattern = spb_str_z(text_at(step, "pattern"));
    spb_status status = spb_variable_list(session_at(step), pattern, &value, &error);
    note_rows(step, status, value, LIST_KEYS, error);
}

static void delete_variable(const cJSON *step) {
    spb_write_options options = condition_at(step);
    spb_error *error = NULL;
    spb_status status =
        spb_variable_delete_with(session_at(step), name_at(step), &options, &error);
    note(step, status, NULL, error);
}

static void lock(const cJSON *step) {
    spb_error *error = NULL;
    spb_str owner = spb_str_z(text_at(step, "owner"));
    uint64_t ttl_ms = (uint64_t)number_at(step, "ttl_ms");
    spb_status status =
        spb_variable_lock(session_at(step), name_at(step), owner, ttl_ms, &error);
    note(step, status, NULL, error);
}

static void unlock(const cJSON *step) {
    spb_error *error = NULL;
    spb_str owner = spb_str_z(text_at(step, "owner"));
    spb_status status = spb_variable_unlock(session_at(step), name_at(step), owner, &error);
    note(step, status, NULL, error);
}

static void get_many(const cJSON *step) {
    spb_str names[LABELS_MAX];
    size_t count = 0;
    spb_value *value = NULL;
    spb_error *error = NULL;
    const cJSON *name = NULL;
    cJSON_ArrayForEach(name, key(step, "names")) names[count++] = spb_str_z(name->valuestring);
    spb_status status = spb_variable_get_many(session_at(step), names, count, &value, &error);
    cJSON *whole = value != NULL ? document_of(value) : NULL, *result = cJSON_CreateObject();
    cJSON_AddItemToObject(result, "found", rows(cJSON_GetObjectItem(whole, "found"), FOUND_KEYS));
    cJSON_AddItemToObject(result, "missing",
                          cJSON_DetachItemFromObjectCaseSensitive(whole, "missing"));
    note(step, status, result, error);
    cJSON_Delete(whole);
    spb_value_free(value);
}

static void set_many(const cJSON *step) {
    spb_variable_write writes[LABELS_MAX];
    spb_value *values[LABELS_MAX], *result = NULL;
    size_t count = 0;
    spb_error *error = NULL;
    const cJSON *write = NULL;
    cJSON_ArrayForEach(write, key(step, "writes")) {
        values[count] = value_of(key(write, "value"));
        uint64_t expected = (uint64_t)number_at(write, "expected_version");
        writes[count] = (spb_variable_write){name_at(write), values[count], expected, 0};
        count++;
    }
    spb_str owner = spb_str_z(text_at(step, "owner"));
    spb_status status =
        spb_variable_set_many(session_at(step), writes, count, owner, &result, &error);
    for (size_t i = 0; i < count; i++) spb_value_free(values[i]);
    note_rows(step, status, result, WRITTEN_KEYS, error);
}

static void watch(const cJSON *step) {
    struct actor *watching = new_actor(WATCH, step);
    spb_watch_options options = SPB_WATCH_OPTIONS_INIT;
    spb_sink sink = sink_of(watching);
    spb_error *error = NULL;
    watching->changes = cJSON_CreateArray();
    options.flags = true_at(step, "initial") ? SPB_WATCH_INITIAL : 0;
    spb_status status = spb_watch_start(session_at(step), spb_str_z(text_at(step, "patterns")),
                                        &options, &sink, &watching->watch, &error);
    label(text_at(step, "as"), true)->actor = watching;
    note(step, status, NULL, error);
}

static void changes(const cJSON *step) {
    struct actor *watching = actor_at(step, "watch");
    for (int left = (int)number_at(step, "count"); left > 0; left--) {
        AWAIT(cJSON_GetArraySize(watching->changes) > 0);
        cJSON_AddItemToArray(entry("change", NULL),
                             cJSON_DetachItemFromArray(watching->changes, 0));
    }
    note(step, SPB_OK, NULL, NULL);
}

static void stop_watch(const cJSON *step) {
    struct actor *watching = actor_at(step, "watch");
    OK(spb_watch_stop(watching->watch, ERR));
    AWAIT(watching->ended);
    spb_watch_free(watching->watch);
    note(step, SPB_OK, NULL, NULL);
}

static void watch_end(const cJSON *step) {
    struct actor *watching = actor_at(step, "watch");
    AWAIT(watching->ended);
    spb_watch_free(watching->watch);
    entry("watch_end", spb_status_name(watching->status));
}

static void shut_down(const cJSON *step) {
    struct actor *closing = new_actor(OPERATION, step);
    spb_sink sink = sink_of(closing);
    spb_error *error = NULL;
    int64_t grace_ms = (int64_t)number_at(step, "grace_ms");
    spb_status status =
        spb_platform_shutdown(platform, grace_ms, &sink, &closing->operation, &error);
    note_done(step, status, closing, error);
}

static const struct verb {
    const char *name;
    void (*run)(const cJSON *step);
} VERBS[] = {
    {"open", open_session},
    {"close", close_session},
    {"register_tool", register_tool},
    {"unregister_tool", unregister_tool},
    {"execute", execute},
    {"call_tool", call_tool},
    {"submit", submit_only},
    {"cancel", cancel},
    {"await", await},
    {"held", held},
    {"release", release},
    {"cancelled", cancelled},
    {"register", register_variable},
    {"get", get},
    {"set", set},
    {"update", update},
    {"rollback", rollback},
    {"history", history},
    {"delete", delete_variable},
    {"lock", lock},
    {"unlock", unlock},
    {"list", list},
    {"get_many", get_many},
    {"set_many", set_many},
    {"watch", watch},
    {"changes", changes},
    {"stop_watch", stop_watch},
    {"watch_end", watch_end},
    {"shutdown", shut_down},
};

static void run_step(const cJSON *step) {
    for (size_t i = 0; i < sizeof VERBS / sizeof *VERBS; i++) {
        if (strcmp(VERBS[i].name, text_at(step, "do")) == 0) {
            VERBS[i].run(step);
            return;
        }
    }
    fprintf(stderr, "no step can do %s\n", text_at(step, "do"));
    exit(1);
}

/* Adds what depends on the machine. */
static void complete_config(cJSON *config) {
    const char *guard = getenv("SPB_GUARD"), *modules = getenv("SPB_TEST_MODULES");
    cJSON *pool = NULL;
    if (guard != NULL) cJSON_AddStringToObject(config, "guard_path", guard);
    if (modules == NULL) modules = "tests/python";
    cJSON_ArrayForEach(pool, key(config, "pools")) {
        CHECK(getenv("SPB_PYTHON") != NULL);
        cJSON_AddStringToObject(pool, "python", getenv("SPB_PYTHON"));
        cJSON_AddItemToObject(pool, "python_path", cJSON_CreateStringArray(&modules, 1));
    }
}

static void open_platform(cJSON *config) {
    complete_config(config);
    char *text = cJSON_PrintUnformatted(config);
    platform = check_open(text);
    free(text);
    OK(spb_queue_new(platform, &queue, ERR));
    if (cJSON_GetObjectItem(key(config, "pools"), "default") == NULL) return;
    struct actor *ready = new_actor(OPERATION, NULL);
    spb_sink sink = sink_of(ready);
    spb_pool pool;
    OK(spb_pool_get(platform, SPB_STR(""), &pool, ERR));
    OK(spb_pool_await_ready(pool, 0, LONG_MS, &sink, &ready->operation, ERR));
    finish(ready);
    CHECK(ready->status == SPB_OK);
    spb_pool_free(pool);
}

static cJSON *read_scenario(const char *path) {
    static char text[256 * 1024];
    FILE *file = fopen(path, "r");
    CHECK(file != NULL);
    size_t length = fread(text, 1, sizeof text - 1, file);
    CHECK(length < sizeof text - 1);
    fclose(file);
    cJSON *scenario = cJSON_ParseWithLength(text, length);
    CHECK(scenario != NULL);
    return scenario;
}

/* "tests/conformance/calls.json" is the scenario "calls". */
static void name_of(const char *path, char *name, size_t capacity) {
    const char *slash = strrchr(path, '/');
    snprintf(name, capacity, "%s", slash != NULL ? slash + 1 : path);
    *strrchr(name, '.') = '\0';
}

static int run_scenario(const char *path) {
    cJSON *scenario = read_scenario(path);
    const cJSON *step = NULL;
    char name[256];
    name_of(path, name, sizeof name);
    memset(labels, 0, sizeof labels);
    trace = cJSON_CreateArray();
    open_platform(cJSON_GetObjectItem(scenario, "config"));
    cJSON_ArrayForEach(step, key(scenario, "steps")) run_step(step);
    check_close(platform);
    while (take_event()) continue;
    spb_queue_free(queue);
    sort_keys(trace);
    if (getenv("SPB_TRACE_DIR") != NULL) write_trace(getenv("SPB_TRACE_DIR"), name);
    int faults = compare_traces(name, key(scenario, "trace"));
    forget_actors();
    cJSON_Delete(trace);
    cJSON_Delete(scenario);
    return faults;
}

int main(int argc, char **argv) {
    int faults = 0;
    CHECK(argc > 1 && spb_abi_check());
    for (int i = 1; i < argc; i++) faults += run_scenario(argv[i]);
    return faults == 0 ? 0 : 1;
}
