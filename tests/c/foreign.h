/*
 * The structs of DLPack 1.x and of the Arrow C Data Interface, as a host has them from those
 * projects' own headers, and arrays in them that count how often they are ended.
 */
#ifndef SPB_TEST_FOREIGN_H
#define SPB_TEST_FOREIGN_H

#include <pthread.h>
#include <time.h>

#include "check.h"

typedef struct { int32_t device_type, device_id; } DLDevice;
typedef struct { uint8_t code, bits; uint16_t lanes; } DLDataType;
typedef struct { uint32_t major, minor; } DLPackVersion;

typedef struct {
    void *data;
    DLDevice device;
    int32_t ndim;
    DLDataType dtype;
    int64_t *shape, *strides;
    uint64_t byte_offset;
} DLTensor;

struct DLManagedTensor {
    DLTensor dl_tensor;
    void *manager_ctx;
    void (*deleter)(struct DLManagedTensor *);
};

struct DLManagedTensorVersioned {
    DLPackVersion version;
    void *manager_ctx;
    void (*deleter)(struct DLManagedTensorVersioned *);
    uint64_t flags;
    DLTensor dl_tensor;
};

struct ArrowSchema {
    const char *format, *name, *metadata;
    int64_t flags, n_children;
    struct ArrowSchema **children, *dictionary;
    void (*release)(struct ArrowSchema *);
    void *private_data;
};

struct ArrowArray {
    int64_t length, null_count, offset, n_buffers, n_children;
    const void **buffers;
    struct ArrowArray **children, *dictionary;
    void (*release)(struct ArrowArray *);
    void *private_data;
};

enum { DL_INT, DL_UINT, DL_FLOAT, DL_OPAQUE, DL_BFLOAT, DL_COMPLEX, DL_BOOL };
enum { DL_CPU = 1, DL_CUDA = 2 };

/* How many foreign arrays were ended, by whatever thread. */
static pthread_mutex_t ended_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t ended_more = PTHREAD_COND_INITIALIZER;
static int ended_count;

static inline void count_end(void) {
    pthread_mutex_lock(&ended_lock);
    ended_count++;
    pthread_cond_broadcast(&ended_more);
    pthread_mutex_unlock(&ended_lock);
}

static inline int ended(void) {
    pthread_mutex_lock(&ended_lock);
    int count = ended_count;
    pthread_mutex_unlock(&ended_lock);
    return count;
}

static inline void await_ended(int count) {
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += LONG_MS / 1000;
    pthread_mutex_lock(&ended_lock);
    while (ended_count < count)
        CHECK(pthread_cond_timedwait(&ended_more, &ended_lock, &until) == 0);
    CHECK(ended_count == count);
    pthread_mutex_unlock(&ended_lock);
}

static inline void delete_versioned(struct DLManagedTensorVersioned *managed) {
    CHECK(managed->manager_ctx == managed);
    free(managed);
    count_end();
}

static inline void delete_unversioned(struct DLManagedTensor *managed) {
    CHECK(managed->manager_ctx == managed);
    free(managed);
    count_end();
}

static inline DLTensor dl_tensor(void *data, uint8_t code, uint8_t bits, int64_t *shape,
                                 int64_t *strides, int32_t ndim) {
    DLTensor tensor = {data, {DL_CPU, 0}, ndim, {code, bits, 1}, shape, strides, 0};
    return tensor;
}

/* On the heap, so that a second deletion is seen. */
static inline struct DLManagedTensorVersioned *managed(DLTensor tensor) {
    struct DLManagedTensorVersioned *made = calloc(1, sizeof *made);
    made->version.major = 1;
    made->version.minor = 1;
    made->manager_ctx = made;
    made->deleter = delete_versioned;
    made->dl_tensor = tensor;
    return made;
}

/* The one end that counts is the array's; a schema counts through its `private_data`. */
static inline void release_schema(struct ArrowSchema *schema) {
    CHECK(schema->release != NULL);
    for (int64_t i = 0; i < schema->n_children; i++)
        if (schema->children[i]->release) schema->children[i]->release(schema->children[i]);
    if (schema->private_data) ++*(int *)schema->private_data;
    schema->release = NULL;
}

static inline void release_array(struct ArrowArray *array) {
    CHECK(array->release != NULL);
    for (int64_t i = 0; i < array->n_children; i++)
        if (array->children[i]->release) array->children[i]->release(array->children[i]);
    array->release = NULL;
    count_end();
}

#endif
