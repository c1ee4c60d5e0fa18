/*
 * Threads of the host that wait, and may read from workers meanwhile, and others that submit, and
 * may send: ended by pthread_cancel, interrupted by signals, with small stacks, many at once. No
 * call loses its end, and those that come later find somebody who reads and sends.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

#include "worker.h"

enum { CALLS = 200, THREADS = 4, STACK_BYTES = 256 * 1024 };

static spb_operation submit_to_queue(uint64_t tag) {
    spb_sink sink = spb_sink_queue(queue, tag);
    return submit("echo", "{\"value\":7}", &sink);
}

/* One call at a time, by a thread that waits for each in the queue. */
static void *lone_calls(void *unused) {
    for (uint64_t tag = 1; tag <= CALLS; tag++) {
        spb_operation_free(submit_to_queue(tag));
        spb_event event = next_event(SPB_EVENT_OP_DONE);
        CHECK(event.tag == tag && event.status == SPB_OK);
        spb_event_clear(&event);
    }
    return unused;
}

static void *calls_waited_for(void *unused) {
    for (int i = 0; i < CALLS; i++)
        expect_result(submit("echo", "{\"value\":7}", NULL), "7");
    return unused;
}

static atomic_int interrupted;
static atomic_bool is_over;

static void on_signal(int number) {
    (void)number;
    atomic_fetch_add(&interrupted, 1);
}

static void *interrupt(void *target) {
    while (!atomic_load(&is_over)) {
        pthread_kill(*(pthread_t *)target, SIGUSR1);
        sched_yield();
    }
    return NULL;
}

static pthread_t with_a_small_stack(void *(*run)(void *)) {
    pthread_attr_t small;
    pthread_t thread;
    CHECK(pthread_attr_init(&small) == 0 && pthread_attr_setstacksize(&small, STACK_BYTES) == 0);
    CHECK(pthread_create(&thread, &small, run, NULL) == 0);
    pthread_attr_destroy(&small);
    return thread;
}

static void signals_and_a_small_stack(void) {
    struct sigaction action = {.sa_handler = on_signal};
    pthread_t nuisance;
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
    pthread_t caller = with_a_small_stack(lone_calls);
    CHECK(pthread_create(&nuisance, NULL, interrupt, &caller) == 0);
    CHECK(pthread_join(caller, NULL) == 0);
    atomic_store(&is_over, true);
    CHECK(pthread_join(nuisance, NULL) == 0);
    CHECK(atomic_load(&interrupted) > 0);
}

static atomic_int taken;

/* The address sanitizer does not see that its frame is unwound. */
__attribute__((no_sanitize_address)) static void *take_for_ever(void *unused) {
    for (;;) {
        spb_event event = next_event(SPB_EVENT_OP_DONE);
        spb_event_clear(&event);
        atomic_fetch_add(&taken, 1);
        pthread_testcancel();
    }
    return unused;
}

static void await_taken(int count) {
    while (atomic_load(&taken) < count) sched_yield();
    CHECK(atomic_load(&taken) == count);
}

static pthread_t begin_to_take(void) {
    pthread_t taker;
    atomic_store(&taken, 0);
    CHECK(pthread_create(&taker, NULL, take_for_ever, NULL) == 0);
    return taker;
}

static void expect_cancelled(pthread_t thread) {
    void *how;
    CHECK(pthread_join(thread, &how) == 0 && how == PTHREAD_CANCELED);
}

/* Ends the thread when it has taken so many events. */
static void cancel_taker(pthread_t taker, int count) {
    /* It may sit in the library now, and leaves it with the next event. */
    CHECK(pthread_cancel(taker) == 0);
    spb_operation last = submit_to_queue(1);
    OK(spb_operation_wait(last, LONG_MS, ERR));
    spb_operation_free(last);
    expect_cancelled(taker);
    if (atomic_load(&taken) == count) {
        /* It was between two waits. */
        spb_event event = next_event(SPB_EVENT_OP_DONE);
        spb_event_clear(&event);
    }
}

/* A thread that is to end while it waits ends with what it waited for, behind the library. */
static void cancelled(void) {
    pthread_t taker = begin_to_take();
    for (int i = 1; i <= CALLS; i++) {
        spb_operation_free(submit_to_queue(1));
        await_taken(i);
    }
    cancel_taker(taker, CALLS);
}

/*
 * For the leak sanitizer: what a library registers for the end of a thread after the thread has run
 * what was registered, as threads do that call from their last destructors, glibc never frees.
 */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void) { return "leak:__cxa_thread_atexit_impl\n"; }

static pthread_key_t last_words;

/* Runs when a thread ends, after everything of the library's own that belongs to the thread. */
static void call_at_the_end(void *value) {
    spb_operation_free(submit_to_queue(*(uint64_t *)value));
    spb_event event = next_event(SPB_EVENT_OP_DONE);
    CHECK(event.tag == *(uint64_t *)value && event.status == SPB_OK);
    spb_event_clear(&event);
    expect_result(submit("echo", "{\"value\":7}", NULL), "7");
}

static void *ends_with_a_call(void *value) {
    CHECK(pthread_setspecific(last_words, value) == 0);
    return calls_waited_for(NULL);
}

static void calls_at_the_end_of_threads(void) {
    uint64_t tag = 4711;
    CHECK(pthread_key_create(&last_words, call_at_the_end) == 0);
    for (int i = 0; i < THREADS; i++) {
        pthread_t thread;
        CHECK(pthread_create(&thread, NULL, ends_with_a_call, &tag) == 0);
        CHECK(pthread_join(thread, NULL) == 0);
    }
    CHECK(pthread_key_delete(last_words) == 0);
}

