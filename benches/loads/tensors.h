/*
 * Large tensors between this host and numpy in a worker, and the plain copy that they are compared
 * with. Every time is that of a whole call: a tensor is made, sent, looked at, and freed.
 */
#ifndef SPB_LOADS_TENSORS_H
#define SPB_LOADS_TENSORS_H

#include "call.h"

#define MIB ((size_t)1 << 20)

/* The host's own memory: warm, as it is after the first use. */
static uint8_t *source, *target;
static size_t buffer_bytes;

static void have_buffers(size_t bytes) {
    if (buffer_bytes == bytes) return;
    free(source);
    free(target);
    source = must_have(malloc(bytes));
    target = must_have(malloc(bytes));
    buffer_bytes = bytes;
    for (size_t index = 0; index < bytes; index++) source[index] = (uint8_t)(index % 251);
    memcpy(target, source, bytes);
}

/* The copy that spb_value_from_parts makes is the only one on the way to numpy. */
static spb_value *tensor(size_t bytes) {
    int64_t shape[1] = {(int64_t)bytes};
    spb_attachment attachment = {
        SPB_ATTACHMENT_TENSOR, SPB_DTYPE_UINT8, source, bytes, shape, 1};
    spb_value *value;
    MUST(spb_value_from_parts(SPB_STR("{\"value\":{\"$spb\":{\"attachment\":0}}}"), &attachment, 1,
                              &value, err));
    return value;
}

static void copy_once(size_t bytes) {
    memcpy(target, source, bytes);
    /* Otherwise the compiler may leave the copy out. */
    __asm__ volatile("" : : "r"(target) : "memory");
}

static void send_copied(size_t bytes) {
    spb_value *value = tensor(bytes);
    spb_value_free(call(session, "default", "touch", value));
    spb_value_free(value);
}

/* A value that lies in shared memory already, as one that many calls read does. */
static spb_value *kept;

static void send_cached(size_t bytes) {
    if (kept == NULL) kept = tensor(bytes);
    spb_value_free(call(session, "default", "touch", kept));
}

static void fetch(size_t bytes) {
    char json[48];
    snprintf(json, sizeof json, "{\"mib\": %zu}", bytes / MIB);
    spb_value *parameters = document(json);
    spb_value *result = call(session, "default", "make", parameters);
    spb_tensor_view view = SPB_TENSOR_VIEW_INIT;
    MUST(spb_value_tensor_view(result, 0, &view, err));
    const uint8_t *bytes_there = view.data;
    if (view.len != bytes || bytes_there[bytes - 1] != (uint8_t)((bytes - 1) % 251)) {
        stop("another tensor than was made", SPB_E_INTERNAL, NULL);
    }
    spb_value_free(result);
    spb_value_free(parameters);
}

static void send_nothing(size_t bytes) {
    (void)bytes;
    spb_value_free(call(session, "default", "nothing", NULL));
}

static void tensor_times(void (*once)(size_t), size_t mib, size_t count) {
    have_buffers(mib * MIB);
    double *times_us = must_have(calloc(count, sizeof *times_us));
    /* The first one finds caches cold and regions unmapped. */
    once(mib * MIB);
    for (size_t index = 0; index < count; index++) {
        double began = now_us();
        once(mib * MIB);
        times_us[index] = now_us() - began;
    }
    spb_value_free(kept);
    kept = NULL;
    printf("{");
    print_percentiles(times_us, count);
    printf("}\n");
    free(times_us);
}

#endif
