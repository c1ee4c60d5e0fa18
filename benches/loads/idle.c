/*
 * What the library adds to a host: idle LIBRARY CONFIG WORKERS prints the resident memory of this
 * program before it has loaded the library, with it, and with a platform whose workers are ready
 * and have nothing to do. It is not linked against the library: dlopen brings it.
 */
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "snakepit_bridge.h"

static void must(int is_fine, const char *what) {
    if (is_fine) return;
    fprintf(stderr, "idle: %s failed\n", what);
    exit(1);
}

/* Kilobytes of one kind, as the kernel counts them. */
static long status_kb(const char *key) {
    char line[256];
    long found = -1;
    FILE *file = fopen("/proc/self/status", "r");
    must(file != NULL, "/proc/self/status");
    while (fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, key, strlen(key)) == 0) found = atol(line + strlen(key));
    }
    fclose(file);
    must(found >= 0, key);
    return found;
}

static void print_memory(const char *when) {
    printf("\"%s_kb\": %ld, \"%s_anon_kb\": %ld", when, status_kb("VmRSS:"), when,
           status_kb("RssAnon:"));
}

/* A declared function of the library. */
#define FUNCTION(name)                                  \
    __typeof__(&name) name##_ = NULL;                   \
    void *name##_found = dlsym(library, #name);         \
    must(name##_found != NULL, #name);                  \
    memcpy(&name##_, &name##_found, sizeof name##_found)

static void measure_idle(void *library, const char *config, unsigned workers) {
    FUNCTION(spb_platform_open);
    FUNCTION(spb_pool_get);
    FUNCTION(spb_pool_await_ready);
    FUNCTION(spb_operation_wait);
    FUNCTION(spb_operation_free);
    FUNCTION(spb_pool_free);
    FUNCTION(spb_platform_close);
    FUNCTION(spb_platform_free);
    spb_platform platform;
    spb_pool pool;
    spb_operation ready;
    spb_str text = {config, strlen(config)}, no_name = {"", 0};
    must(spb_platform_open_(text, &platform, NULL) == SPB_OK, "open");
    must(spb_pool_get_(platform, no_name, &pool, NULL) == SPB_OK, "the pool");
    must(spb_pool_await_ready_(pool, workers, 0, NULL, &ready, NULL) == SPB_OK, "the wait");
    must(spb_operation_wait_(ready, SPB_NO_TIMEOUT, NULL) == SPB_OK, "the workers");
    print_memory("idle");
    spb_operation_free_(ready);
    spb_pool_free_(pool);
    must(spb_platform_close_(platform, 0, NULL) == SPB_OK, "close");
    spb_platform_free_(platform);
}

int main(int count, char **arguments) {
    must(count == 4, "usage: idle LIBRARY CONFIG WORKERS:");
    printf("{");
    print_memory("before");
    void *library = dlopen(arguments[1], RTLD_NOW | RTLD_LOCAL);
    must(library != NULL, "dlopen");
    printf(", ");
    print_memory("loaded");
    printf(", ");
    measure_idle(library, arguments[2], (unsigned)atoi(arguments[3]));
    printf("}\n");
    return 0;
}
