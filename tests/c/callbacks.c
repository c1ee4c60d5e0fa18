/*
 * Callback sinks: events on library threads, waiting refused there, everything else allowed
 * there, and user data destroyed exactly once on every path.
 */
#include <pthread.h>

#include "check.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

/* What happened to one sink. */
typedef struct {
    int events;
    int destroyed;
    spb_platform platform;
    pthread_t host;
    spb_value *kept;
} seen;

static void note(int *counter) {
    pthread_mutex_lock(&lock);
    (*counter)++;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static void wait_for(const int *counter, int expected) {
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += LONG_MS / 1000;
    pthread_mutex_lock(&lock);
    while (*counter < expected)
        CHECK(pthread_cond_timedwait(&changed, &lock, &until) == 0);
    CHECK(*counter == expected);
    pthread_mutex_unlock(&lock);
}

static void destroy(void *user_data) {
    seen *mine = user_data;
    note(&mine->destroyed);
}

static void on_end(void *user_data, spb_event *event) {
    seen *mine = user_data;
    CHECK(!pthread_equal(pthread_self(), mine->host));
    CHECK(event->kind == SPB_EVENT_OP_DONE && event->status == SPB_OK && event->operation.id != 0);
    CHECK(mine->destroyed == 0);
    mine->kept = event->value;
    event->value = NULL;
    note(&mine->events);
}

/* Tries everything that waits, and some that does not. */
static void on_end_reenter(void *user_data, spb_event *event) {
    seen *mine = user_data;
    spb_error *error = NULL;
    spb_value *report;
    spb_session session;
    CHECK(spb_platform_close(mine->platform, 0, &error) == SPB_E_WOULD_DEADLOCK);
    spb_error_free(error);
    CHECK(spb_operation_wait(event->operation, -1, NULL) == SPB_E_WOULD_DEADLOCK);
    CHECK(spb_operation_wait(event->operation, 0, NULL) == SPB_OK);
    CHECK(spb_operation_next_chunk(event->operation, 5, &report, NULL) == SPB_E_WOULD_DEADLOCK);
    spb_queue queue;
    size_t count;
    spb_event none;
    CHECK(spb_queue_new(mine->platform, &queue, NULL) == SPB_OK);
    CHECK(spb_queue_next_batch(queue, &none, 1, 9, &count, NULL) == SPB_E_WOULD_DEADLOCK);
    CHECK(spb_queue_next_batch(queue, &none, 1, 0, &count, NULL) == SPB_E_AGAIN);
    spb_queue_free(queue);
    CHECK(spb_platform_health(mine->platform, &report, NULL) == SPB_OK);
    spb_value_free(report);
    CHECK(spb_session_open(mine->platform, NULL, &session, NULL) == SPB_OK);
    spb_session_free(session);
    spb_operation_free(event->operation);
    note(&mine->events);
}

/* An operation that ends by itself at once: closing a session. */
static void close_session(spb_platform platform, const spb_sink *sink, spb_operation *operation) {
    spb_session session;
    OK(spb_session_open(platform, NULL, &session, ERR));
    OK(spb_session_close(session, sink, operation, ERR));
    spb_session_free(session);
}

static void an_end_comes_once_and_the_data_goes_after_it(spb_platform platform) {
    seen mine = {0};
    mine.host = pthread_self();
    spb_sink sink = spb_sink_callback(on_end, &mine, destroy);
    spb_operation operation;
    close_session(platform, &sink, &operation);
    wait_for(&mine.destroyed, 1);
    CHECK(mine.events == 1);
    CHECK(check_json_is(mine.kept, "null"));
    spb_value_free(mine.kept);
    spb_value *out;
    EXPECT(SPB_E_ALREADY_COMPLETED, spb_operation_take_result(operation, &out, ERR));
    EXPECT(SPB_E_STATE, spb_operation_next_chunk(operation, 0, &out, ERR));
    spb_operation_free(operation);
}

static void a_callback_may_do_anything_but_wait(spb_platform platform) {
    seen mine = {0};
    mine.platform = platform;
    spb_sink sink = spb_sink_callback(on_end_reenter, &mine, destroy);
    spb_operation operation;
    close_session(platform, &sink, &operation);
    wait_for(&mine.destroyed, 1);
    CHECK(mine.events == 1);
    EXPECT(SPB_E_HANDLE, spb_operation_wait(operation, 0, ERR));
}

static void many_sinks_each_get_their_own(spb_platform platform) {
    enum { COUNT = 200 };
    static seen all[COUNT];
    for (int i = 0; i < COUNT; i++) {
        all[i].host = pthread_self();
        spb_sink sink = spb_sink_callback(on_end, &all[i], destroy);
        spb_operation operation;
        close_session(platform, &sink, &operation);
        spb_operation_free(operation);
    }
    for (int i = 0; i < COUNT; i++) {
        wait_for(&all[i].destroyed, 1);
        CHECK(all[i].events == 1);
        spb_value_free(all[i].kept);
    }
}

/* Data that comes with a failing call is destroyed before the call returns, at the latest. */
static void failing_calls_destroy_what_they_were_given(spb_platform platform) {
    seen mine = {0};
    spb_operation operation;
    spb_tool tool;
    spb_watch watch;
    spb_tool_options options = SPB_TOOL_OPTIONS_INIT;
    spb_sink sink = spb_sink_callback(on_end, &mine, destroy);
    EXPECT(SPB_E_HANDLE, spb_platform_shutdown((spb_platform){0}, 0, &sink, &operation, ERR));
    CHECK(mine.destroyed == 1);
    EXPECT(SPB_E_NULL_ARGUMENT, spb_platform_shutdown(platform, 0, &sink, NULL, ERR));
    CHECK(mine.destroyed == 2);
    EXPECT(SPB_E_HANDLE, spb_execute((spb_session){9}, NULL, &sink, &operation, ERR));
    CHECK(mine.destroyed == 3);
    EXPECT(SPB_E_HANDLE, spb_log_subscribe((spb_platform){9}, NULL, &sink, &watch, ERR));
    CHECK(mine.destroyed == 4);
    sink.kind = 77;
    EXPECT(SPB_E_INVALID_ARGUMENT, spb_platform_shutdown(platform, 0, &sink, &operation, ERR));
    CHECK(mine.destroyed == 5);
    struct { spb_sink known; uint64_t unknown; } newer = {sink, 1};
    newer.known.struct_size = sizeof newer;
    EXPECT(SPB_E_UNSUPPORTED,
           spb_platform_shutdown(platform, 0, &newer.known, &operation, ERR));
    CHECK(mine.destroyed == 6);
    sink = spb_sink_callback(on_end, &mine, destroy);
    options.name = SPB_STR("not a name");
    EXPECT(SPB_E_INVALID_ARGUMENT,
           spb_tool_register(platform, (spb_session){0}, &options, &sink, &tool, ERR));
    CHECK(mine.destroyed == 7);
    spb_session session;
    spb_execute_options call = SPB_EXECUTE_OPTIONS_INIT;
    call.framework = SPB_STR("python");
    call.operation = SPB_STR("echo");
    OK(spb_session_open(platform, NULL, &session, ERR));
    EXPECT(SPB_E_NOT_FOUND, spb_execute(session, &call, &sink, &operation, ERR));
    CHECK(mine.destroyed == 8);
    spb_session_free(session);
    CHECK(mine.events == 0);
}

static void a_tools_data_goes_with_the_tool(spb_platform platform) {
    seen of_tool = {0}, of_end = {0};
    of_end.host = pthread_self();
    spb_tool_options options = SPB_TOOL_OPTIONS_INIT;
    options.name = SPB_STR("lookup");
    spb_sink sink = spb_sink_callback(on_end, &of_tool, destroy);
    spb_tool tool;
    spb_operation operation;
    spb_value *list;
    OK(spb_tool_register(platform, (spb_session){0}, &options, &sink, &tool, ERR));
    seen refused = {0};
    spb_sink other = spb_sink_callback(on_end, &refused, destroy);
    spb_tool second = {7};
    EXPECT(SPB_E_ALREADY_EXISTS,
           spb_tool_register(platform, (spb_session){0}, &options, &other, &second, ERR));
    CHECK(second.id == 0);
    CHECK(refused.destroyed == 1);
    OK(spb_tool_list(platform, (spb_session){0}, &list, ERR));
    CHECK(strstr(spb_value_json(list).ptr, "\"lookup\"") != NULL);
    spb_value_free(list);
    CHECK(of_tool.destroyed == 0);
    sink = spb_sink_callback(on_end, &of_end, destroy);
    OK(spb_tool_unregister(tool, &sink, &operation, ERR));
    wait_for(&of_end.destroyed, 1);
    CHECK(of_end.events == 1);
    spb_value_free(of_end.kept);
    spb_operation_free(operation);
    spb_tool_free(tool);
    wait_for(&of_tool.destroyed, 1);
}

int main(void) {
    spb_platform platform = check_open(NO_POOLS);
    an_end_comes_once_and_the_data_goes_after_it(platform);
    a_callback_may_do_anything_but_wait(platform);
    many_sinks_each_get_their_own(platform);
    failing_calls_destroy_what_they_were_given(platform);
    a_tools_data_goes_with_the_tool(platform);
    seen of_close = {0};
    of_close.host = pthread_self();
    spb_sink sink = spb_sink_callback(on_end, &of_close, destroy);
    spb_operation operation;
    OK(spb_platform_shutdown(platform, 0, &sink, &operation, ERR));
    wait_for(&of_close.destroyed, 1);
    CHECK(of_close.events == 1);
    spb_value_free(of_close.kept);
    OK(spb_platform_close(platform, 0, ERR));
    /* A shutdown after the end still tells its callback. */
    seen late = {0};
    late.host = pthread_self();
    sink = spb_sink_callback(on_end, &late, destroy);
    spb_operation_free(operation);
    OK(spb_platform_shutdown(platform, 0, &sink, &operation, ERR));
    wait_for(&late.destroyed, 1);
    CHECK(late.events == 1);
    spb_value_free(late.kept);
    spb_operation_free(operation);
    spb_platform_free(platform);
    return 0;
}
