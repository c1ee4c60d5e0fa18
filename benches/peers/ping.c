/*
 * What any two processes on this machine need to wake each other: a hundred bytes there and back
 * over a pair of Unix sockets, each process bound to a core of its own. Run by benches/calls.rs.
 *
 * ping takes lines "ping - 1 MS" on its standard input and answers each with a line of JSON.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define BYTES 100
#define TIMES_MAX 1000000

static void stop(const char *what) {
    perror(what);
    exit(1);
}

/* Binds this process to the last or the first of the cores that it may use. */
static void bind_to_core(int is_last) {
    cpu_set_t allowed, one;
    int chosen = -1;
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) stop("sched_getaffinity");
    for (int core = 0; core < CPU_SETSIZE; core++) {
        if (CPU_ISSET(core, &allowed) && (is_last || chosen < 0)) chosen = core;
    }
    CPU_ZERO(&one);
    CPU_SET(chosen, &one);
    if (sched_setaffinity(0, sizeof one, &one) != 0) stop("sched_setaffinity");
}

static double now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static int by_size(const void *a, const void *b) {
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

static void answer_all(int socket) {
    char bytes[BYTES];
    bind_to_core(1);
    while (read(socket, bytes, BYTES) == BYTES) {
        if (write(socket, bytes, BYTES) != BYTES) stop("write");
    }
    exit(0);
}

static void measure(int socket, long time_ms) {
    static double times_us[TIMES_MAX];
    char bytes[BYTES] = {7};
    size_t count = 0;
    double began = now_us(), end = began + (double)time_ms * 1e3, now = began;
    while (now < end && count < TIMES_MAX) {
        double before = now_us();
        if (write(socket, bytes, BYTES) != BYTES || read(socket, bytes, BYTES) != BYTES) {
            stop("ping");
        }
        now = now_us();
        times_us[count++] = now - before;
    }
    qsort(times_us, count, sizeof *times_us, by_size);
    printf("{\"p50_us\": %.3f, \"p99_us\": %.3f, \"per_s\": %.1f, \"count\": %zu}\n",
           times_us[count / 2], times_us[count * 99 / 100], (double)count / (now - began) * 1e6,
           count);
}

int main(void) {
    int sockets[2];
    char command[32];
    long time_ms;
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) != 0) stop("socketpair");
    pid_t other = fork();
    if (other < 0) stop("fork");
    if (other == 0) {
        close(sockets[0]);
        answer_all(sockets[1]);
    }
    close(sockets[1]);
    bind_to_core(0);
    puts("{\"ready\": true}");
    while (scanf("%31s %*s %*s %ld", command, &time_ms) == 2) measure(sockets[0], time_ms);
    close(sockets[0]);
    waitpid(other, NULL, 0);
    return 0;
}
