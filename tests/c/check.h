/*
 * What the C tests share: checks that say what failed and end the program, and short ways to the
 * commonest steps. Each test is a program of its own; exit status 0 is success.
 */
#ifndef SPB_TEST_CHECK_H
#define SPB_TEST_CHECK_H

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "snakepit_bridge.h"

#define CHECK(condition) \
    ((condition) ? (void)0 : check_failed(__FILE__, __LINE__, #condition))

/* Evaluates a call once and compares its status; shows the error of `check_error`. */
#define EXPECT(expected, call) check_status(__FILE__, __LINE__, #call, (expected), (call))
#define OK(call) EXPECT(SPB_OK, call)

/* The error output that the calls of a test use, in each thread; EXPECT frees it. */
#ifdef __cplusplus
static thread_local spb_error *check_error;
#else
static _Thread_local spb_error *check_error;
#endif
#define ERR (&check_error)

/* Far beyond what anything takes. */
#define LONG_MS 60000

static inline void check_failed(const char *file, int line, const char *what) {
    fprintf(stderr, "%s:%d: not true: %s\n", file, line, what);
    exit(1);
}

static inline void check_status(const char *file, int line, const char *call, spb_status expected,
                                spb_status status) {
    spb_str message = spb_error_message(check_error);
    if (status != expected) {
        fprintf(stderr, "%s:%d: %s: expected %s, got %s: %.*s\n%.*s\n", file, line, call,
                spb_status_name(expected), spb_status_name(status), (int)message.len,
                message.len ? message.ptr : "", (int)spb_error_python_traceback(check_error).len,
                spb_error_python_traceback(check_error).ptr);
        exit(1);
    }
    if (check_error != NULL) {
        if (spb_error_status(check_error) != status || status == SPB_OK || message.len == 0) {
            fprintf(stderr, "%s:%d: %s: the error does not fit the status\n", file, line, call);
            exit(1);
        }
        spb_error_free(check_error);
        check_error = NULL;
    }
}

/* How many entries a directory has, `.` and `..` included. */
static inline int entries(const char *directory) {
    int count = 0;
    DIR *open = opendir(directory);
    CHECK(open != NULL);
    while (readdir(open) != NULL) count++;
    closedir(open);
    return count;
}

static inline bool check_text_is(spb_str text, const char *expected) {
    return text.len == strlen(expected) && memcmp(text.ptr, expected, text.len) == 0;
}

/* Whether the document of a value is exactly this text. */
static inline bool check_json_is(const spb_value *value, const char *expected) {
    spb_str json = spb_value_json(value);
    if (check_text_is(json, expected) && json.ptr[json.len] == '\0') return true;
    fprintf(stderr, "value is %s, expected %s\n", json.len ? json.ptr : "(empty)", expected);
    return false;
}

static inline spb_value *check_value(const char *json) {
    spb_value *value;
    OK(spb_value_from_json(spb_str_z(json), &value, ERR));
    return value;
}

static inline spb_platform check_open(const char *config_json) {
    spb_platform platform;
    OK(spb_platform_open(spb_str_z(config_json), &platform, ERR));
    CHECK(platform.id != 0);
    return platform;
}

static inline void check_close(spb_platform platform) {
    OK(spb_platform_close(platform, 0, ERR));
    spb_platform_free(platform);
}

/* A platform without workers. */
#define NO_POOLS "{\"pools\": {}}"

#endif
