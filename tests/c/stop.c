/*
 * A platform that is stopped with a hundred calls under way, from eight threads and from inside a
 * callback at once: each call ends once, as done or as cancelled, and every stop ends the same way.
 * Prints how long that took, in milliseconds, and how many calls were done.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <time.h>

#include "worker.h"

enum { CALLS = 100, QUICK = 40, THREADS = 8, GRACE_MS = 1000 };

static pthread_barrier_t together;
static spb_operation from_callback;

static void stop_inside(void *unused, spb_event *event) {
    (void)unused;
    if (event->kind != SPB_EVENT_TOOL_CALL) return;
    pthread_barrier_wait(&together);
    CHECK(spb_platform_close(platform, GRACE_MS, NULL) == SPB_E_WOULD_DEADLOCK);
    CHECK(spb_platform_shutdown(platform, GRACE_MS, NULL, &from_callback, NULL) == SPB_OK);
    CHECK(spb_invocation_complete(event->invocation, event->value, NULL) == SPB_OK);
    pthread_barrier_wait(&together);
}

static void check_stopped(spb_operation operation) {
    spb_value *result;
    CHECK(spb_operation_wait(operation, LONG_MS, NULL) == SPB_OK);
    CHECK(spb_operation_take_result(operation, &result, NULL) == SPB_OK);
    CHECK(check_json_is(result, "null"));
    spb_value_free(result);
    spb_operation_free(operation);
}

static void *stop(void *unused) {
    spb_operation operation;
    pthread_barrier_wait(&together);
    CHECK(spb_platform_shutdown(platform, GRACE_MS, NULL, &operation, NULL) == SPB_OK);
    check_stopped(operation);
    pthread_barrier_wait(&together);
    return unused;
}

static int64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* The first ones end within the grace; of the others some obey nothing. */
static void start_calls(void) {
    for (int i = 0; i < CALLS; i++) {
        spb_sink sink = spb_sink_queue(queue, (uint64_t)i);
        const char *function = i < QUICK ? "work" : i % 10 == 0 ? "obey_nothing" : "ignore_cancel";
        const char *seconds = i < QUICK ? "{\"seconds\":0.3}" : "{\"seconds\":600.0}";
        spb_operation_free(submit(function, seconds, &sink));
    }
    for (int64_t running = 0; running < CALLS;) {
        spb_pool pool;
        spb_value *stats;
        OK(spb_pool_get(platform, SPB_STR(""), &pool, ERR));
        OK(spb_pool_stats(pool, &stats, ERR));
        const char *found = strstr(spb_value_json(stats).ptr, "\"acquired\":");
        CHECK(found != NULL);
        running = strtoll(found + strlen("\"acquired\":"), NULL, 10);
        spb_value_free(stats);
        spb_pool_free(pool);
        nanosleep(&(struct timespec){0, 1000000}, NULL);
    }
}

/* How many calls were done; each has to have ended, and once. */
static int collect(void) {
    int ended[CALLS] = {0}, done = 0;
    for (;;) {
        spb_event event;
        size_t count;
        OK(spb_queue_next_batch(queue, &event, 1, LONG_MS, &count, ERR));
        if (event.kind == SPB_EVENT_SHUTDOWN) break;
        CHECK(event.kind == SPB_EVENT_OP_DONE && event.tag < CALLS);
        CHECK(event.status == SPB_OK || event.status == SPB_E_CANCELLED);
        ended[event.tag]++;
        done += event.status == SPB_OK;
        spb_event_clear(&event);
    }
    for (int i = 0; i < CALLS; i++) CHECK(ended[i] == 1);
    return done;
}

int main(int argc, char **argv) {
    pthread_t threads[THREADS];
    worker_open(argc, argv);
    CHECK(pthread_barrier_init(&together, NULL, THREADS + 1) == 0);
    spb_tool_options options = SPB_TOOL_OPTIONS_INIT;
    options.name = SPB_STR("stopper");
    spb_sink sink = spb_sink_callback(stop_inside, NULL, NULL);
    spb_tool tool;
    OK(spb_tool_register(platform, (spb_session){0}, &options, &sink, &tool, ERR));
    start_calls();
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, stop, NULL) == 0);
    int64_t began = now_ms();
    spb_operation_free(submit("call_tool", "{\"name\":\"stopper\",\"arguments\":{}}", NULL));
    for (int i = 0; i < THREADS; i++) CHECK(pthread_join(threads[i], NULL) == 0);
    int64_t took = now_ms() - began;
    check_stopped(from_callback);
    OK(spb_platform_close(platform, GRACE_MS, ERR));
    int done = collect();
    CHECK(done >= QUICK);
    printf("%" PRId64 " %d\n", took, done);
    spb_tool_free(tool);
    worker_close();
    return 0;
}
