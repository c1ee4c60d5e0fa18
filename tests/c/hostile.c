/*
 * Every function of the header, called as nobody should: with handles that are 0, freed, of
 * another kind or made up, with NULL outputs, text that is no text, and options that no header
 * has. Expected of each: a status, outputs at zero, no crash. tests/capi_c.rs checks that no
 * function is missing here.
 */
#include "check.h"

/* What is good, for the arguments that are not under test. */
static spb_platform platform;
static spb_session session;
static spb_queue queue;
static spb_value *value;
static spb_sink to_queue;

/* Ids that are no live handle of any kind but, for the foreign ones, another. */
static uint64_t bad_ids[16];
static size_t bad_count;

static spb_str bad_texts[3];
static const spb_status bad_text_statuses[3] = {SPB_E_UTF8, SPB_E_NULL_ARGUMENT,
                                                SPB_E_INVALID_ARGUMENT};

#define GARBAGE ((void *)0x5a5a)
#define EACH_BAD_ID(id) for (size_t i_ = 0, n_ = 1; i_ < bad_count; i_++, n_ = 1) \
        for (uint64_t id = bad_ids[i_]; n_; n_ = 0)
#define EACH_BAD_TEXT(text, status) for (size_t i_ = 0, n_ = 1; i_ < 3; i_++, n_ = 1) \
        for (spb_str text = bad_texts[i_]; n_;) \
            for (spb_status status = bad_text_statuses[i_]; n_; n_ = 0)

static void library(void) {
    CHECK(spb_version()[0] != '\0');
    CHECK(spb_abi_version() == ((uint32_t)SPB_ABI_MAJOR << 16 | SPB_ABI_MINOR));
    CHECK(strcmp(spb_status_name(-1), "UNKNOWN") == 0);
    CHECK(strcmp(spb_status_name(INT32_MAX), "UNKNOWN") == 0);
    CHECK(spb_config_schema().len > 100);
    CHECK(spb_error_status(NULL) == SPB_OK && spb_error_message(NULL).len == 0);
    CHECK(spb_error_python_type(NULL).len == 0 && spb_error_python_traceback(NULL).len == 0);
    CHECK(spb_error_details_json(NULL).len == 0);
    CHECK(spb_error_retryable(NULL) == 0);
    spb_error_free(NULL);
    CHECK(spb_text_view(NULL).len == 0);
    spb_text_free(NULL);
    spb_event_clear(NULL);
    spb_event event;
    memset(&event, 0, sizeof event);
    spb_event_clear(&event);
    spb_event_clear(&event);
}

static void values(void) {
    spb_value *out = GARBAGE;
    EACH_BAD_TEXT(text, status) {
        out = GARBAGE;
        EXPECT(status, spb_value_from_json(text, &out, ERR));
        CHECK(out == NULL);
        out = GARBAGE;
        EXPECT(status, spb_value_from_text(text, &out, ERR));
        CHECK(out == NULL);
        out = GARBAGE;
        EXPECT(status, spb_value_from_parts(text, NULL, 0, &out, ERR));
        CHECK(out == NULL);
    }
    EXPECT(SPB_E_NULL_ARGUMENT, spb_value_from_json(SPB_STR("1"), NULL, ERR));
    EXPECT(SPB_E_NULL_ARGUMENT, spb_value_from_text(SPB_STR("1"), NULL, ERR));
    EXPECT(SPB_E_NULL_ARGUMENT, spb_value_from_i64(1, NULL, ERR));
    EXPECT(SPB_E_NULL_ARGUMENT, spb_value_from_f64(1, NULL, ERR));
    EXPECT(SPB_E_NULL_ARGUMENT, spb_value_from_bool(1, NULL, ERR));
    EXPECT(SPB_E_INVALID_ARGUMENT, spb_value_from_bool(2, &out, ERR));
    EXPECT(SPB_E_NULL_ARGUMENT, spb_value_from_parts(SPB_STR("1"), NULL, 1, &out, ERR));
    spb_attachment bad = {99, 0, NULL, 0, NULL, 0};
    EXPECT(SPB_E_INVALID_ARGUMENT, spb_value_from_parts(SPB_STR("1"), &bad, 1, &out, ERR));
    EXPECT(SPB_E_INVALID_ARGUMENT,
           spb_value_from_parts(SPB_STR("1"), &bad, SIZE_MAX / 2, &out, ERR));
    bad.kind = SPB_ATTACHMENT_BLOB;
    bad.len = 1;
    EXPECT(SPB_E_NULL_ARGUMENT, spb_value_from_parts(SPB_STR("1"), &bad, 1, &out, ERR));
    bad.data = (const uint8_t *)"x";
    bad.ndim = 1;
    EXPECT(SPB_E_NULL_ARGUMENT, spb_value_from_parts(SPB_STR("1"), &bad, 1, &out, ERR));
    spb_text *text_out = GARBAGE;
    int64_t i64_out = 7;
    double f64_out = 7;
    uint8_t bool_out = 7;
    spb_attachment attachment_out;
    EXPECT(SPB_E_NULL_ARGUMENT, spb_value_as_text(NULL, &text_out, ERR));
    EXPECT(SPB_E_NULL_ARGUMENT, spb_value_as_i64(NULL, &i64_out, ERR));
    EXPECT(SPB_E_NULL_ARGUMENT, spb_value_as_f64(NULL, &f64_out, ERR));
    EXPECT(SPB_E_NULL_ARGUMENT, spb_value_as_bool(NULL, &bool_out, ERR));
    CHECK(text_out == NULL && i64_out == 0 && f64_out == 0 && bool_out == 0);
    EXPECT(SPB_E_NULL_ARGUMENT, spb_value_as_text(value, NULL, ERR));
    EXPECT(SPB_E_NULL_ARGUMENT, spb_value_as_i64(value, NULL, ERR));
    EXPECT(SPB_E_NULL_ARGUMENT, spb_value_as_f64(value, NULL, ERR));
    EXPECT(SPB_E_NULL_ARGUMENT, spb_value_as_bool(value, NULL, ERR));
    EXPECT(SPB_E_NULL_ARGUMENT, spb_value_attachment(NULL, 0, &attachment_out, ERR));
    EXPECT(SPB_E_NULL_ARGUMENT, spb_value_attachment(value, 0, NULL, ERR));
    EXPECT(SPB_E_NOT_FOUND, spb_value_attachment(value, SIZE_MAX, &attachment_out, ERR));
    EXPECT(SPB_E_NULL_ARGUMENT, spb_value_clone(NULL, &out, ERR));
    EXPECT(SPB_E_NULL_ARGUMENT, spb_value_clone(value, NULL, ERR));
    CHECK(spb_value_json(NULL).len == 0 && spb_value_attachment_count(NULL) == 0);
    spb_value_free(NULL);
}

