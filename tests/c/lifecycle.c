/*
 * A platform's life inside a process that is not its own: opened and closed many times, freed
 * twice and in any order, forked, exited around; and what the process was before it still is
 * afterwards.
 */
#define _GNU_SOURCE
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

extern char **environ;

/* Threads of closed platforms are on their way out; waits until the counts are what they were. */
static void wait_for(const char *directory, int expected) {
    for (int i = 0; entries(directory) > expected; i++) {
        if (i > LONG_MS) fprintf(stderr, "%s has %d entries\n", directory, entries(directory));
        CHECK(i <= LONG_MS);
        nanosleep(&(struct timespec){0, 1000000}, NULL);
    }
}

/* The lines of /proc/self/status about signals. */
static void signal_lines(char *into, size_t size) {
    char line[256];
    FILE *status = fopen("/proc/self/status", "r");
    CHECK(status != NULL);
    into[0] = '\0';
    while (fgets(line, sizeof line, status) != NULL)
        if (strncmp(line, "SigIgn", 6) == 0 || strncmp(line, "SigCgt", 6) == 0 ||
            strncmp(line, "SigBlk", 6) == 0)
            strncat(into, line, size - strlen(into) - 1);
    fclose(status);
}

static unsigned long environment(void) {
    unsigned long hash = 5381;
    for (char **entry = environ; *entry != NULL; entry++)
        for (const char *c = *entry; *c != '\0'; c++) hash = hash * 33 + (unsigned char)*c;
    return hash;
}

static void use(spb_platform platform) {
    spb_session session;
    spb_queue queue;
    spb_value *report;
    spb_text *metrics;
    int32_t fd;
    OK(spb_queue_new(platform, &queue, ERR));
    OK(spb_queue_fd(queue, &fd, ERR));
    OK(spb_session_open(platform, NULL, &session, ERR));
    OK(spb_platform_health(platform, &report, ERR));
    CHECK(spb_value_json(report).len > 2);
    spb_value_free(report);
    OK(spb_platform_metrics(platform, &metrics, ERR));
    CHECK(spb_text_view(metrics).len > 0);
    spb_text_free(metrics);
    spb_queue_free(queue);
    spb_session_free(session);
}

static void nothing_is_left_of_many_platforms(void) {
    check_close(check_open(NO_POOLS));
    wait_for("/proc/self/task", 3);
    int tasks = entries("/proc/self/task"), fds = entries("/proc/self/fd");
    for (int i = 0; i < 20; i++) {
        spb_platform platform = check_open(NO_POOLS);
        use(platform);
        check_close(platform);
    }
    wait_for("/proc/self/task", tasks);
    wait_for("/proc/self/fd", fds);
}

static void *do_nothing(void *unused) {
    return unused;
}

static void the_process_stays_as_it_was(void) {
    /* The C library itself installs a handler of its own with the first thread of a process. */
    pthread_t first;
    CHECK(pthread_create(&first, NULL, do_nothing, NULL) == 0 && pthread_join(first, NULL) == 0);
    char before[512], after[512], cwd_before[4096], cwd_after[4096];
    signal_lines(before, sizeof before);
    CHECK(getcwd(cwd_before, sizeof cwd_before) != NULL);
    unsigned long environment_before = environment();
    spb_platform platform = check_open(NO_POOLS);
    use(platform);
    signal_lines(after, sizeof after);
    CHECK(strcmp(before, after) == 0);
    check_close(platform);
    signal_lines(after, sizeof after);
    CHECK(strcmp(before, after) == 0);
    CHECK(getcwd(cwd_after, sizeof cwd_after) != NULL && strcmp(cwd_before, cwd_after) == 0);
    CHECK(environment_before == environment());
}

/* Signals of the host are the host's: no thread of the library may take one. */
static void library_threads_take_no_signals(void) {
    spb_platform platform = check_open(NO_POOLS);
    use(platform);
    DIR *tasks = opendir("/proc/self/task");
    for (struct dirent *task; (task = readdir(tasks)) != NULL;) {
        char path[300], line[256];
        if (task->d_name[0] == '.' || atoi(task->d_name) == getpid()) continue;
        snprintf(path, sizeof path, "/proc/self/task/%s/status", task->d_name);
        FILE *status = fopen(path, "r");
        while (status != NULL && fgets(line, sizeof line, status) != NULL) {
            if (strncmp(line, "SigBlk:", 7) != 0) continue;
            unsigned long blocked = strtoul(line + 7, NULL, 16);
            const int theirs[] = {SIGTERM, SIGINT, SIGCHLD, SIGUSR1, SIGALRM, SIGURG};
            for (size_t i = 0; i < sizeof theirs / sizeof *theirs; i++)
                CHECK(blocked >> (theirs[i] - 1) & 1);
        }
        if (status != NULL) fclose(status);
    }
    closedir(tasks);
    check_close(platform);
}

