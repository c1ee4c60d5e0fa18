/*
 * Tensors in and out: DLPack, Arrow, strided memory, safetensors. For each: what arrives is what
 * was given, at the same address where that is promised; ended once where it was taken, not at all
 * where it was refused, and refused by name.
 */
#include <sys/wait.h>
#include <unistd.h>

#include "foreign.h"

#define TAG "{\"$spb\":{\"attachment\":0}}"

/* A refusal: the status, words of its message, no value. */
#define REFUSED(status, words, call) do { \
    spb_value *out = (spb_value *)1; \
    spb_error *error = NULL; \
    spb_status got = (call); \
    if (got != (status) || !strstr(spb_error_message(error).ptr, (words))) \
        fprintf(stderr, "%s: %s\n", spb_status_name(got), spb_error_message(error).ptr); \
    CHECK(got == (status) && out == NULL); \
    CHECK(strstr(spb_error_message(error).ptr, (words)) != NULL); \
    spb_error_free(error); \
} while (0)

static spb_tensor_view view_of(const spb_value *value) {
    spb_tensor_view view;
    OK(spb_value_tensor_view(value, 0, &view, ERR));
    CHECK(view.struct_size == sizeof view && view.reserved == 0);
    return view;
}

static void dense_memory_is_not_copied_and_given_back_once(void) {
    static float memory[6] = {1, 2, 3, 4, 5, 6};
    int64_t shape[] = {2, 3}, strides[] = {3, 1};
    int before = ended();
    for (int with_strides = 0; with_strides < 2; with_strides++) {
        spb_value *value, *clone, *composed;
        int64_t *steps = with_strides ? strides : NULL;
        OK(spb_value_from_dlpack(managed(dl_tensor(memory, DL_FLOAT, 32, shape, steps, 2)),
                                 &value, ERR));
        CHECK(check_json_is(value, TAG));
        spb_tensor_view view = view_of(value);
        CHECK(view.data == memory && view.len == sizeof memory && view.ndim == 2);
        CHECK(view.shape != shape && view.shape[0] == 2 && view.shape[1] == 3);
        CHECK(view.strides[0] == 3 && view.strides[1] == 1);
        CHECK(view.dtype == SPB_DTYPE_FLOAT32 && view.item_bytes == 4);
        OK(spb_value_clone(value, &clone, ERR));
        const spb_value *both[] = {value, clone};
        OK(spb_value_compose(SPB_STR("{\"x\":{\"$spb\":{\"attachment\":1}}}"), both, 2, &composed,
                             ERR));
        CHECK(spb_value_attachment_count(composed) == 2 && view_of(composed).data == memory);
        spb_value_free(value);
        spb_value_free(clone);
        CHECK(ended() == before + with_strides);
        spb_value_free(composed);
        await_ended(before + with_strides + 1);
    }
}