static void tensors(void) {
    spb_value *out = GARBAGE;
    void *dlpack = GARBAGE;
    uint64_t space[2][10];
    struct ArrowSchema *schema = (struct ArrowSchema *)space[0];
    struct ArrowArray *array = (struct ArrowArray *)space[1];
    spb_tensor_view view = SPB_TENSOR_VIEW_INIT;
    EXPECT(SPB_E_NULL_ARGUMENT, spb_value_from_tensor(NULL, &out, ERR));
    CHECK(out == NULL);
    EXPECT(SPB_E_NULL_ARGUMENT, spb_value_from_tensor(&view, NULL, ERR));
    EXPECT(SPB_E_INVALID_ARGUMENT, spb_value_from_tensor(&view, &out, ERR));
    EXPECT(SPB_E_NULL_ARGUMENT, spb_value_tensor_view(NULL, 0, &view, ERR));
    CHECK(view.struct_size == 0);
    EXPECT(SPB_E_NOT_FOUND, spb_value_tensor_view(value, SIZE_MAX, &view, ERR));
    EXPECT(SPB_E_NULL_ARGUMENT, spb_value_from_dlpack(NULL, &out, ERR));
    EXPECT(SPB_E_INVALID_ARGUMENT, spb_value_from_dlpack((void *)0x5a5b, &out, ERR));
    EXPECT(SPB_E_NULL_ARGUMENT, spb_value_from_dlpack((void *)space, NULL, ERR));
    EXPECT(SPB_E_NULL_ARGUMENT, spb_value_from_dlpack_unversioned(NULL, &out, ERR));
    EXPECT(SPB_E_NULL_ARGUMENT, spb_value_to_dlpack(NULL, 0, (void *)&dlpack, ERR));
    CHECK(dlpack == NULL);
    EXPECT(SPB_E_NOT_FOUND, spb_value_to_dlpack(value, 0, (void *)&dlpack, ERR));
    memset(space, 0, sizeof space);
    EXPECT(SPB_E_NULL_ARGUMENT, spb_value_from_arrow(NULL, array, &out, ERR));
    EXPECT(SPB_E_NULL_ARGUMENT, spb_value_from_arrow(schema, NULL, &out, ERR));
    EXPECT(SPB_E_INVALID_ARGUMENT, spb_value_from_arrow(schema, array, &out, ERR));
    memset(space, 7, sizeof space);
    EXPECT(SPB_E_NOT_FOUND, spb_value_to_arrow(value, 0, schema, array, ERR));
    CHECK(space[0][0] == 0 && space[1][0] == 0);
    EXPECT(SPB_E_NULL_ARGUMENT, spb_value_to_arrow(NULL, 0, schema, array, ERR));
    EXPECT(SPB_E_NULL_ARGUMENT, spb_value_from_safetensors(NULL, 9, &out, ERR));
    EXPECT(SPB_E_INVALID_ARGUMENT, spb_value_from_safetensors((void *)"x", SIZE_MAX, &out, ERR));
    EXPECT(SPB_E_INVALID_ARGUMENT, spb_value_from_safetensors(NULL, 0, &out, ERR));
    EXPECT(SPB_E_NULL_ARGUMENT, spb_value_to_safetensors(NULL, &out, ERR));
    EXPECT(SPB_E_TYPE_MISMATCH, spb_value_to_safetensors(value, &out, ERR));
    const spb_value *values[] = {value, NULL};
    EXPECT(SPB_E_NULL_ARGUMENT, spb_value_compose(SPB_STR("1"), values, 2, &out, ERR));
    EXPECT(SPB_E_NULL_ARGUMENT, spb_value_compose(SPB_STR("1"), NULL, 1, &out, ERR));
    EXPECT(SPB_E_INVALID_ARGUMENT, spb_value_compose(SPB_STR("1"), values, SIZE_MAX, &out, ERR));
    CHECK(out == NULL);
}

static void platforms(void) {
    spb_platform opened = {7};
    EACH_BAD_TEXT(text, status) {
        EXPECT(status, spb_platform_open(text, &opened, ERR));
        CHECK(opened.id == 0);
    }
    EXPECT(SPB_E_NULL_ARGUMENT, spb_platform_open(SPB_STR(NO_POOLS), NULL, ERR));
    EXPECT(SPB_E_INVALID_ARGUMENT, spb_platform_open(SPB_STR("{\"pools\": 3}"), &opened, ERR));
    EXPECT(SPB_E_INVALID_ARGUMENT, spb_platform_open(SPB_STR("{\"no_such\": 3}"), &opened, ERR));
    EXPECT(SPB_E_INVALID_ARGUMENT, spb_platform_open(SPB_STR("{\0}"), &opened, ERR));
    EACH_BAD_ID(id) {
        spb_platform bad = {id};
        if (id == platform.id) continue;
        spb_operation operation = {7};
        spb_value *out = GARBAGE;
        spb_text *text = GARBAGE;
        spb_pool pool = {7};
        EXPECT(SPB_E_HANDLE, spb_platform_shutdown(bad, 0, NULL, &operation, ERR));
        EXPECT(SPB_E_HANDLE, spb_platform_close(bad, 0, ERR));
        EXPECT(SPB_E_HANDLE, spb_platform_health(bad, &out, ERR));
        CHECK(out == NULL && operation.id == 0);
        out = GARBAGE;
        EXPECT(SPB_E_HANDLE, spb_platform_schema(bad, SPB_STR(""), &out, ERR));
        EXPECT(SPB_E_HANDLE, spb_platform_describe(bad, &out, ERR));
        EXPECT(SPB_E_HANDLE, spb_platform_metrics(bad, &text, ERR));
        EXPECT(SPB_E_HANDLE, spb_pool_get(bad, SPB_STR(""), &pool, ERR));
        CHECK(out == NULL && text == NULL && pool.id == 0);
        spb_platform_free(bad);
    }
    spb_value *out = GARBAGE;
    EXPECT(SPB_E_NULL_ARGUMENT, spb_platform_shutdown(platform, 0, NULL, NULL, ERR));
    EXPECT(SPB_E_INVALID_ARGUMENT, spb_platform_close(platform, -2, ERR));
    EXPECT(SPB_E_NULL_ARGUMENT, spb_platform_health(platform, NULL, ERR));
    EXPECT(SPB_E_NULL_ARGUMENT, spb_platform_metrics(platform, NULL, ERR));
    EXPECT(SPB_E_NULL_ARGUMENT, spb_platform_schema(platform, SPB_STR(""), NULL, ERR));
    EXPECT(SPB_E_NULL_ARGUMENT, spb_platform_describe(platform, NULL, ERR));
    EXPECT(SPB_E_NOT_FOUND, spb_platform_schema(platform, SPB_STR("nothing"), &out, ERR));
    CHECK(out == NULL);
    EACH_BAD_TEXT(text, status) EXPECT(status, spb_platform_schema(platform, text, &out, ERR));
}

