/* sync: the shortest host. One call of a Python function, waited for.
 *
 * Without a sink the outcome of a call waits until somebody takes it. That suits programs that do
 * one thing after the other; poll_loop.c shows one that does many at once.
 */
#include "start.h"

int main(void)
{
    spb_error *error = NULL;
    spb_platform platform = open_platform();

    /* Calls belong to a session, which has variables and tools of its own. NULL: all defaults. */
    spb_session session;
    must(spb_session_open(platform, NULL, &session, &error), &error, "opening a session");

    /* Parameters are a JSON object. They are borrowed for the call: free them when you like. */
    spb_value *parameters = value_of("{\"passengers\": 2, \"cars\": 1}");
    spb_execute_options options = SPB_EXECUTE_OPTIONS_INIT;
    options.framework = SPB_STR("python");
    options.operation = SPB_STR("fare");
    options.parameters = parameters;
    options.timeout_ms = 30000;

    /* This returns at once. What is wrong with the request is an error here; what goes wrong later
     * is how the operation ends. */
    spb_operation operation;
    must(spb_execute(session, &options, NULL, &operation, &error), &error, "calling fare");
    spb_value_free(parameters);

    /* Waiting succeeds however the operation has ended; taking the result tells how it did. */
    must(spb_operation_wait(operation, SPB_NO_TIMEOUT, &error), &error, "waiting for fare");
    spb_value *result = NULL;
    must(spb_operation_take_result(operation, &result, &error), &error, "fare");
    spb_operation_free(operation);

    double price = 0;
    must(spb_value_as_f64(result, &price, &error), &error, "reading the price");
    printf("Two passengers and a car: %.2f\n", price);
    spb_value_free(result);

    /* Freeing a handle only forgets it; closing the platform ends the worker. */
    spb_session_free(session);
    must(spb_platform_close(platform, 0, &error), &error, "closing");
    spb_platform_free(platform);
    return EXIT_SUCCESS;
}
