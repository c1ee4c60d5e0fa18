/*
 * What the functions of a generated client share: parameters are gathered into one value, an
 * operation is started, and its result is read as what it was declared to be.
 */
#ifndef SPB_CLIENT_H
#define SPB_CLIENT_H

#include <snakepit_bridge.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SPB_CLIENT_PARTS_MAX 64

/* The document as it grows, and the attachments that it refers to. The first fault stays. */
struct spb_client_parameters {
    char *json;
    size_t length;
    const spb_value *attached[SPB_CLIENT_PARTS_MAX];
    size_t count;
    const char *fault;
};

static inline void spb_client_write(struct spb_client_parameters *all, const char *text,
                                    size_t length) {
    char *grown = realloc(all->json, all->length + length + 1);
    if (grown == NULL) {
        all->fault = "no memory for the parameters";
        return;
    }
    memcpy(grown + all->length, text, length);
    all->json = grown;
    all->length += length;
    all->json[all->length] = '\0';
}

/* One member. A value with several attachments, or one below its top, has to be sent by hand. */
static inline void spb_client_value(struct spb_client_parameters *all, const char *name,
                                    const spb_value *value) {
    if (value == NULL || all->fault != NULL)
        return;
    size_t attachments = spb_value_attachment_count(value);
    spb_str document = spb_value_json(value);
    char tag[64];
    if (attachments > 0) {
        bool alone = attachments == 1 && document.len == strlen("{\"$spb\":{\"attachment\":0}}");
        if (!alone || all->count == SPB_CLIENT_PARTS_MAX) {
            all->fault = "a parameter has attachments below its top, or too many";
            return;
        }
        snprintf(tag, sizeof tag, "{\"$spb\":{\"attachment\":%zu}}", all->count);
        all->attached[all->count++] = value;
        document = (spb_str){.ptr = tag, .len = strlen(tag)};
    }
    spb_client_write(all, all->length == 0 ? "{\"" : ",\"", 2);
    spb_client_write(all, name, strlen(name));
    spb_client_write(all, "\":", 2);
    spb_client_write(all, document.ptr, document.len);
}

static inline void spb_client_made(struct spb_client_parameters *all, const char *name,
                                   spb_status status, spb_value *value) {
    if (status != SPB_OK && all->fault == NULL)
        all->fault = "a parameter is no value: text has to be UTF-8";
    spb_client_value(all, name, value);
    spb_value_free(value);
}

static inline void spb_client_text(struct spb_client_parameters *all, const char *name,
                                   const char *text) {
    spb_value *value = NULL;
    if (text != NULL) {
        spb_str given = {.ptr = text, .len = strlen(text)};
        spb_status status = spb_value_from_text(given, &value, NULL);
        spb_client_made(all, name, status, value);
    }
}

static inline void spb_client_integer(struct spb_client_parameters *all, const char *name,
                                      const int64_t *number) {
    spb_value *value = NULL;
    if (number != NULL) {
        spb_status status = spb_value_from_i64(*number, &value, NULL);
        spb_client_made(all, name, status, value);
    }
}

static inline void spb_client_number(struct spb_client_parameters *all, const char *name,
                                     const double *number) {
    spb_value *value = NULL;
    if (number != NULL) {
        spb_status status = spb_value_from_f64(*number, &value, NULL);
        spb_client_made(all, name, status, value);
    }
}

static inline void spb_client_truth(struct spb_client_parameters *all, const char *name,
                                    const bool *truth) {
    spb_value *value = NULL;
    if (truth != NULL) {
        spb_status status = spb_value_from_bool(*truth, &value, NULL);
        spb_client_made(all, name, status, value);
    }
}

/* Starts an operation with the gathered parameters, which are gone afterwards. */
static inline spb_status spb_client_start(spb_session session, const char *pool,
                                          const char *framework, const char *operation,
                                          struct spb_client_parameters *all, uint32_t flags,
                                          const spb_sink *sink, spb_operation *out,
                                          spb_error **err) {
    if (err != NULL)
        *err = NULL;
    spb_client_write(all, all->length == 0 ? "{}" : "}", all->length == 0 ? 2 : 1);
    if (all->fault != NULL) {
        fprintf(stderr, "%s.%s: %s\n", framework, operation, all->fault);
        free(all->json);
        return SPB_E_INVALID_ARGUMENT;
    }
    spb_value *parameters = NULL;
    spb_str json = {.ptr = all->json, .len = all->length};
    spb_status status = spb_value_compose(json, all->attached, all->count, &parameters, err);
    free(all->json);
    if (status != SPB_OK)
        return status;
    spb_execute_options options = {
        .struct_size = sizeof options,
        .framework = {.ptr = framework, .len = strlen(framework)},
        .operation = {.ptr = operation, .len = strlen(operation)},
        .pool = {.ptr = pool, .len = strlen(pool)},
        .parameters = parameters,
        .flags = flags,
    };
    status = spb_execute(session, &options, sink, out, err);
    spb_value_free(parameters);
    return status;
}

/* Waits for an operation that started with `status`, and takes its result. */
static inline spb_status spb_client_take_value(spb_status status, spb_operation operation,
                                               spb_value **result, spb_error **err) {
    *result = NULL;
    if (status != SPB_OK)
        return status;
    status = spb_operation_wait(operation, SPB_NO_TIMEOUT, err);
    if (status == SPB_OK)
        status = spb_operation_take_result(operation, result, err);
    spb_operation_free(operation);
    return status;
}

static inline spb_status spb_client_take_text(spb_status status, spb_operation operation,
                                              spb_text **result, spb_error **err) {
    spb_value *value = NULL;
    status = spb_client_take_value(status, operation, &value, err);
    if (status == SPB_OK)
        status = spb_value_as_text(value, result, err);
    spb_value_free(value);
    return status;
}

static inline spb_status spb_client_take_integer(spb_status status, spb_operation operation,
                                                 int64_t *result, spb_error **err) {
    spb_value *value = NULL;
    status = spb_client_take_value(status, operation, &value, err);
    if (status == SPB_OK)
        status = spb_value_as_i64(value, result, err);
    spb_value_free(value);
    return status;
}

static inline spb_status spb_client_take_number(spb_status status, spb_operation operation,
                                                double *result, spb_error **err) {
    spb_value *value = NULL;
    status = spb_client_take_value(status, operation, &value, err);
    if (status == SPB_OK)
        status = spb_value_as_f64(value, result, err);
    spb_value_free(value);
    return status;
}

static inline spb_status spb_client_take_truth(spb_status status, spb_operation operation,
                                               bool *result, spb_error **err) {
    spb_value *value = NULL;
    uint8_t truth = 0;
    status = spb_client_take_value(status, operation, &value, err);
    if (status == SPB_OK)
        status = spb_value_as_bool(value, &truth, err);
    *result = truth == 1;
    spb_value_free(value);
    return status;
}

#endif