static void pools(void) {
    spb_pool pool = {7};
    EXPECT(SPB_E_NOT_FOUND, spb_pool_get(platform, SPB_STR("no such"), &pool, ERR));
    EXPECT(SPB_E_NULL_ARGUMENT, spb_pool_get(platform, SPB_STR(""), NULL, ERR));
    EACH_BAD_TEXT(text, status) EXPECT(status, spb_pool_get(platform, text, &pool, ERR));
    CHECK(pool.id == 0);
    EACH_BAD_ID(id) {
        spb_pool bad = {id};
        spb_operation operation = {7};
        spb_value *out = GARBAGE;
        EXPECT(SPB_E_HANDLE, spb_pool_await_ready(bad, 0, 0, NULL, &operation, ERR));
        EXPECT(SPB_E_NULL_ARGUMENT, spb_pool_await_ready(bad, 0, 0, NULL, NULL, ERR));
        EXPECT(SPB_E_HANDLE, spb_pool_stats(bad, &out, ERR));
        EXPECT(SPB_E_NULL_ARGUMENT, spb_pool_stats(bad, NULL, ERR));
        EXPECT(SPB_E_HANDLE, spb_pool_schema(bad, SPB_STR(""), &out, ERR));
        EXPECT(SPB_E_NULL_ARGUMENT, spb_pool_schema(bad, SPB_STR(""), NULL, ERR));
        EACH_BAD_TEXT(text, status) EXPECT(status, spb_pool_schema(bad, text, &out, ERR));
        EXPECT(SPB_E_HANDLE, spb_pool_resize(bad, 1, 1, ERR));
        EXPECT(SPB_E_HANDLE, spb_pool_drain(bad, 0, NULL, &operation, ERR));
        EXPECT(SPB_E_NULL_ARGUMENT, spb_pool_drain(bad, 0, NULL, NULL, ERR));
        CHECK(operation.id == 0 && out == NULL);
        spb_pool_free(bad);
    }
}

static void sessions(void) {
    spb_session opened = {7};
    EACH_BAD_ID(id) {
        if (id != platform.id)
            EXPECT(SPB_E_HANDLE, spb_session_open((spb_platform){id}, NULL, &opened, ERR));
        CHECK(id == platform.id || opened.id == 0);
        spb_session bad = {id};
        if (id == session.id) continue;
        spb_value *out = GARBAGE;
        spb_operation operation = {7};
        EXPECT(SPB_E_HANDLE, spb_session_info(bad, &out, ERR));
        EXPECT(SPB_E_HANDLE, spb_session_close(bad, NULL, &operation, ERR));
        CHECK(out == NULL && operation.id == 0);
        spb_session_free(bad);
    }
    EXPECT(SPB_E_NULL_ARGUMENT, spb_session_open(platform, NULL, NULL, ERR));
    EXPECT(SPB_E_NULL_ARGUMENT, spb_session_info(session, NULL, ERR));
    EXPECT(SPB_E_NULL_ARGUMENT, spb_session_close(session, NULL, NULL, ERR));
    spb_session_options options = SPB_SESSION_OPTIONS_INIT;
    EACH_BAD_TEXT(text, status) {
        options.id = text;
        EXPECT(status, spb_session_open(platform, &options, &opened, ERR));
    }
    options = SPB_SESSION_OPTIONS_INIT;
    options.id = SPB_STR("with\0nul");
    EXPECT(SPB_E_INVALID_ARGUMENT, spb_session_open(platform, &options, &opened, ERR));
    options = SPB_SESSION_OPTIONS_INIT;
    options.metadata_json = SPB_STR("[1]");
    EXPECT(SPB_E_INVALID_ARGUMENT, spb_session_open(platform, &options, &opened, ERR));
    options = SPB_SESSION_OPTIONS_INIT;
    options.ttl_ms = -2;
    EXPECT(SPB_E_INVALID_ARGUMENT, spb_session_open(platform, &options, &opened, ERR));
    options = SPB_SESSION_OPTIONS_INIT;
    options.affinity = SPB_AFFINITY_STRICT_FAIL_FAST + 1;
    EXPECT(SPB_E_INVALID_ARGUMENT, spb_session_open(platform, &options, &opened, ERR));
    options = SPB_SESSION_OPTIONS_INIT;
    options.reserved = 1;
    EXPECT(SPB_E_INVALID_ARGUMENT, spb_session_open(platform, &options, &opened, ERR));
    CHECK(opened.id == 0);
}

/* Platforms and sessions that are none, or not alive, for all that carries sessions about. */
static void saved_sessions_of_bad_handles(void) {
    EACH_BAD_ID(id) {
        spb_session opened = {7}, bad = {id};
        spb_platform none = {id};
        spb_value *out = GARBAGE;
        if (id != platform.id) {
            EXPECT(SPB_E_HANDLE, spb_session_join(none, SPB_STR("a"), &opened, ERR));
            EXPECT(SPB_E_HANDLE, spb_session_list(none, SPB_STR(""), 1, &out, ERR));
            EXPECT(SPB_E_HANDLE, spb_session_import(none, SPB_STR("/"), NULL, &opened, ERR));
            EXPECT(SPB_E_HANDLE, spb_session_import_value(none, value, NULL, &opened, ERR));
            CHECK(opened.id == 0 && out == NULL);
        }
        if (id == session.id) continue;
        EXPECT(SPB_E_HANDLE, spb_session_touch(bad, ERR));
        EXPECT(SPB_E_HANDLE, spb_session_clone(bad, NULL, &opened, ERR));
        EXPECT(SPB_E_HANDLE, spb_session_export(bad, SPB_STR("/"), ERR));
        EXPECT(SPB_E_HANDLE, spb_session_export_value(bad, &out, ERR));
        CHECK(opened.id == 0 && out == NULL);
    }
}

