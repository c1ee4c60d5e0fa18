/*
 * Watching variables: by queue and by callback, from the beginning, too slowly, until it is
 * stopped, also inside the callback, until the session or the platform ends, and until the library
 * is let go of.
 */
#include <pthread.h>

#include "check.h"

static spb_platform platform;
static spb_queue queue;

static spb_session open_session(void) {
    spb_session session;
    OK(spb_session_open(platform, NULL, &session, ERR));
    return session;
}

static void add(spb_session session, const char *name) {
    spb_variable_options options = SPB_VARIABLE_OPTIONS_INIT;
    options.name = spb_str_z(name);
    options.type = SPB_STR("integer");
    spb_value *value = check_value("0");
    OK(spb_variable_register(session, &options, value, NULL, ERR));
    spb_value_free(value);
}

static void set(spb_session session, const char *name, int64_t number) {
    spb_value *value;
    OK(spb_value_from_i64(number, &value, ERR));
    OK(spb_variable_set(session, spb_str_z(name), value, 0, NULL, ERR));
    spb_value_free(value);
}

static spb_watch watch_with(spb_session session, const char *patterns, uint32_t flags,
                            uint64_t queue_max) {
    spb_watch_options options = SPB_WATCH_OPTIONS_INIT;
    options.flags = flags;
    options.queue_max = queue_max;
    spb_sink sink = spb_sink_queue(queue, 5);
    spb_watch watch;
    OK(spb_watch_start(session, spb_str_z(patterns), &options, &sink, &watch, ERR));
    CHECK(watch.id != 0);
    return watch;
}

/* The next event of the queue, which has to be of this kind; empty text: any document. */
static void expect(uint32_t kind, uint64_t sequence, const char *document) {
    spb_event event;
    size_t count;
    OK(spb_queue_next_batch(queue, &event, 1, LONG_MS, &count, ERR));
    CHECK(count == 1);
    if (event.kind != kind || event.sequence != sequence)
        fprintf(stderr, "kind %u, sequence %" PRIu64 "\n", event.kind, event.sequence);
    CHECK(event.kind == kind && event.sequence == sequence && event.tag == 5);
    CHECK(event.status == SPB_OK);
    if (*document != '\0') CHECK(check_json_is(event.value, document));
    spb_event_clear(&event);
}

static void expect_end(spb_status status) {
    spb_event event;
    size_t count;
    OK(spb_queue_next_batch(queue, &event, 1, LONG_MS, &count, ERR));
    CHECK(event.kind == SPB_EVENT_WATCH_END && event.status == status && event.error != NULL);
    CHECK(spb_error_status(event.error) == status && event.value == NULL);
    spb_event_clear(&event);
}

static void expect_nothing(void) {
    spb_event event;
    size_t count;
    EXPECT(SPB_E_AGAIN, spb_queue_next_batch(queue, &event, 1, 0, &count, ERR));
}

static void changes_come_in_order(void) {
    spb_session session = open_session();
    add(session, "a");
    spb_watch watch = watch_with(session, "a,b*", SPB_WATCH_INITIAL, 0);
    set(session, "a", 7);
    add(session, "c");
    add(session, "bb");
    OK(spb_variable_lock(session, SPB_STR("a"), SPB_STR("me"), LONG_MS, ERR));
    OK(spb_variable_unlock(session, SPB_STR("a"), SPB_STR("me"), ERR));
    OK(spb_variable_delete(session, SPB_STR("a"), 0, ERR));
    expect(SPB_EVENT_VARIABLE, 1,
           "{\"id\":1,\"kind\":\"initial\",\"name\":\"a\",\"version\":1,\"value\":0}");
    expect(SPB_EVENT_VARIABLE, 2,
           "{\"id\":1,\"kind\":\"written\",\"name\":\"a\","
           "\"revision\":2,\"version\":2,\"value\":7}");
    expect(SPB_EVENT_VARIABLE, 1,
           "{\"id\":4,\"kind\":\"registered\",\"name\":\"bb\","
           "\"revision\":4,\"version\":1,\"value\":0}");
    expect(SPB_EVENT_VARIABLE, 2,
           "{\"id\":1,\"kind\":\"locked\",\"name\":\"a\",\"owner\":\"me\","
           "\"revision\":5,\"version\":2}");
    expect(SPB_EVENT_VARIABLE, 2,
           "{\"id\":1,\"kind\":\"unlocked\",\"name\":\"a\","
           "\"revision\":6,\"version\":2}");
    expect(SPB_EVENT_VARIABLE, 2,
           "{\"id\":1,\"kind\":\"deleted\",\"name\":\"a\","
           "\"revision\":7,\"version\":2}");
    OK(spb_watch_stop(watch, ERR));
    OK(spb_watch_stop(watch, ERR));
    expect_end(SPB_E_CANCELLED);
    set(session, "bb", 1);
    spb_watch_free(watch);
    EXPECT(SPB_E_HANDLE, spb_watch_stop(watch, ERR));
    expect_nothing();
    spb_session_free(session);
}

