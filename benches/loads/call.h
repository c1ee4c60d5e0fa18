/*
 * What every load of the benchmarks has in common: calls with a small document, one at a time and
 * with a full window. Knows nothing of what is compared with what.
 */
#ifndef SPB_LOADS_CALL_H
#define SPB_LOADS_CALL_H

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "../support/host.h"

/* Of each, the most that may be in flight or taken at once. */
#define BATCH 64

/* Empty, or what a host that traces passes on. */
static spb_str traceparent;

static inline spb_value *document(const char *json) {
    spb_value *value;
    MUST(spb_value_from_json(spb_str_z(json), &value, err));
    return value;
}

/* A hundred bytes, made anew for each call, as a program that has something to say does. */
static inline spb_value *hundred_bytes(void) {
    return document("{\"value\":{\"text\":\"012345678901234567890123456789012345678901234567890123"
                    "45678901234567\",\"number\":1}}");
}

static inline spb_operation submit(spb_session in, const char *pool, const char *operation,
                                   const spb_value *parameters, const spb_sink *sink) {
    spb_operation handle;
    spb_execute_options what = SPB_EXECUTE_OPTIONS_INIT;
    what.framework = SPB_STR("python");
    what.operation = spb_str_z(operation);
    what.parameters = parameters;
    what.pool = spb_str_z(pool);
    what.traceparent = traceparent;
    MUST(spb_execute(in, &what, sink, &handle, err));
    return handle;
}

static inline void submit_small(spb_session in, const char *pool, const char *operation) {
    spb_value *parameters = hundred_bytes();
    spb_sink to_queue = spb_sink_queue(queue, 0);
    spb_operation_free(submit(in, pool, operation, parameters, &to_queue));
    spb_value_free(parameters);
}

/* Takes what has ended, at least one call, and says how many did. */
static inline size_t take_ended(void) {
    spb_event events[BATCH];
    size_t count;
    MUST(spb_queue_next_batch(queue, events, BATCH, SPB_NO_TIMEOUT, &count, err));
    for (size_t index = 0; index < count; index++) {
        if (events[index].status != SPB_OK) {
            stop("a call's end", events[index].status, events[index].error);
        }
        spb_event_clear(&events[index]);
    }
    return count;
}

/* Microseconds of one call, from making its parameters to looking at its end. */
static inline double one_call(spb_session in, const char *pool, const char *operation) {
    double began = now_us();
    submit_small(in, pool, operation);
    take_ended();
    return now_us() - began;
}

/* Microseconds for each of `calls` with a full window, spread over the sessions. */
static inline double many_calls(const spb_session *sessions, size_t session_count,
                                const char *pool, const char *operation, size_t in_flight,
                                size_t calls) {
    size_t submitted = 0;
    double began = now_us();
    for (size_t done = 0; done < calls; done += take_ended()) {
        for (; submitted < calls && submitted - done < in_flight; submitted++) {
            submit_small(sessions[submitted % session_count], pool, operation);
        }
    }
    return (now_us() - began) / (double)calls;
}

/* One call on this thread, to its end: the result is the caller's. */
static inline spb_value *call(spb_session in, const char *pool, const char *operation,
                              const spb_value *parameters) {
    spb_operation handle = submit(in, pool, operation, parameters, NULL);
    spb_value *result;
    MUST(spb_operation_wait(handle, SPB_NO_TIMEOUT, err));
    MUST(spb_operation_take_result(handle, &result, err));
    spb_operation_free(handle);
    return result;
}

#endif
