/*
 * Callbacks of host tools that never return: only their own calls run out of time, the others have
 * their threads, and closing keeps to its limit and says which tools they were. Prints how long the
 * close took, in milliseconds.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include "worker.h"

enum { STUCK = 3, CALLBACK_THREADS = 4, GRACE_MS = 500 };

static void never_return(void *unused, spb_event *event) {
    (void)unused;
    if (event->kind != SPB_EVENT_TOOL_CALL) return;
    for (;;) pause();
}

static void answer(void *unused, spb_event *event) {
    (void)unused;
    if (event->kind != SPB_EVENT_TOOL_CALL) return;
    CHECK(spb_invocation_complete(event->invocation, event->value, NULL) == SPB_OK);
}

static void add_tool(const char *name, spb_event_callback callback, int64_t timeout_ms) {
    spb_tool_options options = SPB_TOOL_OPTIONS_INIT;
    options.name = spb_str_z(name);
    options.timeout_ms = timeout_ms;
    spb_sink sink = spb_sink_callback(callback, NULL, NULL);
    spb_tool tool;
    OK(spb_tool_register(platform, (spb_session){0}, &options, &sink, &tool, ERR));
    spb_tool_free(tool);
}

static int64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int callback_threads(void) {
    int count = 0;
    DIR *tasks = opendir("/proc/self/task");
    for (struct dirent *task; (task = readdir(tasks)) != NULL;) {
        char path[300], name[32] = "";
        snprintf(path, sizeof path, "/proc/self/task/%s/comm", task->d_name);
        FILE *comm = fopen(path, "r");
        if (comm == NULL) continue;
        if (fgets(name, sizeof name, comm) != NULL) count += strcmp(name, "spb-callback\n") == 0;
        fclose(comm);
    }
    closedir(tasks);
    return count;
}

static const char *const names[STUCK] = {"stuck-0", "stuck-1", "stuck-2"};

static void the_others_are_served(void) {
    for (int i = 0; i < 20; i++)
        expect_result(submit("call_tool", "{\"name\":\"fine\",\"arguments\":{\"a\":1}}", NULL),
                      "{\"a\":1}");
}

static void stuck_calls_run_out_of_time(void) {
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < STUCK; i++) {
            char parameters[80];
            snprintf(parameters, sizeof parameters, "{\"name\":\"%s\",\"arguments\":{}}", names[i]);
            spb_operation operation = submit("call_tool", parameters, NULL);
            spb_value *result;
            OK(spb_operation_wait(operation, LONG_MS, ERR));
            CHECK(spb_operation_take_result(operation, &result, NULL) != SPB_OK);
            spb_operation_free(operation);
            CHECK(callback_threads() <= CALLBACK_THREADS);
        }
}

/* Which of the stuck tools the log names. */
static int named(void) {
    int found[STUCK] = {0}, count = 0;
    for (;;) {
        spb_event event;
        size_t taken;
        if (spb_queue_next_batch(queue, &event, 1, LONG_MS, &taken, NULL) != SPB_OK) break;
        for (int i = 0; i < STUCK && event.kind == SPB_EVENT_LOG; i++) {
            spb_str text = spb_value_json(event.value);
            found[i] |= strstr(text.ptr, names[i]) != NULL && strstr(text.ptr, "stuck:") != NULL;
        }
        spb_event_clear(&event);
    }
    for (int i = 0; i < STUCK; i++) count += found[i];
    return count;
}

int main(int argc, char **argv) {
    worker_open(argc, argv);
    spb_log_options options = SPB_LOG_OPTIONS_INIT;
    options.level = 30;
    spb_sink logs = spb_sink_queue(queue, 1);
    spb_watch watch;
    OK(spb_log_subscribe(platform, &options, &logs, &watch, ERR));
    for (int i = 0; i < STUCK; i++) add_tool(names[i], never_return, 200);
    add_tool("fine", answer, 0);
    the_others_are_served();
    stuck_calls_run_out_of_time();
    the_others_are_served();
    int64_t began = now_ms();
    OK(spb_platform_close(platform, GRACE_MS, ERR));
    printf("%" PRId64 "\n", now_ms() - began);
    CHECK(named() == STUCK);
    spb_watch_free(watch);
    spb_session_free(session);
    spb_queue_free(queue);
    spb_platform_free(platform);
    /* The stuck threads are the host's fault; exit() has to be possible beside them. */
    return 0;
}
