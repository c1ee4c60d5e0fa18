/*
 * Calls of a real Python worker: waited for, through a queue, streamed, failing, cancelled, late,
 * with a worker that dies; and variables and logs that both sides see.
 */
#include "foreign.h"
#include "worker.h"

static void a_call_comes_back_and_values_stay_exact(void) {
    const char *given = "{\"value\":{\"n\":9007199254740993,\"t\":\"h\xc3\xa9\",\"f\":0.1}}";
    expect_result(submit("echo", given, NULL),
                  "{\"n\":9007199254740993,\"t\":\"h\xc3\xa9\",\"f\":0.1}");
    expect_result(submit("kinds", "{\"value\":[1,1.5,true,null,\"x\",{}]}", NULL),
                  "[\"int\",\"float\",\"bool\",\"NoneType\",\"str\",{}]");
}

/* What Python's `echo` makes of parameters, which are freed. */
static spb_value *echoed(spb_value *parameters) {
    spb_execute_options options = SPB_EXECUTE_OPTIONS_INIT;
    options.framework = SPB_STR("python");
    options.operation = SPB_STR("echo");
    options.parameters = parameters;
    spb_operation operation;
    OK(spb_execute(session, &options, NULL, &operation, ERR));
    spb_value_free(parameters);
    OK(spb_operation_wait(operation, LONG_MS, ERR));
    spb_value *result;
    OK(spb_operation_take_result(operation, &result, ERR));
    spb_operation_free(operation);
    return result;
}

static void tensors_go_both_ways(void) {
    float numbers[] = {1, 2, 3, 4, 5, 6};
    int64_t shape[] = {2, 3};
    spb_attachment tensor = {SPB_ATTACHMENT_TENSOR, SPB_DTYPE_FLOAT32, (const uint8_t *)numbers,
                             sizeof numbers, shape, 2};
    spb_value *parameters;
    OK(spb_value_from_parts(SPB_STR("{\"value\":{\"$spb\":{\"attachment\":0}}}"), &tensor, 1,
                            &parameters, ERR));
    spb_value *result = echoed(parameters);
    spb_attachment seen;
    CHECK(spb_value_attachment_count(result) == 1);
    OK(spb_value_attachment(result, 0, &seen, ERR));
    CHECK(seen.kind == SPB_ATTACHMENT_TENSOR && seen.dtype == SPB_DTYPE_FLOAT32 && seen.ndim == 2);
    CHECK(seen.shape[0] == 2 && seen.shape[1] == 3 && seen.len == sizeof numbers);
    CHECK(memcmp(seen.data, numbers, sizeof numbers) == 0);
    spb_value_free(result);
}

static void lent_memory_goes_both_ways_and_is_given_back(void) {
    static double numbers[40000];
    int64_t shape[] = {200, 200};
    const char *json = "{\"value\":[{\"$spb\":{\"attachment\":0}},"
                       "{\"$spb\":{\"attachment\":1}}]}";
    for (int i = 0; i < 40000; i++) numbers[i] = i / 3.0;
    int before = ended();
    spb_value *parts[2], *parameters;
    OK(spb_value_from_dlpack(managed(dl_tensor(numbers, DL_FLOAT, 64, shape, NULL, 2)), &parts[0],
                             ERR));
    OK(spb_value_from_dlpack(managed(dl_tensor(numbers, DL_UINT, 8, shape, NULL, 1)), &parts[1],
                             ERR));
    OK(spb_value_compose(spb_str_z(json), (const spb_value *const *)parts, 2, &parameters, ERR));
    for (int i = 0; i < 2; i++) spb_value_free(parts[i]);
    spb_value *result = echoed(parameters);
    await_ended(before + 2);
    struct DLManagedTensorVersioned *back[2];
    for (size_t i = 0; i < 2; i++) OK(spb_value_to_dlpack(result, i, &back[i], ERR));
    spb_value_free(result);
    CHECK(back[0]->dl_tensor.ndim == 2 && back[0]->dl_tensor.shape[1] == 200);
    CHECK(memcmp(back[0]->dl_tensor.data, numbers, sizeof numbers) == 0);
    CHECK(back[1]->dl_tensor.ndim == 1 && memcmp(back[1]->dl_tensor.data, numbers, 200) == 0);
    for (size_t i = 0; i < 2; i++) back[i]->deleter(back[i]);
}