static void saved_sessions(void) {
    spb_session opened = {7};
    spb_value *out = GARBAGE;
    EXPECT(SPB_E_NULL_ARGUMENT, spb_session_join(platform, SPB_STR("a"), NULL, ERR));
    EXPECT(SPB_E_NULL_ARGUMENT, spb_session_list(platform, SPB_STR(""), 1, NULL, ERR));
    EXPECT(SPB_E_NULL_ARGUMENT, spb_session_clone(session, NULL, NULL, ERR));
    EXPECT(SPB_E_NULL_ARGUMENT, spb_session_import(platform, SPB_STR("/"), NULL, NULL, ERR));
    EXPECT(SPB_E_NULL_ARGUMENT, spb_session_export_value(session, NULL, ERR));
    EXPECT(SPB_E_NULL_ARGUMENT, spb_session_import_value(platform, value, NULL, NULL, ERR));
    EXPECT(SPB_E_NULL_ARGUMENT, spb_session_import_value(platform, NULL, NULL, &opened, ERR));
    CHECK(opened.id == 0);
    EACH_BAD_TEXT(text, status) {
        EXPECT(status, spb_session_join(platform, text, &opened, ERR));
        EXPECT(status, spb_session_list(platform, text, 1, &out, ERR));
        EXPECT(status, spb_session_export(session, text, ERR));
        EXPECT(status, spb_session_import(platform, text, NULL, &opened, ERR));
        CHECK(opened.id == 0 && out == NULL);
    }
    /* A number is no archive, and a directory no file. */
    EXPECT(SPB_E_INVALID_ARGUMENT, spb_session_import_value(platform, value, NULL, &opened, ERR));
    CHECK(spb_session_import(platform, SPB_STR("/"), NULL, &opened, ERR) != SPB_OK);
    spb_error_free(check_error);
    check_error = NULL;
    CHECK(spb_session_export(session, SPB_STR("/"), ERR) != SPB_OK);
    spb_error_free(check_error);
    check_error = NULL;
    EXPECT(SPB_E_NOT_FOUND, spb_session_join(platform, SPB_STR("nowhere"), &opened, ERR));
    CHECK(opened.id == 0);
}

/* Sizes that no version of a struct has, and fields that no version knows yet. */
static void struct_sizes(void) {
    static const size_t sizes[] = {0, 1, 7, 12, 8192, SIZE_MAX};
    struct { spb_session_options known; uint64_t unknown[2]; } newer;
    spb_session opened = {7};
    memset(&newer, 0, sizeof newer);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        newer.known.struct_size = sizes[i];
        EXPECT(SPB_E_INVALID_ARGUMENT, spb_session_open(platform, &newer.known, &opened, ERR));
        CHECK(opened.id == 0);
    }
    newer.known.struct_size = sizeof newer;
    newer.unknown[1] = 1;
    EXPECT(SPB_E_UNSUPPORTED, spb_session_open(platform, &newer.known, &opened, ERR));
    newer.unknown[1] = 0;
    OK(spb_session_open(platform, &newer.known, &opened, ERR));
    spb_session_free(opened);
    newer.known.struct_size = sizeof(size_t);
    newer.known.ttl_ms = -77;
    OK(spb_session_open(platform, &newer.known, &opened, ERR));
    spb_session_free(opened);
}

static void operations(void) {
    EACH_BAD_ID(id) {
        spb_operation bad = {id};
        uint32_t state = 7;
        spb_value *out = GARBAGE;
        EXPECT(SPB_E_HANDLE, spb_operation_wait(bad, 0, ERR));
        EXPECT(SPB_E_HANDLE, spb_operation_wait(bad, SPB_NO_TIMEOUT, ERR));
        EXPECT(SPB_E_HANDLE, spb_operation_state(bad, &state, ERR));
        EXPECT(SPB_E_NULL_ARGUMENT, spb_operation_state(bad, NULL, ERR));
        EXPECT(SPB_E_HANDLE, spb_operation_next_chunk(bad, -1, &out, ERR));
        CHECK(out == NULL && state == 0);
        out = GARBAGE;
        EXPECT(SPB_E_NULL_ARGUMENT, spb_operation_next_chunk(bad, -1, NULL, ERR));
        EXPECT(SPB_E_HANDLE, spb_operation_take_result(bad, &out, ERR));
        EXPECT(SPB_E_NULL_ARGUMENT, spb_operation_take_result(bad, NULL, ERR));
        EXPECT(SPB_E_HANDLE, spb_operation_cancel(bad, ERR));
        CHECK(out == NULL);
        spb_operation_free(bad);
    }
}

