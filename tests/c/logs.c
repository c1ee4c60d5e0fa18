/*
 * A subscriber that takes its records late: as many as logs.queue_max wait for it in each of the
 * places they pass, the rest is dropped, and every one is either taken or counted. Two subscribers
 * do not share what they miss.
 */
#include <stdlib.h>

#include "worker.h"

/* QUEUE_MAX is logs.queue_max of the configuration; that many wait at the platform, on the way and
 * at the queue. */
enum { QUEUE_MAX = 8, PLACES = 3, CALLS = 4 * PLACES * QUEUE_MAX };

static spb_watch subscribe_to_spans(spb_queue to) {
    spb_watch watch;
    spb_log_options options = SPB_LOG_OPTIONS_INIT;
    options.level = 10;
    options.target_prefix = SPB_STR("span");
    spb_sink sink = spb_sink_queue(to, 7);
    OK(spb_log_subscribe(platform, &options, &sink, &watch, ERR));
    return watch;
}

static unsigned long long number_behind(const char *json, const char *key) {
    const char *found = strstr(json, key);
    CHECK(found != NULL);
    return strtoull(found + strlen(key), NULL, 10);
}

static void call_echo(int times) {
    for (int i = 0; i < times; i++) expect_result(submit("echo", "{\"value\":1}", NULL), "1");
}

/* Takes until so many were taken or counted; how many were counted. */
static uint64_t take_all(spb_queue from, uint64_t told) {
    uint64_t taken = 0, dropped = 0;
    unsigned long long call = 0;
    while (taken + dropped < told) {
        spb_event events[3];
        size_t count;
        OK(spb_queue_next_batch(from, events, 3, LONG_MS, &count, ERR));
        for (size_t i = 0; i < count; i++) {
            CHECK(events[i].tag == 7);
            if (events[i].kind == SPB_EVENT_OVERFLOW) {
                CHECK(events[i].sequence > 0);
                dropped += events[i].sequence;
            } else {
                CHECK(events[i].kind == SPB_EVENT_LOG);
                const char *json = spb_value_json(events[i].value).ptr;
                CHECK(strstr(json, "\"message\":\"python.echo\"") != NULL);
                CHECK(strstr(json, "\"status\":\"OK\"") != NULL);
                unsigned long long next = number_behind(json, "\"call\":");
                CHECK(next > call);
                call = next;
                taken++;
            }
            spb_event_clear(&events[i]);
        }
    }
    CHECK(taken + dropped == told);
    return dropped;
}

static uint64_t counted(void) {
    spb_text *text;
    OK(spb_platform_metrics(platform, &text, ERR));
    uint64_t count = number_behind(spb_text_view(text).ptr, "\nspb_log_records_dropped_total ");
    spb_text_free(text);
    return count;
}

int main(int argc, char **argv) {
    spb_queue late, never;
    worker_open(argc, argv);
    OK(spb_queue_new(platform, &late, ERR));
    OK(spb_queue_new(platform, &never, ERR));
    spb_watch watch = subscribe_to_spans(late);
    CHECK(counted() == 0);
    call_echo(CALLS);
    uint64_t dropped = take_all(late, CALLS);
    CHECK(dropped >= CALLS - PLACES * QUEUE_MAX);
    CHECK(counted() == dropped);

    /* Somebody who takes nothing at all costs the other one nothing. */
    spb_watch other = subscribe_to_spans(never);
    uint64_t before = counted();
    for (int i = 0; i < PLACES * QUEUE_MAX; i++) {
        call_echo(1);
        CHECK(take_all(late, 1) == 0);
    }
    CHECK(counted() >= before);

    spb_watch_free(other);
    spb_watch_free(watch);
    spb_queue_free(late);
    spb_queue_free(never);
    worker_close();
    return 0;
}
