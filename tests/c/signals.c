/*
 * A host with the default SIGPIPE, whose workers are killed under their calls: it survives, each
 * call ends once, and dispositions, mask and alternate stack of the process are byte for byte what
 * they were before the library came, while it works, and after it. Prints how many comparisons were
 * made and how many calls and kills there were.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "worker.h"

enum { IN_FLIGHT = 8 };

/* A disposition as the kernel has it, whatever its fields are on this machine: the C library's
   struct has parts that it leaves as they are. */
typedef struct {
    unsigned char bytes[64];
} disposition;

typedef struct {
    disposition actions[NSIG];
    sigset_t mask;
    stack_t stack;
    char status[1024];
} signals;

static int compared;

/* What the kernel says of it. */
static void read_status(char *into, size_t size) {
    char line[256];
    FILE *status = fopen("/proc/self/status", "r");
    CHECK(status != NULL);
    while (fgets(line, sizeof line, status) != NULL)
        if (strncmp(line, "SigIgn", 6) == 0 || strncmp(line, "SigCgt", 6) == 0 ||
            strncmp(line, "SigBlk", 6) == 0)
            strncat(into, line, size - strlen(into) - 1);
    fclose(status);
}

static signals look(void) {
    signals now;
    memset(&now, 0, sizeof now);
    for (int number = 1; number < NSIG; number++)
        CHECK(syscall(SYS_rt_sigaction, number, NULL, &now.actions[number], NSIG / 8) == 0);
    CHECK(pthread_sigmask(SIG_SETMASK, NULL, &now.mask) == 0);
    CHECK(sigaltstack(NULL, &now.stack) == 0);
    read_status(now.status, sizeof now.status);
    return now;
}

static void compare(const signals *before) {
    signals now = look();
    CHECK(memcmp(before, &now, sizeof now) == 0);
    compared++;
}

static void *do_nothing(void *unused) {
    return unused;
}

static pid_t a_worker(void) {
    spb_operation operation = submit("pid", "{}", NULL);
    spb_value *result;
    OK(spb_operation_wait(operation, LONG_MS, ERR));
    OK(spb_operation_take_result(operation, &result, ERR));
    pid_t pid = (pid_t)strtol(spb_value_json(result).ptr, NULL, 10);
    spb_value_free(result);
    spb_operation_free(operation);
    CHECK(pid > 1);
    return pid;
}

static void start(int number) {
    spb_sink sink = spb_sink_queue(queue, (uint64_t)number);
    spb_operation_free(submit("echo", "{\"value\":1}", &sink));
}

int main(int argc, char **argv) {
    CHECK(argc == 4);
    int calls = atoi(argv[2]), kills = 0, kill_every = atoi(argv[3]), started = 0;
    char *ended = calloc((size_t)calls, 1);
    CHECK(ended != NULL);
    /* The C library itself installs a handler of its own with the first thread of a process. */
    pthread_t first;
    CHECK(pthread_create(&first, NULL, do_nothing, NULL) == 0 && pthread_join(first, NULL) == 0);
    signals before = look();
    struct sigaction pipe_action;
    CHECK(sigaction(SIGPIPE, NULL, &pipe_action) == 0 && pipe_action.sa_handler == SIG_DFL);
    worker_open(2, argv);
    compare(&before);
    while (started < IN_FLIGHT) start(started++);
    for (int done = 0; done < calls; done++) {
        spb_event event = next_event(SPB_EVENT_OP_DONE);
        CHECK(event.status == SPB_OK || event.status == SPB_E_WORKER_LOST);
        CHECK(event.tag < (uint64_t)calls && ended[event.tag]++ == 0);
        spb_event_clear(&event);
        if (started < calls) start(started++);
        if (done % kill_every == 0 && done + 2 * IN_FLIGHT < calls) {
            CHECK(kill(a_worker(), SIGKILL) == 0);
            kills++;
            compare(&before);
        }
    }
    compare(&before);
    worker_close();
    compare(&before);
    printf("%d %d %d\n", compared, calls, kills);
    free(ended);
    return 0;
}