static void executes(void) {
    spb_execute_options options = SPB_EXECUTE_OPTIONS_INIT;
    options.framework = SPB_STR("python");
    options.operation = SPB_STR("echo");
    spb_operation out = {7};
    EACH_BAD_ID(id) {
        if (id == session.id) continue;
        EXPECT(SPB_E_HANDLE, spb_execute((spb_session){id}, &options, &to_queue, &out, ERR));
        CHECK(out.id == 0);
    }
    EACH_BAD_ID(id) {
        if (id == 0) continue;
        options.parent.id = id;
        EXPECT(SPB_E_HANDLE, spb_execute(session, &options, NULL, &out, ERR));
    }
    options.parent.id = 0;
    EXPECT(SPB_E_NULL_ARGUMENT, spb_execute(session, NULL, NULL, &out, ERR));
    EXPECT(SPB_E_NULL_ARGUMENT, spb_execute(session, &options, NULL, NULL, ERR));
    EXPECT(SPB_E_NOT_FOUND, spb_execute(session, &options, NULL, &out, ERR));
    spb_str *const texts[] = {&options.framework, &options.operation, &options.pool,
                              &options.traceparent};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        spb_str before = *texts[i];
        EACH_BAD_TEXT(text, status) {
            *texts[i] = text;
            EXPECT(status, spb_execute(session, &options, NULL, &out, ERR));
        }
        *texts[i] = before;
    }
    options.flags = 0x80000000u;
    EXPECT(SPB_E_INVALID_ARGUMENT, spb_execute(session, &options, NULL, &out, ERR));
    options.flags = 0;
    options.affinity = UINT32_MAX;
    EXPECT(SPB_E_INVALID_ARGUMENT, spb_execute(session, &options, NULL, &out, ERR));
    options.affinity = 0;
    options.reserved = 1;
    EXPECT(SPB_E_INVALID_ARGUMENT, spb_execute(session, &options, NULL, &out, ERR));
    options.reserved = 0;
    options.timeout_ms = INT64_MIN;
    EXPECT(SPB_E_INVALID_ARGUMENT, spb_execute(session, &options, NULL, &out, ERR));
    options.timeout_ms = 0;
    options.framework = SPB_STR("");
    EXPECT(SPB_E_INVALID_ARGUMENT, spb_execute(session, &options, NULL, &out, ERR));
    CHECK(out.id == 0);
}

#define CALL_TOOL spb_tool_call(session, &options, NULL, &out, ERR)

static void tool_calls(void) {
    spb_tool_call_options options = SPB_TOOL_CALL_OPTIONS_INIT;
    options.name = SPB_STR("nobody_has_it");
    spb_operation out = {7};
    EACH_BAD_ID(id) {
        spb_session bad = {id};
        if (id != session.id)
            EXPECT(SPB_E_HANDLE, spb_tool_call(bad, &options, &to_queue, &out, ERR));
        options.parent.id = id;
        if (id != 0) EXPECT(SPB_E_HANDLE, CALL_TOOL);
        options.parent.id = 0;
    }
    EXPECT(SPB_E_NULL_ARGUMENT, spb_tool_call(session, NULL, NULL, &out, ERR));
    EXPECT(SPB_E_NULL_ARGUMENT, spb_tool_call(session, &options, NULL, NULL, ERR));
    EXPECT(SPB_E_NOT_FOUND, CALL_TOOL);
    options.flags = 2;
    EXPECT(SPB_E_INVALID_ARGUMENT, CALL_TOOL);
    options.flags = 0;
    options.timeout_ms = INT64_MIN;
    EXPECT(SPB_E_INVALID_ARGUMENT, CALL_TOOL);
    options.timeout_ms = 0;
    spb_str *const texts[] = {&options.pool, &options.traceparent, &options.name};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        EACH_BAD_TEXT(text, status) {
            *texts[i] = text;
            EXPECT(status, CALL_TOOL);
        }
        *texts[i] = SPB_STR("");
    }
    EXPECT(SPB_E_INVALID_ARGUMENT, CALL_TOOL);
    CHECK(out.id == 0);
}

static void sinks(void) {
    spb_operation out = {7};
    spb_sink sink = spb_sink_queue(queue, 1);
    EACH_BAD_ID(id) {
        if (id == queue.id) continue;
        sink.queue.id = id;
        EXPECT(SPB_E_HANDLE, spb_platform_shutdown(platform, 0, &sink, &out, ERR));
    }
    sink = spb_sink_queue(queue, 1);
    sink.kind = 3;
    EXPECT(SPB_E_INVALID_ARGUMENT, spb_platform_shutdown(platform, 0, &sink, &out, ERR));
    sink.kind = UINT32_MAX;
    EXPECT(SPB_E_INVALID_ARGUMENT, spb_platform_shutdown(platform, 0, &sink, &out, ERR));
    sink = spb_sink_queue(queue, 1);
    sink.reserved = 1;
    EXPECT(SPB_E_INVALID_ARGUMENT, spb_platform_shutdown(platform, 0, &sink, &out, ERR));
    sink = spb_sink_callback(NULL, NULL, NULL);
    EXPECT(SPB_E_NULL_ARGUMENT, spb_platform_shutdown(platform, 0, &sink, &out, ERR));
    memset(&sink, 0xff, sizeof sink);
    EXPECT(SPB_E_INVALID_ARGUMENT, spb_platform_shutdown(platform, 0, &sink, &out, ERR));
    spb_platform other = check_open(NO_POOLS);
    EXPECT(SPB_E_INVALID_ARGUMENT, spb_platform_shutdown(other, 0, &to_queue, &out, ERR));
    CHECK(out.id == 0);
    check_close(other);
}

static void queues(void) {
    spb_event event;
    spb_queue made = {7};
    size_t count = 7;
    EXPECT(SPB_E_NULL_ARGUMENT, spb_queue_new(platform, NULL, ERR));
    EACH_BAD_ID(id) {
        if (id != platform.id) {
            EXPECT(SPB_E_HANDLE, spb_queue_new((spb_platform){id}, &made, ERR));
            CHECK(made.id == 0);
        }
        spb_queue bad = {id};
        int32_t fd = 7;
        count = 7;
        if (id == queue.id) continue;
        EXPECT(SPB_E_HANDLE, spb_queue_next_batch(bad, &event, 1, -1, &count, ERR));
        EXPECT(SPB_E_HANDLE, spb_queue_fd(bad, &fd, ERR));
        EXPECT(SPB_E_HANDLE, spb_queue_notify(bad, queue, 1, ERR));
        EXPECT(SPB_E_HANDLE, spb_queue_notify(queue, bad, 1, ERR));
        CHECK(fd == 0 && count == 0);
        spb_queue_free(bad);
    }
    EXPECT(SPB_E_INVALID_ARGUMENT, spb_queue_notify(queue, queue, 1, ERR));
    EXPECT(SPB_E_NULL_ARGUMENT, spb_queue_fd(queue, NULL, ERR));
    EXPECT(SPB_E_NULL_ARGUMENT, spb_queue_next_batch(queue, NULL, 1, 0, &count, ERR));
    EXPECT(SPB_E_NULL_ARGUMENT, spb_queue_next_batch(queue, &event, 1, 0, NULL, ERR));
    EXPECT(SPB_E_INVALID_ARGUMENT, spb_queue_next_batch(queue, &event, 0, 0, &count, ERR));
    EXPECT(SPB_E_INVALID_ARGUMENT, spb_queue_next_batch(queue, &event, 1, -2, &count, ERR));
    EXPECT(SPB_E_AGAIN, spb_queue_next_batch(queue, &event, SIZE_MAX, 3, &count, ERR));
}

