/*
 * What every C program of the benchmarks has in common: a platform with one session and one queue
 * through the C ABI, an end with a message for whatever fails, the clock, and percentiles. Knows
 * nothing of what is measured, nor of the commands that a program takes.
 */
#ifndef SPB_BENCHES_HOST_H
#define SPB_BENCHES_HOST_H

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "snakepit_bridge.h"

static spb_platform platform;
/* The session and the queue of what is measured. */
static spb_session session;
static spb_queue queue;

static inline void stop(const char *what, spb_status status, const spb_error *error) {
    spb_str message = spb_error_message(error);
    fprintf(stderr, "a C host: %s: %s: %.*s\n", what, spb_status_name(status), (int)message.len,
            message.len == 0 ? "" : message.ptr);
    exit(1);
}

#define MUST(call)                                        \
    do {                                                  \
        spb_error *error = NULL;                          \
        spb_error **err = &error;                         \
        spb_status status = (call);                       \
        if (status != SPB_OK) stop(#call, status, error); \
    } while (0)

static inline void *must_have(void *memory) {
    if (memory == NULL) stop("memory", SPB_E_RESOURCE_EXHAUSTED, NULL);
    return memory;
}

/* ---- Times ----------------------------------------------------------------------------------- */

static inline double now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static inline int by_size(const void *a, const void *b) {
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

/* Prints the inside of a JSON object; sorts the times. */
static inline void print_percentiles(double *times_us, size_t count) {
    qsort(times_us, count, sizeof *times_us, by_size);
    printf("\"p50_us\": %.3f, \"p99_us\": %.3f", times_us[count / 2], times_us[count * 99 / 100]);
}

/* ---- The platform ---------------------------------------------------------------------------- */

static inline void open_platform(const char *config) {
    MUST(spb_platform_open(spb_str_z(config), &platform, err));
    MUST(spb_session_open(platform, NULL, &session, err));
    MUST(spb_queue_new(platform, &queue, err));
}

/* Returns when all workers of the pool are ready; the empty name stands for the default pool. */
static inline void await_workers(const char *name) {
    spb_pool pool;
    spb_operation ready;
    spb_value *nothing;
    MUST(spb_pool_get(platform, spb_str_z(name), &pool, err));
    MUST(spb_pool_await_ready(pool, 0, 0, NULL, &ready, err));
    MUST(spb_operation_wait(ready, SPB_NO_TIMEOUT, err));
    MUST(spb_operation_take_result(ready, &nothing, err));
    spb_value_free(nothing);
    spb_operation_free(ready);
    spb_pool_free(pool);
}

static inline void register_tool(const char *name, const spb_sink *sink) {
    spb_tool tool;
    spb_tool_options options = SPB_TOOL_OPTIONS_INIT;
    options.name = spb_str_z(name);
    MUST(spb_tool_register(platform, (spb_session){0}, &options, sink, &tool, err));
    spb_tool_free(tool);
}

static inline void close_platform(void) {
    MUST(spb_platform_close(platform, 0, err));
    spb_platform_free(platform);
}

#endif