static void other_orders_are_copied_and_given_back_at_once(void) {
    int16_t memory[6] = {0, 1, 2, 3, 4, 5};
    int64_t shape[] = {3, 2};
    struct { int16_t *first; int64_t strides[2]; int16_t expected[6]; } cases[] = {
        {memory, {1, 3}, {0, 3, 1, 4, 2, 5}},
        {memory + 5, {-2, -1}, {5, 4, 3, 2, 1, 0}},
        {memory + 2, {0, 1}, {2, 3, 2, 3, 2, 3}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int before = ended();
        spb_value *value;
        OK(spb_value_from_dlpack(
            managed(dl_tensor(cases[i].first, DL_INT, 16, shape, cases[i].strides, 2)), &value,
            ERR));
        CHECK(ended() == before + 1);
        spb_tensor_view view = view_of(value);
        CHECK(view.len == 12 && memcmp(view.data, cases[i].expected, 12) == 0);
        CHECK(view.strides[0] == 2 && view.strides[1] == 1);
        spb_value_free(value);
    }
}

static void every_element_type_goes_through(void) {
    static const struct { uint8_t code, bits; uint32_t dtype; } types[] = {
        {DL_BOOL, 8, SPB_DTYPE_BOOL}, {DL_INT, 8, SPB_DTYPE_INT8}, {DL_INT, 16, SPB_DTYPE_INT16},
        {DL_INT, 32, SPB_DTYPE_INT32}, {DL_INT, 64, SPB_DTYPE_INT64},
        {DL_UINT, 8, SPB_DTYPE_UINT8}, {DL_UINT, 16, SPB_DTYPE_UINT16},
        {DL_UINT, 32, SPB_DTYPE_UINT32}, {DL_UINT, 64, SPB_DTYPE_UINT64},
        {DL_FLOAT, 16, SPB_DTYPE_FLOAT16}, {DL_BFLOAT, 16, SPB_DTYPE_BFLOAT16},
        {DL_FLOAT, 32, SPB_DTYPE_FLOAT32}, {DL_FLOAT, 64, SPB_DTYPE_FLOAT64},
    };
    static uint8_t memory[32] = {1, 1, 1, 0x80, 0xff, 0x7f, 7};
    int64_t side = 3;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        int before = ended();
        spb_value *value;
        DLTensor given = dl_tensor(memory, types[i].code, types[i].bits, &side, NULL, 1);
        given.byte_offset = 1;
        OK(spb_value_from_dlpack(managed(given), &value, ERR));
        spb_tensor_view view = view_of(value);
        CHECK(view.dtype == types[i].dtype && view.item_bytes == types[i].bits / 8);
        CHECK(view.data == memory + 1);
        struct DLManagedTensorVersioned *out;
        OK(spb_value_to_dlpack(value, 0, &out, ERR));
        CHECK(out->dl_tensor.dtype.code == types[i].code && out->dl_tensor.dtype.lanes == 1);
        CHECK(out->dl_tensor.dtype.bits == types[i].bits && out->version.major == 1);
        CHECK((out->flags & 1) != 0 && out->dl_tensor.device.device_type == DL_CPU);
        CHECK(out->dl_tensor.ndim == 1 && out->dl_tensor.shape[0] == 3);
        CHECK(out->dl_tensor.strides[0] == 1 && out->dl_tensor.byte_offset == 0);
        CHECK((uintptr_t)out->dl_tensor.data % view.item_bytes == 0);
        bool is_shared = out->dl_tensor.data == memory + 1;
        CHECK(is_shared == ((uintptr_t)(memory + 1) % view.item_bytes == 0));
        spb_value_free(value);
        CHECK(memcmp(out->dl_tensor.data, memory + 1, 3 * types[i].bits / 8) == 0);
        out->deleter(out);
        await_ended(before + 1);
    }
}

static void scalars_empties_and_many_dimensions_are_tensors(void) {
    double number = 2.5;
    int64_t shape[65];
    int before = ended();
    spb_value *value;
    for (int i = 0; i < 65; i++) shape[i] = 1;
    OK(spb_value_from_dlpack(managed(dl_tensor(&number, DL_FLOAT, 64, NULL, NULL, 0)), &value,
                             ERR));
    spb_tensor_view view = view_of(value);
    CHECK(view.ndim == 0 && view.shape == NULL && view.strides == NULL && view.len == 8);
    struct DLManagedTensorVersioned *out;
    OK(spb_value_to_dlpack(value, 0, &out, ERR));
    CHECK(out->dl_tensor.ndim == 0 && *(double *)out->dl_tensor.data == 2.5);
    out->deleter(out);
    spb_value_free(value);
    OK(spb_value_from_dlpack(managed(dl_tensor(&number, DL_FLOAT, 64, shape, shape, 64)), &value,
                             ERR));
    CHECK(view_of(value).ndim == 64 && view_of(value).data == &number);
    spb_value_free(value);
    int64_t empty[] = {4, 0, INT64_MAX};
    OK(spb_value_from_dlpack(managed(dl_tensor(NULL, DL_INT, 8, empty, NULL, 2)), &value, ERR));
    view = view_of(value);
    CHECK(view.data == NULL && view.len == 0 && view.shape[1] == 0);
    OK(spb_value_to_dlpack(value, 0, &out, ERR));
    CHECK(out->dl_tensor.data == NULL && out->dl_tensor.shape[0] == 4);
    out->deleter(out);
    spb_value_free(value);
    await_ended(before + 3);
    /* Whoever leaves the deleter out could not be told when the memory is free again. */
    struct DLManagedTensorVersioned fixed = {{1, 0}, NULL, NULL, 0,
                                             dl_tensor(&number, DL_FLOAT, 64, NULL, NULL, 0)};
    OK(spb_value_from_dlpack(&fixed, &value, ERR));
    number = 0;
    CHECK(view_of(value).data != &number && *(const double *)view_of(value).data == 2.5);
    spb_value_free(value);
}

