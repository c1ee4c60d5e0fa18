/*
 * The library opened, used and closed many times in one process, now and then with a worker. Prints
 * by how many KiB the process grew after its first fifth of them, and by how many descriptors and
 * threads.
 */
#define _GNU_SOURCE
#include <malloc.h>
#include <time.h>
#include <unistd.h>

#include "worker.h"

typedef struct {
    long resident_kib;
    int fds;
    int threads;
} footprint;

/* Once the threads of what was closed are gone. */
static footprint measure(int threads) {
    footprint now;
    long pages = 0;
    for (int i = 0; entries("/proc/self/task") > threads && i < LONG_MS; i++)
        nanosleep(&(struct timespec){0, 1000000}, NULL);
    FILE *statm = fopen("/proc/self/statm", "r");
    CHECK(statm != NULL && fscanf(statm, "%*s %ld", &pages) == 1);
    fclose(statm);
    now.resident_kib = pages * (sysconf(_SC_PAGESIZE) / 1024);
    now.fds = entries("/proc/self/fd");
    now.threads = entries("/proc/self/task");
    return now;
}

static void use_what_needs_no_worker(void) {
    spb_sink sink = spb_sink_queue(queue, 1);
    spb_log_options log = SPB_LOG_OPTIONS_INIT;
    spb_tool_options options = SPB_TOOL_OPTIONS_INIT;
    options.name = SPB_STR("tool");
    spb_tool tool;
    spb_watch watch;
    spb_text *metrics;
    OK(spb_log_subscribe(platform, &log, &sink, &watch, ERR));
    OK(spb_tool_register(platform, session, &options, &sink, &tool, ERR));
    OK(spb_platform_metrics(platform, &metrics, ERR));
    spb_text_free(metrics);
    spb_watch_free(watch);
    spb_tool_free(tool);
}

static void cycle(const char *config, bool has_worker) {
    if (has_worker) {
        worker_open(2, (char *[]){NULL, (char *)config});
        expect_result(submit("echo", "{\"value\":[1]}", NULL), "[1]");
    } else {
        platform = check_open(NO_POOLS);
        OK(spb_session_open(platform, NULL, &session, ERR));
        OK(spb_queue_new(platform, &queue, ERR));
    }
    use_what_needs_no_worker();
    worker_close();
}

int main(int argc, char **argv) {
    CHECK(argc == 4);
    int cycles = atoi(argv[2]), worker_every = atoi(argv[3]);
    footprint first = {0};
    /* One arena: which of many a new thread gets is chance, and each grows for itself. */
    CHECK(mallopt(M_ARENA_MAX, 1) == 1);
    int threads = entries("/proc/self/task");
    for (int i = 0; i < cycles; i++) {
        cycle(argv[1], i % worker_every == 0);
        if (i == cycles / 5) first = measure(threads);
    }
    footprint last = measure(threads);
    printf("%ld %d %d\n", last.resident_kib - first.resident_kib, last.fds - first.fds,
           last.threads - first.threads);
    return 0;
}
