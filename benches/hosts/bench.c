/*
 * The benchmark's C host: what a call costs a program that uses the C ABI and nothing else. It is
 * the peer that the other hosts are compared with. Run by benches/hosts.rs.
 *
 * bench CONFIG takes commands on its standard input, a line each, and answers each with a line of
 * JSON: "echo_latency N", "echo_throughput N" and "tool_latency N" by a completion queue with a
 * blocking wait, which is the fastest way; "echo_wait N", "echo_callback N" and "tool_callback N" by
 * the other two ways that the ABI has. It knows nothing of the other hosts.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "snakepit_bridge.h"

#define IN_FLIGHT 64
#define BATCH 64

static spb_platform platform;
static spb_session session;
static spb_queue queue;

/* ---- Small helpers --------------------------------------------------------------------------- */

static void stop(const char *what, spb_status status, const spb_error *error) {
    spb_str message = spb_error_message(error);
    fprintf(stderr, "bench.c: %s: %s: %.*s\n", what, spb_status_name(status), (int)message.len,
            message.len == 0 ? "" : message.ptr);
    exit(1);
}

#define MUST(call)                                      \
    do {                                                \
        spb_error *error = NULL;                        \
        spb_error **err = &error;                       \
        spb_status status = (call);                     \
        if (status != SPB_OK) stop(#call, status, error); \
    } while (0)

static double now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static int by_size(const void *a, const void *b) {
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

static void print_latency(double *times_us, long count) {
    qsort(times_us, (size_t)count, sizeof *times_us, by_size);
    printf("{\"p50_us\": %.3f, \"p99_us\": %.3f}\n", times_us[count / 2],
           times_us[count * 99 / 100]);
}

/* ---- The echo -------------------------------------------------------------------------------- */

/* A hundred bytes, made anew for each call, as a program that has something to say does. */
static spb_value *hundred_bytes(void) {
    spb_value *parameters;
    MUST(spb_value_from_json(
        SPB_STR("{\"value\":{\"text\":\"0123456789012345678901234567890123456789012345678901234567"
                "89012345678901\",\"number\":1}}"),
        &parameters, err));
    return parameters;
}

static spb_operation submit(const spb_sink *sink) {
    spb_value *parameters = hundred_bytes();
    spb_operation operation;
    spb_execute_options what = SPB_EXECUTE_OPTIONS_INIT;
    what.framework = SPB_STR("python");
    what.operation = SPB_STR("echo");
    what.parameters = parameters;
    MUST(spb_execute(session, &what, sink, &operation, err));
    spb_value_free(parameters);
    return operation;
}

/* Looks at a result and frees it. */
static void use(spb_event *event) {
    if (event->status != SPB_OK) stop("the echo's end", event->status, event->error);
    if (spb_value_json(event->value).len < 50) stop("the echo", SPB_E_INTERNAL, NULL);
    spb_event_clear(event);
}

static void echo_by_queue(void) {
    spb_sink to_queue = spb_sink_queue(queue, 0);
    spb_operation operation = submit(&to_queue);
    spb_event event;
    size_t count;
    MUST(spb_queue_next_batch(queue, &event, 1, SPB_NO_TIMEOUT, &count, err));
    use(&event);
    spb_operation_free(operation);
}

static void echo_by_wait(void) {
    spb_operation operation = submit(NULL);
    spb_value *result;
    MUST(spb_operation_wait(operation, SPB_NO_TIMEOUT, err));
    MUST(spb_operation_take_result(operation, &result, err));
    if (spb_value_json(result).len < 50) stop("the echo", SPB_E_INTERNAL, NULL);
    spb_value_free(result);
    spb_operation_free(operation);
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t has_ended = PTHREAD_COND_INITIALIZER;
static int ended;

static void on_end(void *user_data, spb_event *event) {
    (void)user_data;
    use(event);
    pthread_mutex_lock(&mutex);
    ended = 1;
    pthread_cond_signal(&has_ended);
    pthread_mutex_unlock(&mutex);
}

static void echo_by_callback(void) {
    ended = 0;
    spb_sink to_callback = spb_sink_callback(on_end, NULL, NULL);
    spb_operation operation = submit(&to_callback);
    pthread_mutex_lock(&mutex);
    while (!ended) pthread_cond_wait(&has_ended, &mutex);
    pthread_mutex_unlock(&mutex);
    spb_operation_free(operation);
}

static void echo_latency(long calls, void (*echo)(void)) {
    double *times_us = calloc((size_t)calls, sizeof *times_us);
    if (times_us == NULL) stop("calloc", SPB_E_RESOURCE_EXHAUSTED, NULL);
    for (long call = 0; call < calls; call++) {
        double began = now_us();
        echo();
        times_us[call] = now_us() - began;
    }
    print_latency(times_us, calls);
    free(times_us);
}

/* A full window: for each call that ends another one starts. */
static void echo_throughput(long calls) {
    spb_sink to_queue = spb_sink_queue(queue, 0);
    spb_event events[BATCH];
    long submitted = 0;
    double began = now_us();
    for (; submitted < IN_FLIGHT && submitted < calls; submitted++) {
        spb_operation_free(submit(&to_queue));
    }
    for (long done = 0; done < calls;) {
        size_t count;
        MUST(spb_queue_next_batch(queue, events, BATCH, SPB_NO_TIMEOUT, &count, err));
        for (size_t index = 0; index < count; index++) {
            use(&events[index]);
            if (submitted++ < calls) spb_operation_free(submit(&to_queue));
        }
        done += (long)count;
    }
    printf("{\"calls_per_s\": %.1f}\n", (double)calls / (now_us() - began) * 1e6);
}

/* ---- The tool: it gives back what it was asked ----------------------------------------------- */

static void answer(spb_event *event) {
    MUST(spb_invocation_complete(event->invocation, event->value, err));
    spb_event_clear(event);
}

static void on_tool(void *user_data, spb_event *event) {
    (void)user_data;
    if (event->kind == SPB_EVENT_TOOL_CALL) answer(event);
}

static void register_tool(const char *name, const spb_sink *sink) {
    spb_tool tool;
    spb_tool_options options = SPB_TOOL_OPTIONS_INIT;
    options.name = spb_str_z(name);
    MUST(spb_tool_register(platform, (spb_session){0}, &options, sink, &tool, err));
    spb_tool_free(tool);
}

/* Python takes the time; this thread serves the queue until it has. */
static void tool_latency(const char *tool, long calls) {
    char text[256];
    snprintf(text, sizeof text,
             "{\"name\": \"%s\", \"arguments\": {\"text\": \"0123456789\", \"number\": 1}, "
             "\"calls\": %ld}",
             tool, calls);
    spb_value *parameters;
    MUST(spb_value_from_json(spb_str_z(text), &parameters, err));
    spb_execute_options what = SPB_EXECUTE_OPTIONS_INIT;
    what.framework = SPB_STR("python");
    what.operation = SPB_STR("tool_times");
    what.parameters = parameters;
    spb_sink to_queue = spb_sink_queue(queue, 0);
    spb_operation operation;
    MUST(spb_execute(session, &what, &to_queue, &operation, err));
    spb_value_free(parameters);
    spb_operation_free(operation);
    for (;;) {
        spb_event event;
        size_t count;
        MUST(spb_queue_next_batch(queue, &event, 1, SPB_NO_TIMEOUT, &count, err));
        if (event.kind == SPB_EVENT_TOOL_CALL) {
            answer(&event);
        } else if (event.kind == SPB_EVENT_OP_DONE) {
            if (event.status != SPB_OK) stop("tool_times", event.status, event.error);
            puts(spb_value_json(event.value).ptr);
            spb_event_clear(&event);
            return;
        } else {
            spb_event_clear(&event);
        }
    }
}

/* ---- The program ----------------------------------------------------------------------------- */

static void open_platform(const char *config) {
    spb_pool pool;
    spb_operation ready;
    MUST(spb_platform_open(spb_str_z(config), &platform, err));
    MUST(spb_pool_get(platform, SPB_STR(""), &pool, err));
    MUST(spb_pool_await_ready(pool, 1, 0, NULL, &ready, err));
    MUST(spb_operation_wait(ready, SPB_NO_TIMEOUT, err));
    spb_value *nothing;
    MUST(spb_operation_take_result(ready, &nothing, err));
    spb_value_free(nothing);
    spb_operation_free(ready);
    spb_pool_free(pool);
    MUST(spb_session_open(platform, NULL, &session, err));
    MUST(spb_queue_new(platform, &queue, err));
    spb_sink to_queue = spb_sink_queue(queue, 0);
    register_tool("echo", &to_queue);
    spb_sink to_callback = spb_sink_callback(on_tool, NULL, NULL);
    register_tool("echo_callback", &to_callback);
}

static void obey(const char *command, long count) {
    if (strcmp(command, "echo_latency") == 0) {
        echo_latency(count, echo_by_queue);
    } else if (strcmp(command, "echo_wait") == 0) {
        echo_latency(count, echo_by_wait);
    } else if (strcmp(command, "echo_callback") == 0) {
        echo_latency(count, echo_by_callback);
    } else if (strcmp(command, "echo_throughput") == 0) {
        echo_throughput(count);
    } else if (strcmp(command, "tool_latency") == 0) {
        tool_latency("echo", count);
    } else if (strcmp(command, "tool_callback") == 0) {
        tool_latency("echo_callback", count);
    } else {
        stop(command, SPB_E_UNSUPPORTED, NULL);
    }
}

int main(int count, char **arguments) {
    if (count != 2) stop("usage: bench CONFIG", SPB_E_INVALID_ARGUMENT, NULL);
    setvbuf(stdout, NULL, _IOLBF, 0);
    open_platform(arguments[1]);
    puts("{\"ready\": true}");
    char command[32];
    long calls;
    while (scanf("%31s %ld", command, &calls) == 2) obey(command, calls);
    MUST(spb_platform_close(platform, 0, err));
    spb_platform_free(platform);
    return 0;
}
