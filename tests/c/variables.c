/*
 * The shared examples of tests/vectors/variables.json, run through the C ABI: what each type of
 * variable accepts is read back as it was written, what it refuses is refused with the same status
 * and details. The path of the file is the program's argument.
 */
#include <cjson/cJSON.h>

#include "check.h"

/* No example has more. */
enum { ATTACHMENTS_MAX = 4, BYTES_MAX = 64, DIMS_MAX = 8 };

static spb_session session;
static size_t variables, accepted, refused, updated;

static cJSON *read_file(const char *path) {
    static char text[1 << 20];
    FILE *file = fopen(path, "rb");
    CHECK(file != NULL);
    size_t length = fread(text, 1, sizeof text - 1, file);
    CHECK(length > 0 && length < sizeof text - 1);
    fclose(file);
    cJSON *root = cJSON_Parse(text);
    CHECK(root != NULL);
    return root;
}

static const char *text_of(const cJSON *row, const char *key) {
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(row, key));
    CHECK(text != NULL);
    return text;
}

static size_t bytes_of_hex(const char *hex, uint8_t *bytes) {
    size_t length = strlen(hex) / 2;
    CHECK(length <= BYTES_MAX);
    for (size_t i = 0; i < length; i++) {
        unsigned byte;
        CHECK(sscanf(hex + 2 * i, "%2x", &byte) == 1);
        bytes[i] = (uint8_t)byte;
    }
    return length;
}

static uint32_t dtype_of_name(const char *name) {
    static const char *const names[] = {"bool", "int8", "int16", "int32", "int64", "uint8",
        "uint16", "uint32", "uint64", "float16", "bfloat16", "float32", "float64"};
    for (uint32_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(names[i], name) == 0) return SPB_DTYPE_BOOL + i;
    }
    CHECK(!"a known dtype");
    return 0;
}

/* A value as the file writes it: the text of its document, or an object with attachments too. */
static spb_value *value_of(const cJSON *given) {
    if (cJSON_IsString(given)) return check_value(given->valuestring);
    static uint8_t bytes[ATTACHMENTS_MAX][BYTES_MAX];
    static int64_t shapes[ATTACHMENTS_MAX][DIMS_MAX];
    spb_attachment attachments[ATTACHMENTS_MAX];
    size_t count = 0;
    const cJSON *each;
    cJSON_ArrayForEach(each, cJSON_GetObjectItemCaseSensitive(given, "attachments")) {
        CHECK(count < ATTACHMENTS_MAX);
        spb_attachment *attachment = &attachments[count];
        memset(attachment, 0, sizeof *attachment);
        const cJSON *tensor = cJSON_GetObjectItemCaseSensitive(each, "tensor"), *side;
        const char *hex = tensor ? text_of(tensor, "data_hex") : text_of(each, "blob_hex");
        attachment->kind = tensor ? SPB_ATTACHMENT_TENSOR : SPB_ATTACHMENT_BLOB;
        attachment->data = bytes[count];
        attachment->len = bytes_of_hex(hex, bytes[count]);
        attachment->shape = shapes[count];
        if (tensor) attachment->dtype = dtype_of_name(text_of(tensor, "dtype"));
        cJSON_ArrayForEach(side, cJSON_GetObjectItemCaseSensitive(tensor, "shape")) {
            CHECK(attachment->ndim < DIMS_MAX);
            shapes[count][attachment->ndim++] = (int64_t)side->valuedouble;
        }
        count++;
    }
    spb_value *value;
    OK(spb_value_from_parts(spb_str_z(text_of(given, "json")), attachments, count, &value, ERR));
    return value;
}