static void unversioned_tensors_are_taken_too(void) {
    static uint8_t memory[4] = {1, 2, 3, 4};
    int64_t shape[] = {2, 2}, columns[] = {1, 2};
    int before = ended();
    for (int strided = 0; strided < 2; strided++) {
        struct DLManagedTensor *given = calloc(1, sizeof *given);
        given->dl_tensor = dl_tensor(memory, DL_UINT, 8, shape, strided ? columns : NULL, 2);
        given->manager_ctx = given;
        given->deleter = delete_unversioned;
        spb_value *value;
        OK(spb_value_from_dlpack_unversioned(given, &value, ERR));
        CHECK((view_of(value).data == memory) == !strided);
        spb_value_free(value);
        await_ended(before + strided + 1);
    }
}

static void what_dlpack_may_bring_and_values_cannot_hold_stays_the_callers(void) {
    static double memory[4];
    int64_t two = 2, minus = -1, huge = INT64_C(1) << 40, shape[65];
    int64_t far = INT64_MAX;
    DLTensor good = dl_tensor(memory, DL_FLOAT, 64, &two, NULL, 1);
    for (int i = 0; i < 65; i++) shape[i] = 1;
    struct { spb_status status; const char *says; DLTensor tensor; uint32_t major; } cases[16];
    size_t count = 0;
#define CASE(code, words, change) do { \
    DLTensor tensor = good; \
    uint32_t major = 1; \
    change; \
    cases[count].status = (code); \
    cases[count].says = (words); \
    cases[count].tensor = tensor; \
    cases[count++].major = major; \
} while (0)
    CASE(SPB_E_UNSUPPORTED, "cuda", tensor.device.device_type = DL_CUDA);
    CASE(SPB_E_UNSUPPORTED, "unknown (type 77)", tensor.device.device_type = 77);
    CASE(SPB_E_UNSUPPORTED, "float64x2", tensor.dtype.lanes = 2);
    CASE(SPB_E_UNSUPPORTED, "complex64", tensor.dtype.code = DL_COMPLEX);
    CASE(SPB_E_UNSUPPORTED, "type code 9", tensor.dtype.code = 9);
    CASE(SPB_E_UNSUPPORTED, "float80", tensor.dtype.bits = 80);
    CASE(SPB_E_UNSUPPORTED, "DLPack 2", major = 2);
    CASE(SPB_E_INVALID_ARGUMENT, "-3 dimensions", tensor.ndim = -3);
    CASE(SPB_E_INVALID_ARGUMENT, "65 dimensions", (tensor.ndim = 65, tensor.shape = shape));
    CASE(SPB_E_INVALID_ARGUMENT, "below 0", tensor.shape = &minus);
    CASE(SPB_E_INVALID_ARGUMENT, "byte_offset", tensor.byte_offset = UINT64_MAX - 8);
    CASE(SPB_E_INVALID_ARGUMENT, "strides", tensor.strides = &far);
    CASE(SPB_E_NULL_ARGUMENT, "data is NULL", tensor.data = NULL);
    CASE(SPB_E_NULL_ARGUMENT, "shape is NULL", tensor.shape = NULL);
    CASE(SPB_E_RESOURCE_EXHAUSTED, "limit", tensor.shape = &huge);
    int before = ended();
    for (size_t i = 0; i < count; i++) {
        struct DLManagedTensorVersioned *given = managed(cases[i].tensor);
        given->version.major = cases[i].major;
        REFUSED(cases[i].status, cases[i].says, spb_value_from_dlpack(given, &out, &error));
        CHECK(ended() == before);
        free(given);
    }
    /* An enormous array of one repeated element, too. */
    int64_t zero = 0;
    DLTensor repeated = dl_tensor(memory, DL_FLOAT, 64, &huge, &zero, 1);
    struct DLManagedTensorVersioned *given = managed(repeated);
    REFUSED(SPB_E_RESOURCE_EXHAUSTED, "limit", spb_value_from_dlpack(given, &out, &error));
    free(given);
    spb_value *text = check_value("\"no tensor\"");
    struct DLManagedTensorVersioned *nothing = (void *)&zero;
    EXPECT(SPB_E_NOT_FOUND, spb_value_to_dlpack(text, 0, &nothing, ERR));
    CHECK(nothing == NULL && ended() == before);
    spb_value_free(text);
}