#define REGISTER(on, of) spb_tool_register(on, of, &options, &to_queue, &tool, ERR)

static void tools(void) {
    spb_tool_options options = SPB_TOOL_OPTIONS_INIT;
    options.name = SPB_STR("good");
    spb_tool tool = {7};
    spb_value *out = GARBAGE;
    spb_operation operation = {7};
    EACH_BAD_ID(id) {
        spb_platform bad_platform = {id};
        spb_session bad_session = {id};
        spb_tool bad = {id};
        if (id != platform.id) {
            EXPECT(SPB_E_HANDLE, REGISTER(bad_platform, session));
            EXPECT(SPB_E_HANDLE, spb_tool_list(bad_platform, session, &out, ERR));
        }
        if (id != session.id && id != 0) {
            EXPECT(SPB_E_HANDLE, REGISTER(platform, bad_session));
            EXPECT(SPB_E_HANDLE, spb_tool_list(platform, bad_session, &out, ERR));
        }
        EXPECT(SPB_E_HANDLE, spb_tool_unregister(bad, NULL, &operation, ERR));
        EXPECT(SPB_E_NULL_ARGUMENT, spb_tool_unregister(bad, NULL, NULL, ERR));
        spb_tool_free(bad);
        CHECK(out == NULL && tool.id == 0 && operation.id == 0);
    }
    EXPECT(SPB_E_NULL_ARGUMENT,
           spb_tool_register(platform, session, NULL, &to_queue, &tool, ERR));
    EXPECT(SPB_E_NULL_ARGUMENT,
           spb_tool_register(platform, session, &options, &to_queue, NULL, ERR));
    EXPECT(SPB_E_INVALID_ARGUMENT,
           spb_tool_register(platform, session, &options, NULL, &tool, ERR));
    EXPECT(SPB_E_NULL_ARGUMENT, spb_tool_list(platform, session, NULL, ERR));
    spb_str *const texts[] = {&options.name, &options.description, &options.input_schema_json,
                              &options.output_schema_json, &options.chunk_schema_json};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        spb_str before = *texts[i];
        EACH_BAD_TEXT(text, status) {
            *texts[i] = text;
            EXPECT(status, REGISTER(platform, session));
        }
        *texts[i] = before;
    }
    options.input_schema_json = SPB_STR("{\"type\": 3}");
    EXPECT(SPB_E_INVALID_ARGUMENT, REGISTER(platform, session));
    options.input_schema_json = SPB_STR("");
    options.flags = 2;
    EXPECT(SPB_E_INVALID_ARGUMENT, REGISTER(platform, session));
    options.flags = 0;
    options.name = SPB_STR("two words");
    EXPECT(SPB_E_INVALID_ARGUMENT, REGISTER(platform, session));
    CHECK(tool.id == 0);
}

static void invocations(void) {
    spb_failure_options failure = SPB_FAILURE_OPTIONS_INIT;
    EACH_BAD_ID(id) {
        spb_invocation bad = {id};
        spb_value *out = GARBAGE;
        uint8_t is_cancelled = 7;
        EXPECT(SPB_E_HANDLE, spb_invocation_info(bad, &out, ERR));
        EXPECT(SPB_E_NULL_ARGUMENT, spb_invocation_info(bad, NULL, ERR));
        EXPECT(SPB_E_HANDLE, spb_invocation_args(bad, &out, ERR));
        EXPECT(SPB_E_NULL_ARGUMENT, spb_invocation_args(bad, NULL, ERR));
        EXPECT(SPB_E_HANDLE, spb_invocation_is_cancelled(bad, &is_cancelled, ERR));
        EXPECT(SPB_E_NULL_ARGUMENT, spb_invocation_is_cancelled(bad, NULL, ERR));
        EXPECT(SPB_E_HANDLE, spb_invocation_emit(bad, value, ERR));
        EXPECT(SPB_E_HANDLE, spb_invocation_complete(bad, value, ERR));
        EXPECT(SPB_E_HANDLE, spb_invocation_complete(bad, NULL, ERR));
        EXPECT(SPB_E_HANDLE, spb_invocation_fail(bad, &failure, ERR));
        EXPECT(SPB_E_HANDLE, spb_invocation_fail(bad, NULL, ERR));
        CHECK(out == NULL && is_cancelled == 0);
        spb_invocation_free(bad);
    }
}

static void variables(void) {
    spb_variable_options options = SPB_VARIABLE_OPTIONS_INIT;
    options.name = SPB_STR("good");
    options.type = SPB_STR("integer");
    uint64_t version = 7;
    spb_value *out = GARBAGE;
    EACH_BAD_ID(id) {
        spb_session bad = {id};
        if (id == session.id) continue;
        version = 7;
        out = GARBAGE;
        EXPECT(SPB_E_HANDLE, spb_variable_register(bad, &options, value, &version, ERR));
        EXPECT(SPB_E_HANDLE, spb_variable_get(bad, options.name, &out, &version, ERR));
        EXPECT(SPB_E_HANDLE, spb_variable_set(bad, options.name, value, 0, &version, ERR));
        EXPECT(SPB_E_HANDLE, spb_variable_delete(bad, options.name, 0, ERR));
        CHECK(out == NULL && version == 0);
        out = GARBAGE;
        EXPECT(SPB_E_HANDLE, spb_variable_list(bad, SPB_STR(""), &out, ERR));
        CHECK(out == NULL);
    }
    EXPECT(SPB_E_NULL_ARGUMENT, spb_variable_register(session, NULL, value, NULL, ERR));
    EXPECT(SPB_E_NULL_ARGUMENT, spb_variable_register(session, &options, NULL, NULL, ERR));
    EXPECT(SPB_E_NULL_ARGUMENT, spb_variable_get(session, options.name, NULL, NULL, ERR));
    EXPECT(SPB_E_NULL_ARGUMENT, spb_variable_set(session, options.name, NULL, 0, NULL, ERR));
    EXPECT(SPB_E_NULL_ARGUMENT, spb_variable_list(session, SPB_STR(""), NULL, ERR));
    EXPECT(SPB_E_NOT_FOUND, spb_variable_get(session, SPB_STR("none"), &out, NULL, ERR));
    EXPECT(SPB_E_NOT_FOUND, spb_variable_set(session, SPB_STR("none"), value, 0, NULL, ERR));
    EXPECT(SPB_E_NOT_FOUND, spb_variable_delete(session, SPB_STR("none"), 0, ERR));
    EACH_BAD_TEXT(text, status) {
        EXPECT(status, spb_variable_get(session, text, &out, NULL, ERR));
        EXPECT(status, spb_variable_set(session, text, value, 0, NULL, ERR));
        EXPECT(status, spb_variable_delete(session, text, 0, ERR));
        EXPECT(status, spb_variable_list(session, text, &out, ERR));
    }
    spb_str *const texts[] = {&options.name, &options.type, &options.constraints_json,
                              &options.metadata_json};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        spb_str before = *texts[i];
        EACH_BAD_TEXT(text, status) {
            *texts[i] = text;
            EXPECT(status, spb_variable_register(session, &options, value, NULL, ERR));
        }
        *texts[i] = before;
    }
    options.type = SPB_STR("no such");
    EXPECT(SPB_E_INVALID_ARGUMENT, spb_variable_register(session, &options, value, NULL, ERR));
}

