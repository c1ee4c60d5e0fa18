/*
 * What this machine's cores give to threads that only compute: the most that two workers can be
 * worth, beside whoever else has the machine.
 */
#ifndef SPB_LOADS_CORES_H
#define SPB_LOADS_CORES_H

#include "call.h"

#define CORES_MAX 64
#define STEPS 100000
#define SPIN_US 250e3

static void *spin(void *counted) {
    unsigned long rounds = 0, number = 1;
    for (double until_us = now_us() + SPIN_US; now_us() < until_us; rounds++) {
        for (int step = 0; step < STEPS; step++) {
            number = number * 6364136223846793005u + 1442695040888963407u;
            /* Otherwise the compiler may leave the loop out. */
            __asm__ volatile("" : "+r"(number));
        }
    }
    *(unsigned long *)counted = rounds;
    return NULL;
}

static void cores(size_t threads) {
    pthread_t running[CORES_MAX];
    unsigned long counted[CORES_MAX], sum = 0;
    if (threads > CORES_MAX) stop("that many threads", SPB_E_INVALID_ARGUMENT, NULL);
    for (size_t index = 0; index < threads; index++) {
        if (pthread_create(&running[index], NULL, spin, &counted[index]) != 0) {
            stop("a thread", SPB_E_RESOURCE_EXHAUSTED, NULL);
        }
    }
    for (size_t index = 0; index < threads; index++) {
        pthread_join(running[index], NULL);
        sum += counted[index];
    }
    printf("{\"rounds_per_s\": %.1f}\n", (double)sum / SPIN_US * 1e6);
}

#endif