static atomic_int submitted;

/* One call at a time, which another thread takes: this one sends it itself. */
__attribute__((no_sanitize_address)) static void *submit_for_ever(void *unused) {
    for (;;) {
        spb_operation_free(submit_to_queue(1));
        int count = atomic_fetch_add(&submitted, 1) + 1;
        while (atomic_load(&taken) < count) sched_yield();
        pthread_testcancel();
    }
    return unused;
}

/* A thread that is to end while it submits ends behind the library, and nothing is lost with it. */
static void cancelled_senders(void) {
    pthread_t taker = begin_to_take();
    for (int i = 1; i <= CALLS; i++) {
        pthread_t sender = with_a_small_stack(submit_for_ever);
        while (atomic_load(&submitted) < 2 * i) sched_yield();
        CHECK(pthread_cancel(sender) == 0);
        expect_cancelled(sender);
        await_taken(atomic_load(&submitted));
    }
    cancel_taker(taker, atomic_load(&submitted));
}

/* Submits again for each end, as event loops do: a window that is never empty. */
static void window_of_calls(const char *function) {
    enum { IN_FLIGHT = 40 };
    static int ends[CALLS];
    memset(ends, 0, sizeof ends);
    uint64_t submitted = 0;
    spb_event events[IN_FLIGHT];
    for (int ended = 0; ended < CALLS;) {
        while (submitted < CALLS && submitted < (uint64_t)ended + IN_FLIGHT) {
            spb_sink sink = spb_sink_queue(queue, submitted++);
            spb_operation_free(submit(function, "{\"value\":7}", &sink));
        }
        size_t count;
        OK(spb_queue_next_batch(queue, events, IN_FLIGHT, LONG_MS, &count, ERR));
        for (size_t i = 0; i < count; i++) {
            CHECK(events[i].kind == SPB_EVENT_OP_DONE && events[i].status == SPB_OK);
            ends[events[i].tag]++;
            ended++;
            spb_event_clear(&events[i]);
        }
    }
    for (int i = 0; i < CALLS; i++) CHECK(ends[i] == 1);
}

static void await_file(const char *path) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    for (time_t until = now.tv_sec + LONG_MS / 1000; access(path, F_OK) != 0;) {
        sched_yield();
        clock_gettime(CLOCK_MONOTONIC, &now);
        CHECK(now.tv_sec < until);
    }
    CHECK(unlink(path) == 0);
}

/* What such a thread submits is carried out although it never comes back to the library. */
static void left_behind(void) {
    enum { MARKS = 20 };
    char folder[] = "/tmp/spb-waiting-XXXXXX", path[80], parameters[100];
    CHECK(mkdtemp(folder) != NULL);
    for (int marks = 1; marks <= MARKS; marks++) {
        window_of_calls("echo_inline");
        for (int i = 0; i < marks; i++) {
            snprintf(parameters, sizeof parameters, "{\"path\":\"%s/%d\"}", folder, i);
            spb_sink sink = spb_sink_queue(queue, (uint64_t)i);
            spb_operation_free(submit("leave_mark", parameters, &sink));
        }
        for (int i = 0; i < marks; i++) {
            snprintf(path, sizeof path, "%s/%d", folder, i);
            await_file(path);
        }
        for (int i = 0; i < marks; i++) {
            spb_event event = next_event(SPB_EVENT_OP_DONE);
            CHECK(event.status == SPB_OK);
            spb_event_clear(&event);
        }
    }
    CHECK(rmdir(folder) == 0);
}

static atomic_int seen[CALLS];

static void *take_until_closed(void *unused) {
    spb_event event;
    size_t count;
    while (spb_queue_next_batch(queue, &event, 1, SPB_NO_TIMEOUT, &count, NULL) == SPB_OK) {
        if (event.kind == SPB_EVENT_OP_DONE) {
            CHECK(event.status == SPB_OK);
            atomic_fetch_add(&seen[event.tag], 1);
            atomic_fetch_add(&taken, 1);
        }
        spb_event_clear(&event);
    }
    return unused;
}

/* Several threads over one queue, others over operations; the first ones wait until the end. */
static void many(pthread_t *takers) {
    pthread_t callers[THREADS];
    atomic_store(&taken, 0);
    for (int i = 0; i < THREADS; i++) {
        CHECK(pthread_create(&takers[i], NULL, take_until_closed, NULL) == 0);
        CHECK(pthread_create(&callers[i], NULL, calls_waited_for, NULL) == 0);
    }
    for (uint64_t tag = 0; tag < CALLS; tag++) spb_operation_free(submit_to_queue(tag));
    for (int i = 0; i < THREADS; i++) CHECK(pthread_join(callers[i], NULL) == 0);
    await_taken(CALLS);
    for (int i = 0; i < CALLS; i++) CHECK(atomic_load(&seen[i]) == 1);
}

int main(int argc, char **argv) {
    pthread_t takers[THREADS];
    worker_open(argc, argv);
    lone_calls(NULL);
    calls_waited_for(NULL);
    signals_and_a_small_stack();
    cancelled();
    calls_at_the_end_of_threads();
    cancelled_senders();
    lone_calls(NULL);
    window_of_calls("echo_inline");
    window_of_calls("echo");
    left_behind();
    many(takers);
    worker_close();
    for (int i = 0; i < THREADS; i++) CHECK(pthread_join(takers[i], NULL) == 0);
    return 0;
}
