/*
 * The shared examples of tests/vectors/values.json through the C ABI: documents keep their bytes,
 * tensors come back by view, by DLPack, and by Arrow where it has a form for them, and what is
 * refused names its place. The file is the argument.
 */
#include <cjson/cJSON.h>

#include "foreign.h"

static const char *const dtypes[] = {
    "", "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
    "float16", "bfloat16", "float32", "float64",
};

enum { ATTACHMENTS = 4, DIMENSIONS = 80 };

/* One vector's input, as the calls take it. */
typedef struct {
    const char *name;
    char *json;
    size_t json_len, count;
    spb_attachment attachments[ATTACHMENTS];
    int64_t shapes[ATTACHMENTS][DIMENSIONS];
} vector;

static cJSON *file_of(const char *path) {
    FILE *file = fopen(path, "rb");
    CHECK(file != NULL && fseek(file, 0, SEEK_END) == 0);
    long size = ftell(file);
    char *text = malloc((size_t)size + 1);
    rewind(file);
    CHECK(size > 0 && fread(text, 1, (size_t)size, file) == (size_t)size);
    text[size] = '\0';
    fclose(file);
    cJSON *root = cJSON_Parse(text);
    CHECK(root != NULL);
    free(text);
    return root;
}

static const char *text_of(const cJSON *object, const char *key) {
    return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, key));
}

static uint8_t *unhex(const char *text, size_t *len) {
    *len = strlen(text) / 2;
    uint8_t *bytes = malloc(*len + 1);
    for (size_t i = 0; i < *len; i++) {
        char pair[3] = {text[2 * i], text[2 * i + 1], '\0'};
        bytes[i] = (uint8_t)strtoul(pair, NULL, 16);
    }
    return bytes;
}

static void append(vector *to, const char *text, int times) {
    size_t len = strlen(text);
    to->json = realloc(to->json, to->json_len + len * (size_t)times + 1);
    for (int i = 0; i < times; i++, to->json_len += len) memcpy(to->json + to->json_len, text, len);
}

static void read_document(const cJSON *given, vector *to) {
    const cJSON *repeat = cJSON_GetObjectItemCaseSensitive(given, "repeat");
    if (text_of(given, "json_hex")) {
        to->json = (char *)unhex(text_of(given, "json_hex"), &to->json_len);
    } else if (repeat) {
        int times = (int)cJSON_GetObjectItemCaseSensitive(repeat, "times")->valuedouble;
        append(to, text_of(repeat, "open"), times);
        append(to, text_of(repeat, "middle") ? text_of(repeat, "middle") : "", 1);
        append(to, text_of(repeat, "close"), times);
    } else {
        append(to, text_of(given, "json"), 1);
    }
}

static void read_tensor(const cJSON *given, vector *to) {
    spb_attachment *tensor = &to->attachments[to->count];
    int64_t *shape = to->shapes[to->count++];
    const cJSON *side;
    tensor->kind = SPB_ATTACHMENT_TENSOR;
    for (uint32_t i = 1; i < sizeof dtypes / sizeof *dtypes; i++)
        if (strcmp(dtypes[i], text_of(given, "dtype")) == 0) tensor->dtype = i;
    cJSON_ArrayForEach(side, cJSON_GetObjectItemCaseSensitive(given, "shape")) {
        CHECK(tensor->ndim < DIMENSIONS);
        shape[tensor->ndim++] = (int64_t)side->valuedouble;
    }
    tensor->shape = shape;
    tensor->data = unhex(text_of(given, "data_hex"), &tensor->len);
}

static void read_vector(const cJSON *given, vector *to) {
    const cJSON *each;
    memset(to, 0, sizeof *to);
    to->name = text_of(given, "name");
    read_document(given, to);
    cJSON_ArrayForEach(each, cJSON_GetObjectItemCaseSensitive(given, "attachments")) {
        CHECK(to->count < ATTACHMENTS);
        const cJSON *tensor = cJSON_GetObjectItemCaseSensitive(each, "tensor");
        if (tensor) {
            read_tensor(tensor, to);
        } else {
            spb_attachment *blob = &to->attachments[to->count++];
            blob->kind = SPB_ATTACHMENT_BLOB;
            blob->data = unhex(text_of(each, "blob_hex"), &blob->len);
        }
    }
}

static void free_vector(vector *from) {
    free(from->json);
    for (size_t i = 0; i < from->count; i++) free((void *)from->attachments[i].data);
}

static spb_status make(const vector *given, spb_value **out, spb_error **err) {
    return spb_value_from_parts(spb_str_n(given->json, given->json_len), given->attachments,
                                given->count, out, err);
}

