/* pool: waiting for workers, having more of them, and sending them away. */
#include "start.h"

/* Waits for an operation whose result says no more than that it has ended. */
static void finish(spb_operation operation, const char *what)
{
    spb_value *nothing = NULL;
    spb_error *error = NULL;
    must(spb_operation_wait(operation, SPB_NO_TIMEOUT, &error), &error, what);
    must(spb_operation_take_result(operation, &nothing, &error), &error, what);
    spb_value_free(nothing);
    spb_operation_free(operation);
}

/* Workers start in the background; calls wait for them. Waiting oneself tells early, and with the
 * whole story, when they cannot be started. */
static void await_workers(spb_pool pool, uint32_t workers)
{
    spb_operation ready;
    spb_error *error = NULL;
    must(spb_pool_await_ready(pool, workers, 60000, NULL, &ready, &error), &error, "waiting");
    finish(ready, "workers");
    printf("%u ready\n", (unsigned)workers);
}

/* A call that is refused because the pool has been drained. */
static void call_in_vain(spb_platform platform)
{
    spb_session session;
    spb_operation operation;
    spb_value *result = NULL;
    spb_error *error = NULL;
    spb_value *parameters = value_of("{\"passengers\": 1}");
    spb_execute_options options = SPB_EXECUTE_OPTIONS_INIT;
    options.framework = SPB_STR("python");
    options.operation = SPB_STR("fare");
    options.parameters = parameters;
    must(spb_session_open(platform, NULL, &session, &error), &error, "opening a session");
    must(spb_execute(session, &options, NULL, &operation, &error), &error, "calling");
    must(spb_operation_wait(operation, SPB_NO_TIMEOUT, &error), &error, "waiting");
    spb_status status = spb_operation_take_result(operation, &result, &error);
    printf("a call now: %s\n", spb_status_name(status));
    spb_error_free(error);
    spb_value_free(result);
    spb_value_free(parameters);
    spb_operation_free(operation);
    spb_session_free(session);
}

int main(void)
{
    spb_error *error = NULL;
    spb_platform platform = open_platform();
    spb_pool pool;
    must(spb_pool_get(platform, SPB_STR("default"), &pool, &error), &error, "finding the pool");
    await_workers(pool, 1);

    /* A fixed size: two, whatever the load. Fewer would leave when their calls have ended. */
    must(spb_pool_resize(pool, 2, 0, &error), &error, "resizing");
    await_workers(pool, 2);

    spb_value *stats = NULL;
    must(spb_pool_stats(pool, &stats, &error), &error, "counting");
    /* A JSON document with every count and a row for each worker; a program of yours parses it. */
    bool healthy = strstr(spb_value_json(stats).ptr, "\"state\":\"healthy\"") != NULL;
    puts(healthy ? "healthy" : spb_value_json(stats).ptr);
    spb_value_free(stats);

    /* Calls that run may end, new ones are refused; resizing would fill the pool again. */
    spb_operation drained;
    must(spb_pool_drain(pool, 5000, NULL, &drained, &error), &error, "draining");
    finish(drained, "draining");
    puts("drained");
    call_in_vain(platform);

    spb_pool_free(pool);
    must(spb_platform_close(platform, 0, &error), &error, "closing");
    spb_platform_free(platform);
    return EXIT_SUCCESS;
}
