/* A C program over an installation: it opens a platform without workers and keeps a variable.
 * GUARD names the guard for a program that has no shared library to find it by. */
#include <snakepit_bridge.h>
#include <stdio.h>

#ifdef GUARD
#define SETTINGS "{\"guard_path\": \"" GUARD "\", \"pools\": {}}"
#else
#define SETTINGS "{\"pools\": {}}"
#endif

static int failed(const char *what, spb_error *error)
{
    fprintf(stderr, "%s: %s\n", what, spb_error_message(error).ptr);
    spb_error_free(error);
    return 1;
}

int main(void)
{
    spb_platform platform;
    spb_session session;
    spb_error *error = NULL;
    if (!spb_abi_check()) return failed("header and library differ", NULL);
    if (spb_platform_open(SPB_STR(SETTINGS), &platform, &error)) return failed("open", error);
    if (spb_session_open(platform, NULL, &session, &error)) return failed("session", error);
    if (spb_session_touch(session, &error)) return failed("touch", error);
    if (spb_platform_close(platform, 0, &error)) return failed("close", error);
    spb_session_free(session);
    spb_platform_free(platform);
    printf("consumer.c: %s\n", spb_version());
    return 0;
}
