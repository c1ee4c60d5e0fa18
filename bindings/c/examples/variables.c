/* variables: what a session remembers, with types and conditions, and a watch of it. There is no
 * worker here: variables are kept on this side, and Python reaches them from its calls.
 */
#include "start.h"

static void set_up(spb_session session)
{
    spb_variable_options options = SPB_VARIABLE_OPTIONS_INIT;
    options.name = SPB_STR("seats");
    options.type = SPB_STR("integer");
    options.constraints_json = SPB_STR("{\"min\": 0, \"max\": 40}");
    spb_value *forty = NULL;
    spb_error *error = NULL;
    must(spb_value_from_i64(40, &forty, &error), &error, "making a value");
    must(spb_variable_register(session, &options, forty, NULL, &error), &error, "registering");
    spb_value_free(forty);
}

/* Reads, reckons and writes in one step, so that no seat is sold twice. A constraint that the new
 * value would break refuses the whole step. */
static void sell(spb_session session, const char *update)
{
    spb_value *by = value_of(update), *left = NULL;
    spb_error *error = NULL;
    spb_status status =
        spb_variable_update(session, SPB_STR("seats"), by, NULL, &left, NULL, &error);
    if (status == SPB_E_CONSTRAINT) {
        printf("not sold: %s\n", spb_error_message(error).ptr);
    } else {
        must(status, &error, "selling");
        printf("%s seats are left\n", spb_value_json(left).ptr);
        error = NULL;
    }
    spb_error_free(error);
    spb_value_free(left);
    spb_value_free(by);
}

/* Writes only over the version that was read. Whoever loses that race reads again. */
static void write_over(spb_session session, uint64_t version, const char *json)
{
    spb_value *value = value_of(json);
    spb_error *error = NULL;
    uint64_t written = 0;
    spb_status status =
        spb_variable_set(session, SPB_STR("seats"), value, version, &written, &error);
    if (status == SPB_E_VERSION_CONFLICT) {
        printf("not written: %s\n", spb_error_message(error).ptr);
        spb_error_free(error);
    } else {
        must(status, &error, "writing");
        printf("written as version %d\n", (int)written);
    }
    spb_value_free(value);
}

/* Every change since the watch began, in order; the last event says that it has ended. */
static void print_changes(spb_queue queue)
{
    bool more = true;
    spb_event event;
    size_t count;
    spb_error *error = NULL;
    puts("what the watch saw:");
    while (more) {
        must(spb_queue_next_batch(queue, &event, 1, SPB_NO_TIMEOUT, &count, &error), &error,
             "waiting for events");
        if (event.kind == SPB_EVENT_VARIABLE) {
            printf("  %s\n", spb_value_json(event.value).ptr);
        }
        more = event.kind != SPB_EVENT_WATCH_END;
        spb_event_clear(&event);
    }
}

int main(void)
{
    spb_error *error = NULL;
    spb_platform platform;
    spb_queue queue;
    spb_session session;
    spb_watch watch;
    must(spb_platform_open(SPB_STR("{\"pools\": {}}"), &platform, &error), &error, "opening");
    must(spb_queue_new(platform, &queue, &error), &error, "making a queue");
    must(spb_session_open(platform, NULL, &session, &error), &error, "opening a session");
    set_up(session);
    spb_sink sink = spb_sink_queue(queue, 1);
    must(spb_watch_start(session, SPB_STR("seats"), NULL, &sink, &watch, &error), &error,
         "watching");

    sell(session, "{\"add\": -30}");
    sell(session, "{\"add\": -20}");

    spb_value *seats = NULL;
    uint64_t version = 0;
    must(spb_variable_get(session, SPB_STR("seats"), &seats, &version, &error), &error, "reading");
    printf("read %s, version %d\n", spb_value_json(seats).ptr, (int)version);
    spb_value_free(seats);
    write_over(session, version, "12");
    write_over(session, version, "13");

    must(spb_watch_stop(watch, &error), &error, "stopping the watch");
    print_changes(queue);
    spb_watch_free(watch);
    spb_session_free(session);
    must(spb_platform_close(platform, 0, &error), &error, "closing");
    spb_queue_free(queue);
    spb_platform_free(platform);
    return EXIT_SUCCESS;
}