static void freeing_twice_and_in_any_order_is_harmless(void) {
    spb_platform platform = check_open(NO_POOLS);
    spb_session session;
    spb_queue queue;
    spb_event event;
    size_t count;
    OK(spb_queue_new(platform, &queue, ERR));
    OK(spb_session_open(platform, NULL, &session, ERR));
    spb_platform_free(platform);
    spb_platform_free(platform);
    EXPECT(SPB_E_HANDLE, spb_platform_close(platform, 0, ERR));
    OK(spb_queue_next_batch(queue, &event, 1, LONG_MS, &count, ERR));
    CHECK(count == 1 && event.kind == SPB_EVENT_SHUTDOWN);
    spb_event_clear(&event);
    EXPECT(SPB_E_CLOSED, spb_queue_next_batch(queue, &event, 1, LONG_MS, &count, ERR));
    spb_value *out;
    EXPECT(SPB_E_CLOSED, spb_session_info(session, &out, ERR));
    spb_session_free(session);
    spb_session_free(session);
    EXPECT(SPB_E_HANDLE, spb_session_info(session, &out, ERR));
    spb_queue_free(queue);
    spb_queue_free(queue);
}

static void shutdowns_share_one_end(void) {
    spb_platform platform = check_open(NO_POOLS);
    spb_queue queue;
    spb_operation first, second;
    spb_event events[4];
    size_t count, seen = 0;
    OK(spb_queue_new(platform, &queue, ERR));
    spb_sink sink = spb_sink_queue(queue, 11);
    OK(spb_platform_shutdown(platform, 1000, &sink, &first, ERR));
    OK(spb_platform_shutdown(platform, 1000, NULL, &second, ERR));
    OK(spb_operation_wait(second, LONG_MS, ERR));
    spb_value *result;
    OK(spb_operation_take_result(second, &result, ERR));
    CHECK(check_json_is(result, "null"));
    spb_value_free(result);
    EXPECT(SPB_E_ALREADY_COMPLETED, spb_operation_take_result(second, &result, ERR));
    while (seen < 2) {
        OK(spb_queue_next_batch(queue, events, 4, LONG_MS, &count, ERR));
        for (size_t i = 0; i < count; i++, seen++) {
            CHECK(events[i].kind == (seen == 0 ? SPB_EVENT_OP_DONE : SPB_EVENT_SHUTDOWN));
            CHECK(seen != 0 || (events[i].tag == 11 && events[i].operation.id == first.id));
            spb_event_clear(&events[i]);
        }
    }
    uint32_t state;
    OK(spb_operation_state(first, &state, ERR));
    CHECK(state == SPB_OPERATION_DONE);
    spb_session session;
    EXPECT(SPB_E_CLOSED, spb_session_open(platform, NULL, &session, ERR));
    OK(spb_platform_close(platform, 0, ERR));
    spb_operation_free(first);
    spb_operation_free(second);
    spb_queue_free(queue);
    spb_platform_free(platform);
}

static void *wait_in_queue(void *queue_of) {
    spb_queue queue = *(spb_queue *)queue_of;
    spb_event event;
    size_t count;
    return (void *)(intptr_t)spb_queue_next_batch(queue, &event, 1, SPB_NO_TIMEOUT, &count, NULL);
}

static void freeing_a_queue_wakes_its_waiter(void) {
    spb_platform platform = check_open(NO_POOLS);
    spb_queue queue;
    pthread_t waiter;
    void *status;
    OK(spb_queue_new(platform, &queue, ERR));
    CHECK(pthread_create(&waiter, NULL, wait_in_queue, &queue) == 0);
    spb_queue_free(queue);
    CHECK(pthread_join(waiter, &status) == 0);
    /* Freed before it began to wait, or while it did. */
    CHECK((intptr_t)status == SPB_E_HANDLE || (intptr_t)status == SPB_E_CLOSED);
    check_close(platform);
}