static void every_call_of_many_ends_once_in_the_queue(void) {
    enum { COUNT = 500 };
    static int ends[COUNT];
    spb_event events[64];
    size_t count, seen = 0;
    memset(ends, 0, sizeof ends);
    for (size_t i = 0; i < COUNT; i++) {
        char parameters[40];
        snprintf(parameters, sizeof parameters, "{\"value\":%zu}", i);
        spb_sink sink = spb_sink_queue(queue, i);
        /* The handle is not needed: freeing it at once cancels nothing. */
        spb_operation_free(submit("echo_inline", parameters, &sink));
    }
    while (seen < COUNT) {
        OK(spb_queue_next_batch(queue, events, 64, LONG_MS, &count, ERR));
        for (size_t i = 0; i < count; i++, seen++) {
            int64_t value;
            CHECK(events[i].kind == SPB_EVENT_OP_DONE && events[i].status == SPB_OK);
            CHECK(events[i].tag < COUNT && events[i].sequence == 0);
            OK(spb_value_as_i64(events[i].value, &value, ERR));
            CHECK((uint64_t)value == events[i].tag && ends[events[i].tag]++ == 0);
            spb_event_clear(&events[i]);
        }
    }
    EXPECT(SPB_E_AGAIN, spb_queue_next_batch(queue, events, 64, 0, &count, ERR));
}

static void chunks_are_taken_one_by_one(void) {
    spb_execute_options options = SPB_EXECUTE_OPTIONS_INIT;
    options.flags = SPB_EXECUTE_STREAM;
    options.stream_window = 4;
    spb_operation operation = submit_with(options, "count", "{\"to\":100}", NULL);
    for (int64_t i = 0; i < 100; i++) {
        spb_value *chunk;
        int64_t number;
        OK(spb_operation_next_chunk(operation, LONG_MS, &chunk, ERR));
        OK(spb_value_as_i64(chunk, &number, ERR));
        CHECK(number == i);
        spb_value_free(chunk);
    }
    spb_value *chunk;
    EXPECT(SPB_E_CLOSED, spb_operation_next_chunk(operation, LONG_MS, &chunk, ERR));
    expect_result(operation, "{\"counted\":100}");
}

static void chunks_come_through_the_queue_before_the_end(void) {
    spb_execute_options options = SPB_EXECUTE_OPTIONS_INIT;
    options.flags = SPB_EXECUTE_STREAM;
    spb_sink sink = spb_sink_queue(queue, 7);
    spb_operation operation = submit_with(options, "count", "{\"to\":1000}", &sink);
    for (uint64_t i = 0; i < 1000; i++) {
        spb_event event = next_event(SPB_EVENT_OP_CHUNK);
        int64_t number;
        OK(spb_value_as_i64(event.value, &number, ERR));
        CHECK((uint64_t)number == i && event.sequence == i && event.tag == 7);
        CHECK(event.operation.id == operation.id);
        spb_event_clear(&event);
    }
    spb_event event = next_event(SPB_EVENT_OP_DONE);
    CHECK(event.status == SPB_OK && event.sequence == 1000);
    CHECK(check_json_is(event.value, "{\"counted\":1000}"));
    spb_event_clear(&event);
    spb_operation_free(operation);
}

static void an_exception_has_type_traceback_and_causes(void) {
    spb_operation operation = submit("fail", "{\"message\":\"seven\"}", NULL);
    spb_value *result;
    spb_error *error = NULL;
    OK(spb_operation_wait(operation, LONG_MS, ERR));
    CHECK(spb_operation_take_result(operation, &result, &error) == SPB_E_PYTHON_EXCEPTION);
    CHECK(strstr(spb_error_message(error).ptr, "seven") != NULL);
    CHECK(strstr(spb_error_python_type(error).ptr, "ValueError") != NULL);
    CHECK(strstr(spb_error_python_traceback(error).ptr, "spb_testmod.py") != NULL);
    CHECK(strstr(spb_error_details_json(error).ptr, "KeyError") != NULL);
    CHECK(!spb_error_retryable(error));
    spb_error_free(error);
    spb_operation_free(operation);
}

static void wrong_requests_are_refused_at_once(void) {
    spb_operation operation = {7};
    spb_execute_options options = SPB_EXECUTE_OPTIONS_INIT;
    options.framework = SPB_STR("python");
    options.operation = SPB_STR("ecko");
    EXPECT(SPB_E_NOT_FOUND, spb_execute(session, &options, NULL, &operation, ERR));
    options.operation = SPB_STR("echo");
    options.pool = SPB_STR("no such pool");
    EXPECT(SPB_E_NOT_FOUND, spb_execute(session, &options, NULL, &operation, ERR));
    CHECK(operation.id == 0);
}