static void stores_hold_what_they_were_lent(void) {
    static uint8_t memory[100000];
    int64_t side = sizeof memory;
    int before = ended();
    spb_platform platform = check_open(NO_POOLS);
    spb_session session;
    spb_value *value;
    uint64_t version;
    OK(spb_session_open(platform, NULL, &session, ERR));
    OK(spb_value_from_dlpack(managed(dl_tensor(memory, DL_UINT, 8, &side, NULL, 1)), &value, ERR));
    spb_variable_options options = SPB_VARIABLE_OPTIONS_INIT;
    options.name = SPB_STR("x");
    options.type = SPB_STR("json");
    OK(spb_variable_register(session, &options, value, &version, ERR));
    spb_value_free(value);
    OK(spb_variable_get(session, SPB_STR("x"), &value, &version, ERR));
    CHECK(view_of(value).data == memory && ended() == before);
    spb_value_free(value);
    OK(spb_variable_delete(session, SPB_STR("x"), 0, ERR));
    await_ended(before + 1);
    spb_session_free(session);
    check_close(platform);
}

enum { THREADS = 4, ROUNDS = 100 };

static void *lend_and_free(void *unused) {
    static int32_t memory[4];
    int64_t side = 4;
    for (int i = 0; i < ROUNDS; i++) {
        spb_value *value;
        struct DLManagedTensorVersioned *given =
            managed(dl_tensor(memory, DL_INT, 32, &side, NULL, 1));
        spb_error *error = NULL;
        CHECK(spb_value_from_dlpack(given, &value, &error) == SPB_OK);
        spb_value_free(value);
    }
    return unused;
}

static void loans_of_many_threads_end_once_each(void) {
    pthread_t threads[THREADS];
    int before = ended();
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, lend_and_free, NULL) == 0);
    for (int i = 0; i < THREADS; i++) CHECK(pthread_join(threads[i], NULL) == 0);
    await_ended(before + THREADS * ROUNDS);
}

/* The limit of src/core/limits.rs. */
enum { LOANS_MAX = 64 * 1024 };

static void one_loan_too_many_is_refused_until_another_ends(void) {
    static uint8_t memory[4];
    static spb_value *values[LOANS_MAX];
    int64_t side = 4;
    int before = ended();
    for (int i = 0; i < LOANS_MAX; i++)
        OK(spb_value_from_dlpack(managed(dl_tensor(memory, DL_UINT, 8, &side, NULL, 1)),
                                 &values[i], ERR));
    struct DLManagedTensorVersioned *more = managed(dl_tensor(memory, DL_UINT, 8, &side, NULL, 1));
    REFUSED(SPB_E_RESOURCE_EXHAUSTED, "lent already", spb_value_from_dlpack(more, &out, &error));
    CHECK(ended() == before);
    for (int i = 0; i < LOANS_MAX; i++) spb_value_free(values[i]);
    await_ended(before + LOANS_MAX);
    spb_value *value;
    OK(spb_value_from_dlpack(more, &value, ERR));
    spb_value_free(value);
    await_ended(before + LOANS_MAX + 1);
}

/* The memory is the parent's: a child that frees its copy of the value ends nothing. */
static void a_forked_child_gives_nothing_back(void) {
    double number = 1;
    spb_value *value;
    int before = ended();
    OK(spb_value_from_dlpack(managed(dl_tensor(&number, DL_FLOAT, 64, NULL, NULL, 0)), &value,
                             ERR));
    pid_t child = fork();
    if (child == 0) {
        spb_value_free(value);
        _exit(ended_count == before ? 0 : 1);
    }
    int status = 1;
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    spb_value_free(value);
    await_ended(before + 1);
}

/* A batch of `length` lists of `size` floats from slot `offset` on. */
typedef struct {
    struct ArrowSchema schema, item_schema, *schema_children[1];
    struct ArrowArray array, item_array, *array_children[1];
    const void *buffers[2], *item_buffers[2];
    char format[32];
    int schema_ends;
} batch;

