/*
 * For the conformance runner: values between cJSON and the library, with the attachments written as
 * tests/conformance/README.md says, and the trace. Knows nothing of steps.
 */
#ifndef SPB_CONFORMANCE_TRACE_H
#define SPB_CONFORMANCE_TRACE_H

#include "../check.h"

#include <cjson/cJSON.h>

enum { ATTACHMENTS_MAX = 8, DIMENSIONS_MAX = 8, KEYS_MAX = 64 };

static const char *const DTYPES[] = {NULL,      "bool",   "int8",    "int16",    "int32",
                                     "int64",   "uint8",  "uint16",  "uint32",   "uint64",
                                     "float16", "bfloat16", "float32", "float64"};

/* What stands in a document in the place of attachments, while a value is made of it. */
struct parts {
    spb_attachment attachments[ATTACHMENTS_MAX];
    int64_t shapes[ATTACHMENTS_MAX][DIMENSIONS_MAX];
    size_t count;
};

static inline const cJSON *key(const cJSON *object, const char *name) {
    return cJSON_GetObjectItemCaseSensitive(object, name);
}

static inline const char *text_at(const cJSON *object, const char *name) {
    const char *text = cJSON_GetStringValue(key(object, name));
    return text != NULL ? text : "";
}

static inline double number_at(const cJSON *object, const char *name) {
    const cJSON *number = key(object, name);
    return cJSON_IsNumber(number) ? number->valuedouble : 0;
}

static inline bool true_at(const cJSON *object, const char *name) {
    return cJSON_IsTrue(key(object, name));
}

static inline uint8_t *unhex(const char *hex, size_t *len) {
    *len = strlen(hex) / 2;
    uint8_t *bytes = malloc(*len + 1);
    CHECK(bytes != NULL);
    for (size_t i = 0; i < *len; i++) {
        char pair[3] = {hex[2 * i], hex[2 * i + 1], '\0'};
        bytes[i] = (uint8_t)strtoul(pair, NULL, 16);
    }
    return bytes;
}

static inline void add_attachment(struct parts *parts, const cJSON *blob, const cJSON *tensor) {
    CHECK(parts->count < ATTACHMENTS_MAX);
    spb_attachment *made = &parts->attachments[parts->count];
    memset(made, 0, sizeof *made);
    made->kind = blob != NULL ? SPB_ATTACHMENT_BLOB : SPB_ATTACHMENT_TENSOR;
    made->data = unhex(blob != NULL ? blob->valuestring : text_at(tensor, "data"), &made->len);
    if (tensor != NULL) {
        const cJSON *side = NULL;
        while (strcmp(text_at(tensor, "dtype"), DTYPES[++made->dtype]) != 0)
            CHECK(made->dtype < SPB_DTYPE_FLOAT64);
        cJSON_ArrayForEach(side, key(tensor, "shape"))
            parts->shapes[parts->count][made->ndim++] = (int64_t)side->valuedouble;
        made->shape = parts->shapes[parts->count];
    }
    parts->count++;
}

/* A copy of `document` with the library's tags in the place of attachments. */
static inline cJSON *with_tags(const cJSON *document, struct parts *parts) {
    const cJSON *blob = key(document, "$blob"), *tensor = key(document, "$tensor"), *item = NULL;
    if (blob == NULL && tensor == NULL && !cJSON_IsObject(document) && !cJSON_IsArray(document))
        return cJSON_Duplicate(document, true);
    cJSON *copy = cJSON_IsArray(document) ? cJSON_CreateArray() : cJSON_CreateObject();
    if (blob != NULL || tensor != NULL) {
        cJSON *tag = cJSON_AddObjectToObject(copy, "$spb");
        cJSON_AddNumberToObject(tag, "attachment", (double)parts->count);
        add_attachment(parts, blob, tensor);
        return copy;
    }
    cJSON_ArrayForEach(item, document) {
        cJSON *inner = with_tags(item, parts);
        if (cJSON_IsArray(document)) cJSON_AddItemToArray(copy, inner);
        else cJSON_AddItemToObject(copy, item->string, inner);
    }
    return copy;
}

/* The value of a document; NULL of NULL, which is how a document is left out. */
static inline spb_value *value_of(const cJSON *document) {
    if (document == NULL) return NULL;
    struct parts parts = {.count = 0};
    spb_value *value;
    cJSON *tagged = with_tags(document, &parts);
    char *text = cJSON_PrintUnformatted(tagged);
    OK(spb_value_from_parts(spb_str_z(text), parts.attachments, parts.count, &value, ERR));
    free(text);
    cJSON_Delete(tagged);
    for (size_t i = 0; i < parts.count; i++) free((void *)parts.attachments[i].data);
    return value;
}