static void the_descriptor_follows_the_queue(void) {
    spb_platform platform = check_open(NO_POOLS);
    spb_queue queue;
    int32_t fd;
    OK(spb_queue_new(platform, &queue, ERR));
    OK(spb_queue_fd(queue, &fd, ERR));
    struct pollfd look = {fd, POLLIN, 0};
    CHECK(poll(&look, 1, 0) == 0);
    spb_platform_free(platform);
    CHECK(poll(&look, 1, LONG_MS) == 1);
    spb_event event;
    size_t count;
    OK(spb_queue_next_batch(queue, &event, 1, 0, &count, ERR));
    CHECK(event.kind == SPB_EVENT_SHUTDOWN);
    spb_event_clear(&event);
    spb_queue_free(queue);
}

/* One thread that waits in one queue serves another beside it, up to its end. */
static void one_queue_tells_another(void) {
    spb_platform platform = check_open(NO_POOLS);
    spb_queue waited, beside;
    spb_operation operation;
    spb_event event;
    size_t count;
    OK(spb_queue_new(platform, &waited, ERR));
    OK(spb_queue_new(platform, &beside, ERR));
    OK(spb_queue_notify(beside, waited, 7, ERR));
    OK(spb_queue_notify(beside, waited, 8, ERR));
    CHECK(spb_queue_next_batch(waited, &event, 1, 0, &count, NULL) == SPB_E_AGAIN);
    spb_sink sink = spb_sink_queue(beside, 1);
    OK(spb_platform_shutdown(platform, 1, &sink, &operation, ERR));
    OK(spb_queue_next_batch(waited, &event, 1, LONG_MS, &count, ERR));
    CHECK(event.kind == SPB_EVENT_QUEUE_READABLE && event.tag == 8);
    OK(spb_queue_next_batch(beside, &event, 1, 0, &count, ERR));
    CHECK(event.kind == SPB_EVENT_OP_DONE && event.tag == 1);
    spb_event_clear(&event);
    /* What a freed queue had to tell is not told. */
    OK(spb_queue_notify(beside, waited, 9, ERR));
    spb_queue_free(beside);
    OK(spb_queue_next_batch(waited, &event, 1, LONG_MS, &count, ERR));
    CHECK(event.kind == SPB_EVENT_SHUTDOWN);
    spb_operation_free(operation);
    spb_queue_free(waited);
    spb_platform_free(platform);
}

/* Expects the child to end with 0. */
static void wait_for_child(pid_t child) {
    int status;
    CHECK(child > 0);
    CHECK(waitpid(child, &status, 0) == child);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        fprintf(stderr, "the child ended with %#x\n", (unsigned)status);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void a_forked_child_is_turned_away_and_ends_well(void) {
    spb_platform platform = check_open(NO_POOLS), other;
    spb_queue queue;
    OK(spb_queue_new(platform, &queue, ERR));
    spb_value *value = check_value("1");
    pid_t child = fork();
    if (child == 0) {
        spb_value *out;
        spb_event event;
        size_t count;
        EXPECT(SPB_E_FORKED, spb_platform_health(platform, &out, ERR));
        EXPECT(SPB_E_FORKED, spb_platform_open(SPB_STR(NO_POOLS), &other, ERR));
        EXPECT(SPB_E_FORKED, spb_queue_next_batch(queue, &event, 1, -1, &count, ERR));
        EXPECT(SPB_E_FORKED, spb_platform_close(platform, 0, ERR));
        CHECK(out == NULL && count == 0 && other.id == 0);
        spb_value_free(value);
        spb_queue_free(queue);
        spb_platform_free(platform);
        exit(0);
    }
    wait_for_child(child);
    use(platform);
    spb_value_free(value);
    spb_queue_free(queue);
    check_close(platform);
}

static void exit_with_a_live_platform_is_clean(void) {
    /* A child that has never seen a platform, by way of exec: see main. */
    pid_t child = fork();
    if (child == 0) {
        execl("/proc/self/exe", "lifecycle", "exit", (char *)NULL);
        _exit(127);
    }
    wait_for_child(child);
}

int main(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "exit") == 0) {
        spb_platform platform = check_open(NO_POOLS);
        spb_queue queue;
        pthread_t waiter;
        OK(spb_queue_new(platform, &queue, ERR));
        static spb_queue kept;
        kept = queue;
        CHECK(pthread_create(&waiter, NULL, wait_in_queue, &kept) == 0);
        exit(0);
    }
    the_process_stays_as_it_was();
    nothing_is_left_of_many_platforms();
    library_threads_take_no_signals();
    freeing_twice_and_in_any_order_is_harmless();
    shutdowns_share_one_end();
    freeing_a_queue_wakes_its_waiter();
    the_descriptor_follows_the_queue();
    one_queue_tells_another();
    a_forked_child_is_turned_away_and_ends_well();
    exit_with_a_live_platform_is_clean();
    return 0;
}