static void fill_batch(batch *made, const void *data, const char *item_format, int64_t size,
                       int64_t length, int64_t offset) {
    memset(made, 0, sizeof *made);
    snprintf(made->format, sizeof made->format, "+w:%" PRId64, size);
    made->schema_children[0] = &made->item_schema;
    made->array_children[0] = &made->item_array;
    made->schema = (struct ArrowSchema){made->format, "", NULL, 0, 1, made->schema_children, NULL,
                                        release_schema, &made->schema_ends};
    made->item_schema = (struct ArrowSchema){item_format, "item", NULL, 0, 0, NULL, NULL,
                                             release_schema, NULL};
    made->item_buffers[1] = data;
    made->array = (struct ArrowArray){length, 0, offset, 1, 1, made->buffers,
                                      made->array_children, NULL, release_array, NULL};
    made->item_array = (struct ArrowArray){(offset + length) * size, 0, 0, 2, 0,
                                           made->item_buffers, NULL, NULL, release_array, NULL};
}

static void batches_of_embeddings_are_not_copied(void) {
    static float memory[11] = {-1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
    batch given;
    spb_value *value;
    int before = ended();
    fill_batch(&given, memory, "f", 2, 3, 1);
    given.item_array.offset = 1;
    OK(spb_value_from_arrow(&given.schema, &given.array, &value, ERR));
    CHECK(given.schema.release == NULL && given.array.release == NULL && given.schema_ends == 1);
    spb_tensor_view view = view_of(value);
    CHECK(view.data == memory + 3 && view.ndim == 2 && view.shape[0] == 3 && view.shape[1] == 2);
    CHECK(view.dtype == SPB_DTYPE_FLOAT32 && ended() == before);
    spb_value_free(value);
    /* The list and its child. */
    await_ended(before + 2);
}

static void numbers_and_nested_lists_have_their_dimensions(void) {
    static int64_t memory[12];
    int before = ended();
    const void *buffers[] = {NULL, memory};
    spb_value *value;
    struct ArrowSchema schema = {"l", "", NULL, 0, 0, NULL, NULL, release_schema, NULL};
    struct ArrowArray array = {3, -1, 2, 2, 0, buffers, NULL, NULL, release_array, NULL};
    OK(spb_value_from_arrow(&schema, &array, &value, ERR));
    CHECK(view_of(value).data == memory + 2 && view_of(value).shape[0] == 3);
    CHECK(view_of(value).dtype == SPB_DTYPE_INT64);
    spb_value_free(value);
    await_ended(before + 1);
    batch inner;
    fill_batch(&inner, memory, "l", 2, 6, 0);
    struct ArrowSchema *schemas[] = {&inner.schema};
    struct ArrowArray *arrays[] = {&inner.array};
    const void *none[] = {NULL};
    schema = (struct ArrowSchema){"+w:3", "", NULL, 0, 1, schemas, NULL, release_schema, NULL};
    array = (struct ArrowArray){1, 0, 1, 1, 1, none, arrays, NULL, release_array, NULL};
    OK(spb_value_from_arrow(&schema, &array, &value, ERR));
    spb_tensor_view view = view_of(value);
    CHECK(view.ndim == 3 && view.shape[0] == 1 && view.shape[1] == 3 && view.shape[2] == 2);
    CHECK(view.data == memory + 6);
    spb_value_free(value);
    await_ended(before + 4);
}

static void nulls_within_the_slice_are_refused_and_others_are_not(void) {
    static float memory[12];
    static const uint8_t first_is_null[] = {0xfe}, all_valid[] = {0xff, 0xff};
    batch given;
    spb_value *value;
    int before = ended();
    fill_batch(&given, memory, "f", 2, 3, 0);
    given.buffers[0] = first_is_null;
    given.array.null_count = 1;
    REFUSED(SPB_E_UNSUPPORTED, "array has a null at 0",
            spb_value_from_arrow(&given.schema, &given.array, &out, &error));
    given.buffers[0] = NULL;
    given.array.null_count = 0;
    given.item_buffers[0] = first_is_null;
    given.item_array.null_count = -1;
    REFUSED(SPB_E_UNSUPPORTED, "array.item has a null at 0",
            spb_value_from_arrow(&given.schema, &given.array, &out, &error));
    CHECK(given.schema.release != NULL && given.array.release != NULL && ended() == before);
    /* The null lies before the slice. */
    given.array.offset = 1;
    given.array.length = 2;
    OK(spb_value_from_arrow(&given.schema, &given.array, &value, ERR));
    CHECK(view_of(value).data == memory + 2);
    spb_value_free(value);
    await_ended(before + 2);
    fill_batch(&given, memory, "f", 2, 3, 0);
    given.buffers[0] = given.item_buffers[0] = all_valid;
    given.array.null_count = given.item_array.null_count = -1;
    OK(spb_value_from_arrow(&given.schema, &given.array, &value, ERR));
    spb_value_free(value);
    await_ended(before + 4);
}

static void other_arrays_stay_the_callers(void) {
    static double memory[6];
    int before = ended();
    batch given;
#define ARROW_CASE(status, words, change) do { \
    fill_batch(&given, memory, "g", 2, 3, 0); \
    change; \
    REFUSED(status, words, spb_value_from_arrow(&given.schema, &given.array, &out, &error)); \
    CHECK(ended() == before && given.schema_ends == 0); \
} while (0)
    ARROW_CASE(SPB_E_UNSUPPORTED, "array.item has the format \"u\"",
               given.item_schema.format = "u");
    ARROW_CASE(SPB_E_UNSUPPORTED, "\"b\"", given.item_schema.format = "b");
    ARROW_CASE(SPB_E_UNSUPPORTED, "\"+l\"", given.schema.format = "+l");
    ARROW_CASE(SPB_E_UNSUPPORTED, "\"+w:-2\"", given.schema.format = "+w:-2");
    ARROW_CASE(SPB_E_UNSUPPORTED, "dictionary",
               given.item_schema.dictionary = &given.item_schema);
    ARROW_CASE(SPB_E_INVALID_ARGUMENT, "released", given.array.release = NULL);
    ARROW_CASE(SPB_E_INVALID_ARGUMENT, "released", given.schema.release = NULL);
    ARROW_CASE(SPB_E_INVALID_ARGUMENT, "length -1", given.array.length = -1);
    ARROW_CASE(SPB_E_INVALID_ARGUMENT, "parent needs 6", given.item_array.length = 5);
    ARROW_CASE(SPB_E_INVALID_ARGUMENT, "one child", given.array.n_children = 0);
    ARROW_CASE(SPB_E_INVALID_ARGUMENT, "child that is NULL", given.array_children[0] = NULL);
    ARROW_CASE(SPB_E_INVALID_ARGUMENT, "no data", given.item_buffers[1] = NULL);
    ARROW_CASE(SPB_E_INVALID_ARGUMENT, "1 buffers", given.item_array.n_buffers = 1);
    ARROW_CASE(SPB_E_INVALID_ARGUMENT, "no format", given.schema.format = NULL);
    ARROW_CASE(SPB_E_INVALID_ARGUMENT, "too many elements", given.array.offset = INT64_MAX / 2);
}

