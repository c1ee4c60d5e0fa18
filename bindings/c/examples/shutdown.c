/* shutdown: closing a platform while calls run. Each of them ends, once, and is told so; then the
 * queue has its last event, and no worker process is left.
 */
#include "start.h"

enum { CLOSING = 1, FIRST_CALL = 100, CALLS = 3 };

static void start(spb_session session, spb_queue queue, const char *function, const char *json,
                  uint64_t tag)
{
    spb_value *parameters = value_of(json);
    spb_execute_options options = SPB_EXECUTE_OPTIONS_INIT;
    options.framework = SPB_STR("python");
    options.operation = spb_str_z(function);
    options.parameters = parameters;
    spb_sink sink = spb_sink_queue(queue, tag);
    spb_operation operation;
    spb_error *error = NULL;
    must(spb_execute(session, &options, &sink, &operation, &error), &error, "calling");
    spb_operation_free(operation);
    spb_value_free(parameters);
}

/* Takes every event there will ever be. After SPB_EVENT_SHUTDOWN comes none, and asking again says
 * SPB_E_CLOSED. */
static void take_all(spb_queue queue, spb_status ends[CALLS], int counts[CALLS])
{
    spb_event event;
    size_t count;
    while (spb_queue_next_batch(queue, &event, 1, SPB_NO_TIMEOUT, &count, NULL) == SPB_OK) {
        if (event.kind == SPB_EVENT_OP_DONE && event.tag >= FIRST_CALL) {
            ends[event.tag - FIRST_CALL] = event.status;
            counts[event.tag - FIRST_CALL]++;
        } else if (event.kind == SPB_EVENT_OP_DONE) {
            printf("closed: %s\n", spb_status_name(event.status));
        } else if (event.kind == SPB_EVENT_SHUTDOWN) {
            puts("the last event");
        }
        spb_event_clear(&event);
    }
}

int main(void)
{
    spb_error *error = NULL;
    spb_platform platform = open_platform();
    spb_session session;
    spb_queue queue;
    spb_event event;
    size_t count;
    must(spb_session_open(platform, NULL, &session, &error), &error, "opening a session");
    must(spb_queue_new(platform, &queue, &error), &error, "making a queue");

    /* A call that ends by itself shows that the worker is there. */
    start(session, queue, "fare", "{\"passengers\": 1}", FIRST_CALL);
    must(spb_queue_next_batch(queue, &event, 1, SPB_NO_TIMEOUT, &count, &error), &error, "fare");
    printf("before: %s\n", spb_status_name(event.status));
    spb_event_clear(&event);

    for (uint64_t i = 0; i < CALLS; i++) {
        start(session, queue, "watch_the_fog", "{}", FIRST_CALL + i);
    }

    /* Calls that run may end within 100 ms; what is left then is cancelled. New ones are refused
     * from now on. spb_platform_close does the same and waits, in programs without a loop. */
    spb_operation closing;
    spb_sink sink = spb_sink_queue(queue, CLOSING);
    must(spb_platform_shutdown(platform, 100, &sink, &closing, &error), &error, "closing");
    spb_operation_free(closing);

    spb_status ends[CALLS] = {0};
    int counts[CALLS] = {0};
    take_all(queue, ends, counts);
    for (int i = 0; i < CALLS; i++) {
        printf("call %d: %s, told %d time\n", i + 1, spb_status_name(ends[i]), counts[i]);
    }

    /* Handles may be freed in any order, now or before. */
    spb_queue_free(queue);
    spb_session_free(session);
    spb_platform_free(platform);
    return EXIT_SUCCESS;
}