static void a_cancel_ends_the_call_and_reaches_python(void) {
    spb_operation operation = submit("sleep_until_cancelled", "{}", NULL);
    uint32_t state = 0;
    EXPECT(SPB_E_AGAIN, spb_operation_wait(operation, 20, ERR));
    OK(spb_operation_state(operation, &state, ERR));
    CHECK(state == SPB_OPERATION_QUEUED || state == SPB_OPERATION_RUNNING);
    OK(spb_operation_cancel(operation, ERR));
    OK(spb_operation_cancel(operation, ERR));
    expect_failure(operation, SPB_E_CANCELLED);
    expect_result(submit("saw_cancel", "{}", NULL), "true");
}

static void a_deadline_ends_the_call(void) {
    spb_execute_options options = SPB_EXECUTE_OPTIONS_INIT;
    options.timeout_ms = 100;
    expect_failure(submit_with(options, "sleep_until_cancelled", "{}", NULL), SPB_E_DEADLINE);
}

static void a_dying_worker_is_told_and_replaced(void) {
    spb_sink sink = spb_sink_queue(queue, 3);
    spb_operation operation = submit("leave", "{\"code\":3}", &sink);
    spb_event event = next_event(SPB_EVENT_OP_DONE);
    CHECK(event.status == SPB_E_WORKER_LOST && event.error != NULL && event.value == NULL);
    spb_event_clear(&event);
    spb_operation_free(operation);
    expect_result(submit("echo", "{\"value\":1}", NULL), "1");
}

static void both_sides_share_variables(void) {
    spb_variable_options options = SPB_VARIABLE_OPTIONS_INIT;
    options.name = SPB_STR("asked");
    options.type = SPB_STR("integer");
    options.constraints_json = SPB_STR("{\"min\":0}");
    spb_value *value = check_value("41"), *negative = check_value("-1"), *read, *list;
    uint64_t version = 0;
    OK(spb_variable_register(session, &options, value, &version, ERR));
    CHECK(version == 1);
    EXPECT(SPB_E_ALREADY_EXISTS, spb_variable_register(session, &options, value, NULL, ERR));
    expect_result(submit("variable_increment", "{\"name\":\"asked\"}", NULL), "42");
    OK(spb_variable_get(session, SPB_STR("asked"), &read, &version, ERR));
    CHECK(check_json_is(read, "42") && version == 2);
    spb_value_free(read);
    EXPECT(SPB_E_VERSION_CONFLICT,
           spb_variable_set(session, SPB_STR("asked"), value, 1, &version, ERR));
    EXPECT(SPB_E_CONSTRAINT, spb_variable_set(session, SPB_STR("asked"), negative, 0, NULL, ERR));
    OK(spb_variable_set(session, SPB_STR("asked"), value, 2, &version, ERR));
    CHECK(version == 3);
    OK(spb_variable_list(session, SPB_STR("ask*"), &list, ERR));
    CHECK(strstr(spb_value_json(list).ptr, "\"asked\"") != NULL);
    spb_value_free(list);
    OK(spb_variable_delete(session, SPB_STR("asked"), 3, ERR));
    EXPECT(SPB_E_NOT_FOUND, spb_variable_get(session, SPB_STR("asked"), &read, NULL, ERR));
    spb_value_free(value);
    spb_value_free(negative);
}

static void what_python_says_is_a_log_record(void) {
    spb_queue logs;
    spb_watch watch;
    OK(spb_queue_new(platform, &logs, ERR));
    spb_sink sink = spb_sink_queue(logs, 5);
    OK(spb_log_subscribe(platform, NULL, &sink, &watch, ERR));
    spb_operation operation = submit("speak", "{\"text\":\"hello from C\"}", NULL);
    bool logged = false;
    while (!logged) {
        spb_event event;
        size_t count;
        OK(spb_queue_next_batch(logs, &event, 1, LONG_MS, &count, ERR));
        CHECK(event.kind == SPB_EVENT_LOG && event.tag == 5);
        logged = strstr(spb_value_json(event.value).ptr, "logged hello from C") != NULL;
        spb_event_clear(&event);
    }
    expect_result(operation, "null");
    spb_watch_free(watch);
    spb_queue_free(logs);
}

