/* What reading and writing a small variable costs a C host: state_figures CONFIG THREADS CALLS
 * prints nanoseconds per call of one thread, and calls per second of all, for get and for set. Each
 * thread has a variable of its own. Run by benches/state.rs. */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "check.h"

static spb_session session;
static long calls;
static int is_writing;

static spb_str text(const char *words) {
    spb_str view = {words, strlen(words)};
    return view;
}

static double now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static void *run(void *name) {
    spb_str variable = text(name);
    spb_value *number = NULL;
    CHECK(spb_value_from_i64(7, &number, NULL) == SPB_OK);
    for (long call = 0; call < calls; call++) {
        if (is_writing) {
            CHECK(spb_variable_set(session, variable, number, 0, NULL, NULL) == SPB_OK);
        } else {
            spb_value *held = NULL;
            uint64_t version = 0;
            CHECK(spb_variable_get(session, variable, &held, &version, NULL) == SPB_OK);
            spb_value_free(held);
        }
    }
    spb_value_free(number);
    return NULL;
}

static void measure(const char *verb, int threads, char names[][16]) {
    pthread_t running[64];
    double began = now_ns();
    for (int thread = 0; thread < threads; thread++) {
        CHECK(pthread_create(&running[thread], NULL, run, names[thread]) == 0);
    }
    for (int thread = 0; thread < threads; thread++) {
        CHECK(pthread_join(running[thread], NULL) == 0);
    }
    double elapsed = now_ns() - began;
    double count = (double)calls * (double)threads;
    printf("%s %.1f %.1f\n", verb, elapsed / (double)calls, count / elapsed * 1e9);
}

int main(int count, char **arguments) {
    CHECK(count == 4);
    int threads = atoi(arguments[2]);
    CHECK(threads > 0 && threads <= 64);
    calls = atol(arguments[3]);
    spb_platform platform;
    OK(spb_platform_open(text(arguments[1]), &platform, ERR));
    OK(spb_session_open(platform, NULL, &session, ERR));
    char names[64][16];
    spb_value *zero = NULL;
    CHECK(spb_value_from_i64(0, &zero, NULL) == SPB_OK);
    for (int thread = 0; thread < threads; thread++) {
        snprintf(names[thread], sizeof names[thread], "small%d", thread);
        spb_variable_options options = SPB_VARIABLE_OPTIONS_INIT;
        options.name = text(names[thread]);
        options.type = SPB_STR("integer");
        OK(spb_variable_register(session, &options, zero, NULL, ERR));
    }
    spb_value_free(zero);
    for (is_writing = 0; is_writing < 2; is_writing++) {
        measure(is_writing ? "set" : "get", threads, names);
    }
    spb_session_free(session);
    OK(spb_platform_close(platform, 0, ERR));
    spb_platform_free(platform);
    return 0;
}