static void variable_verbs(void) {
    spb_write_options options = SPB_WRITE_OPTIONS_INIT;
    const spb_str name = SPB_STR("none"), owner = SPB_STR("me");
    spb_value *out = GARBAGE;
    uint64_t version = 7;
    EACH_BAD_ID(id) {
        if (id == session.id) continue;
        spb_session bad = {id};
        EXPECT(SPB_E_HANDLE, spb_variable_set_with(bad, name, value, &options, &version, ERR));
        EXPECT(SPB_E_HANDLE, spb_variable_update(bad, name, value, NULL, &out, &version, ERR));
        EXPECT(SPB_E_HANDLE, spb_variable_rollback(bad, name, 1, NULL, &version, ERR));
        CHECK(out == NULL && version == 0);
        out = GARBAGE;
        EXPECT(SPB_E_HANDLE, spb_variable_history(bad, name, &out, ERR));
        CHECK(out == NULL);
        EXPECT(SPB_E_HANDLE, spb_variable_lock(bad, name, owner, 1, ERR));
        EXPECT(SPB_E_HANDLE, spb_variable_unlock(bad, name, owner, ERR));
        EXPECT(SPB_E_HANDLE, spb_variable_delete_with(bad, name, NULL, ERR));
        EXPECT(SPB_E_HANDLE, spb_variable_get_many(bad, &name, 1, &out, ERR));
        EXPECT(SPB_E_HANDLE, spb_variable_set_many(bad, NULL, 0, owner, &out, ERR));
        EXPECT(SPB_E_HANDLE, spb_variable_list_page(bad, owner, owner, 1, &out, ERR));
    }
    EXPECT(SPB_E_NULL_ARGUMENT, spb_variable_set_with(session, name, NULL, NULL, NULL, ERR));
    EXPECT(SPB_E_NULL_ARGUMENT, spb_variable_update(session, name, NULL, NULL, NULL, NULL, ERR));
    EXPECT(SPB_E_NULL_ARGUMENT, spb_variable_history(session, name, NULL, ERR));
    EXPECT(SPB_E_INVALID_ARGUMENT,
           spb_variable_update(session, name, value, NULL, &out, NULL, ERR));
    EXPECT(SPB_E_NOT_FOUND, spb_variable_set_with(session, name, value, NULL, &version, ERR));
    EXPECT(SPB_E_NOT_FOUND, spb_variable_rollback(session, name, 1, &options, &version, ERR));
    EXPECT(SPB_E_NOT_FOUND, spb_variable_history(session, name, &out, ERR));
    EXPECT(SPB_E_INVALID_ARGUMENT, spb_variable_lock(session, name, owner, 0, ERR));
    EXPECT(SPB_E_INVALID_ARGUMENT, spb_variable_lock(session, name, SPB_STR(""), 1, ERR));
    EXPECT(SPB_E_NOT_FOUND, spb_variable_lock(session, name, owner, UINT64_MAX, ERR));
    EXPECT(SPB_E_NOT_FOUND, spb_variable_unlock(session, name, owner, ERR));
    EXPECT(SPB_E_NOT_FOUND, spb_variable_delete_with(session, name, NULL, ERR));
    EACH_BAD_TEXT(text, status) {
        EXPECT(status, spb_variable_set_with(session, text, value, NULL, NULL, ERR));
        EXPECT(status, spb_variable_rollback(session, text, 1, NULL, NULL, ERR));
        EXPECT(status, spb_variable_history(session, text, &out, ERR));
        EXPECT(status, spb_variable_lock(session, text, owner, 1, ERR));
        EXPECT(status, spb_variable_lock(session, name, text, 1, ERR));
        EXPECT(status, spb_variable_unlock(session, name, text, ERR));
        EXPECT(status, spb_variable_delete_with(session, text, NULL, ERR));
        EXPECT(status, spb_variable_get_many(session, &text, 1, &out, ERR));
        EXPECT(status, spb_variable_list_page(session, owner, text, 1, &out, ERR));
        options.owner = text;
        EXPECT(status, spb_variable_set_with(session, name, value, &options, NULL, ERR));
    }
}

static void variable_batches(void) {
    const spb_str none = SPB_STR("");
    spb_variable_write write = {SPB_STR("none"), value, 0, 0};
    spb_value *out = GARBAGE;
    EXPECT(SPB_E_NULL_ARGUMENT, spb_variable_get_many(session, NULL, 1, &out, ERR));
    EXPECT(SPB_E_NULL_ARGUMENT, spb_variable_get_many(session, &write.name, 1, NULL, ERR));
    EXPECT(SPB_E_RESOURCE_EXHAUSTED, spb_variable_get_many(session, NULL, SIZE_MAX, &out, ERR));
    EXPECT(SPB_E_NULL_ARGUMENT, spb_variable_set_many(session, NULL, 1, none, &out, ERR));
    EXPECT(SPB_E_RESOURCE_EXHAUSTED, spb_variable_set_many(session, &write, 1001, none, &out, ERR));
    EXPECT(SPB_E_NOT_FOUND, spb_variable_set_many(session, &write, 1, none, NULL, ERR));
    write.reserved = 1;
    EXPECT(SPB_E_INVALID_ARGUMENT, spb_variable_set_many(session, &write, 1, none, &out, ERR));
    write.reserved = 0;
    write.value = NULL;
    EXPECT(SPB_E_NULL_ARGUMENT, spb_variable_set_many(session, &write, 1, none, &out, ERR));
    EXPECT(SPB_E_NULL_ARGUMENT, spb_variable_list_page(session, none, none, 0, NULL, ERR));
    EXPECT(SPB_E_INVALID_ARGUMENT, spb_variable_list_page(session, none, none, 10001, &out, ERR));
    CHECK(out == NULL);
}

