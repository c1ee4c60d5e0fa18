/*
 * The product as the benchmark of calls sees it: a C program that uses the C ABI and nothing else.
 * Run by benches/calls.rs.
 *
 * calls CONFIG FOLDER takes commands on its standard input, a line each, and answers each with a
 * line of JSON. "OPERATION SIZE IN_FLIGHT MS" executes that operation of spb_callmod with
 * FOLDER/SIZE.json as parameters, so many at once, until the time is over; "chunks - 1 MS" takes a
 * stream, "tool_times - 1 MS" lets Python call a tool of this program, "compute_start - 0 0"
 * and "compute_stop - 0 0" make a thread of the worker busy and idle. It knows nothing of peers.
 */
#include <string.h>

#include "../support/host.h"

#define IN_FLIGHT_MAX 64

static const char *folder;

/* The whole of FOLDER/NAME.json. */
static spb_str document(const char *name) {
    char path[512];
    snprintf(path, sizeof path, "%s/%s.json", folder, name);
    FILE *file = fopen(path, "rb");
    if (file == NULL || fseek(file, 0, SEEK_END) != 0) stop(path, SPB_E_NOT_FOUND, NULL);
    size_t size = (size_t)ftell(file);
    char *text = must_have(malloc(size));
    rewind(file);
    if (fread(text, 1, size, file) != size) stop(path, SPB_E_INTERNAL, NULL);
    fclose(file);
    return (spb_str){.ptr = text, .len = size};
}

/* ---- How long calls took --------------------------------------------------------------------- */

static double *times_us;
static size_t times_count, times_space;

static void took(double time_us) {
    if (times_count == times_space) {
        times_space = times_space == 0 ? 1024 : times_space * 2;
        times_us = must_have(realloc(times_us, times_space * sizeof *times_us));
    }
    times_us[times_count++] = time_us;
}

static void print_times(double elapsed_us) {
    printf("{");
    print_percentiles(times_us, times_count);
    printf(", \"per_s\": %.1f, \"count\": %zu}\n", (double)times_count / elapsed_us * 1e6,
           times_count);
}

/* ---- Calls ----------------------------------------------------------------------------------- */

/* Parameters are made anew for each call, as a program that has something to say does. */
static void submit(const char *operation, spb_str parameters, uint64_t tag, uint32_t flags) {
    spb_value *value;
    MUST(spb_value_from_json(parameters, &value, err));
    spb_sink to_queue = spb_sink_queue(queue, tag);
    spb_operation submitted;
    spb_execute_options what = SPB_EXECUTE_OPTIONS_INIT;
    what.framework = SPB_STR("python");
    what.operation = spb_str_z(operation);
    what.parameters = value;
    what.flags = flags;
    MUST(spb_execute(session, &what, &to_queue, &submitted, err));
    spb_operation_free(submitted);
    spb_value_free(value);
}

/* A full window until the time is over; what is then in flight still counts. */
static void echo(const char *operation, const char *size, size_t in_flight, double time_us) {
    double submitted_us[IN_FLIGHT_MAX];
    spb_event events[IN_FLIGHT_MAX];
    spb_str parameters = document(size);
    size_t open = 0;
    times_count = 0;
    double began = now_us(), now = began;
    for (; open < in_flight && open < IN_FLIGHT_MAX; open++) {
        submitted_us[open] = now_us();
        submit(operation, parameters, open, 0);
    }
    while (open > 0) {
        size_t count;
        MUST(spb_queue_next_batch(queue, events, IN_FLIGHT_MAX, SPB_NO_TIMEOUT, &count, err));
        now = now_us();
        for (size_t index = 0; index < count; index++) {
            uint64_t slot = events[index].tag;
            if (events[index].status != SPB_OK) {
                stop(operation, events[index].status, events[index].error);
            }
            if (spb_value_json(events[index].value).len + 20 < parameters.len) {
                stop("too short an echo", SPB_E_INTERNAL, NULL);
            }
            spb_event_clear(&events[index]);
            took(now - submitted_us[slot]);
            open--;
            if (now - began < time_us) {
                submitted_us[slot] = now_us();
                submit(operation, parameters, slot, 0);
                open++;
            }
        }
    }
    print_times(now - began);
    free((void *)parameters.ptr);
}