static void expect_same(const spb_value *value, const spb_value *expected) {
    CHECK(check_json_is(value, spb_value_json(expected).ptr));
    size_t count = spb_value_attachment_count(expected);
    CHECK(spb_value_attachment_count(value) == count);
    for (size_t i = 0; i < count; i++) {
        spb_attachment a, b;
        OK(spb_value_attachment(value, i, &a, ERR));
        OK(spb_value_attachment(expected, i, &b, ERR));
        CHECK(a.kind == b.kind && a.dtype == b.dtype && a.len == b.len && a.ndim == b.ndim);
        CHECK(a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
        CHECK(a.ndim == 0 || memcmp(a.shape, b.shape, a.ndim * sizeof *a.shape) == 0);
    }
}

/* That a call was refused as the row says. Takes the error. */
static void expect_refusal(const cJSON *row, spb_status status, spb_error *error) {
    const char *expected = text_of(row, "status");
    spb_str message = spb_error_message(error);
    if (strcmp(spb_status_name(status), expected) != 0) {
        char *shown = cJSON_Print(row);
        fprintf(stderr, "%s\nexpected %s, got %s: %s\n", shown, expected, spb_status_name(status),
                message.len ? message.ptr : "");
        exit(1);
    }
    cJSON *details = cJSON_Parse(spb_error_details_json(error).ptr);
    const cJSON *detail;
    cJSON_ArrayForEach(detail, cJSON_GetObjectItemCaseSensitive(row, "details")) {
        const cJSON *given = cJSON_GetObjectItemCaseSensitive(details, detail->string);
        if (!cJSON_Compare(given, detail, true)) {
            char *shown = cJSON_Print(row);
            fprintf(stderr, "%s\ndetails are %s\n", shown, spb_error_details_json(error).ptr);
            exit(1);
        }
    }
    cJSON_Delete(details);
    spb_error_free(error);
    refused++;
}

static spb_status register_as(const cJSON *row, const char *name, const spb_value *initial,
                              spb_error **error) {
    spb_variable_options options = SPB_VARIABLE_OPTIONS_INIT;
    options.name = spb_str_z(name);
    options.type = spb_str_z(text_of(row, "type"));
    options.constraints_json = spb_str_z(text_of(row, "constraints"));
    return spb_variable_register(session, &options, initial, NULL, error);
}

static void expect_stored(const char *name, const spb_value *expected, uint64_t expected_version) {
    spb_value *value;
    uint64_t version;
    OK(spb_variable_get(session, spb_str_z(name), &value, &version, ERR));
    CHECK(version == expected_version);
    expect_same(value, expected);
    spb_value_free(value);
}

static void run_updates(const cJSON *row, const char *name);

static void run_variable(const cJSON *row) {
    char name[32];
    snprintf(name, sizeof name, "v%zu", variables++);
    spb_value *stored = value_of(cJSON_GetObjectItemCaseSensitive(row, "initial"));
    OK(register_as(row, name, stored, ERR));
    uint64_t version = 1;
    const cJSON *each;
    cJSON_ArrayForEach(each, cJSON_GetObjectItemCaseSensitive(row, "accepted")) {
        spb_value_free(stored);
        stored = value_of(each);
        OK(spb_variable_set(session, spb_str_z(name), stored, version, NULL, ERR));
        expect_stored(name, stored, ++version);
        accepted++;
    }
    cJSON_ArrayForEach(each, cJSON_GetObjectItemCaseSensitive(row, "refused")) {
        spb_value *value = value_of(cJSON_GetObjectItemCaseSensitive(each, "value"));
        spb_error *error = NULL;
        spb_status status = spb_variable_set(session, spb_str_z(name), value, 0, NULL, &error);
        expect_refusal(each, status, error);
        error = NULL;
        status = register_as(row, "never", value, &error);
        expect_refusal(each, status, error);
        spb_value_free(value);
    }
    expect_stored(name, stored, version);
    spb_value_free(stored);
    run_updates(row, name);
}

/* Each update of a row, from the value that it says: to its result, or refused as it says. */
static void run_updates(const cJSON *row, const char *name) {
    spb_str variable = spb_str_z(name);
    const cJSON *each;
    cJSON_ArrayForEach(each, cJSON_GetObjectItemCaseSensitive(row, "updates")) {
        spb_value *from = value_of(cJSON_GetObjectItemCaseSensitive(each, "from")), *after = NULL;
        spb_value *update = value_of(cJSON_GetObjectItemCaseSensitive(each, "update"));
        const cJSON *result = cJSON_GetObjectItemCaseSensitive(each, "result");
        spb_error *error = NULL;
        OK(spb_variable_set(session, variable, from, 0, NULL, ERR));
        spb_status status =
            spb_variable_update(session, variable, update, NULL, &after, NULL, &error);
        if (result != NULL) {
            CHECK(status == SPB_OK);
            spb_value *expected = value_of(result);
            expect_same(after, expected);
            spb_value_free(expected);
            spb_value_free(after);
            updated++;
        } else {
            CHECK(after == NULL);
            expect_refusal(each, status, error);
        }
        spb_value_free(from);
        spb_value_free(update);
    }
}

static void run_refused_update(const cJSON *document) {
    spb_value *update = value_of(document), *after = NULL;
    spb_error *error = NULL;
    CHECK(spb_variable_update(session, SPB_STR("v0"), update, NULL, &after, NULL, &error) ==
          SPB_E_INVALID_ARGUMENT);
    CHECK(after == NULL);
    cJSON *details = cJSON_Parse(spb_error_details_json(error).ptr);
    CHECK(strcmp(text_of(details, "field"), "update") == 0);
    cJSON_Delete(details);
    spb_error_free(error);
    spb_value_free(update);
    refused++;
}

static void run_refused_variable(const cJSON *row) {
    spb_value *null = check_value("null");
    spb_error *error = NULL;
    CHECK(register_as(row, "never", null, &error) == SPB_E_INVALID_ARGUMENT);
    cJSON *details = cJSON_Parse(spb_error_details_json(error).ptr);
    CHECK(strcmp(text_of(details, "constraint"), text_of(row, "constraint")) == 0);
    CHECK(strcmp(text_of(details, "variable"), "never") == 0);
    cJSON_Delete(details);
    spb_error_free(error);
    spb_value_free(null);
    refused++;
}

int main(int count, char **arguments) {
    CHECK(spb_abi_check() && count == 2);
    spb_platform platform = check_open(NO_POOLS);
    OK(spb_session_open(platform, NULL, &session, ERR));
    cJSON *root = read_file(arguments[1]);
    const cJSON *row;
    cJSON_ArrayForEach(row, cJSON_GetObjectItemCaseSensitive(root, "variables")) {
        run_variable(row);
    }
    cJSON_ArrayForEach(row, cJSON_GetObjectItemCaseSensitive(root, "refused_variables")) {
        run_refused_variable(row);
    }
    cJSON_ArrayForEach(row, cJSON_GetObjectItemCaseSensitive(root, "refused_updates")) {
        run_refused_update(row);
    }
    CHECK(variables > 15 && accepted > 60 && refused > 150 && updated > 20);
    cJSON_Delete(root);
    check_close(platform);
    return 0;
}
