/*
 * Python calls functions of this program: answered from other threads and from callbacks, with
 * chunks, twice, too late, never; and tools that call the platform again, deeper than the pool
 * has workers.
 */
#include <pthread.h>

#include "worker.h"

static spb_tool register_tool(const char *name, const spb_sink *sink) {
    spb_tool tool;
    spb_tool_options options = SPB_TOOL_OPTIONS_INIT;
    options.name = spb_str_z(name);
    OK(spb_tool_register(platform, session, &options, sink, &tool, ERR));
    return tool;
}

static void unregister(spb_tool tool) {
    spb_operation operation;
    OK(spb_tool_unregister(tool, NULL, &operation, ERR));
    expect_result(operation, "null");
    spb_tool_free(tool);
}

static void complete(spb_invocation invocation, const char *json) {
    spb_value *value = check_value(json);
    OK(spb_invocation_complete(invocation, value, ERR));
    EXPECT(SPB_E_HANDLE, spb_invocation_complete(invocation, value, ERR));
    spb_value_free(value);
}

static void *answer_elsewhere(void *argument) {
    spb_invocation invocation = *(spb_invocation *)argument;
    complete(invocation, "{\"capital\":\"Lima\"}");
    return NULL;
}

static void a_tool_is_answered_from_another_thread(void) {
    spb_sink sink = spb_sink_queue(queue, 100);
    spb_tool tool = register_tool("lookup", &sink);
    spb_operation operation =
        submit("call_tool", "{\"name\":\"lookup\",\"arguments\":{\"country\":\"Peru\"}}", NULL);
    spb_event event = next_event(SPB_EVENT_TOOL_CALL);
    CHECK(event.tag == 100 && event.invocation.id != 0);
    CHECK(check_json_is(event.value, "{\"country\":\"Peru\"}"));
    spb_value *info, *arguments;
    OK(spb_invocation_info(event.invocation, &info, ERR));
    CHECK(strstr(spb_value_json(info).ptr, "\"tool\":\"lookup\"") != NULL);
    CHECK(strstr(spb_value_json(info).ptr, "\"depth\":0") != NULL);
    char id[60];
    snprintf(id, sizeof id, "\"operation\":%" PRIu64, operation.id);
    CHECK(strstr(spb_value_json(info).ptr, id) != NULL);
    spb_value_free(info);
    OK(spb_invocation_args(event.invocation, &arguments, ERR));
    CHECK(check_json_is(arguments, "{\"country\":\"Peru\"}"));
    EXPECT(SPB_E_STATE, spb_invocation_emit(event.invocation, arguments, ERR));
    spb_value_free(arguments);
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, answer_elsewhere, &event.invocation) == 0);
    expect_result(operation, "{\"capital\":\"Lima\"}");
    CHECK(pthread_join(thread, NULL) == 0);
    spb_event_clear(&event);
    unregister(tool);
}

static void failing_tools_raise_in_python(void) {
    spb_sink sink = spb_sink_queue(queue, 1);
    spb_tool tool = register_tool("broken", &sink);
    const char *parameters = "{\"name\":\"broken\",\"arguments\":{}}";
    spb_operation operation = submit("call_tool", parameters, NULL);
    spb_event event = next_event(SPB_EVENT_TOOL_CALL);
    spb_failure_options failure = SPB_FAILURE_OPTIONS_INIT;
    failure.status = 12345;
    EXPECT(SPB_E_INVALID_ARGUMENT, spb_invocation_fail(event.invocation, &failure, ERR));
    failure.status = SPB_E_RESOURCE_EXHAUSTED;
    failure.flags = SPB_FAILURE_RETRYABLE;
    failure.message = SPB_STR("the table is on fire");
    failure.details_json = SPB_STR("{\"retry_after_s\":3}");
    OK(spb_invocation_fail(event.invocation, &failure, ERR));
    EXPECT(SPB_E_HANDLE, spb_invocation_fail(event.invocation, &failure, ERR));
    spb_event_clear(&event);
    spb_value *result;
    spb_error *error = NULL;
    OK(spb_operation_wait(operation, LONG_MS, ERR));
    CHECK(spb_operation_take_result(operation, &result, &error) != SPB_OK);
    CHECK(strstr(spb_error_message(error).ptr, "the table is on fire") != NULL);
    spb_error_free(error);
    spb_operation_free(operation);
    /* One that is dropped unanswered fails as well. */
    operation = submit("call_tool", parameters, NULL);
    event = next_event(SPB_EVENT_TOOL_CALL);
    spb_invocation_free(event.invocation);
    spb_invocation_free(event.invocation);
    spb_event_clear(&event);
    OK(spb_operation_wait(operation, LONG_MS, ERR));
    CHECK(spb_operation_take_result(operation, &result, NULL) != SPB_OK);
    spb_operation_free(operation);
    unregister(tool);
}