static void who_is_slow_hears_what_was_missed(void) {
    spb_session session = open_session();
    add(session, "a");
    add(session, "b");
    spb_watch watch = watch_with(session, "", 0, 3);
    for (int i = 0; i < 1000; i++) set(session, "a", i);
    expect(SPB_EVENT_VARIABLE, 2, "");
    expect(SPB_EVENT_VARIABLE, 3, "");
    expect(SPB_EVENT_VARIABLE, 4, "");
    expect(SPB_EVENT_WATCH_MISSED, 997,
           "{\"count\":997,\"from_revision\":6,\"to_revision\":1002}");
    set(session, "b", 1);
    expect(SPB_EVENT_VARIABLE, 2, "");
    spb_watch_free(watch);
    expect_end(SPB_E_CANCELLED);

    watch = watch_with(session, "", SPB_WATCH_COALESCE, 3);
    for (int i = 0; i < 1000; i++) {
        set(session, "a", i);
        set(session, "b", i);
    }
    expect(SPB_EVENT_VARIABLE, 2001, "");
    expect(SPB_EVENT_VARIABLE, 1002, "");
    spb_watch_free(watch);
    expect_end(SPB_E_CANCELLED);
    expect_nothing();
    spb_session_free(session);
}

static void the_session_takes_its_watches_along(void) {
    spb_session session = open_session();
    spb_watch first = watch_with(session, "", 0, 0), second = watch_with(session, "x", 0, 0);
    spb_operation close;
    OK(spb_session_close(session, NULL, &close, ERR));
    OK(spb_operation_wait(close, LONG_MS, ERR));
    spb_operation_free(close);
    expect_end(SPB_E_CLOSED);
    expect_end(SPB_E_CLOSED);
    expect_nothing();
    spb_sink sink = spb_sink_queue(queue, 5);
    spb_watch none;
    EXPECT(SPB_E_CLOSED, spb_watch_start(session, SPB_STR(""), NULL, &sink, &none, ERR));
    spb_watch_free(first);
    spb_watch_free(second);
    spb_session_free(session);
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

/* A callback that stops its own watch at the third change. */
typedef struct {
    spb_session session;
    spb_watch watch;
    int events, ends, destroyed;
    bool frees;
} listener;

static void count(int *counter) {
    pthread_mutex_lock(&lock);
    (*counter)++;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static void wait_for(const int *counter, int expected) {
    pthread_mutex_lock(&lock);
    while (*counter < expected) pthread_cond_wait(&changed, &lock);
    CHECK(*counter == expected);
    pthread_mutex_unlock(&lock);
}

static void on_event(void *user_data, spb_event *event) {
    listener *mine = user_data;
    CHECK(mine->ends == 0 && mine->destroyed == 0);
    if (event->kind == SPB_EVENT_WATCH_END) {
        CHECK(event->status == SPB_E_CANCELLED);
        count(&mine->ends);
        return;
    }
    CHECK(event->kind == SPB_EVENT_VARIABLE);
    /* The watch is there once it has been started. */
    pthread_mutex_lock(&lock);
    while (mine->watch.id == 0) pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
    spb_value *value;
    CHECK(spb_variable_get(mine->session, SPB_STR("a"), &value, NULL, NULL) == SPB_OK);
    spb_value_free(value);
    if (mine->events == 2) {
        if (mine->frees) spb_watch_free(mine->watch);
        else CHECK(spb_watch_stop(mine->watch, NULL) == SPB_OK);
        /* Nobody watches any more, so this tells nobody. */
        value = NULL;
        CHECK(spb_value_from_i64(1, &value, NULL) == SPB_OK);
        CHECK(spb_variable_set(mine->session, SPB_STR("a"), value, 0, NULL, NULL) == SPB_OK);
        spb_value_free(value);
    }
    count(&mine->events);
}

static void destroy(void *user_data) {
    listener *mine = user_data;
    count(&mine->destroyed);
}

static void a_callback_may_stop_its_own_watch(void) {
    for (int frees = 0; frees < 2; frees++) {
        listener mine = {.session = open_session(), .frees = frees};
        add(mine.session, "a");
        spb_sink sink = spb_sink_callback(on_event, &mine, destroy);
        spb_watch watch;
        OK(spb_watch_start(mine.session, SPB_STR("a"), NULL, &sink, &watch, ERR));
        pthread_mutex_lock(&lock);
        mine.watch = watch;
        pthread_cond_broadcast(&changed);
        pthread_mutex_unlock(&lock);
        for (int i = 0; i < 3; i++) {
            set(mine.session, "a", i);
            wait_for(&mine.events, i + 1);
        }
        wait_for(&mine.ends, 1);
        /* Although the handle is still there, nothing can come through the sink any more. */
        wait_for(&mine.destroyed, 1);
        CHECK(mine.events == 3);
        spb_watch_free(watch);
        spb_session_free(mine.session);
    }
}

static void a_refused_watch_destroys_its_data(void) {
    listener mine = {.session = open_session()};
    spb_sink sink = spb_sink_callback(on_event, &mine, destroy);
    spb_watch watch;
    EXPECT(SPB_E_INVALID_ARGUMENT,
           spb_watch_start(mine.session, SPB_STR("["), NULL, &sink, &watch, ERR));
    wait_for(&mine.destroyed, 1);
    CHECK(mine.events == 0 && mine.ends == 0);
    spb_session_free(mine.session);
}

/* Writers on one side, watches that come and go on the other. */
static void *write_much(void *argument) {
    spb_session *session = argument;
    for (int i = 0; i < 2000; i++) {
        spb_value *value;
        if (spb_value_from_i64(i, &value, NULL) != SPB_OK) abort();
        if (spb_variable_set(*session, SPB_STR("a"), value, 0, NULL, NULL) != SPB_OK) abort();
        spb_value_free(value);
    }
    return NULL;
}

static void versions_rise_while_watches_come_and_go(void) {
    spb_session session = open_session();
    add(session, "a");
    pthread_t writers[2];
    for (int i = 0; i < 2; i++) CHECK(pthread_create(&writers[i], NULL, write_much, &session) == 0);
    for (int round = 0; round < 20; round++) {
        spb_watch watch = watch_with(session, "", SPB_WATCH_INITIAL, round % 2 ? 4 : 0);
        uint64_t last = 0;
        bool has_ended = false;
        for (int seen = 0; !has_ended; seen++) {
            if (seen == 20) spb_watch_free(watch);
            spb_event event;
            size_t taken;
            spb_status status = spb_queue_next_batch(queue, &event, 1, seen < 20 ? 0 : LONG_MS,
                                                     &taken, NULL);
            if (status == SPB_E_AGAIN) continue;
            CHECK(status == SPB_OK);
            has_ended = event.kind == SPB_EVENT_WATCH_END;
            if (event.kind == SPB_EVENT_VARIABLE) {
                CHECK(event.sequence > last);
                last = event.sequence;
            }
            spb_event_clear(&event);
        }
    }
    for (int i = 0; i < 2; i++) CHECK(pthread_join(writers[i], NULL) == 0);
    expect_nothing();
    spb_session_free(session);
}

static void the_platform_takes_its_watches_along(void) {
    spb_session session = open_session();
    add(session, "a");
    spb_watch watch = watch_with(session, "", 0, 0);
    set(session, "a", 1);
    check_close(platform);
    expect(SPB_EVENT_VARIABLE, 2, "");
    expect_end(SPB_E_CLOSED);
    spb_event event;
    size_t taken;
    OK(spb_queue_next_batch(queue, &event, 1, LONG_MS, &taken, ERR));
    CHECK(event.kind == SPB_EVENT_SHUTDOWN);
    spb_event_clear(&event);
    spb_sink sink = spb_sink_queue(queue, 5);
    spb_watch none;
    EXPECT(SPB_E_CLOSED, spb_watch_start(session, SPB_STR(""), NULL, &sink, &none, ERR));
    spb_watch_free(watch);
    spb_session_free(session);
    spb_queue_free(queue);
}

/* A host that just leaves, with a watch and changes under way. */
static void leaving_with_a_watch(void) {
    platform = check_open(NO_POOLS);
    OK(spb_queue_new(platform, &queue, ERR));
    spb_session session = open_session();
    add(session, "a");
    watch_with(session, "", 0, 0);
    set(session, "a", 1);
}

int main(void) {
    platform = check_open(NO_POOLS);
    OK(spb_queue_new(platform, &queue, ERR));
    changes_come_in_order();
    who_is_slow_hears_what_was_missed();
    the_session_takes_its_watches_along();
    a_callback_may_stop_its_own_watch();
    a_refused_watch_destroys_its_data();
    versions_rise_while_watches_come_and_go();
    the_platform_takes_its_watches_along();
    leaving_with_a_watch();
    return 0;
}
