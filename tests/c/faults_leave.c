/*
 * A host that leaves without a word while a Python worker runs a call of it: by returning from
 * main, by exit() in a callback, or by exit() on another thread. The first argument says which.
 */
#include <pthread.h>

#include "worker.h"

static void exit_in_callback(void *user_data, spb_event *event) {
    (void)user_data;
    CHECK(event->kind == SPB_EVENT_OP_DONE);
    exit(0);
}

static void *exit_on_thread(void *unused) {
    (void)unused;
    exit(0);
}

/* Has the library's threads at work: one call that does not end, and as many short ones as come. */
static void keep_busy(void) {
    submit("ignore_cancel", "{\"seconds\": 600.0}", NULL);
    for (;;) expect_result(submit("echo", "{\"value\": 1}", NULL), "1");
}

int main(int argc, char **argv) {
    CHECK(argc == 3);
    worker_open(2, argv + 1);
    submit("ignore_cancel", "{\"seconds\": 600.0}", NULL);
    if (strcmp(argv[1], "callback") == 0) {
        spb_sink sink = spb_sink_callback(exit_in_callback, NULL, NULL);
        submit("echo", "{\"value\": 1}", &sink);
        keep_busy();
    } else if (strcmp(argv[1], "thread") == 0) {
        pthread_t leaver;
        expect_result(submit("echo", "{\"value\": 1}", NULL), "1");
        CHECK(pthread_create(&leaver, NULL, exit_on_thread, NULL) == 0);
        keep_busy();
    }
    CHECK(strcmp(argv[1], "return") == 0);
    return 0;
}