static void reports_can_be_read(void) {
    spb_value *report;
    spb_pool pool;
    OK(spb_platform_schema(platform, SPB_STR("python"), &report, ERR));
    CHECK(strstr(spb_value_json(report).ptr, "\"echo\"") != NULL);
    spb_value_free(report);
    OK(spb_pool_get(platform, SPB_STR("default"), &pool, ERR));
    OK(spb_pool_stats(pool, &report, ERR));
    CHECK(spb_value_json(report).len > 2);
    spb_value_free(report);
    OK(spb_pool_resize(pool, 1, 0, ERR));
    EXPECT(SPB_E_INVALID_ARGUMENT, spb_pool_resize(pool, UINT32_MAX, 0, ERR));
    EXPECT(SPB_E_INVALID_ARGUMENT, spb_pool_resize(pool, 0, 1, ERR));
    EXPECT(SPB_E_INVALID_ARGUMENT, spb_pool_resize(pool, 2, 1, ERR));
    spb_pool_free(pool);
}

static void a_drained_pool_refuses_calls_until_it_is_resized(void) {
    spb_pool pool;
    spb_operation drain;
    OK(spb_pool_get(platform, SPB_STR("default"), &pool, ERR));
    EXPECT(SPB_E_INVALID_ARGUMENT, spb_pool_drain(pool, -2, NULL, &drain, ERR));
    OK(spb_pool_drain(pool, 0, NULL, &drain, ERR));
    expect_result(drain, "null");
    expect_failure(submit("echo", "{\"value\":1}", NULL), SPB_E_UNAVAILABLE);
    OK(spb_pool_resize(pool, 1, 2, ERR));
    expect_result(submit("echo", "{\"value\":1}", NULL), "1");
    spb_pool_free(pool);
}

/* What runs when the platform closes still ends, and before SHUTDOWN. */
static void closing_ends_what_runs(void) {
    spb_sink sink = spb_sink_queue(queue, 9);
    spb_operation operation = submit("sleep_until_cancelled", "{}", &sink), closing;
    OK(spb_platform_shutdown(platform, 50, NULL, &closing, ERR));
    spb_event event = next_event(SPB_EVENT_OP_DONE);
    CHECK(event.tag == 9 && event.status == SPB_E_CANCELLED);
    spb_event_clear(&event);
    event = next_event(SPB_EVENT_SHUTDOWN);
    spb_event_clear(&event);
    spb_operation_free(operation);
    spb_operation_free(closing);
}

static void calls_of_a_session_keep_to_one_worker(void) {
    spb_session before = session;
    spb_session_options home = SPB_SESSION_OPTIONS_INIT;
    home.affinity = SPB_AFFINITY_STRICT_QUEUE;
    OK(spb_session_open(platform, &home, &session, ERR));
    spb_execute_options options = SPB_EXECUTE_OPTIONS_INIT;
    spb_value *first = NULL;
    for (int i = 0; i < 8; i++) {
        /* With a hint beside: that moves no home. */
        options.affinity = i % 2 == 0 ? SPB_AFFINITY_DEFAULT : SPB_AFFINITY_HINT;
        spb_operation operation = submit_with(options, "pid", "{}", NULL);
        spb_value *pid;
        OK(spb_operation_wait(operation, LONG_MS, ERR));
        OK(spb_operation_take_result(operation, &pid, ERR));
        spb_operation_free(operation);
        if (first == NULL) {
            first = pid;
            continue;
        }
        spb_str expected = spb_value_json(first), seen = spb_value_json(pid);
        CHECK(expected.len == seen.len && memcmp(expected.ptr, seen.ptr, seen.len) == 0);
        spb_value_free(pid);
    }
    spb_value_free(first);
    spb_session_free(session);
    session = before;
}

int main(int argc, char **argv) {
    worker_open(argc, argv);
    a_call_comes_back_and_values_stay_exact();
    tensors_go_both_ways();
    lent_memory_goes_both_ways_and_is_given_back();
    every_call_of_many_ends_once_in_the_queue();
    chunks_are_taken_one_by_one();
    chunks_come_through_the_queue_before_the_end();
    an_exception_has_type_traceback_and_causes();
    wrong_requests_are_refused_at_once();
    a_cancel_ends_the_call_and_reaches_python();
    a_deadline_ends_the_call();
    a_dying_worker_is_told_and_replaced();
    calls_of_a_session_keep_to_one_worker();
    both_sides_share_variables();
    what_python_says_is_a_log_record();
    reports_can_be_read();
    a_drained_pool_refuses_calls_until_it_is_resized();
    closing_ends_what_runs();
    worker_close();
    return 0;
}