/* One call, whose result is printed where it is asked for; serves the tool meanwhile. */
static void run(const char *operation, const char *parameters, int prints) {
    submit(operation, spb_str_z(parameters), 0, 0);
    for (;;) {
        spb_event event;
        size_t count;
        MUST(spb_queue_next_batch(queue, &event, 1, SPB_NO_TIMEOUT, &count, err));
        if (event.kind == SPB_EVENT_TOOL_CALL) {
            MUST(spb_invocation_complete(event.invocation, event.value, err));
        }
        int is_end = event.kind == SPB_EVENT_OP_DONE;
        if (is_end && event.status != SPB_OK) stop(operation, event.status, event.error);
        if (is_end && prints) puts(spb_value_json(event.value).ptr);
        spb_event_clear(&event);
        if (is_end) return;
    }
}

/* ---- Chunks ---------------------------------------------------------------------------------- */

/* How many microseconds a stream of so many chunks takes; each is looked at. */
static double stream_us(long wanted) {
    spb_event events[256];
    char parameters[64];
    snprintf(parameters, sizeof parameters, "{\"count\": %ld}", wanted);
    long seen = 0;
    double began = now_us();
    submit("chunks", spb_str_z(parameters), 0, SPB_EXECUTE_STREAM);
    for (int has_ended = 0; !has_ended;) {
        size_t count;
        MUST(spb_queue_next_batch(queue, events, 256, SPB_NO_TIMEOUT, &count, err));
        for (size_t index = 0; index < count; index++) {
            if (events[index].kind == SPB_EVENT_OP_CHUNK) {
                seen += spb_value_json(events[index].value).len > 0;
            } else if (events[index].kind == SPB_EVENT_OP_DONE) {
                if (events[index].status != SPB_OK) {
                    stop("chunks", events[index].status, events[index].error);
                }
                has_ended = 1;
            }
            spb_event_clear(&events[index]);
        }
    }
    if (seen != wanted) stop("chunks are missing", SPB_E_INTERNAL, NULL);
    return now_us() - began;
}

/* A short stream says how many chunks fit into the time. */
static void chunks(double time_us) {
    const long few = 2000;
    long count = (long)((double)few * time_us / stream_us(few)) + 1;
    printf("{\"per_s\": %.1f, \"count\": %ld}\n", (double)count / stream_us(count) * 1e6, count);
}

/* ---- The program ----------------------------------------------------------------------------- */

static void obey(const char *command, const char *size, size_t in_flight, long time_ms) {
    if (strcmp(command, "compute_start") == 0 || strcmp(command, "compute_stop") == 0) {
        run(command, "{}", 0);
        puts("{}");
    } else if (strcmp(command, "chunks") == 0) {
        chunks((double)time_ms * 1e3);
    } else if (strcmp(command, "tool_times") == 0) {
        char parameters[160];
        snprintf(parameters, sizeof parameters,
                 "{\"arguments\": {\"text\": \"0123456789\", \"number\": 1}, \"time_ms\": %ld}",
                 time_ms);
        run(command, parameters, 1);
    } else {
        echo(command, size, in_flight, (double)time_ms * 1e3);
    }
}

int main(int count, char **arguments) {
    if (count != 3) stop("usage: calls CONFIG FOLDER", SPB_E_INVALID_ARGUMENT, NULL);
    setvbuf(stdout, NULL, _IOLBF, 0);
    folder = arguments[2];
    open_platform(arguments[1]);
    await_workers("");
    spb_sink to_queue = spb_sink_queue(queue, 0);
    register_tool("echo", &to_queue);
    puts("{\"ready\": true}");
    char command[32], size[32];
    size_t in_flight;
    long time_ms;
    while (scanf("%31s %31s %zu %ld", command, size, &in_flight, &time_ms) == 4) {
        obey(command, size, in_flight, time_ms);
    }
    close_platform();
    free(times_us);
    return 0;
}
