/* tool_thread: a C function that Python calls, answered from a thread of its own.
 *
 * No tool may keep the thread waiting that takes events. Here it starts a thread for each call. The
 * invocation is a handle: it may be answered from anywhere, and who answers second is refused.
 */
#include "start.h"

#include <pthread.h>

enum { CALL = 1, TOOL };

/* What a thread needs to answer; it owns both. */
struct question {
    spb_invocation invocation;
    spb_value *arguments;
};

/* The seats of the ferry, given out one after the other. */
static void *give_seat(void *data)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static int taken;
    struct question *question = data;
    char json[32];
    spb_error *error = NULL;
    printf("asked for a seat: %s\n", spb_value_json(question->arguments).ptr);
    pthread_mutex_lock(&lock);
    snprintf(json, sizeof json, "\"seat %d\"", ++taken);
    pthread_mutex_unlock(&lock);
    spb_value *seat = value_of(json);
    spb_status status = spb_invocation_complete(question->invocation, seat, &error);
    if (status == SPB_E_CANCELLED) {
        puts("nobody waits for the seat any more"); /* no harm done */
    } else {
        must(status, &error, "answering");
    }
    spb_value_free(seat);
    spb_value_free(question->arguments);
    free(question);
    return NULL;
}

/* Hands the call to a thread, with what the event carries. */
static void start_answering(spb_event *event)
{
    struct question *question = malloc(sizeof *question);
    pthread_t thread;
    if (question == NULL) {
        abort();
    }
    question->invocation = event->invocation;
    question->arguments = event->value;
    event->value = NULL;
    if (pthread_create(&thread, NULL, give_seat, question) != 0) {
        abort();
    }
    pthread_detach(thread);
}

static void start_booking(spb_session session, spb_queue queue, const char *json)
{
    spb_value *parameters = value_of(json);
    spb_execute_options options = SPB_EXECUTE_OPTIONS_INIT;
    options.framework = SPB_STR("python");
    options.operation = SPB_STR("book");
    options.parameters = parameters;
    spb_sink sink = spb_sink_queue(queue, CALL);
    spb_operation operation;
    spb_error *error = NULL;
    must(spb_execute(session, &options, &sink, &operation, &error), &error, "calling book");
    spb_operation_free(operation);
    spb_value_free(parameters);
}

/* Takes events until the booking has ended. Tools are answered on other threads meanwhile. */
static void serve(spb_queue queue)
{
    spb_event event = {0};
    size_t count;
    spb_error *error = NULL;
    while (event.kind != SPB_EVENT_OP_DONE) {
        must(spb_queue_next_batch(queue, &event, 1, SPB_NO_TIMEOUT, &count, &error), &error,
             "waiting for events");
        if (event.kind == SPB_EVENT_TOOL_CALL) {
            start_answering(&event);
        }
    }
    must(event.status, &event.error, "book");
    printf("%s\n", spb_value_json(event.value).ptr);
    spb_event_clear(&event);
}

int main(void)
{
    spb_error *error = NULL;
    spb_platform platform = open_platform();
    spb_session session;
    spb_queue queue;
    spb_tool tool;
    must(spb_session_open(platform, NULL, &session, &error), &error, "opening a session");
    must(spb_queue_new(platform, &queue, &error), &error, "making a queue");
    spb_tool_options options = SPB_TOOL_OPTIONS_INIT;
    options.name = SPB_STR("next_seat");
    options.description = SPB_STR("Gives out the next free seat.");
    /* Arguments that break the schema are refused before they come here. */
    options.input_schema_json = SPB_STR("{\"type\": \"object\", \"required\": [\"name\"]}");
    spb_sink sink = spb_sink_queue(queue, TOOL);
    must(spb_tool_register(platform, session, &options, &sink, &tool, &error), &error,
         "registering the tool");
    spb_tool_free(tool);
    start_booking(session, queue, "{\"name\": \"Ann\"}");
    serve(queue);
    start_booking(session, queue, "{\"name\": \"Ben\"}");
    serve(queue);
    spb_session_free(session);
    must(spb_platform_close(platform, 0, &error), &error, "closing");
    spb_queue_free(queue);
    spb_platform_free(platform);
    return EXIT_SUCCESS;
}
