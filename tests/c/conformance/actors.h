/*
 * For the conformance runner: whoever events come to, which is the tag of each sink: operations,
 * tools and what they do, watches. One thread takes the events of one queue and hands each to its
 * actor, which notes what came of it. Knows nothing of steps.
 */
#ifndef SPB_CONFORMANCE_ACTORS_H
#define SPB_CONFORMANCE_ACTORS_H

#include "trace.h"

enum role { OPERATION, NESTED, TOOL, WATCH };

enum { ACTORS_MAX = 256 };

/* Who an event is for. Lives as long as the scenario. */
struct actor {
    enum role role;
    /* The step that made it. */
    const cJSON *step;
    /* An operation's, a nested one's included: chunks seen, its end and how it was. */
    spb_operation operation;
    int chunks;
    bool ended, is_left;
    spb_status status;
    cJSON *outcome;
    /* The tool call that a nested operation answers; the call that a tool holds. */
    spb_invocation invocation;
    bool is_held, is_cancelled;
    cJSON *arguments;
    spb_tool tool;
    /* Of a watch: what came and was not asked for yet. */
    spb_watch watch;
    cJSON *changes;
};

static spb_platform platform;
static spb_queue queue;
static struct actor actors[ACTORS_MAX];
static size_t actor_count;

static inline struct actor *new_actor(enum role role, const cJSON *step) {
    CHECK(actor_count < ACTORS_MAX);
    struct actor *actor = &actors[actor_count++];
    actor->role = role;
    actor->step = step;
    return actor;
}

static inline void forget_actors(void) {
    for (struct actor *actor = actors; actor < actors + actor_count; actor++) {
        cJSON_Delete(actor->outcome);
        cJSON_Delete(actor->arguments);
        cJSON_Delete(actor->changes);
        spb_tool_free(actor->tool);
    }
    memset(actors, 0, sizeof actors);
    actor_count = 0;
}

/* What an actor had, for whoever owns it from now on. */
static inline cJSON *taken(cJSON **document) {
    cJSON *document_taken = *document;
    *document = NULL;
    return document_taken;
}

static inline spb_sink sink_of(struct actor *actor) {
    return spb_sink_queue(queue, (uint64_t)(uintptr_t)actor);
}

static inline void answer(spb_invocation invocation, const cJSON *document) {
    spb_value *value = value_of(document);
    OK(spb_invocation_complete(invocation, value, ERR));
    spb_value_free(value);
}

static inline void refuse(spb_invocation invocation, spb_status status, const char *message,
                          const cJSON *details, bool retryable) {
    spb_failure_options options = SPB_FAILURE_OPTIONS_INIT;
    char *text = details != NULL ? cJSON_PrintUnformatted(details) : NULL;
    options.status = status;
    options.message = spb_str_z(message);
    options.details_json = spb_str_z(text);
    options.flags = retryable ? SPB_FAILURE_RETRYABLE : 0;
    OK(spb_invocation_fail(invocation, &options, ERR));
    free(text);
}

/* The number of a status that a scenario names. */
static inline spb_status status_of(const char *name) {
    for (spb_status status = SPB_OK; status < 100; status++)
        if (strcmp(spb_status_name(status), name) == 0) return status;
    return SPB_E_TOOL_FAILED;
}

static inline cJSON *invocation_info(spb_invocation invocation) {
    spb_value *info;
    OK(spb_invocation_info(invocation, &info, ERR));
    cJSON *document = document_of(info);
    spb_value_free(info);
    return document;
}

static inline void emit_chunks(spb_invocation invocation, const cJSON *chunks) {
    const cJSON *chunk = NULL;
    cJSON *info = invocation_info(invocation);
    if (true_at(info, "stream")) {
        cJSON_ArrayForEach(chunk, chunks) {
            spb_value *value = value_of(chunk);
            OK(spb_invocation_emit(invocation, value, ERR));
            spb_value_free(value);
        }
    }
    cJSON_Delete(info);
}

/* Runs an operation for a tool call, in the session that it came from. */
static inline void execute_nested(spb_invocation invocation, const cJSON *what) {
    struct actor *nested = new_actor(NESTED, what);
    spb_execute_options options = SPB_EXECUTE_OPTIONS_INIT;
    spb_sink sink = sink_of(nested);
    spb_session session;
    cJSON *info = invocation_info(invocation);
    spb_value *parameters = value_of(key(what, "parameters"));
    nested->invocation = invocation;
    options.framework = SPB_STR("python");
    options.operation = spb_str_z(text_at(what, "operation"));
    options.parameters = parameters;
    options.parent = invocation;
    OK(spb_session_join(platform, spb_str_z(text_at(info, "session")), &session, ERR));
    OK(spb_execute(session, &options, &sink, &nested->operation, ERR));
    spb_operation_free(nested->operation);
    spb_session_free(session);
    spb_value_free(parameters);
    cJSON_Delete(info);
}

