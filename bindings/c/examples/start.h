/* What each example begins with: giving up on an error, a value of JSON text, and a platform with
 * one Python worker that serves harbour.py. Everything else is in the examples themselves. */
#ifndef EXAMPLES_START_H
#define EXAMPLES_START_H

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <snakepit_bridge.h>

/* Ends the program if `status` is not SPB_OK; errors.c shows what else can be done. It takes the
 * place of the error, and not the error: C may read an argument before it makes the call that is
 * another one. */
static inline void must(spb_status status, spb_error **error, const char *what)
{
    if (status == SPB_OK) {
        return;
    }
    spb_str message = spb_error_message(*error);
    fprintf(stderr, "%s: %s: %.*s\n", what, spb_status_name(status), (int)message.len,
            message.ptr != NULL ? message.ptr : "");
    spb_error_free(*error);
    exit(EXIT_FAILURE);
}

/* A value of a JSON document. spb_value_free it. */
static inline spb_value *value_of(const char *json)
{
    spb_value *value = NULL;
    spb_error *error = NULL;
    must(spb_value_from_json(spb_str_z(json), &value, &error), &error, "making a value");
    return value;
}

/* Opens a platform with one worker. SPB_PYTHON names an interpreter that has the package
 * snakepit_bridge; the library itself finds what else it needs. */
static inline spb_platform open_platform(void)
{
    char directory[PATH_MAX], settings[2 * PATH_MAX + 256];
    const char *python = getenv("SPB_PYTHON");
    if (!spb_abi_check() || realpath(__FILE__, directory) == NULL) {
        fputs("the library is of another version, or the sources have moved\n", stderr);
        exit(EXIT_FAILURE);
    }
    *strrchr(directory, '/') = '\0';
    snprintf(settings, sizeof settings,
             "{\"pools\": {\"default\": {\"workers\": 1, \"python\": \"%s\","
             " \"python_path\": [\"%s\"],"
             " \"frameworks\": {\"python\": {\"modules\": [\"harbour\"]}}}}}",
             python != NULL ? python : "python3", directory);
    spb_platform platform;
    spb_error *error = NULL;
    must(spb_platform_open(spb_str_z(settings), &platform, &error), &error, "opening a platform");
    return platform;
}

#endif