static void a_tool_sends_chunks_before_its_answer(void) {
    spb_sink sink = spb_sink_queue(queue, 1);
    spb_tool tool = register_tool("teller", &sink);
    spb_operation operation =
        submit("stream_tool", "{\"name\":\"teller\",\"arguments\":{}}", NULL);
    spb_event event = next_event(SPB_EVENT_TOOL_CALL);
    const char *const words[] = {"\"once\"", "\"upon\"", "\"a time\""};
    for (size_t i = 0; i < 3; i++) {
        spb_value *word = check_value(words[i]);
        OK(spb_invocation_emit(event.invocation, word, ERR));
        spb_value_free(word);
    }
    complete(event.invocation, "3");
    spb_event_clear(&event);
    expect_result(operation, "{\"chunks\":[\"once\",\"upon\",\"a time\"],\"result\":3}");
    unregister(tool);
}

static void a_cancelled_call_is_told_and_its_answer_is_in_vain(void) {
    spb_sink sink = spb_sink_queue(queue, 1);
    spb_tool tool = register_tool("slow", &sink);
    spb_operation operation = submit("call_tool", "{\"name\":\"slow\",\"arguments\":{}}", NULL);
    spb_event call = next_event(SPB_EVENT_TOOL_CALL);
    uint8_t is_cancelled = 7;
    OK(spb_invocation_is_cancelled(call.invocation, &is_cancelled, ERR));
    CHECK(is_cancelled == 0);
    OK(spb_operation_cancel(operation, ERR));
    spb_event cancel = next_event(SPB_EVENT_TOOL_CANCEL);
    CHECK(cancel.invocation.id == call.invocation.id);
    OK(spb_invocation_is_cancelled(call.invocation, &is_cancelled, ERR));
    CHECK(is_cancelled == 1);
    spb_value *value = check_value("1");
    EXPECT(SPB_E_CANCELLED, spb_invocation_emit(call.invocation, value, ERR));
    EXPECT(SPB_E_CANCELLED, spb_invocation_complete(call.invocation, value, ERR));
    EXPECT(SPB_E_HANDLE, spb_invocation_complete(call.invocation, value, ERR));
    spb_value_free(value);
    spb_event_clear(&call);
    spb_event_clear(&cancel);
    expect_failure(operation, SPB_E_CANCELLED);
    unregister(tool);
}

static spb_operation call_by_name(const char *name, const char *arguments, uint32_t flags) {
    spb_tool_call_options options = SPB_TOOL_CALL_OPTIONS_INIT;
    spb_value *value = check_value(arguments);
    options.name = spb_str_z(name);
    options.arguments = value;
    options.flags = flags;
    spb_operation operation;
    OK(spb_tool_call(session, &options, NULL, &operation, ERR));
    spb_value_free(value);
    return operation;
}

