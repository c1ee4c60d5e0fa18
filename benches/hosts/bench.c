/*
 * The benchmark's C host: what a call costs a program that uses the C ABI and nothing else. It is
 * the peer that the other hosts are compared with. Run by benches/hosts.rs.
 *
 * bench CONFIG takes commands on its standard input, a line each, and answers each with a line of
 * JSON: "echo_latency N", "echo_throughput N" and "tool_latency N" by a completion queue with a
 * blocking wait; "echo_wait N", "echo_callback N" and "tool_callback N" by the other two ways that
 * the ABI has. It knows nothing of the other hosts.
 */
#include <pthread.h>
#include <string.h>

#include "../support/host.h"

#define IN_FLIGHT 64
#define BATCH 64

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
    double *times_us = must_have(calloc((size_t)calls, sizeof *times_us));
    for (long call = 0; call < calls; call++) {
        double began = now_us();
        echo();
        times_us[call] = now_us() - began;
    }
    printf("{");
    print_percentiles(times_us, (size_t)calls);
    printf("}\n");
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

static void register_tools(void) {
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
    await_workers("");
    register_tools();
    puts("{\"ready\": true}");
    char command[32];
    long calls;
    while (scanf("%31s %ld", command, &calls) == 2) obey(command, calls);
    close_platform();
    return 0;
}
