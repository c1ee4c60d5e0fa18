/*
 * For the C tests with a real Python worker: a platform opened as the first argument of the
 * program says, and calls of tests/python/spb_testmod.py.
 */
#ifndef SPB_TEST_WORKER_H
#define SPB_TEST_WORKER_H

#include "check.h"

static spb_platform platform;
static spb_session session;
static spb_queue queue;

static inline void worker_open(int argc, char **argv) {
    CHECK(argc == 2);
    platform = check_open(argv[1]);
    spb_pool pool;
    spb_operation ready;
    OK(spb_pool_get(platform, SPB_STR(""), &pool, ERR));
    OK(spb_pool_await_ready(pool, 0, LONG_MS, NULL, &ready, ERR));
    OK(spb_operation_wait(ready, LONG_MS, ERR));
    spb_value *none;
    OK(spb_operation_take_result(ready, &none, ERR));
    spb_value_free(none);
    spb_operation_free(ready);
    spb_pool_free(pool);
    OK(spb_session_open(platform, NULL, &session, ERR));
    OK(spb_queue_new(platform, &queue, ERR));
}

static inline void worker_close(void) {
    spb_session_free(session);
    check_close(platform);
    spb_queue_free(queue);
}

/* Submits a call; `options` may have more set. */
static inline spb_operation submit_with(spb_execute_options options, const char *function,
                                        const char *parameters, const spb_sink *sink) {
    spb_operation operation;
    spb_value *document = check_value(parameters);
    options.framework = SPB_STR("python");
    options.operation = spb_str_z(function);
    options.parameters = document;
    if (options.timeout_ms == 0) options.timeout_ms = LONG_MS;
    OK(spb_execute(session, &options, sink, &operation, ERR));
    spb_value_free(document);
    CHECK(operation.id != 0);
    return operation;
}

static inline spb_operation submit(const char *function, const char *parameters,
                                   const spb_sink *sink) {
    return submit_with(SPB_EXECUTE_OPTIONS_INIT, function, parameters, sink);
}

/* Waits for the end and checks that it is this document. */
static inline void expect_result(spb_operation operation, const char *expected) {
    spb_value *result;
    OK(spb_operation_wait(operation, LONG_MS, ERR));
    OK(spb_operation_take_result(operation, &result, ERR));
    CHECK(check_json_is(result, expected));
    spb_value_free(result);
    spb_operation_free(operation);
}

static inline void expect_failure(spb_operation operation, spb_status expected) {
    spb_value *result = (spb_value *)1;
    OK(spb_operation_wait(operation, LONG_MS, ERR));
    EXPECT(expected, spb_operation_take_result(operation, &result, ERR));
    CHECK(result == NULL);
    spb_operation_free(operation);
}

/* The next event of the queue, which has to be of this kind. */
static inline spb_event next_event(uint32_t kind) {
    spb_event event;
    size_t count;
    OK(spb_queue_next_batch(queue, &event, 1, LONG_MS, &count, ERR));
    if (event.kind != kind) {
        spb_str message = spb_error_message(event.error);
        fprintf(stderr, "event of kind %" PRIu32 " (%s), expected %" PRIu32 ": %.*s %s\n",
                event.kind, spb_status_name(event.status), kind, (int)message.len,
                message.len ? message.ptr : "", event.value ? spb_value_json(event.value).ptr : "");
    }
    CHECK(count == 1 && event.kind == kind);
    return event;
}

#endif