/* By the same call: a function of this program, and one of Python's. */
static void the_host_calls_tools_by_name(void) {
    spb_sink sink = spb_sink_queue(queue, 7);
    spb_tool tool;
    spb_tool_options options = SPB_TOOL_OPTIONS_INIT;
    options.name = SPB_STR("own");
    options.input_schema_json = SPB_STR("{\"required\":[\"n\"],\"type\":\"object\"}");
    options.chunk_schema_json = SPB_STR("{\"type\":\"string\"}");
    options.flags = SPB_TOOL_IDEMPOTENT;
    OK(spb_tool_register(platform, session, &options, &sink, &tool, ERR));
    spb_value *list;
    OK(spb_tool_list(platform, session, &list, ERR));
    CHECK(strstr(spb_value_json(list).ptr, "\"idempotent\":true") != NULL);
    CHECK(strstr(spb_value_json(list).ptr, "\"side\":\"host\"") != NULL);
    CHECK(strstr(spb_value_json(list).ptr, "\"side\":\"python\"") != NULL);
    spb_value_free(list);
    spb_operation operation = call_by_name("own", "{\"n\":1}", SPB_TOOL_CALL_STREAM);
    spb_event event = next_event(SPB_EVENT_TOOL_CALL);
    CHECK(event.tag == 7);
    spb_value *word = check_value("\"word\""), *number = check_value("2"), *chunk = NULL;
    EXPECT(SPB_E_INVALID_ARGUMENT, spb_invocation_emit(event.invocation, number, ERR));
    OK(spb_invocation_emit(event.invocation, word, ERR));
    OK(spb_operation_next_chunk(operation, LONG_MS, &chunk, ERR));
    CHECK(check_json_is(chunk, "\"word\""));
    complete(event.invocation, "[1]");
    spb_value_free(chunk);
    spb_value_free(word);
    spb_value_free(number);
    spb_event_clear(&event);
    expect_result(operation, "[1]");
    expect_failure(call_by_name("own", "{}", 0), SPB_E_INVALID_ARGUMENT);
    expect_result(call_by_name("add", "{\"a\":1,\"b\":2}", 0), "3");
    unregister(tool);
}

/* Two threads that answer the same call at the same moment. */
typedef struct {
    spb_invocation invocation;
    pthread_barrier_t *start;
    spb_status status;
} racer;

static void *race(void *argument) {
    racer *mine = argument;
    spb_value *value = check_value("1");
    pthread_barrier_wait(mine->start);
    mine->status = spb_invocation_complete(mine->invocation, value, NULL);
    spb_value_free(value);
    return NULL;
}

static void of_two_answers_one_counts(void) {
    spb_sink sink = spb_sink_queue(queue, 1);
    spb_tool tool = register_tool("raced", &sink);
    for (int round = 0; round < 50; round++) {
        spb_operation operation =
            submit("call_tool", "{\"name\":\"raced\",\"arguments\":{}}", NULL);
        spb_event event = next_event(SPB_EVENT_TOOL_CALL);
        pthread_barrier_t start;
        pthread_t threads[2];
        racer racers[2];
        CHECK(pthread_barrier_init(&start, NULL, 2) == 0);
        for (int i = 0; i < 2; i++) {
            racers[i] = (racer){event.invocation, &start, -1};
            CHECK(pthread_create(&threads[i], NULL, race, &racers[i]) == 0);
        }
        for (int i = 0; i < 2; i++) CHECK(pthread_join(threads[i], NULL) == 0);
        pthread_barrier_destroy(&start);
        int first = racers[0].status == SPB_OK ? 0 : 1;
        spb_status second = racers[1 - first].status;
        CHECK(racers[first].status == SPB_OK);
        CHECK(second == SPB_E_ALREADY_COMPLETED || second == SPB_E_HANDLE);
        spb_event_clear(&event);
        expect_result(operation, "1");
    }
    unregister(tool);
}

/* A tool that answers from its callback, on a thread of the library. */
static void answer_inline(void *user_data, spb_event *event) {
    int *destroyed = user_data;
    CHECK(*destroyed == 0);
    if (event->kind != SPB_EVENT_TOOL_CALL) return;
    CHECK(spb_invocation_complete(event->invocation, event->value, NULL) == SPB_OK);
}

static void count_destroyed(void *user_data) {
    ++*(int *)user_data;
}

static void a_callback_answers_in_place(void) {
    static int destroyed;
    spb_sink sink = spb_sink_callback(answer_inline, &destroyed, count_destroyed);
    spb_tool tool = register_tool("mirror", &sink);
    for (int i = 0; i < 20; i++)
        expect_result(submit("call_tool", "{\"name\":\"mirror\",\"arguments\":{\"a\":[1]}}", NULL),
                      "{\"a\":[1]}");
    unregister(tool);
}

static void a_session_without_the_tool_cannot_call_it(void) {
    spb_sink sink = spb_sink_queue(queue, 1);
    spb_tool tool = register_tool("private", &sink);
    spb_session before = session, other;
    OK(spb_session_open(platform, NULL, &other, ERR));
    session = other;
    spb_operation operation = submit("call_tool", "{\"name\":\"private\",\"arguments\":{}}", NULL);
    spb_value *result;
    OK(spb_operation_wait(operation, LONG_MS, ERR));
    CHECK(spb_operation_take_result(operation, &result, NULL) != SPB_OK);
    spb_operation_free(operation);
    session = before;
    spb_session_free(other);
    unregister(tool);
}