static spb_value *tensor_value(uint32_t dtype, const void *data, size_t len, const int64_t *shape,
                               size_t ndim) {
    spb_tensor_view view = SPB_TENSOR_VIEW_INIT;
    spb_value *value;
    view.dtype = dtype;
    view.data = data;
    view.len = len;
    view.shape = shape;
    view.ndim = ndim;
    OK(spb_value_from_tensor(&view, &value, ERR));
    return value;
}

static void arrays_go_out_and_live_on_their_own(void) {
    const float numbers[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    const int64_t shape[] = {2, 3, 2};
    struct ArrowSchema schema;
    struct ArrowArray array;
    for (size_t ndim = 1; ndim <= 3; ndim++) {
        const int64_t *sides = shape + 3 - ndim;
        int64_t elements = 1;
        for (size_t i = 0; i < ndim; i++) elements *= sides[i];
        spb_value *value = tensor_value(SPB_DTYPE_FLOAT32, numbers, (size_t)elements * 4, sides,
                                        ndim);
        const void *data = view_of(value).data;
        OK(spb_value_to_arrow(value, 0, &schema, &array, ERR));
        spb_value_free(value);
        struct ArrowSchema *level = &schema;
        struct ArrowArray *items = &array;
        int64_t length = 1;
        for (size_t i = 0; i + 1 < ndim; i++) {
            char format[32];
            snprintf(format, sizeof format, "+w:%" PRId64, sides[i + 1]);
            length *= sides[i];
            CHECK(strcmp(level->format, format) == 0 && level->n_children == 1);
            CHECK(items->length == length && items->n_buffers == 1 && items->buffers[0] == NULL);
            level = level->children[0];
            items = items->children[0];
        }
        CHECK(strcmp(level->format, "f") == 0 && level->n_children == 0 && items->null_count == 0);
        CHECK(items->length == elements && items->n_buffers == 2 && items->buffers[0] == NULL);
        CHECK(memcmp(items->buffers[1], numbers, (size_t)elements * 4) == 0);
        CHECK(items->buffers[1] == data || (uintptr_t)data % 8 != 0);
        /* A consumer may move a child away; it outlives its parent then. */
        struct ArrowArray moved = *items;
        if (ndim > 1) items->release = NULL;
        array.release(&array);
        CHECK(array.release == NULL);
        if (ndim > 1) {
            CHECK(memcmp(moved.buffers[1], numbers, (size_t)elements * 4) == 0);
            moved.release(&moved);
        }
        schema.release(&schema);
        CHECK(schema.release == NULL);
    }
}

static void what_arrow_has_no_form_for_is_refused(void) {
    const int64_t two = 2;
    struct ArrowSchema schema;
    struct ArrowArray array;
    struct { uint32_t dtype; size_t ndim; } cases[] = {
        {SPB_DTYPE_BOOL, 1}, {SPB_DTYPE_BFLOAT16, 1}, {SPB_DTYPE_FLOAT64, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        static const size_t sizes[] = {0, 1, 1, 2, 4, 8, 1, 2, 4, 8, 2, 2, 4, 8};
        const uint8_t data[16] = {0};
        size_t len = sizes[cases[i].dtype] * (cases[i].ndim ? 2 : 1);
        spb_value *value = tensor_value(cases[i].dtype, data, len, &two, cases[i].ndim);
        memset(&schema, 7, sizeof schema);
        memset(&array, 7, sizeof array);
        EXPECT(SPB_E_UNSUPPORTED, spb_value_to_arrow(value, 0, &schema, &array, ERR));
        CHECK(schema.release == NULL && array.release == NULL);
        spb_value_free(value);
    }
    /* Sides of zero have a form. */
    const int64_t empty[] = {2, 0};
    spb_value *value = tensor_value(SPB_DTYPE_INT8, NULL, 0, empty, 2);
    OK(spb_value_to_arrow(value, 0, &schema, &array, ERR));
    CHECK(array.length == 2 && array.children[0]->length == 0);
    spb_value *back;
    OK(spb_value_from_arrow(&schema, &array, &back, ERR));
    CHECK(view_of(back).ndim == 2 && view_of(back).shape[0] == 2 && view_of(back).len == 0);
    spb_value_free(back);
    spb_value_free(value);
}

static void strided_memory_is_read_within_its_bounds(void) {
    const uint16_t memory[] = {0, 1, 2, 3, 4, 5};
    const int64_t shape[] = {2, 2}, columns[] = {1, 3}, outside[] = {1, 5}, below[] = {-1, 1};
    const int64_t deep[] = {1, 1};
    spb_tensor_view view = SPB_TENSOR_VIEW_INIT;
    spb_value *value;
    view.dtype = SPB_DTYPE_UINT16;
    view.item_bytes = 2;
    view.data = memory;
    view.len = sizeof memory;
    view.shape = shape;
    view.strides = columns;
    view.ndim = 2;
    OK(spb_value_from_tensor(&view, &value, ERR));
    const uint16_t expected[] = {0, 3, 1, 4};
    spb_tensor_view seen = view_of(value);
    CHECK(seen.len == sizeof expected && memcmp(seen.data, expected, seen.len) == 0);
    /* What the library shows can be given back to it as it is. */
    spb_value *again;
    OK(spb_value_from_tensor(&seen, &again, ERR));
    CHECK(view_of(again).len == seen.len && view_of(again).strides[0] == 2);
    spb_value_free(again);
    spb_value_free(value);
    spb_tensor_view bad = view;
#define VIEW_CASE(status, words, change) do { \
    bad = view; \
    change; \
    REFUSED(status, words, spb_value_from_tensor(&bad, &out, &error)); \
} while (0)
    VIEW_CASE(SPB_E_INVALID_ARGUMENT, "lead out", bad.strides = outside);
    VIEW_CASE(SPB_E_INVALID_ARGUMENT, "lead out", bad.strides = below);
    VIEW_CASE(SPB_E_INVALID_ARGUMENT, "dtype 99", bad.dtype = 99);
    VIEW_CASE(SPB_E_INVALID_ARGUMENT, "item_bytes", bad.item_bytes = 4);
    VIEW_CASE(SPB_E_INVALID_ARGUMENT, "reserved", bad.reserved = 1);
    VIEW_CASE(SPB_E_INVALID_ARGUMENT, "12 bytes", bad.strides = NULL);
    VIEW_CASE(SPB_E_INVALID_ARGUMENT, "struct_size", bad.struct_size = 3);
    VIEW_CASE(SPB_E_INVALID_ARGUMENT, "below 0", bad.shape = below);
    VIEW_CASE(SPB_E_INVALID_ARGUMENT, "dimensions", (bad.ndim = 65, bad.strides = NULL,
                                                     bad.shape = (const int64_t[65]){1}));
    VIEW_CASE(SPB_E_NULL_ARGUMENT, "shape is NULL", bad.shape = NULL);
    VIEW_CASE(SPB_E_NULL_ARGUMENT, "data is NULL", bad.data = NULL);
    view.shape = deep;
    view.strides = outside;
    OK(spb_value_from_tensor(&view, &value, ERR));
    CHECK(view_of(value).len == 2);
    spb_value_free(value);
}

static void files_of_safetensors_come_back(void) {
    const double weight[] = {1.5, -0.0};
    const int64_t two = 2;
    spb_value *parts[2], *value, *file, *back;
    parts[0] = tensor_value(SPB_DTYPE_FLOAT64, weight, sizeof weight, &two, 1);
    parts[1] = tensor_value(SPB_DTYPE_BFLOAT16, "\0\1\2\3", 4, &two, 1);
    OK(spb_value_compose(SPB_STR("{\"w\":{\"$spb\":{\"attachment\":0}},"
                                 "\"b\":{\"$spb\":{\"attachment\":1}},"
                                 "\"__metadata__\":{\"by\":\"c\"}}"),
                         (const spb_value *const *)parts, 2, &value, ERR));
    OK(spb_value_to_safetensors(value, &file, ERR));
    CHECK(check_json_is(file, TAG));
    spb_attachment bytes;
    OK(spb_value_attachment(file, 0, &bytes, ERR));
    CHECK(bytes.kind == SPB_ATTACHMENT_BLOB && bytes.data[8] == '{');
    OK(spb_value_from_safetensors(bytes.data, bytes.len, &back, ERR));
    CHECK(check_json_is(back, "{\"__metadata__\":{\"by\":\"c\"},"
                              "\"b\":{\"$spb\":{\"attachment\":1}},"
                              "\"w\":{\"$spb\":{\"attachment\":0}}}"));
    CHECK(memcmp(view_of(back).data, weight, sizeof weight) == 0);
    REFUSED(SPB_E_INVALID_ARGUMENT, "not safetensors",
            spb_value_from_safetensors(bytes.data, bytes.len - 1, &out, &error));
    REFUSED(SPB_E_TYPE_MISMATCH, "at $.$spb: ", spb_value_to_safetensors(file, &out, &error));
    spb_value_free(back);
    spb_value_free(file);
    spb_value_free(value);
    for (int i = 0; i < 2; i++) spb_value_free(parts[i]);
}

/* With an argument, for valgrind, without the fork, whose child leaves what looks lost, and without
 * what takes long there. */
int main(int argc, char **argv) {
    (void)argv;
    CHECK(spb_abi_check());
    dense_memory_is_not_copied_and_given_back_once();
    other_orders_are_copied_and_given_back_at_once();
    every_element_type_goes_through();
    scalars_empties_and_many_dimensions_are_tensors();
    unversioned_tensors_are_taken_too();
    what_dlpack_may_bring_and_values_cannot_hold_stays_the_callers();
    stores_hold_what_they_were_lent();
    loans_of_many_threads_end_once_each();
    if (argc == 1) one_loan_too_many_is_refused_until_another_ends();
    if (argc == 1) a_forked_child_gives_nothing_back();
    batches_of_embeddings_are_not_copied();
    numbers_and_nested_lists_have_their_dimensions();
    nulls_within_the_slice_are_refused_and_others_are_not();
    other_arrays_stay_the_callers();
    arrays_go_out_and_live_on_their_own();
    what_arrow_has_no_form_for_is_refused();
    strided_memory_is_read_within_its_bounds();
    files_of_safetensors_come_back();
    return 0;
}