static inline cJSON *attachment_document(const spb_value *value, size_t index) {
    spb_attachment seen;
    OK(spb_value_attachment(value, index, &seen, ERR));
    char *hex = calloc(seen.len * 2 + 1, 1);
    CHECK(hex != NULL);
    for (size_t i = 0; i < seen.len; i++) snprintf(hex + 2 * i, 3, "%02x", seen.data[i]);
    cJSON *document = cJSON_CreateObject();
    if (seen.kind == SPB_ATTACHMENT_BLOB) {
        cJSON_AddStringToObject(document, "$blob", hex);
    } else {
        cJSON *tensor = cJSON_AddObjectToObject(document, "$tensor");
        cJSON_AddStringToObject(tensor, "dtype", DTYPES[seen.dtype]);
        cJSON *shape = cJSON_AddArrayToObject(tensor, "shape");
        for (size_t i = 0; i < seen.ndim; i++)
            cJSON_AddItemToArray(shape, cJSON_CreateNumber((double)seen.shape[i]));
        cJSON_AddStringToObject(tensor, "data", hex);
    }
    free(hex);
    return document;
}

/* A copy of `document` with what the library's tags stand for. */
static inline cJSON *without_tags(const cJSON *document, const spb_value *value) {
    const cJSON *tag = key(document, "$spb"), *item = NULL;
    if (tag != NULL) return attachment_document(value, (size_t)number_at(tag, "attachment"));
    if (!cJSON_IsObject(document) && !cJSON_IsArray(document))
        return cJSON_Duplicate(document, true);
    cJSON *copy = cJSON_IsArray(document) ? cJSON_CreateArray() : cJSON_CreateObject();
    cJSON_ArrayForEach(item, document) {
        cJSON *inner = without_tags(item, value);
        if (cJSON_IsArray(document)) cJSON_AddItemToArray(copy, inner);
        else cJSON_AddItemToObject(copy, item->string, inner);
    }
    return copy;
}

static inline cJSON *document_of(const spb_value *value) {
    cJSON *tagged = cJSON_Parse(spb_value_json(value).ptr);
    CHECK(tagged != NULL);
    cJSON *document = without_tags(tagged, value);
    cJSON_Delete(tagged);
    return document;
}

static inline void add_text(cJSON *object, const char *name, spb_str text) {
    char *copy = calloc(text.len + 1, 1);
    CHECK(copy != NULL);
    if (text.len > 0) memcpy(copy, text.ptr, text.len);
    cJSON_AddStringToObject(object, name, copy);
    free(copy);
}

/* The four things that a trace tells of an error. */
static inline cJSON *error_document(const spb_error *error) {
    cJSON *document = cJSON_CreateObject();
    spb_str details = spb_error_details_json(error);
    add_text(document, "message", spb_error_message(error));
    cJSON_AddItemToObject(document, "details", cJSON_ParseWithLength(details.ptr, details.len));
    cJSON_AddBoolToObject(document, "retryable", spb_error_retryable(error));
    add_text(document, "python_type", spb_error_python_type(error));
    return document;
}

static inline int by_name(const void *left, const void *right) {
    return strcmp((*(cJSON *const *)left)->string, (*(cJSON *const *)right)->string);
}

/* Puts the keys of every object in the order of their bytes. */
static inline void sort_keys(cJSON *document) {
    cJSON *items[KEYS_MAX], *item = NULL;
    size_t count = 0;
    cJSON_ArrayForEach(item, document) sort_keys(item);
    if (!cJSON_IsObject(document)) return;
    while (document->child != NULL) {
        CHECK(count < KEYS_MAX);
        items[count++] = cJSON_DetachItemViaPointer(document, document->child);
    }
    qsort(items, count, sizeof *items, by_name);
    for (size_t i = 0; i < count; i++) {
        char *name = strdup(items[i]->string);
        cJSON_AddItemToObject(document, name, items[i]);
        free(name);
    }
}

/* What has happened so far. */
static cJSON *trace;

static inline cJSON *entry(const char *what, const char *more) {
    cJSON *made = cJSON_CreateArray();
    cJSON_AddItemToArray(made, cJSON_CreateString(what));
    if (more != NULL) cJSON_AddItemToArray(made, cJSON_CreateString(more));
    cJSON_AddItemToArray(trace, made);
    return made;
}

/* What two lines of text, one for each, have different. */
static inline int compare_traces(const char *name, const cJSON *expected) {
    int faults = 0, lines = cJSON_GetArraySize(trace), wanted = cJSON_GetArraySize(expected);
    for (int i = 0; i < lines || i < wanted; i++) {
        cJSON *is = cJSON_GetArrayItem(trace, i), *should = cJSON_GetArrayItem(expected, i);
        if (should != NULL) sort_keys(should);
        char *is_text = is != NULL ? cJSON_PrintUnformatted(is) : strdup("(nothing)");
        char *should_text = should != NULL ? cJSON_PrintUnformatted(should) : strdup("(nothing)");
        if (strcmp(is_text, should_text) != 0) {
            fprintf(stderr, "%s: entry %d is\n    %s, expected\n    %s,\n", name, i, is_text,
                    should_text);
            faults++;
        }
        free(is_text);
        free(should_text);
    }
    return faults;
}

/* For the comparison of the hosts' traces, byte for byte. */
static inline void write_trace(const char *directory, const char *name) {
    char path[4096];
    const cJSON *line = NULL;
    snprintf(path, sizeof path, "%s/%s.c.jsonl", directory, name);
    FILE *file = fopen(path, "w");
    CHECK(file != NULL);
    cJSON_ArrayForEach(line, trace) {
        char *text = cJSON_PrintUnformatted(line);
        fprintf(file, "%s\n", text);
        free(text);
    }
    CHECK(fclose(file) == 0);
}

#endif