static void watches(void) {
    spb_watch_options options = SPB_WATCH_OPTIONS_INIT;
    const spb_str all = SPB_STR("");
    spb_watch watch = {7};
    EACH_BAD_ID(id) {
        spb_session bad = {id};
        if (id != session.id)
            EXPECT(SPB_E_HANDLE, spb_watch_start(bad, all, &options, &to_queue, &watch, ERR));
        CHECK(watch.id == 0);
        EXPECT(SPB_E_HANDLE, spb_watch_stop((spb_watch){id}, ERR));
    }
    EXPECT(SPB_E_NULL_ARGUMENT, spb_watch_start(session, all, NULL, &to_queue, NULL, ERR));
    EXPECT(SPB_E_INVALID_ARGUMENT, spb_watch_start(session, all, NULL, NULL, &watch, ERR));
    EXPECT(SPB_E_INVALID_ARGUMENT,
           spb_watch_start(session, SPB_STR("a,[b]"), NULL, &to_queue, &watch, ERR));
    options.queue_max = UINT64_MAX;
    EXPECT(SPB_E_INVALID_ARGUMENT,
           spb_watch_start(session, all, &options, &to_queue, &watch, ERR));
    options.queue_max = 0;
    options.flags = 4;
    EXPECT(SPB_E_INVALID_ARGUMENT,
           spb_watch_start(session, all, &options, &to_queue, &watch, ERR));
    options.flags = 0;
    options.reserved = 1;
    EXPECT(SPB_E_INVALID_ARGUMENT,
           spb_watch_start(session, all, &options, &to_queue, &watch, ERR));
    EACH_BAD_TEXT(text, status)
        EXPECT(status, spb_watch_start(session, text, NULL, &to_queue, &watch, ERR));
    CHECK(watch.id == 0);
}

static void logs(void) {
    spb_log_options options = SPB_LOG_OPTIONS_INIT;
    spb_watch watch = {7};
    EACH_BAD_ID(id) {
        spb_platform bad = {id};
        if (id != platform.id)
            EXPECT(SPB_E_HANDLE, spb_log_subscribe(bad, &options, &to_queue, &watch, ERR));
        CHECK(watch.id == 0);
        spb_watch_free((spb_watch){id});
    }
    EXPECT(SPB_E_NULL_ARGUMENT, spb_log_subscribe(platform, &options, &to_queue, NULL, ERR));
    EXPECT(SPB_E_INVALID_ARGUMENT, spb_log_subscribe(platform, &options, NULL, &watch, ERR));
    options.level = 15;
    EXPECT(SPB_E_INVALID_ARGUMENT, spb_log_subscribe(platform, &options, &to_queue, &watch, ERR));
    options.level = 0;
    options.reserved = 1;
    EXPECT(SPB_E_INVALID_ARGUMENT, spb_log_subscribe(platform, &options, &to_queue, &watch, ERR));
    options.reserved = 0;
    EACH_BAD_TEXT(text, status) {
        options.target_prefix = text;
        EXPECT(status, spb_log_subscribe(platform, &options, &to_queue, &watch, ERR));
    }
    CHECK(watch.id == 0);
}

/* Freed handles of every kind, live ones of every other, and numbers that were never handles. */
static void prepare(void) {
    platform = check_open(NO_POOLS);
    OK(spb_session_open(platform, NULL, &session, ERR));
    OK(spb_queue_new(platform, &queue, ERR));
    value = check_value("1");
    to_queue = spb_sink_queue(queue, 1);
    spb_platform freed_platform = check_open(NO_POOLS);
    check_close(freed_platform);
    spb_session freed_session;
    OK(spb_session_open(platform, NULL, &freed_session, ERR));
    spb_session_free(freed_session);
    spb_queue freed_queue;
    OK(spb_queue_new(platform, &freed_queue, ERR));
    spb_queue_free(freed_queue);
    spb_watch freed_watch;
    OK(spb_log_subscribe(platform, NULL, &to_queue, &freed_watch, ERR));
    spb_watch_free(freed_watch);
    spb_tool_options options = SPB_TOOL_OPTIONS_INIT;
    options.name = SPB_STR("freed");
    spb_tool freed_tool;
    OK(spb_tool_register(platform, session, &options, &to_queue, &freed_tool, ERR));
    spb_tool_free(freed_tool);
    const uint64_t ids[] = {0, platform.id, session.id, queue.id, freed_platform.id,
                            freed_session.id, freed_queue.id, freed_watch.id, freed_tool.id, 1,
                            UINT64_MAX, UINT64_C(0x4000000001000000), UINT64_C(0x7000123456789abc),
                            UINT64_C(0x9e3779b97f4a7c15)};
    bad_count = sizeof ids / sizeof *ids;
    memcpy(bad_ids, ids, sizeof ids);
    bad_texts[0] = SPB_STR("bad \xff\xfe");
    bad_texts[1] = spb_str_n(NULL, 3);
    bad_texts[2] = spb_str_n("long", SIZE_MAX);
}

int main(void) {
    prepare();
    library();
    values();
    tensors();
    platforms();
    pools();
    sessions();
    saved_sessions_of_bad_handles();
    saved_sessions();
    struct_sizes();
    operations();
    executes();
    tool_calls();
    sinks();
    queues();
    tools();
    invocations();
    variables();
    variable_verbs();
    variable_batches();
    watches();
    logs();
    spb_value_free(value);
    /* After all that, the good handles still work. */
    spb_value *out;
    OK(spb_session_info(session, &out, ERR));
    spb_value_free(out);
    spb_queue_free(queue);
    spb_session_free(session);
    check_close(platform);
    return 0;
}
