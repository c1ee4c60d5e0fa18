/* streaming: taking the chunks of a call one by one, and leaving before the last.
 *
 * Python runs a window of chunks ahead of whoever takes them, then waits. So a stream costs little
 * memory however long it is, and one that nobody takes from any more does not run on.
 */
#include "start.h"

static spb_operation start_timetable(spb_session session, const char *json)
{
    spb_value *parameters = value_of(json);
    spb_execute_options options = SPB_EXECUTE_OPTIONS_INIT;
    options.framework = SPB_STR("python");
    options.operation = SPB_STR("timetable");
    options.parameters = parameters;
    options.flags = SPB_EXECUTE_STREAM;
    options.stream_window = 4;
    spb_operation operation;
    spb_error *error = NULL;
    must(spb_execute(session, &options, NULL, &operation, &error), &error, "calling timetable");
    spb_value_free(parameters);
    return operation;
}

/* Prints the next chunk; false when there are no more. */
static bool print_chunk(spb_operation operation)
{
    spb_value *chunk = NULL;
    spb_text *time = NULL;
    spb_error *error = NULL;
    spb_status status = spb_operation_next_chunk(operation, SPB_NO_TIMEOUT, &chunk, &error);
    if (status == SPB_E_CLOSED) {
        spb_error_free(error);
        return false;
    }
    must(status, &error, "taking a chunk");
    must(spb_value_as_text(chunk, &time, &error), &error, "reading a chunk");
    printf("  %s\n", spb_text_view(time).ptr);
    spb_text_free(time);
    spb_value_free(chunk);
    return true;
}

/* All chunks, then the result. */
static void whole_sunday(spb_session session)
{
    spb_operation operation = start_timetable(session, "{\"day\": \"Sunday\"}");
    puts("On Sunday:");
    while (print_chunk(operation)) {
        continue;
    }
    /* "No more chunks" says nothing of how the operation ended: that is the result's to tell. */
    spb_value *result = NULL;
    spb_error *error = NULL;
    must(spb_operation_wait(operation, SPB_NO_TIMEOUT, &error), &error, "waiting for the end");
    must(spb_operation_take_result(operation, &result, &error), &error, "timetable");
    printf("%s\n", spb_value_json(result).ptr);
    spb_value_free(result);
    spb_operation_free(operation);
}

/* Only the first two: whoever leaves a stream cancels it. */
static void first_on_monday(spb_session session)
{
    spb_operation operation = start_timetable(session, "{\"day\": \"Monday\"}");
    spb_error *error = NULL;
    puts("The first on Monday:");
    print_chunk(operation);
    print_chunk(operation);
    must(spb_operation_cancel(operation, &error), &error, "leaving");
    must(spb_operation_wait(operation, SPB_NO_TIMEOUT, &error), &error, "waiting for the end");
    spb_value *result = NULL;
    spb_status status = spb_operation_take_result(operation, &result, &error);
    printf("%s\n", spb_status_name(status));
    spb_error_free(error);
    spb_value_free(result);
    spb_operation_free(operation);
}

int main(void)
{
    spb_error *error = NULL;
    spb_platform platform = open_platform();
    spb_session session;
    must(spb_session_open(platform, NULL, &session, &error), &error, "opening a session");
    whole_sunday(session);
    first_on_monday(session);
    spb_session_free(session);
    must(spb_platform_close(platform, 0, &error), &error, "closing");
    spb_platform_free(platform);
    return EXIT_SUCCESS;
}
