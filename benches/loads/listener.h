/*
 * Somebody who listens to what the platform tells: log records and spans, taken from a queue
 * by a thread of its own, and the metrics several times a second.
 */
#ifndef SPB_LOADS_LISTENER_H
#define SPB_LOADS_LISTENER_H

#include "call.h"

/* Prometheus asks every fifteen seconds. */
#define SCRAPE_EVERY_US 100e3
#define LOOK_MS 20

static spb_watch subscription;
static spb_queue records;
static pthread_t listener;
static atomic_int is_listening;
static size_t records_taken, records_dropped, scrapes;

static void scrape(void) {
    spb_text *text;
    MUST(spb_platform_metrics(platform, &text, err));
    if (spb_text_view(text).len == 0) stop("no metrics", SPB_E_INTERNAL, NULL);
    spb_text_free(text);
    scrapes++;
}

static void take_records(void) {
    spb_event events[256];
    size_t count = 0;
    spb_status status = spb_queue_next_batch(records, events, 256, LOOK_MS, &count, NULL);
    if (status != SPB_OK && status != SPB_E_AGAIN) stop("the records", status, NULL);
    for (size_t index = 0; index < count; index++) {
        if (events[index].kind == SPB_EVENT_LOG) records_taken++;
        if (events[index].kind == SPB_EVENT_OVERFLOW) records_dropped += events[index].sequence;
        spb_event_clear(&events[index]);
    }
}

static void *keep_listening(void *nothing) {
    double scraped_us = 0;
    while (atomic_load(&is_listening)) {
        take_records();
        if (now_us() - scraped_us >= SCRAPE_EVERY_US) {
            scrape();
            scraped_us = now_us();
        }
    }
    return nothing;
}

/* The level says what is told: spans are records of level 10. */
static void begin_to_listen(size_t level) {
    spb_log_options options = SPB_LOG_OPTIONS_INIT;
    options.level = (int32_t)level;
    records_taken = records_dropped = scrapes = 0;
    MUST(spb_queue_new(platform, &records, err));
    spb_sink to_records = spb_sink_queue(records, 0);
    MUST(spb_log_subscribe(platform, &options, &to_records, &subscription, err));
    atomic_store(&is_listening, 1);
    if (pthread_create(&listener, NULL, keep_listening, NULL) != 0) {
        stop("a thread", SPB_E_RESOURCE_EXHAUSTED, NULL);
    }
    /* Sampled: each call's span is told. */
    traceparent = SPB_STR("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
}

static void listen_no_more(void) {
    atomic_store(&is_listening, 0);
    pthread_join(listener, NULL);
    traceparent = SPB_STR("");
    spb_watch_free(subscription);
    spb_queue_free(records);
}

#endif