static void is_same_tensor(const spb_value *value, size_t index, const spb_attachment *expected) {
    spb_tensor_view view;
    OK(spb_value_tensor_view(value, index, &view, ERR));
    CHECK(view.dtype == expected->dtype && view.len == expected->len);
    CHECK(view.ndim == expected->ndim);
    if (view.len) CHECK(memcmp(view.data, expected->data, view.len) == 0);
    if (view.ndim) CHECK(memcmp(view.shape, expected->shape, view.ndim * sizeof(int64_t)) == 0);
}

/* Out by each way of exchange, in again, and still the same. */
static void goes_round(const spb_value *value, size_t index, const spb_attachment *expected) {
    struct DLManagedTensorVersioned *exchanged;
    struct ArrowSchema schema;
    struct ArrowArray array;
    spb_value *back;
    OK(spb_value_to_dlpack(value, index, &exchanged, ERR));
    OK(spb_value_from_dlpack(exchanged, &back, ERR));
    is_same_tensor(back, 0, expected);
    spb_value_free(back);
    bool has_form = expected->dtype != SPB_DTYPE_BOOL && expected->dtype != SPB_DTYPE_BFLOAT16
                    && expected->ndim > 0;
    EXPECT(has_form ? SPB_OK : SPB_E_UNSUPPORTED,
           spb_value_to_arrow(value, index, &schema, &array, ERR));
    if (!has_form) return;
    OK(spb_value_from_arrow(&schema, &array, &back, ERR));
    is_same_tensor(back, 0, expected);
    spb_value_free(back);
}

static void accepts(const vector *given) {
    spb_value *value, *back, *file;
    OK(make(given, &value, ERR));
    spb_str json = spb_value_json(value);
    CHECK(json.len == given->json_len && memcmp(json.ptr, given->json, json.len) == 0);
    CHECK(spb_value_attachment_count(value) == given->count);
    for (size_t i = 0; i < given->count; i++) {
        const spb_attachment *expected = &given->attachments[i];
        spb_attachment seen;
        OK(spb_value_attachment(value, i, &seen, ERR));
        CHECK(seen.kind == expected->kind && seen.len == expected->len);
        if (seen.len) CHECK(memcmp(seen.data, expected->data, seen.len) == 0);
        if (expected->kind == SPB_ATTACHMENT_BLOB) continue;
        is_same_tensor(value, i, expected);
        goes_round(value, i, expected);
        OK(spb_value_to_safetensors(value, &file, ERR));
        OK(spb_value_attachment(file, 0, &seen, ERR));
        OK(spb_value_from_safetensors(seen.data, seen.len, &back, ERR));
        is_same_tensor(back, 0, expected);
        spb_value_free(back);
        spb_value_free(file);
    }
    spb_value_free(value);
}

static void refuses(const vector *given, spb_status status, const char *path) {
    spb_value *value = (spb_value *)1;
    spb_error *error = NULL;
    CHECK(make(given, &value, &error) == status && value == NULL);
    cJSON *details = cJSON_Parse(spb_error_details_json(error).ptr);
    if (path) CHECK(strcmp(text_of(details, "path"), path) == 0);
    cJSON_Delete(details);
    spb_error_free(error);
}

static int run_list(const cJSON *file, const char *list) {
    const cJSON *each;
    int count = 0;
    cJSON_ArrayForEach(each, cJSON_GetObjectItemCaseSensitive(file, list)) {
        vector given;
        const char *fault = text_of(each, "fault");
        read_vector(each, &given);
        fprintf(stderr, "%s: %s\n", list, given.name);
        if (fault) {
            spb_status status = strcmp(fault, "utf8") == 0 ? SPB_E_UTF8 : SPB_E_INVALID_ARGUMENT;
            refuses(&given, status, text_of(each, "path"));
        } else {
            accepts(&given);
        }
        free_vector(&given);
        count++;
    }
    return count;
}

static int run_refused_tensors(const cJSON *file) {
    const cJSON *each;
    int count = 0;
    cJSON_ArrayForEach(each, cJSON_GetObjectItemCaseSensitive(file, "refused_tensors")) {
        vector given;
        memset(&given, 0, sizeof given);
        append(&given, "{\"$spb\":{\"attachment\":0}}", 1);
        read_tensor(each, &given);
        refuses(&given, SPB_E_INVALID_ARGUMENT, NULL);
        free_vector(&given);
        count++;
    }
    return count;
}

int main(int argc, char **argv) {
    CHECK(argc == 2 && spb_abi_check());
    cJSON *file = file_of(argv[1]);
    CHECK(run_list(file, "accepted") > 90);
    CHECK(run_list(file, "refused") > 20);
    CHECK(run_refused_tensors(file) > 8);
    cJSON_Delete(file);
    return 0;
}
