/* errors: what an error tells, and what to do about it.
 *
 * Every call that can fail has a status and, if you ask for it, an error that you own: a message
 * for people, details for programs, and whether the same call may succeed later.
 */
#include "start.h"

/* Prints all of an error, and frees it. */
static void tell(const char *what, spb_error *error)
{
    spb_str type = spb_error_python_type(error), traceback = spb_error_python_traceback(error);
    spb_str message = spb_error_message(error), details = spb_error_details_json(error);
    printf("%s\n", what);
    printf("  status:    %s\n", spb_status_name(spb_error_status(error)));
    printf("  message:   %.*s\n", (int)message.len, message.ptr);
    printf("  details:   %.*s\n", (int)details.len, details.ptr);
    printf("  retryable: %s\n", spb_error_retryable(error) ? "yes" : "no");
    if (type.len > 0) {
        printf("  raised:    %.*s\n", (int)type.len, type.ptr);
        printf("  traceback: %s\n",
               traceback.len > 0 ? "yes" : "no"); /* ends with the line above */
    }
    spb_error_free(error);
}

/* Calls a function and waits. The error of either step is the caller's to free. */
static spb_status call(spb_session session, const char *function, const char *json,
                       int64_t timeout_ms, spb_error **error)
{
    spb_value *parameters = value_of(json), *result = NULL;
    spb_operation operation;
    spb_execute_options options = SPB_EXECUTE_OPTIONS_INIT;
    options.framework = SPB_STR("python");
    options.operation = spb_str_z(function);
    options.parameters = parameters;
    options.timeout_ms = timeout_ms;
    spb_status status = spb_execute(session, &options, NULL, &operation, error);
    spb_value_free(parameters);
    if (status != SPB_OK) {
        return status; /* the request is wrong: there is no operation */
    }
    spb_operation_wait(operation, SPB_NO_TIMEOUT, NULL);
    status = spb_operation_take_result(operation, &result, error);
    spb_operation_free(operation);
    spb_value_free(result);
    return status;
}

/* What a program can do, by the status. Only what is retryable is worth trying again as it is. */
static const char *advice(spb_status status, bool retryable)
{
    switch (status) {
    case SPB_E_NOT_FOUND:
    case SPB_E_INVALID_ARGUMENT:
        return "correct the request";
    case SPB_E_PYTHON_EXCEPTION:
        return "look at the traceback";
    case SPB_E_DEADLINE:
        return "give it more time";
    case SPB_E_CLOSED:
        return "stop";
    default:
        return retryable ? "try again later" : "tell somebody";
    }
}

static void try_call(spb_session session, const char *what, const char *function, const char *json,
                     int64_t timeout_ms)
{
    spb_error *error = NULL;
    spb_status status = call(session, function, json, timeout_ms, &error);
    const char *next = advice(status, spb_error_retryable(error) != 0);
    tell(what, error);
    printf("  so:        %s\n", next);
}

int main(void)
{
    spb_error *error = NULL;
    spb_platform platform = open_platform();
    spb_session session;
    must(spb_session_open(platform, NULL, &session, &error), &error, "opening a session");

    /* The first call waits for the worker, and then knows what it offers. */
    must(call(session, "fare", "{\"passengers\": 1}", 60000, &error), &error, "fare");

    try_call(session, "A name that is not known:", "fair", "{}", 0);
    try_call(session, "A parameter of the wrong kind:", "fare", "{\"passengers\": \"two\"}", 0);
    try_call(session, "A function that raises:", "fare", "{\"passengers\": 0}", 0);
    try_call(session, "A function that takes too long:", "watch_the_fog", "{}", 100);

    /* A handle that was freed, or never was one, is told apart from a live one, always. */
    spb_session gone = session;
    spb_session_free(session);
    spb_session_touch(gone, &error);
    tell("A handle that was freed:", error);

    must(spb_platform_close(platform, 0, &error), &error, "closing");
    spb_platform_free(platform);
    return EXIT_SUCCESS;
}
