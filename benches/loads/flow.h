/*
 * Large values that go to a worker and come back, one after the other, on a thread and in a session
 * of their own, while somebody else makes small calls.
 */
#ifndef SPB_LOADS_FLOW_H
#define SPB_LOADS_FLOW_H

#include "tensors.h"

/* With its frame it is still a value of 64 MiB. */
#define DOCUMENT_BYTES (64 * MIB - 4096)
#define LINE_BYTES 1024

struct flow {
    const char *pool;
    spb_session session;
    spb_str document;
    atomic_size_t exchanged;
    atomic_int is_over;
};

/* Lines of text, as a document that has grown large has many parts. */
static char *large_document(void) {
    char *text = must_have(malloc(DOCUMENT_BYTES + LINE_BYTES));
    size_t length = (size_t)sprintf(text, "{\"value\":[");
    while (length + LINE_BYTES < DOCUMENT_BYTES) {
        text[length] = '"';
        memset(text + length + 1, 'a' + (int)(length % 26), LINE_BYTES - 3);
        memcpy(text + length + LINE_BYTES - 2, "\",", 2);
        length += LINE_BYTES;
    }
    strcpy(text + length - 1, "]}");
    return text;
}

static void exchange(struct flow *flow) {
    spb_value *value, *result;
    if (flow->document.len == 0) {
        value = tensor(buffer_bytes);
        result = call(flow->session, flow->pool, "swap", value);
    } else {
        MUST(spb_value_from_json(flow->document, &value, err));
        result = call(flow->session, flow->pool, "echo", value);
    }
    spb_value_free(result);
    spb_value_free(value);
    atomic_fetch_add(&flow->exchanged, 1);
}

static void *keep_flowing(void *data) {
    struct flow *flow = data;
    while (!atomic_load(&flow->is_over)) exchange(flow);
    return NULL;
}

/* Small calls one after the other while large values flow: at least so many of both. */
static void mixed(const char *pool, const char *kind, size_t calls, size_t values) {
    struct flow flow = {.pool = pool};
    char *text = strcmp(kind, "documents") == 0 ? large_document() : NULL;
    flow.document = spb_str_z(text);
    have_buffers(64 * MIB);
    MUST(spb_session_open(platform, NULL, &flow.session, err));
    size_t capacity = calls * 64, count = 0;
    double *times_us = must_have(calloc(capacity, sizeof *times_us));
    pthread_t thread;
    if (pthread_create(&thread, NULL, keep_flowing, &flow) != 0) {
        stop("a thread", SPB_E_RESOURCE_EXHAUSTED, NULL);
    }
    double began = now_us();
    while (count < calls || (count < capacity && atomic_load(&flow.exchanged) < values)) {
        times_us[count++] = one_call(session, pool, "echo");
    }
    double elapsed_us = now_us() - began;
    size_t exchanged = atomic_load(&flow.exchanged);
    atomic_store(&flow.is_over, 1);
    pthread_join(thread, NULL);
    spb_session_free(flow.session);
    printf("{");
    print_percentiles(times_us, count);
    printf(", \"values_per_s\": %.2f, \"calls\": %zu}\n", (double)exchanged / elapsed_us * 1e6,
           count);
    free(times_us);
    free(text);
}

#endif
