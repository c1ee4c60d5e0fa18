/*
 * A C host that puts workers under one load after the other, and says what a call cost: through the
 * C ABI and nothing else.
 *
 * loads CONFIG POOL... waits until the workers of these pools are ready. Then it takes commands on
 * its standard input, a line each, and answers each with a line of JSON; `obey` lists them. It
 * knows nothing of rounds, rows and goals: those are benches/{disturbed,scaling,tensor}.rs.
 */
#include "call.h"
#include "cores.h"
#include "flow.h"
#include "listener.h"
#include "tensors.h"

#define WORDS_MAX 8

static size_t number(const char *word) {
    long long found = word == NULL ? 0 : atoll(word);
    if (found <= 0) stop("a number is missing", SPB_E_INVALID_ARGUMENT, NULL);
    return (size_t)found;
}

static double *latencies(const spb_session *sessions, size_t session_count, const char *pool,
                         const char *operation, size_t calls) {
    double *times_us = must_have(calloc(calls, sizeof *times_us));
    for (size_t index = 0; index < calls; index++) {
        times_us[index] = one_call(sessions[index % session_count], pool, operation);
    }
    return times_us;
}

static void latency(const char *pool, const char *operation, size_t calls) {
    double *times_us = latencies(&session, 1, pool, operation, calls);
    printf("{");
    print_percentiles(times_us, calls);
    printf("}\n");
    free(times_us);
}

static void window(const char *pool, const char *operation, size_t in_flight, size_t calls) {
    double each_us = many_calls(&session, 1, pool, operation, in_flight, calls);
    printf("{\"us_per_call\": %.4f, \"calls_per_s\": %.1f}\n", each_us, 1e6 / each_us);
}

/* As `window`, while somebody listens. */
static void heard(const char *pool, const char *operation, size_t in_flight, size_t calls,
                  size_t level) {
    begin_to_listen(level);
    double each_us = many_calls(&session, 1, pool, operation, in_flight, calls);
    listen_no_more();
    printf("{\"us_per_call\": %.4f, \"records\": %zu, \"dropped\": %zu, \"scrapes\": %zu}\n",
           each_us, records_taken, records_dropped, scrapes);
}

static void close_session(spb_session each) {
    spb_operation closed;
    spb_value *nothing;
    MUST(spb_session_close(each, NULL, &closed, err));
    MUST(spb_operation_wait(closed, SPB_NO_TIMEOUT, err));
    MUST(spb_operation_take_result(closed, &nothing, err));
    spb_value_free(nothing);
    spb_operation_free(closed);
    spb_session_free(each);
}

/* One call after the other, and a full window, each call in the next session. */
static void sessions(size_t count, size_t calls, size_t calls_at_once) {
    spb_session *open = must_have(calloc(count, sizeof *open));
    for (size_t index = 0; index < count; index++) {
        MUST(spb_session_open(platform, NULL, &open[index], err));
    }
    /* First, since a session's first call tells the worker its name. */
    double each_us = many_calls(open, count, "default", "echo_inline", BATCH, calls_at_once);
    double *times_us = latencies(open, count, "default", "echo_inline", calls);
    for (size_t index = 0; index < count; index++) close_session(open[index]);
    printf("{");
    print_percentiles(times_us, calls);
    printf(", \"us_per_call\": %.4f}\n", each_us);
    free(times_us);
    free(open);
}

static void obey(char **words) {
    const char *command = words[0];
    if (strcmp(command, "latency") == 0) { /* POOL OPERATION CALLS */
        latency(words[1], words[2], number(words[3]));
    } else if (strcmp(command, "window") == 0) { /* POOL OPERATION IN_FLIGHT CALLS */
        window(words[1], words[2], number(words[3]), number(words[4]));
    } else if (strcmp(command, "heard") == 0) { /* POOL OPERATION IN_FLIGHT CALLS LEVEL */
        heard(words[1], words[2], number(words[3]), number(words[4]), number(words[5]));
    } else if (strcmp(command, "sessions") == 0) { /* COUNT CALLS CALLS_AT_ONCE */
        sessions(number(words[1]), number(words[2]), number(words[3]));
    } else if (strcmp(command, "cores") == 0) { /* THREADS */
        cores(number(words[1]));
    } else if (strcmp(command, "mixed") == 0) { /* POOL tensors|documents CALLS VALUES */
        mixed(words[1], words[2], number(words[3]), number(words[4]));
    } else if (strcmp(command, "memcpy") == 0) { /* MIB COUNT, and so are the next ones */
        tensor_times(copy_once, number(words[1]), number(words[2]));
    } else if (strcmp(command, "tensor_in") == 0) {
        tensor_times(send_copied, number(words[1]), number(words[2]));
    } else if (strcmp(command, "tensor_out") == 0) {
        tensor_times(fetch, number(words[1]), number(words[2]));
    } else if (strcmp(command, "tensor_cached") == 0) {
        tensor_times(send_cached, number(words[1]), number(words[2]));
    } else if (strcmp(command, "no_tensor") == 0) {
        tensor_times(send_nothing, number(words[1]), number(words[2]));
    } else {
        stop(command, SPB_E_UNSUPPORTED, NULL);
    }
}

int main(int count, char **arguments) {
    if (count < 3) stop("usage: loads CONFIG POOL...", SPB_E_INVALID_ARGUMENT, NULL);
    setvbuf(stdout, NULL, _IOLBF, 0);
    open_platform(arguments[1]);
    for (int index = 2; index < count; index++) await_workers(arguments[index]);
    puts("{\"ready\": true}");
    char line[256];
    while (fgets(line, sizeof line, stdin) != NULL) {
        char *words[WORDS_MAX] = {0};
        char *rest = line;
        for (int index = 0; index < WORDS_MAX - 1; index++) {
            words[index] = strtok_r(rest, " \n", &rest);
        }
        if (words[0] != NULL) obey(words);
    }
    close_platform();
    return 0;
}