static inline void fail_as_told(spb_invocation invocation, const cJSON *how) {
    refuse(invocation, status_of(text_at(how, "status")), text_at(how, "message"),
           key(how, "details"), true_at(how, "retryable"));
}

/* Does what the scenario says of the tool. */
static inline void on_tool_call(struct actor *tool, spb_event *event) {
    const cJSON *does = key(tool->step, "does"), *how = NULL;
    cJSON *arguments = document_of(event->value);
    if (true_at(does, "hold")) {
        CHECK(!tool->is_held);
        tool->is_held = true;
        tool->invocation = event->invocation;
        tool->arguments = arguments;
        return;
    }
    cJSON_AddItemToArray(entry("tool", text_at(tool->step, "name")), arguments);
    if ((how = key(does, "fail")) != NULL) {
        fail_as_told(event->invocation, how);
    } else if ((how = key(does, "raise")) != NULL) {
        refuse(event->invocation, SPB_OK, how->valuestring, NULL, false);
    } else if ((how = key(does, "execute")) != NULL) {
        execute_nested(event->invocation, how);
    } else if (true_at(does, "echo")) {
        answer(event->invocation, arguments);
    } else {
        CHECK(key(does, "return") != NULL);
        emit_chunks(event->invocation, key(does, "chunks"));
        answer(event->invocation, key(does, "return"));
    }
}

static inline void on_tool_cancel(struct actor *tool, const spb_event *event) {
    CHECK(tool->is_held && tool->invocation.id == event->invocation.id);
    tool->is_held = false;
    tool->is_cancelled = true;
    spb_invocation_free(tool->invocation);
}

static inline void on_chunk(struct actor *actor, const spb_event *event) {
    const cJSON *take = key(actor->step, "take");
    if (actor->is_left) return;
    cJSON *written = entry("chunk", NULL);
    cJSON_AddItemToArray(written, cJSON_CreateNumber(actor->chunks++));
    cJSON_AddItemToArray(written, document_of(event->value));
    if (take != NULL && actor->chunks == take->valueint) {
        actor->is_left = true;
        OK(spb_operation_cancel(event->operation, ERR));
    }
}

static inline void on_end(struct actor *actor, const spb_event *event) {
    CHECK(!actor->ended);
    actor->ended = true;
    actor->status = event->status;
    actor->outcome =
        event->status == SPB_OK ? document_of(event->value) : error_document(event->error);
    if (actor->role != NESTED) return;
    if (event->status == SPB_OK) answer(actor->invocation, actor->outcome);
    else refuse(actor->invocation, event->status, text_at(actor->outcome, "message"), NULL, false);
}

/* Keeps of a change what a trace tells of it. */
static inline void on_change(struct actor *watch, const spb_event *event) {
    static const char *const TOLD[] = {"kind", "name", "version", "value", "owner"};
    cJSON *whole = document_of(event->value), *change = cJSON_CreateObject();
    for (size_t i = 0; i < sizeof TOLD / sizeof *TOLD; i++) {
        cJSON *item = cJSON_DetachItemFromObjectCaseSensitive(whole, TOLD[i]);
        if (item != NULL) cJSON_AddItemToObject(change, TOLD[i], item);
    }
    cJSON_Delete(whole);
    cJSON_AddItemToArray(watch->changes, change);
}

static inline void on_event(spb_event *event) {
    struct actor *actor = (struct actor *)(uintptr_t)event->tag;
    switch (event->kind) {
    case SPB_EVENT_TOOL_CALL: on_tool_call(actor, event); break;
    case SPB_EVENT_TOOL_CANCEL: on_tool_cancel(actor, event); break;
    case SPB_EVENT_OP_CHUNK: on_chunk(actor, event); break;
    case SPB_EVENT_OP_DONE: on_end(actor, event); break;
    case SPB_EVENT_VARIABLE: on_change(actor, event); break;
    case SPB_EVENT_WATCH_END:
        actor->ended = true;
        actor->status = event->status;
        break;
    default: CHECK(event->kind == SPB_EVENT_SHUTDOWN);
    }
}

/* Takes the next event; false once the queue has had its last one. */
static inline bool take_event(void) {
    spb_event event;
    size_t count;
    spb_status status = spb_queue_next_batch(queue, &event, 1, LONG_MS, &count, NULL);
    if (status == SPB_E_CLOSED) return false;
    CHECK(status == SPB_OK);
    bool is_last = event.kind == SPB_EVENT_SHUTDOWN;
    on_event(&event);
    spb_event_clear(&event);
    return !is_last;
}

/* Takes events until it is so. */
#define AWAIT(condition) \
    while (!(condition)) CHECK(take_event())

static inline void finish(struct actor *operation) {
    AWAIT(operation->ended);
    spb_operation_free(operation->operation);
}

#endif