/* Calls Python inside a tool inside Python, four deep, with one worker; all through one queue. */
static void tools_may_call_the_platform_again(void) {
    enum { DEPTH = 4 };
    spb_sink tool_sink = spb_sink_queue(queue, 1000), sink = spb_sink_queue(queue, 0);
    spb_tool tool = register_tool("deeper", &tool_sink);
    spb_invocation open[DEPTH];
    const char *parameters = "{\"name\":\"deeper\",\"arguments\":{}}";
    spb_operation_free(submit("call_tool", parameters, &sink));
    for (int depth = 0; depth < DEPTH; depth++) {
        spb_event event = next_event(SPB_EVENT_TOOL_CALL);
        char expected[20];
        spb_value *info;
        open[depth] = event.invocation;
        OK(spb_invocation_info(event.invocation, &info, ERR));
        snprintf(expected, sizeof expected, "\"depth\":%d", depth);
        CHECK(strstr(spb_value_json(info).ptr, expected) != NULL);
        spb_value_free(info);
        spb_event_clear(&event);
        if (depth == DEPTH - 1) break;
        spb_execute_options options = SPB_EXECUTE_OPTIONS_INIT;
        options.parent = open[depth];
        sink.tag = (uint64_t)depth + 1;
        spb_operation_free(submit_with(options, "call_tool", parameters, &sink));
    }
    for (int depth = DEPTH; depth-- > 0;) {
        char answer[20];
        snprintf(answer, sizeof answer, "%d", depth);
        complete(open[depth], answer);
        spb_event event = next_event(SPB_EVENT_OP_DONE);
        CHECK(event.status == SPB_OK && event.tag == (uint64_t)depth);
        CHECK(check_json_is(event.value, answer));
        spb_event_clear(&event);
    }
    unregister(tool);
}

/* Freed with calls in it, a queue fails them instead of letting Python wait. */
static void freeing_the_queue_fails_its_calls(void) {
    spb_queue own;
    OK(spb_queue_new(platform, &own, ERR));
    spb_sink sink = spb_sink_queue(own, 1);
    spb_tool tool = register_tool("lost", &sink);
    spb_operation operation = submit("call_tool", "{\"name\":\"lost\",\"arguments\":{}}", NULL);
    EXPECT(SPB_E_AGAIN, spb_operation_wait(operation, 50, ERR));
    spb_queue_free(own);
    spb_value *result;
    OK(spb_operation_wait(operation, LONG_MS, ERR));
    CHECK(spb_operation_take_result(operation, &result, NULL) != SPB_OK);
    spb_operation_free(operation);
    unregister(tool);
}

static void closing_the_session_cancels_its_tool_calls(void) {
    spb_sink sink = spb_sink_queue(queue, 1);
    spb_tool tool = register_tool("last", &sink);
    spb_operation operation = submit("call_tool", "{\"name\":\"last\",\"arguments\":{}}", NULL);
    spb_operation closing;
    spb_event call = next_event(SPB_EVENT_TOOL_CALL);
    OK(spb_session_close(session, NULL, &closing, ERR));
    spb_event cancel = next_event(SPB_EVENT_TOOL_CANCEL);
    CHECK(cancel.invocation.id == call.invocation.id);
    spb_invocation_free(call.invocation);
    spb_event_clear(&call);
    spb_event_clear(&cancel);
    expect_result(closing, "null");
    expect_failure(operation, SPB_E_CANCELLED);
    spb_tool_free(tool);
}

int main(int argc, char **argv) {
    worker_open(argc, argv);
    a_tool_is_answered_from_another_thread();
    failing_tools_raise_in_python();
    a_tool_sends_chunks_before_its_answer();
    a_cancelled_call_is_told_and_its_answer_is_in_vain();
    of_two_answers_one_counts();
    a_callback_answers_in_place();
    a_session_without_the_tool_cannot_call_it();
    tools_may_call_the_platform_again();
    the_host_calls_tools_by_name();
    freeing_the_queue_fails_its_calls();
    closing_the_session_cancels_its_tool_calls();
    worker_close();
    return 0;
}
